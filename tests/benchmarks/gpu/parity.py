"""Does the GPU compute what the CPU does, and does training wait for it?"""

import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from tests.benchmarks.gpu.data import splits
from tests.benchmarks.gpu.job import Figures, Job, Parts
from tests.benchmarks.gpu.training import FAST, Settings, config
from train import loop, models
from train.blocks import Network
from train.config import Precision, TrainConfig
from train.data import ImageSet
from train.epoch import Passed, run_epoch
from train.evaluate import predict
from train.loop import train
from train.schedule import steps_an_epoch

IMAGES = 64
"""The widest network takes 2 seconds for them on 16 cores."""
CALIBRATION = 64
"""Images that normalisations take their means from."""
STEPS, BATCH = 3, 16
"""A set of 48 images is trained in batches of 16, see `train.loop`. Three steps: rounding grows with every one."""
SAYS = "called a synchronizing CUDA operation"
"""What torch warns of each time that the host waits."""
TRAINED: dict[str, Settings] = {
    "resnet_fast, sgd": {"model": "resnet_fast"},
    "resnet18, sgd": {"model": "resnet18", "lr": 0.1},
    "resnet20, sgd": {"model": "resnet20", "lr": 0.1},
    "resnet_whitened, muon": {**FAST, "small_first": 0.0},
}
SYNCED: dict[str, Settings] = {
    "defaults": {"compile": "off"},
    "fast": {**FAST, "compile": "off"},
    "fast, compiled": {**FAST, "compile": "auto"},
    "fast, graphs": {**FAST, "compile": "graphs"},
}


def parity(job: Job) -> Parts:
    """Same weights, same probabilities; the same three steps; and how often the host waits in an epoch."""
    train_set, test_set = splits(job, "cifar10")
    for name in (next(iter(members)) for members in models.families().values()):
        yield f"probabilities, {name}", probabilities(job, name, train_set, test_set)
    for name, settings in TRAINED.items():
        yield f"three steps, {name}", three_steps(job, settings, train_set)
    if job.device == "cuda":
        for name, settings in SYNCED.items():
            yield f"waiting, {name}", waiting(job, settings, train_set)


def probabilities(job: Job, name: str, train_set: ImageSet, test_set: ImageSet) -> Figures:
    """Largest difference of any probability from the CPU's in fp32, with random weights.

    `tf32` is what torch does with float32 convolutions by default: 10 bits of the factors. `fp32` is without.
    """
    images = test_set.images[: 8 if job.small else IMAGES]
    torch.manual_seed(0)
    model = models.build(name, num_classes=len(test_set.classes), image_size=test_set.image_size)
    model.start_from(train_set.images[:500], *train_set.mean_std())
    spread_out(model, train_set)
    on_cpu = predict(model, images, precision="fp32").probs
    model.to(job.device)

    def difference(precision: Precision) -> float:
        return float(np.abs(predict(model, images, precision=precision).probs - on_cpu).max())

    with exact():
        exactly = difference("fp32")
    return {"fp32": exactly, "tf32": difference("fp32"), "bf16": difference("bf16"), "n": len(images)}


@torch.no_grad()
def spread_out(model: Network, train_set: ImageSet) -> None:
    """Have the network tell images apart, as if it were trained: one that starts gives all the same probabilities, or,
    before its normalisations have seen an image, 0 and 1 alone, which hides any difference."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the mean of what was seen, here of one batch
    torch.nn.init.normal_(model.head.weight, std=0.1)
    model.train()
    model(train_set.images[:CALIBRATION])
    model.eval()


def three_steps(job: Job, settings: Settings, train_set: ImageSet) -> Figures:
    """Distance of the weights after three steps in fp32 from those on the CPU, as a share of the way they went."""
    some = train_set.subset(torch.arange(STEPS * BATCH) * len(train_set) // (STEPS * BATCH))  # of all classes
    wanted = replace(config(job, settings), epochs=1, compile="off", precision="fp32", batch_size=BATCH)
    with exact():
        start, on_cpu = weights_before_and_after(replace(wanted, device="cpu"), some)
        _, there = weights_before_and_after(wanted, some)
    way = float((on_cpu - start).norm())
    return {"difference": float((there - on_cpu).norm()) / way, "way": way, "steps": STEPS}


def weights_before_and_after(wanted: TrainConfig, train_set: ImageSet) -> tuple[Tensor, Tensor]:
    """All weights in one row, before and after training."""
    seen: list[Tensor] = []

    def watch(_: int, network: Network) -> None:
        seen.append(torch.cat([parameter.detach().flatten() for parameter in network.parameters()]).cpu())

    train(wanted, train_set, watch=watch)
    return seen[0], seen[-1]


def waiting(job: Job, settings: Settings, train_set: ImageSet) -> Figures:
    """How often the host waited for the GPU within an epoch, and where; in the second, for the first sets up libraries.

    A line is that of Python which called.
    """
    epochs: list[Counter[str]] = []

    def watched(*given: Any) -> Passed:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                return run_epoch(*given)
            finally:
                torch.cuda.set_sync_debug_mode("default")
                waits = [each for each in said if SAYS in str(each.message)]
                epochs.append(Counter(f"{Path(each.filename).name}:{each.lineno}" for each in waits))

    wanted = replace(config(job, settings), epochs=2)
    with patch.object(loop, "run_epoch", watched):
        loop.train(wanted, train_set)
    return {
        "waits_an_epoch": epochs[-1].total(),
        "where": dict(epochs[-1]),
        "steps": steps_an_epoch(wanted, len(train_set)),
    }


@contextmanager
def exact() -> Iterator[None]:
    """Float32 convolutions and products in float32 within the block."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before
