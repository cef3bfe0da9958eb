"""Trainings and what they came to: repeated over seeds, or up a list of settings until a target is reached."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import Literal

from curate.errors import UserError
from tests.benchmarks.gpu.job import Figures, Job, Parts
from train import recipes
from train.config import TrainConfig
from train.data import ImageSet
from train.evaluate import evaluate, predict
from train.loop import train

Settings = Mapping[str, object]
Splits = tuple[ImageSet, ImageSet]
View = Literal["accuracy", "accuracy_flip", "accuracy_multi_crop"]
NEAR = 0.007
"""A setting whose first training is further below the target is not repeated: five of CIFAR-10's nets differ by about
0.15 points (standard deviation, Jordan 2024), so it would not come up."""

REFUSALS = (UserError, RuntimeError)
"""What settings may end with here: no room for them, or a torch that cannot compile them."""

FAST: Settings = recipes.load("fast_gpu")
LARGE: Settings = {**FAST, "model_options": {"size": "large"}, "cutout": 12, "pad": 4, "compile": "auto"}
"""With the augmentation that Jordan has for 96 %."""
RESNET18: Settings = {
    **recipes.load("best"),
    "batch_size": 512,  # small batches leave most of a GPU idle
    "lr": 0.4,  # four times the batch, four times the rate: Goyal et al. 2017, section 2.1
    "warmup": 0.1,  # as there, 5 of 90 epochs, and more because ours are fewer
}


def config(job: Job, settings: Settings) -> TrainConfig:
    """The settings on this device; in a trial one epoch, not compiled. Raises `UserError` for what is refused."""
    wanted = TrainConfig.from_mapping({**settings, "device": job.device})
    return replace(wanted, epochs=1, compile="off", time_budget=None) if job.small else wanted


def once(job: Job, splits: Splits, settings: Settings) -> dict[str, float]:
    """One training: seconds, and test accuracies from 0 to 1.

    `seconds` is training alone, `seconds_with_views` training and predictions over six shifted views. `wall_seconds` is
    everything from images in main memory to these predictions. Compiling is in none of them.
    """
    started = time.perf_counter()
    wanted = config(job, settings)
    trained = train(wanted, splits[0])
    there = time.perf_counter()
    said = predict(trained.model, splits[1].images, flip=True, multi_crop=True, precision=wanted.precision)
    ended = time.perf_counter()
    scored = evaluate(said, splits[1])
    assert scored.accuracy_flip is not None
    assert scored.accuracy_multi_crop is not None
    return {
        "seconds": trained.seconds,
        "seconds_with_views": trained.seconds + ended - there,
        "wall_seconds": ended - started - trained.compile_seconds,
        "compile_seconds": trained.compile_seconds,
        "epochs_done": trained.epochs_done,
        "accuracy": scored.accuracy,
        "accuracy_flip": scored.accuracy_flip,
        "accuracy_multi_crop": scored.accuracy_multi_crop,
    }


def measured(job: Job, splits: Splits, settings: Settings) -> Figures:
    """`once`, with its settings; or why these settings are not available."""
    try:
        return {**once(job, splits, settings), "settings": dict(settings)}
    except REFUSALS as error:
        return refusal(error)


def repeated(
    job: Job, splits: Splits, settings: Settings, *, seeds: int, view: View | None = None, target: float = 0.0
) -> Figures:
    """`once` for several seeds: the spread of each figure. Where a `view` is given, a first training far below the
    `target` in it is the only one."""
    runs: list[dict[str, float]] = []
    try:
        for seed in range(1 if job.small else seeds):
            runs.append(once(job, splits, {**settings, "seed": seed}))
            if view and runs[0][view] < target - NEAR:
                break
    except REFUSALS as error:
        return refusal(error)
    return {**{name: spread([run[name] for run in runs]) for name in runs[0]}, "settings": dict(settings)}


def climb(
    job: Job, splits: Splits, candidates: Mapping[str, Settings], *, view: View, target: float, seeds: int
) -> Parts:
    """Settings, the cheapest first, until the mean of `view` over the seeds reaches the target. Nothing is
    interpolated: the last part is the cheapest of these settings that does, if its `reaches` is true. A training of one
    epoch goes before that of each network, for it sets up libraries, and is left out."""
    ready: object = None
    for name, settings in candidates.items():
        kind = settings.get("model"), settings.get("model_options")
        if kind != ready:
            measured(job, splits, {**settings, "epochs": 1})
            ready = kind
        figures = repeated(job, splits, settings, seeds=seeds, view=view, target=target)
        reached = view in figures and mean(figures, view) >= target
        yield name, {**figures, "view": view, "target": target, "reaches": reached}
        if reached:
            return


def refusal(error: Exception) -> Figures:
    """Why something is not available, in a line; the check goes on."""
    kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
    return {"not_available": kind + next(iter(str(error).splitlines()), "")}


def mean(figures: Figures, name: str) -> float:
    """The mean of a figure that `spread` told of."""
    told = figures[name]
    assert isinstance(told, Mapping)
    return float(told["mean"])


def spread(values: Sequence[float]) -> dict[str, float | int | None]:
    """What repeated measurements came to; `std` is the sample's, None for one value."""
    deviation = stdev(values) if len(values) > 1 else None
    return {"mean": fmean(values), "std": deviation, "min": min(values), "max": max(values), "n": len(values)}
