"""What is done to training images: a pipeline of Albumentations, run on whole batches by `curate.augment`."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

import curate.augment
from curate.augment import Program
from curate.augment.frame import Frame
from curate.augment.originals import in_levels
from curate.augment.pipeline import from_dict
from curate.augment.upstream import albumentations
from curate.errors import UserError
from train.config import TrainConfig

GREY = 128
"""What a square is filled with that is cut out."""
REFLECT, LINEAR = 4, 1
"""OpenCV's numbers of the border that is reflected at its outermost pixel, and of bilinear resampling."""


MIRRORING = {"HorizontalFlip", "AlternatingFlip", "D4", "SquareSymmetry"}
"""Transforms that swap left and right."""
TURNED_MIRRORING = {"VerticalFlip", "Transpose"}
"""Transforms that do so where a quarter or half turn may follow."""
FORMATS = {"Normalize", "ToFloat", "ToTensorV2"}
"""Transforms that make floats of levels, or planes."""


def program(config: TrainConfig, size: int) -> Program:
    """What the settings ask for, for images of `size` pixels a side; they stay of that size, and levels: networks here
    normalise them by themselves.

    Raises `UserError` for a pipeline that is not for them.
    """
    asked = pipeline(config, size) if config.augment is None else from_dict(config.augment)
    found, _ = in_levels(curate.augment.compile(asked, seed=config.seed, mode="fused", layout="NCHW"))
    frame = Frame(size, size, 3)
    try:
        found.check(frame)
    except UserError as error:
        raise UserError(
            f"images are trained at {frame} px (image_size), and the pipeline is not for these: {error}"
        ) from None
    if (after := found.output(frame)) != frame:
        raise UserError(
            f"the pipeline makes {after} px of images of {frame} px; a network is trained and tested at one size: set "
            "image_size, or leave what changes it out"
        )
    return found


def pipeline(config: TrainConfig, size: int) -> Any:
    """The settings `pad`, `flip`, `crop_area`, `cutout`, `mixup` and `cutmix` as a pipeline of Albumentations."""
    a, ours = albumentations(), curate.augment
    steps = []
    if config.pad:
        steps += [a.Pad(config.pad, border_mode=REFLECT), a.RandomCrop(size, size)]
    if config.flip:
        steps.append(ours.AlternatingFlip())
    if config.crop_area < 1:
        steps.append(a.RandomResizedCrop((size, size), scale=(config.crop_area, 1.0), interpolation=LINEAR))
    if config.cutout:
        steps.append(ours.Cutout(config.cutout, fill=GREY))
    if config.mixup:
        steps.append(ours.MixUp(config.mixup))
    if config.cutmix:
        steps.append(ours.CutMix(config.cutmix))
    return a.Compose(steps)


def mirrors(config: TrainConfig) -> bool:
    """Whether networks are shown mirror images in training, so that they may be asked about them, too."""
    if config.augment is None:
        return config.flip
    names = set(_names(from_dict(config.augment)))
    return bool(MIRRORING & names) or ("RandomRotate90" in names and bool(TURNED_MIRRORING & names))


def _names(step: Any) -> Iterator[str]:
    """Of a transform's class, and of those of all that it holds; without those that never run."""
    if step.p == 0:
        return
    yield type(step).__name__
    if isinstance(step, albumentations().BaseCompose):  # ColorJitter has functions under this name
        for inner in step.transforms:
            yield from _names(inner)


def on_levels(steps: Sequence[Any], more: Sequence[Any]) -> list[Any]:
    """The steps with more of them: at the end, or before the first that makes floats of levels, or planes."""
    at = next((at for at, step in enumerate(steps) if FORMATS & set(_names(step))), len(steps))
    return [*steps[:at], *more, *steps[at:]]


def small_side(side: int) -> int:
    """Three quarters of a side, in whole pixels."""
    return side * 3 // 4


def three_quarters(images: Tensor) -> Tensor:
    """The images at three quarters of their side: (B, 3, S, S) -> (B, 3, 3S/4, 3S/4), float32, channels last."""
    side = small_side(images.shape[-1])
    small = F.interpolate(images.float(), size=(side, side), mode="bilinear", antialias=True)
    return small.contiguous(memory_format=torch.channels_last)
