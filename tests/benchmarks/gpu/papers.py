"""The experiments of the ResNet papers, with as many epochs as fit."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial

from curate import registry
from tests.benchmarks.gpu.data import splits
from tests.benchmarks.gpu.job import Figures, Job, Parts
from tests.benchmarks.gpu.training import Splits
from train import experiments
from train.loop import train
from train.study import Arm, Scale, Study, arm_config

PAPER_EPOCHS = 164
"""64,000 steps of 128 images."""
LEAST_EPOCHS = 4
"""With fewer, networks of 56 layers and more have not begun to learn; the experiment is left out then."""
SHARE = 0.8
"""Of the time that is left for epochs; the rest is for curves, the last evaluation and compiling."""
CURVE_IMAGES = 1000
"""+-3 %: the curves are for the eye, errors at the end are measured on all images."""


def degradation(job: Job) -> Parts:
    """Plain and residual networks of 20 and 56 layers, one seed."""
    return reproduced(job, "degradation", ("plain20", "plain56", "resnet20", "resnet56"))


def identity_mappings(job: Job) -> Parts:
    """The five residual blocks with 110 layers, one seed."""
    kinds = ("full_preactivation", "original", "bn_after_addition", "relu_before_addition", "relu_only_preactivation")
    return reproduced(job, "identity_mappings", tuple(f"{kind}110" for kind in kinds))


def reproduced(job: Job, name: str, names: Sequence[str]) -> Parts:
    """An experiment at its scale `paper`, one seed, with as many epochs as the time that is left allows."""
    both = splits(job, "cifar10")
    there = registry.modules(experiments)[name].SCALES["paper"]
    arms = tuple(arm for arm in there.arms if arm.name in names)
    study = study_of(job, both, replace(there, arms=arms, seeds=1, curve_images=CURVE_IMAGES), name)
    epochs = 1
    if not job.small:
        seconds = {arm.name: an_epoch(study, both, arm) for arm in arms}
        epochs = min(PAPER_EPOCHS, int(SHARE * job.left() / sum(seconds.values())))
        yield "planned", {"epochs": epochs, "paper_epochs": PAPER_EPOCHS, "seconds_an_epoch": seconds}
        if epochs < LEAST_EPOCHS:
            yield "result", {"not_available": f"{epochs} epochs fit into {job.left():.0f} s; it takes {LEAST_EPOCHS}"}
            return
    yield "result", outcome(name, replace(study, settings={**study.settings, "epochs": epochs}), epochs)


def study_of(job: Job, both: Splits, scale: Scale, name: str) -> Study:
    """The experiment on this device; in a trial not compiled. What is trained lies in the working folder."""
    return Study(
        scale,
        *both,
        data_hash=both[0].fingerprint() + both[1].fingerprint(),
        # of networks this small, starting kernels takes the time
        settings={"device": job.device, "compile": "off" if job.small else "graphs"},
        seeds=(0,),
        folder=job.work / f"{name}-{time.time_ns()}",
        say=partial(print, flush=True),
    )


def an_epoch(study: Study, both: Splits, arm: Arm) -> float:
    """Seconds of the second of two epochs of an arm, as it will be trained."""
    return train(replace(arm_config(study, arm, 0), epochs=2), both[0]).history[1].seconds


def outcome(name: str, study: Study, epochs: int) -> Figures:
    """The table beside the paper's, and which claims came out so."""
    found = registry.pick("experiment", name, experiments)(study)
    rows: list[Mapping[str, object]] = json.loads(found.table.to_json(orient="records"))  # nan becomes null
    return {
        "table": rows,
        "claims": [asdict(claim) for claim in found.claims],
        "epochs": epochs,
        "paper_epochs": PAPER_EPOCHS,
        "seeds": len(study.seeds),
        "note": found.note,
    }
