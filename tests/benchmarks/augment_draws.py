"""Every param of every transform: 100,000 draws of ours and of Albumentations, compared by Kolmogorov and Smirnov."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy.stats import ks_2samp

from curate.augment.draws import Stream
from curate.augment.frame import Frame
from curate.augment.pipeline import batched
from tests.augment.cases import columns, pictures, reference, settings, takes
from tests.benchmarks.record import record

FRAME = Frame(32, 32, 3)
DRAWS = 100_000
NUMBERS = 16
"""Params of more numbers than this are whole images; the tests compare their mean and variance."""


def run() -> None:
    """A row for each transform: numbers compared, the least probable difference."""
    found: dict[str, list[float]] = {}
    for name, example in settings():
        if name not in found or not found[name]:  # the first settings with which something is drawn
            found[name] = probabilities(name, example)
            print(name, len(found[name]), flush=True)
    rows = {name: {"compared": len(values), "lowest_p": min(values)} for name, values in found.items() if values}
    compared = sum(len(values) for values in found.values())
    lowest = min(min(values) for values in found.values() if values)
    figures = {"compared": compared, "lowest_p": lowest, "expected_lowest_p": 1 / (compared + 1), "transforms": rows}
    record("augment_draws", f"{DRAWS:,} draws of each param for images of 32 px, ours beside Albumentations", figures)


def probabilities(name: str, example: Mapping[str, Any]) -> list[float]:
    """Of every number that is drawn: how probable so large a difference is where there is none."""
    pipeline = reference(name, example, seed=1)
    transform = batched(pipeline.transforms[0])
    if not takes(transform, FRAME.height, FRAME.channels):
        return []
    ours = transform.draw(Stream(3, 0, torch.arange(DRAWS)).at(0), FRAME)
    ours = {key: value for key, value in ours.items() if value[0].numel() <= NUMBERS}
    if not ours:
        return []
    theirs = transform.replay(drawn(pipeline.transforms[0]), FRAME, torch.device("cpu"))
    return [
        float(ks_2samp(mine, other).pvalue)
        for key, value in ours.items()
        for mine, other in zip(columns(value), columns(theirs[key]), strict=True)
        if np.ptp(mine) or np.ptp(other)
    ]


def drawn(transform: Any) -> list[Mapping[str, Any]]:
    """Params that Albumentations draws, without changing an image by them."""
    data = {"image": pictures(32, 3)[1]}
    found = []
    for _ in range(DRAWS):
        params = transform.update_transform_params(transform.get_params(), data)
        found.append({**params, **transform.get_params_dependent_on_data(params, data)})
    return found
