"""TrivialAugment: one operation of any magnitude."""

from typing import Any

from curate.augment.policies import A, Policy, operations
from curate.augment.policies.operations import Fill

BITS = [(8, 3.0), (7, 5.0), (6, 5.0), (5, 5.0), (4, 5.0), (3, 5.0), (2, 3.0)]
"""Bits that Posterize leaves, and how many of the 31 magnitudes leave them."""


class TrivialAugment(Policy, A.OneOf):
    """One of 14 operations, its magnitude drawn as well.

    fill: of what comes from outside the image.
    Source: Müller and Hutter 2021, "TrivialAugment: tuning-free yet state-of-the-art data augmentation", with the
    ranges of its space "Wide". Magnitudes are drawn from all of a range; there from 31 steps of it.
    """

    def __init__(self, fill: Fill = 0, p: float = 1.0) -> None:
        self.fill = fill
        super().__init__(choices(fill), p=p)


def choices(fill: Fill) -> list[Any]:
    """The 14 operations, each as probable as the others."""
    return [
        A.NoOp(p=1.0),
        operations.shear("x", -0.99, 0.99, fill=fill),
        operations.shear("y", -0.99, 0.99, fill=fill),
        operations.translate_px("x", -32, 32, fill=fill),
        operations.translate_px("y", -32, 32, fill=fill),
        operations.rotate(-135, 135, fill=fill),
        operations.brightness(-0.99, 0.99),
        operations.contrast(-0.99, 0.99),
        operations.color(-0.99, 0.99),
        operations.sharpness(-0.99, 0.99),
        operations.posterize(BITS),
        operations.solarize(0, 1),
        operations.auto_contrast(),
        operations.equalize(),
    ]
