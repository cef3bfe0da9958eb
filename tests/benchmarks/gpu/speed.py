"""Seconds an epoch, and seconds for out-of-fold predictions."""

import inspect
import time
from statistics import median

from tests.benchmarks.gpu.data import splits
from tests.benchmarks.gpu.job import Figures, Job, Parts
from tests.benchmarks.gpu.training import FAST, REFUSALS, RESNET18, Settings, Splits, config, refusal, spread
from train.crossval import cross_validate
from train.loop import train

MODES = ("off", "on", "graphs")
"""Of the setting `compile`; what this version has not is said to be not available."""
EPOCHS = 5
"""The first is left out: it still sets up libraries."""
FOLDS: dict[str, Settings] = {
    "fast, 24 epochs": {**FAST, "epochs": 24, "compile": "off"},
    "fast, 24 epochs, compiled": {**FAST, "epochs": 24, "compile": "auto"},
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
    can = "at_once" in inspect.signature(cross_validate).parameters
    for name, settings in FOLDS.items():
        yield name, out_of_fold(job, both, settings, 1)
        figures = out_of_fold(job, both, settings, AT_ONCE) if can else {"not_available": "cross_validate: at_once"}
        yield f"{name}, {AT_ONCE} at once", figures


def out_of_fold(job: Job, both: Splits, settings: Settings, at_once: int) -> Figures:
    """Wall-clock seconds of the whole call, compiling and predicting included, and accuracy per fold."""
    more = {"at_once": at_once} if at_once > 1 else {}
    started = time.perf_counter()
    try:
        found = cross_validate(config(job, settings), both[0], folds=5, seed=0, **more)  # type: ignore[arg-type]
    except REFUSALS as error:
        return refusal(error)
    return {
        "wall_seconds": time.perf_counter() - started,
        "training_seconds": found.seconds,
        "fold_accuracy": spread(found.fold_accuracy),
        "settings": dict(settings),
        "n": 1,
    }
