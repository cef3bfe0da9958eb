"""Wrong labels found with `predict --profile best`: how well, and in how many seconds."""

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from curate.files import replacing
from curate.labels import threshold
from tests.benchmarks import record
from tests.benchmarks.gpu.data import names, splits
from tests.benchmarks.gpu.job import Figures, Job, Missing, Parts
from tests.benchmarks.gpu.training import config
from train import profiles, rounds
from train.data import ImageSet

LABELS = "cifar10/cifar10n.csv"
DOUBT = "doubt."
"""Before the names of its columns, in the file that they are kept in."""

SETS = ("worse", "aggre")


@dataclass(frozen=True)
class Judged:
    """What the networks of `predict --profile best` and the model of labels say of N labels."""

    given: np.ndarray
    """Shape (N,), int64: the labels."""

    pred_probs: np.ndarray
    """Shape (N, K), out of fold."""
    doubt: pd.DataFrame
    """A row per label, see `curate.signals.label_doubt`."""
    predict_seconds: float
    judge_seconds: float
    settings: dict[str, object]
    """Of the last round."""


def label_errors(job: Job) -> Parts:
    """CIFAR-10N `aggre` and `worse`: ours, and cleanlab's filters on the same probabilities."""
    image_set = splits(job, "cifar10")[0]
    for column in SETS:
        yield column, found(job, image_set, column)


def labels_of(job: Job, image_set: ImageSet, column: str) -> np.ndarray:
    """A set of labels of CIFAR-10N for the training images: shape (N,), int64."""
    path = record.DATA / LABELS
    if not path.exists():
        raise Missing(f"{path} is missing; set CURATE_DATA to the folder with {LABELS}")
    table = pd.read_csv(path).set_index("path")
    at = [f"train/{name}" for name in names(job, "cifar10", "train")]
    given = pd.Index(image_set.classes).get_indexer(pd.Index(table[column].reindex(at)))
    if (given < 0).any():
        raise Missing(f"{path} has no {column} label for {at[int(np.argmax(given < 0))]}; is it of other images?")
    return given.astype(np.int64)


def judged(job: Job, image_set: ImageSet, column: str) -> Judged:
    """Predict and judge a set of labels; the first check that asks does so, the others read it from its file."""
    path = job.work / f"judged-{column}{'-small' if job.small else ''}.npz"
    if not path.exists():
        write_judged(path, predicted(job, image_set, labels_of(job, image_set, column)))
    with np.load(path) as kept:
        return Judged(
            given=kept["given"],
            pred_probs=kept["pred_probs"],
            doubt=pd.DataFrame({name.removeprefix(DOUBT): kept[name] for name in kept.files if name.startswith(DOUBT)}),
            predict_seconds=float(kept["predict_seconds"]),
            judge_seconds=float(kept["judge_seconds"]),
            settings=json.loads(str(kept["settings"])),
        )


def write_judged(path: Path, said: Judged) -> None:
    """Keep it in one file."""
    arrays = {DOUBT + str(name): column.to_numpy() for name, column in said.doubt.items()}
    plain = {name: getattr(said, name) for name in ("given", "pred_probs", "predict_seconds", "judge_seconds")}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays, **plain, settings=json.dumps(said.settings))  # type: ignore[arg-type]  # as in data.py


def predicted(job: Job, image_set: ImageSet, given: np.ndarray) -> Judged:
    """Predict and judge. given: shape (N,)."""
    from curate.signals.label_doubt import label_doubt

    plan = profiles.find("best")
    plan = replace(plan, folds=2, corrected=1, images=None) if job.small else plan
    told = replace(image_set, labels=torch.from_numpy(given))
    settings = config(job, profiles.settings(plan))
    share = len(given) * (plan.folds - 1) // plan.folds
    settings = profiles.configured(plan, settings, images=share, side=image_set.image_size)
    started = time.perf_counter()
    said = rounds.run(
        settings,
        told,
        np.full(len(given), -1),
        plan=plan,
        others=told.subset(np.zeros(len(given), bool)),
        run_dir=None,
        at_once=1,
        on_epoch=None,
    )
    ended = time.perf_counter()
    manifest = pd.DataFrame({"split": "train", "parent_id": ""}, index=range(len(given)))
    twins = pd.DataFrame({"row": np.zeros(0, np.int64), "label": np.zeros(0, np.int64)})  # none are looked for here
    doubt = label_doubt(manifest, given, said.pred_probs, said.repeats, twins)
    seconds = ended - started, time.perf_counter() - ended
    return Judged(given, said.pred_probs, doubt, *seconds, settings.as_dict())


def found(job: Job, image_set: ImageSet, column: str) -> Figures:
    """Predict, judge and compare with the truth."""
    try:  # the other checks do without these
        from cleanlab.filter import find_label_issues

        from tests.benchmarks.label_errors import FILTERS, calibration_error, scores
    except ImportError as error:
        raise Missing(f"{error.name} is not installed") from None
    said, true = judged(job, image_set, column), image_set.labels.numpy()
    p_wrong, given, probs = said.doubt["wrong"].to_numpy(), said.given, said.pred_probs
    wrong = given != true
    ours = scores(wrong, threshold.taken(p_wrong, threshold.cut(p_wrong, "f1")), p_wrong)
    peers = {name: find_label_issues(given, probs, filter_by=name, n_jobs=1) for name in FILTERS}
    f1 = {name: scores(wrong, issues, p_wrong)["f1"] for name, issues in peers.items()}
    best = max(f1, key=lambda name: f1[name])
    return {
        "predict_seconds": said.predict_seconds,
        "judge_seconds": said.judge_seconds,
        "accuracy_out_of_fold": float((probs.argmax(1) == true).mean()),
        "f1": ours["f1"],
        "best_f1": ours.get("best_f1", 0.0),
        "auroc": ours.get("auroc", 0.0),
        "average_precision": ours.get("average_precision", 0.0),
        "wrong": float(wrong.mean()),
        "estimated_wrong": float(p_wrong.mean()),
        "calibration_error": calibration_error(wrong, p_wrong),
        "best_cleanlab_f1": f1[best],
        "best_cleanlab": best,
        "settings": said.settings,
        "n": 1,
    }
