"""RandAugment: a few operations, all of one magnitude."""

from collections.abc import Callable
from functools import partial
from typing import Any

from curate.augment.policies import A, Policy, operations
from curate.augment.policies.operations import Fill

LARGEST = 30
"""Magnitudes go from 0 to this."""


class RandAugment(Policy, A.Sequential):
    """Some of 14 operations, one after the other, all of one magnitude; their signs are random.

    n: how many are applied. magnitude: 0 to 30. fill: of what comes from outside the image.
    Source: Cubuk et al. 2020, "RandAugment: practical automated data augmentation with a reduced search space"; what a
    magnitude means for each operation is as in torchvision's RandAugment, with 31 magnitudes.
    """

    def __init__(self, n: int = 2, magnitude: int = 9, fill: Fill = 0, p: float = 1.0) -> None:
        if not isinstance(n, int) or n < 1:
            raise ValueError(f"n is {n!r}; it has to be a whole number from 1 on, such as 2")
        if not isinstance(magnitude, int) or not 0 <= magnitude <= LARGEST:
            raise ValueError(f"magnitude is {magnitude!r}; it has to be a whole number from 0 to {LARGEST}")
        self.n, self.magnitude, self.fill = n, magnitude, fill
        super().__init__([A.OneOf(choices(magnitude, fill), p=1.0) for _ in range(n)], p=p)


def choices(magnitude: int, fill: Fill) -> list[Any]:
    """The 14 operations, each as probable as the others, those with a sign once for either."""
    share = magnitude / LARGEST
    rest = (LARGEST - magnitude) / LARGEST  # 1 - share misses a level where it is the threshold
    return [
        A.NoOp(p=1.0),
        *_signed(partial(operations.shear, "x", fill=fill), 0.3 * share),
        *_signed(partial(operations.shear, "y", fill=fill), 0.3 * share),
        *_signed(partial(operations.translate, "x", fill=fill), 150 / 331 * share),
        *_signed(partial(operations.translate, "y", fill=fill), 150 / 331 * share),
        *_signed(partial(operations.rotate, fill=fill), 30 * share),
        *_signed(operations.brightness, 0.9 * share),
        *_signed(operations.contrast, 0.9 * share),
        *_signed(operations.color, 0.9 * share),
        *_signed(operations.sharpness, 0.9 * share),
        operations.posterize([(8 - round(4 * share), 1.0)]),
        operations.solarize(rest, rest),
        operations.auto_contrast(),
        operations.equalize(),
    ]


def _signed(operation: Callable[..., Any], magnitude: float) -> list[Any]:
    return [operation(sign * magnitude, sign * magnitude, p=0.5) for sign in (1, -1)]
