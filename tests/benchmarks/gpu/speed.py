"""Seconds an epoch, and seconds for out-of-fold predictions."""

import time
from statistics import median

from tests.benchmarks.gpu.data import splits
from tests.benchmarks.gpu.job import Figures, Job, Parts
from tests.benchmarks.gpu.training import FAST, LARGE, REFUSALS, RESNET18, Settings, Splits, config, refusal, spread
from train.crossval import cross_validate
from train.loop import train

MODES = ("off", "on", "graphs")
"""Of the setting `compile`."""
EPOCHS = 5
"""The first is left out: it still sets up libraries."""
FOLDS: dict[str, Settings] = {
    "fast, 24 epochs": {**FAST, "epochs": 24, "compile": "off"},
    "resnet_whitened, large, 16 epochs": {**LARGE, "epochs": 16, "compile": "off"},
    "resnet_whitened, large, 16 epochs, compiled": {**LARGE, "epochs": 16, "compile": "auto"},
    "resnet18, 12 epochs": {**RESNET18, "epochs": 12, "cutout": 0, "compile": "off"},  # too short to overfit
}
AT_ONCE = 5


def epoch_seconds(job: Job) -> Parts:
    """resnet18 in batches of 512 and 1,024: not compiled, compiled, and as CUDA graphs."""
    both = splits(job, "cifar10")
    for batch_size in (512, 1024):
        for mode in MODES:
            settings = {**RESNET18, "batch_size": batch_size, "compile": mode, "epochs": EPOCHS}
            yield f"batches of {batch_size}, compile {mode}", epochs(job, both, settings)


def epochs(job: Job, both: Splits, settings: Settings) -> Figures:
    """Seconds of each epoch but the first, and images a second at the median."""
    try:
        trained = train(config(job, settings), both[0])
    except REFUSALS as error:
        return refusal(error)
    seconds = [epoch.seconds for epoch in trained.history]
    later = seconds[1:] or seconds
    return {
        "seconds_an_epoch": {**spread(later), "median": median(later)},
        "first_epoch_seconds": seconds[0],
        "compile_seconds": trained.compile_seconds,
        "images_a_second": len(both[0]) / median(later),
        "settings": dict(settings),
    }


def folds(job: Job) -> Parts:
    """Five folds of the 50,000 training images, one after the other and, where `cross_validate` can, at once."""
    both = splits(job, "cifar10")
    for name, settings in FOLDS.items():
        yield name, out_of_fold(job, both, settings, 1)
        yield f"{name}, {AT_ONCE} at once", out_of_fold(job, both, settings, AT_ONCE)


def out_of_fold(job: Job, both: Splits, settings: Settings, at_once: int) -> Figures:
    """Wall-clock seconds of the whole call, compiling and predicting included, and accuracy per fold."""
    started = time.perf_counter()
    try:
        found = cross_validate(config(job, settings), both[0], folds=5, seed=0, at_once=at_once)
    except REFUSALS as error:
        return refusal(error)
    return {
        "wall_seconds": time.perf_counter() - started,
        "training_seconds": found.seconds,
        "fold_accuracy": spread(found.fold_accuracy),
        "settings": dict(settings),
        "n": 1,
    }
