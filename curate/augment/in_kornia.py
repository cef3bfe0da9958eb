"""A pipeline of Albumentations as modules of Kornia, where it has the same: to compare how fast they are."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import cv2
import torch

BORDERS = {cv2.BORDER_CONSTANT: "constant", cv2.BORDER_REPLICATE: "replicate", cv2.BORDER_REFLECT_101: "reflect"}


def modules(augmentation: ModuleType, transforms: Sequence[Any], size: int) -> tuple[list[Any], str]:
    """The modules, and the name of the first transform that Kornia has nothing for; "" where it has all.

    augmentation: `kornia.augmentation`. Its crop pads first, so a Pad before a RandomCrop becomes part of that.
    """
    found, padding = [], None
    for number, transform in enumerate(transforms):
        name, after = type(transform).__name__, transforms[number + 1 : number + 2]
        if name == "Pad" and _pads_alike(transform) and [type(each).__name__ for each in after] == ["RandomCrop"]:
            padding = transform
            continue
        module = _module(augmentation, transform, padding, size)
        if module is None:
            return [], name
        found.append(module)
        padding = None
    return found, ""


def _pads_alike(pad: Any) -> bool:
    return isinstance(pad.padding, int) and pad.p == 1 and pad.border_mode in BORDERS and pad.fill == 0


def _module(augmentation: Any, transform: Any, padding: Any, size: int) -> Any:
    """None where there is nothing that does the same."""
    name, p = type(transform).__name__, transform.p
    if name in ("HorizontalFlip", "VerticalFlip"):
        return getattr(augmentation, f"Random{name}")(p=p)
    if name == "RandomCrop" and p == 1:
        pads = {"padding": padding.padding, "padding_mode": BORDERS[padding.border_mode]} if padding else {}
        return augmentation.RandomCrop((transform.height, transform.width), **pads)
    if name == "Normalize" and p == 1 and transform.normalization == "standard":
        return augmentation.Normalize(mean=torch.tensor(transform.mean), std=torch.tensor(transform.std))
    if name == "RandomResizedCrop" and p == 1:
        return augmentation.RandomResizedCrop(tuple(transform.size), scale=transform.scale, ratio=transform.ratio)
    if name == "ColorJitter":
        ranges = (transform.brightness, transform.contrast, transform.saturation, transform.hue)
        return augmentation.ColorJitter(*(tuple(each) for each in ranges), p=p)
    if name == "CoarseDropout" and (side := _square(transform)):
        share = side**2 / size**2
        return augmentation.RandomErasing(scale=(share, share), ratio=(1.0, 1.0), value=0.0, p=p)
    return None


def _square(dropout: Any) -> int:
    """Side of the one black square that is cut out; 0 where it is anything else."""
    rows, columns = dropout.hole_height_range, dropout.hole_width_range
    alike = tuple(dropout.num_holes_range) == (1, 1) and len({*rows, *columns}) == 1 and dropout.fill == 0
    return rows[0] if alike and isinstance(rows[0], int) else 0
