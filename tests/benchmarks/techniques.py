"""What each technique of the recipe `fast` is worth in a short training: one is changed at a time, the rest stays."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch

from curate.manifest import classes
from curate.workspace import MANIFEST, read_table
from tests.benchmarks.label_sets import workspace
from tests.benchmarks.record import record
from train import parallel, recipes
from train.config import TrainConfig
from train.data import ImageSet, load_images
from train.evaluate import evaluate, predict
from train.loop import train
from train.rows import eval_rows_of, train_rows_of
from train.study import spread

TRAIN, TEST = 10_000, 5_000
"""Images, as many of each class: a training takes three minutes of a core, and its accuracy is good to +-1.1 %."""
SEEDS = 1
"""Differences of a point need more: each takes another half an hour on two cores."""
BASE = {**recipes.load("fast"), "epochs": 6, "batch_size": 250, "skip_easy": 0.0}
"""240 steps. The rates are the recipe's, for batches twice as large: Muon turns filters by them whatever the batch.
Easy images are few in so short a training: leaving them out is one of the changes here."""
CHANGES: Mapping[str, Mapping[str, object]] = {
    "nothing": {},
    "SGD instead of Muon": {
        "optimizer": "sgd",
        "lr": 0.4,
        "head_lr": 0.4,
        "bias_lr": 0.4,
        "momentum": 0.9,
        "warmup": 0.2,
    },
    "one rate for all instead of their own for head and biases": {"head_lr": 0.17, "bias_lr": 0.17},
    "all at full size": {"small_first": 0.0},
    "easy images left out": {"skip_easy": 0.5},
    "no label smoothing": {"label_smoothing": 0.0},
    "no shift": {"pad": 0},
    "shift by up to 4": {"pad": 4},
    "no mirroring": {"flip": False},
    "cut-out of 8": {"cutout": 8},
    "mixup": {"mixup": 0.2},
    "CutMix": {"cutmix": 1.0},
    "random crops": {"crop_area": 0.5, "pad": 0},
}


@dataclass(frozen=True)
class Case:
    """One training: what is changed, and the seed."""

    change: str
    seed: int


def run() -> None:
    """Every change with every seed, as many at the same time as there are cores."""
    ws = workspace("clean")
    rows = read_table(ws.path(MANIFEST))
    names = classes(rows)
    both = [load_images(part, ws.root, classes=names) for part in (train_rows_of(rows), eval_rows_of(ws, rows))]
    train_set, test_set = spread(both[0], TRAIN), spread(both[1], TEST)
    cases = [Case(change, seed) for seed in range(SEEDS) for change in CHANGES]
    figures: dict[str, list[dict[str, float | None]]] = {}
    what = f"{TRAIN:,} training and {TEST:,} test images of CIFAR-10 (JPEG copy), {BASE['epochs']} epochs"
    at_once = torch.get_num_threads()
    with parallel.shared(train_set, test_set, at_once=at_once) as (train_set, test_set):
        one = partial(measured, train_set=train_set, test_set=test_set)
        for case, found in zip(cases, parallel.each(one, cases, at_once=at_once), strict=True):
            print(case, found, flush=True)
            figures.setdefault(case.change, []).append(found)
            record("techniques", what, dict(figures))


def measured(
    case: Case, tell: Callable[[object], None], *, train_set: ImageSet, test_set: ImageSet
) -> dict[str, float | None]:
    """Test accuracies, 0 to 1, and seconds of training."""
    config = TrainConfig.from_mapping({**BASE, **CHANGES[case.change], "seed": case.seed})
    trained = train(config, train_set)
    scored = evaluate(predict(trained.model, test_set.images, flip=True), test_set)
    return {"accuracy": scored.accuracy, "accuracy_flip": scored.accuracy_flip, "seconds": trained.seconds}
