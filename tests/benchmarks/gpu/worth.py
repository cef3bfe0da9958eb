"""What curating is worth on a GPU: raw, curated and true labels, paired by seed, for as many steps."""

from dataclasses import replace

import numpy as np
import torch

from curate import recipe
from curate.results import paired
from curate.results.interval import mean_interval
from tests.benchmarks.gpu.data import splits
from tests.benchmarks.gpu.job import Figures, Job, Parts
from tests.benchmarks.gpu.labels import Judged, judged
from tests.benchmarks.gpu.training import FAST, LARGE, Settings, config
from train.data import ImageSet
from train.evaluate import predict
from train.loop import train
from train.schedule import with_steps_of

SEEDS = 5
KINDS: dict[str, tuple[str, Settings]] = {
    "worse": ("worse", {**FAST, "epochs": 16}),
    "worse, large": ("worse", {**LARGE, "epochs": 45}),
    "aggre": ("aggre", {**FAST, "epochs": 16}),
}
"""Part -> labels, settings. Predictions of a set of labels are made once."""


def curation(job: Job) -> Parts:
    """CIFAR-10N: labels as given, as the default policy leaves them, and the true ones; cleanlab's default filter."""
    image_set, test_set = splits(job, "cifar10")
    known: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
    for part, (column, settings) in KINDS.items():
        if column not in known:
            known[column] = arms(image_set, judged(job, image_set, column))
        yield from measured(job, part, known[column], image_set, test_set, settings)


def arms(image_set: ImageSet, said: Judged) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Arm -> which images it keeps, shape (N,), bool, and their labels, shape (N,)."""
    rules = [rule for rule in recipe.default().policy if rule.finder == "label_error"]
    sure = next(rule.sure for rule in rules if rule.action == "relabel")
    below = next(rule.below for rule in rules if rule.action == "drop")
    assert sure is not None
    assert below is not None
    doubt, given = said.doubt, said.given
    relabel = (doubt["suggested_prob"] >= sure).to_numpy()
    drop = (1 - doubt["wrong"] < below).to_numpy() & ~relabel
    every = np.ones(len(given), bool)
    found = {
        "raw": (every, given),
        "curated": (~drop, np.where(relabel, doubt["suggested"], given)),
        "drop": (~(drop | relabel), given),
        "clean": (every, image_set.labels.numpy()),
    }
    try:
        from cleanlab.filter import find_label_issues
    except ImportError:  # the question does without it
        return found
    return found | {"cleanlab": (~find_label_issues(given, said.pred_probs, n_jobs=1), given)}


def measured(
    job: Job,
    part: str,
    sets: dict[str, tuple[np.ndarray, np.ndarray]],
    image_set: ImageSet,
    test_set: ImageSet,
    settings: Settings,
) -> Parts:
    """After each seed, what is known by then: accuracies, differences, and the share of the gap that is closed."""
    truth = image_set.labels.numpy()
    wanted = with_steps_of(config(job, settings), len(image_set))
    right: dict[str, list[np.ndarray]] = {name: [] for name in sets}
    seconds: dict[str, float] = dict.fromkeys(sets, 0.0)
    for seed in range(1 if job.small else SEEDS):
        for name, (kept, labels) in sets.items():
            told = replace(image_set, labels=torch.from_numpy(labels.astype(np.int64))).subset(torch.from_numpy(kept))
            trained = train(replace(wanted, seed=seed), told)
            said = predict(trained.model, test_set.images, precision=wanted.precision)
            right[name].append(said.probs.argmax(1) == test_set.labels.numpy())
            seconds[name] += trained.seconds
        figures: dict[str, object] = {
            "n": seed + 1,
            "settings": {**settings, "skip_easy": wanted.skip_easy},
            "seconds": sum(seconds.values()),
        }
        for name, (kept, labels) in sets.items():
            figures[f"accuracy_{name}"] = spread(right[name])
            figures[f"right_labels_{name}"] = float((labels == truth)[kept].mean())
        yield part, {**figures, **differences({name: np.stack(values) for name, values in right.items()})}


def spread(right: list[np.ndarray]) -> dict[str, float | int]:
    """Accuracy over the seeds."""
    values = [float(each.mean()) for each in right]
    return {"mean": mean_interval(values)[0], "min": min(values), "max": max(values), "n": len(values)}


def differences(right: dict[str, np.ndarray]) -> Figures:
    """Points with 95 % intervals, paired by seed; arrays of shape (S, N)."""
    raw, curated, clean = (right[name].astype(np.int8) for name in ("raw", "curated", "clean"))
    told: dict[str, object] = {"curated minus raw": points(curated - raw)}
    if "cleanlab" in right:
        told["curated minus cleanlab"] = points(curated - right["cleanlab"].astype(np.int8))
    gap = float(clean.mean() - raw.mean())
    return told | {"gap_closed": float(curated.mean() - raw.mean()) / gap if gap else None}


def points(right: np.ndarray) -> str:
    """`+6.12 ± 0.40`; without an interval for one seed."""
    found = paired.difference(right, at_all_times=False)
    half = "" if found.half_width is None else f" ± {100 * found.half_width:.2f}"
    return f"{100 * found.mean:+.2f}{half} points"
