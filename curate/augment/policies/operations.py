"""The operations that policies choose from, first listed in AutoAugment (Cubuk et al. 2019), made of transforms.

low, high: the range of an operation's magnitude, with its sign. p: the operation's weight among others.

Where these differ from the papers' own code: images are resampled bilinearly, there by the nearest pixel; shears leave
the middle of an image where it is, there its corner; Equalize counts a level's own pixels among those below it, there
the ones below alone.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal

import cv2

from curate.augment.policies import A
from curate.augment.policies.sharpness import Sharpness

Axis = Literal["x", "y"]
Fill = float | Sequence[float]


def shear(axis: Axis, low: float, high: float, *, fill: Fill, p: float = 1.0) -> Any:
    """Rows moved along by this share of their distance from the middle; for "y" columns."""
    return _affine(fill, p, shear=_along(axis, math.degrees(math.atan(low)), math.degrees(math.atan(high))))


def translate(axis: Axis, low: float, high: float, *, fill: Fill, p: float = 1.0) -> Any:
    """Moved by this share of the image's width; for "y" of its height."""
    return _affine(fill, p, translate_percent=_along(axis, low, high))


def translate_px(axis: Axis, low: int, high: int, *, fill: Fill, p: float = 1.0) -> Any:
    """Moved by whole pixels."""
    return _affine(fill, p, translate_px=_along(axis, low, high))


def rotate(low: float, high: float, *, fill: Fill, p: float = 1.0) -> Any:
    """Turned by degrees."""
    return _affine(fill, p, rotate=(low, high))


def brightness(low: float, high: float, *, p: float = 1.0) -> Any:
    """Levels times 1 + magnitude."""
    return A.RandomBrightnessContrast(brightness_limit=(0, 0), contrast_limit=(low, high), p=p)  # contrast about black


def contrast(low: float, high: float, *, p: float = 1.0) -> Any:
    """Distance of the levels from the image's mean grey times 1 + magnitude."""
    return _jitter(p, contrast=(1 + low, 1 + high))


def color(low: float, high: float, *, p: float = 1.0) -> Any:
    """Distance of a pixel from its grey times 1 + magnitude."""
    return _jitter(p, saturation=(1 + low, 1 + high))


def sharpness(low: float, high: float, *, p: float = 1.0) -> Any:
    """Distance of a pixel from the mean of those around times 1 + magnitude."""
    return Sharpness(factor=(1 + low, 1 + high), p=p)


def posterize(shares: Sequence[tuple[int, float]], *, p: float = 1.0) -> Any:
    """Levels cut down to some bits. shares: bits, and the weight of each of them; 8 bits leave the image as it is."""
    total = sum(share for _, share in shares)
    kinds = [A.Posterize(num_bits=bits, p=w / total) if bits < 8 else A.NoOp(p=w / total) for bits, w in shares]
    return A.OneOf(kinds, p=p) if len(kinds) > 1 else kinds[0]


def solarize(low: float, high: float, *, p: float = 1.0) -> Any:
    """Levels from a threshold on inverted; the threshold is a share of the highest level."""
    return A.Solarize(threshold_range=(low, high), p=p)


def auto_contrast(*, p: float = 1.0) -> Any:
    """Each channel stretched to all levels."""
    return A.AutoContrast(method="pil", p=p)


def equalize(*, p: float = 1.0) -> Any:
    """All levels of a channel equally frequent."""
    return A.Equalize(mode="pil", by_channels=True, p=p)


def _along(axis: Axis, low: float, high: float) -> dict[str, tuple[float, float]]:
    return {"x": (0, 0), "y": (0, 0), axis: (low, high)}


def _affine(fill: Fill, p: float, **settings: Any) -> Any:
    return A.Affine(**settings, interpolation=cv2.INTER_LINEAR, border_mode=cv2.BORDER_CONSTANT, fill=fill, p=p)


def _jitter(p: float, **settings: Any) -> Any:
    return A.ColorJitter(
        **{"brightness": (1, 1), "contrast": (1, 1), "saturation": (1, 1), "hue": (0, 0), **settings}, p=p
    )
