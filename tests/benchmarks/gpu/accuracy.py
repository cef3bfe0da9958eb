"""How accurate, and how soon."""

import time
from collections.abc import Mapping

from tests.benchmarks.gpu.data import splits
from tests.benchmarks.gpu.job import Job, Parts
from tests.benchmarks.gpu.training import LARGE, RESNET18, Settings, climb, measured

TARGET_93 = 0.93
TO_93: dict[str, dict[str, Settings]] = {
    "large": {f"resnet_whitened, large, {epochs} epochs": {**LARGE, "epochs": epochs} for epochs in (20, 35, 60)},
    "resnet18": {f"resnet18, {epochs} epochs": {**RESNET18, "epochs": epochs} for epochs in (15, 30, 60)},
}
BEST: dict[str, Settings] = {
    "resnet_whitened, large": {**LARGE, "epochs": 150, "cutout": 0, "cutmix": 1.0, "skip_easy": 0.0},
    "resnet18": {**RESNET18, "epochs": 150, "cutout": 0, "cutmix": 1.0},  # Yun et al. 2019: more than cut-out
    "wrn_28_10": {**RESNET18, "model": "wrn_28_10", "epochs": 60, "batch_size": 256, "lr": 0.2, "cutmix": 1.0},
}
"""Epochs are as many as would do; `time_budget` ends them where they do not fit, learning rate at 0 and all."""
SHARE = {"resnet_whitened, large": 0.2, "resnet18": 0.3, "wrn_28_10": 0.75}
"""Of the seconds that are left when it starts. The rest is for compiling, reading and evaluating."""
LEAST_SECONDS = 45
"""A training that would get less is left out."""
PHOTOS: Settings = {
    **RESNET18,
    "epochs": 200,  # as the longest list of Imagenette's leaderboard
    "batch_size": 256,  # 37 steps an epoch
    "lr": 0.2,
    "pad": 0,
    "cutout": 0,
    "crop_area": 0.35,  # random crops instead of shifts; 0.08 is for ImageNet's million images. Chosen by eye
    "mixup": 0.2,  # Zhang et al. 2018, section 3.1, for ImageNet
    "image_size": 128,
}
IMAGENETTE: dict[str, Settings] = {
    "resnet18": PHOTOS,
    "resnet50": {**PHOTOS, "model": "resnet50"},
    "resnet18, full resolution": {**PHOTOS, "model_options": {"stem": "small"}, "epochs": 60},
}
IMAGENETTE_SHARE = {"resnet18": 0.35, "resnet50": 0.5, "resnet18, full resolution": 0.6}


def to_93(job: Job) -> Parts:
    """Seconds of training to 93.0 % with the mirror image, compiling apart; the cheapest of a few numbers of epochs."""
    both = splits(job, "cifar10")
    for candidates in TO_93.values():
        chosen = dict(list(candidates.items())[:1]) if job.small else candidates
        yield from climb(job, both, chosen, view="accuracy_flip", target=TARGET_93, seeds=3)


def best(job: Job) -> Parts:
    """The most accurate single network in ten minutes."""
    return fitted(job, "cifar10", BEST, SHARE)


def imagenette(job: Job) -> Parts:
    """Photos at 128 px, from scratch."""
    return fitted(job, "imagenette", IMAGENETTE, IMAGENETTE_SHARE)


def fitted(job: Job, data: str, candidates: Mapping[str, Settings], shares: Mapping[str, float]) -> Parts:
    """One training of each, ended by a time budget where its epochs do not fit into its share of what is left."""
    both = splits(job, data)
    for name, settings in candidates.items():
        budget = job.left() * shares[name]
        if budget < LEAST_SECONDS:
            yield name, {"not_available": f"{job.left():.0f} s were left"}
            continue
        started = time.perf_counter()
        figures = measured(job, both, {**settings, "time_budget": budget})
        yield name, {**figures, "all_seconds": time.perf_counter() - started, "n": 1}
