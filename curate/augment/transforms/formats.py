"""Levels become floats; channels first."""

import numpy as np
import torch
from torch import Tensor

from curate.augment.device import constant
from curate.augment.draws import Draws
from curate.augment.frame import Frame
from curate.augment.pointwise import as_planes, interleaved
from curate.augment.transform import Params, Settings, Transform
from curate.errors import UserError

SMALL = 1e-4
"""Added by albucore to what it divides by."""
FURTHEST = 20
"""Where albucore cuts off what it normalised by the image's own levels."""
TOP = 255
"""The highest level."""


class _Format(Transform):
    """Nothing is left to chance."""

    floats = True

    def draw(self, draws: Draws, frame: Frame) -> Params:
        return {}


class Normalize(_Format):
    """Mean taken off and divided by the standard deviation, or brought to 0 … 1.

    Gives float32 with the standard normalization, float64 where the image's own levels count, as Albumentations does.
    """

    examples = (
        {},
        {"mean": 0.5, "std": (0.1, 0.2, 0.3), "max_pixel_value": 200.0},
        {"mean": 0.4, "std": 0.3},
        {"normalization": "image"},
        {"normalization": "image_per_channel"},
        {"normalization": "min_max"},
        {"normalization": "min_max_per_channel"},
    )
    levels = 0
    share = 1.0

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.mean = np.atleast_1d(settings.mean_np).tolist()
        self.factor = np.atleast_1d(settings.denominator).tolist()

    def scale_shift(self, channels: int) -> tuple[Tensor, Tensor] | None:
        """Result = levels * scale + shift: shape (C,), float32; None where the image's own levels count."""
        if self.settings.normalization != "standard":
            return None
        mean, factor = (torch.tensor(_of_channels(part, channels)) for part in (self.mean, self.factor))
        return factor, -mean * factor

    def apply(self, images: Tensor, params: Params) -> Tensor:
        kind = self.settings.normalization
        if kind == "standard":
            return self._by_standard(images)
        if images.dtype != torch.uint8:
            raise UserError(f'Normalize with normalization="{kind}" takes levels; put it before what makes floats')
        function = _by_spread if kind.startswith("image") else _by_range
        if not kind.endswith("per_channel"):
            return function(images.flatten(1).double()).view(images.shape)
        planes = as_planes(images).double()
        return interleaved(function(planes.flatten(2)).view(planes.shape).unbind(1))

    def _by_standard(self, images: Tensor) -> Tensor:
        """Mean and factor are repeated for each pixel: so long lines are several times as fast on a CPU."""
        count, height, width, channels = images.shape
        mean, factor = (
            constant(_of_channels(part, channels), torch.float32, images.device).repeat(height * width)
            for part in (self.mean, self.factor)
        )
        return images.to(torch.float32, copy=True).view(count, -1).sub_(mean).mul_(factor).view(images.shape)


class ToFloat(_Format):
    """Levels divided by the highest one."""

    examples = ({}, {"max_value": 200.0})
    levels = 0
    share = 1.0

    def scale_shift(self, channels: int) -> tuple[Tensor, Tensor] | None:
        """Result = levels * scale + shift: shape (C,), float32."""
        return torch.full((channels,), 1 / self._most()), torch.zeros(channels)

    def apply(self, images: Tensor, params: Params) -> Tensor:
        if images.dtype != torch.uint8:
            return images.float()
        # by a tensor: a GPU multiplies by the inverse of a number, to other last digits
        return images.float().div_(constant([self._most()], torch.float32, images.device))

    def _most(self) -> float:
        return TOP if self.settings.max_value is None else self.settings.max_value


class ToTensorV2(_Format):
    """Channels first: the batch comes out as (N, C, H, W)."""

    levels = 0
    share = 1.0

    def apply(self, images: Tensor, params: Params) -> Tensor:
        """As they are: the program exchanges the axes of its result."""
        return images


def _of_channels(values: list[float], channels: int) -> list[float]:
    """One number for each channel, as albucore reads them: the first counts for all where there are too few."""
    return values[:channels] if len(values) >= channels else values[:1] * channels


def _by_spread(levels: Tensor) -> Tensor:
    """Mean 0 and standard deviation 1 on the last axis, in place: any shape, float64."""
    levels -= levels.mean(-1, keepdim=True)
    spread = torch.linalg.vector_norm(levels, dim=-1, keepdim=True) / levels.shape[-1] ** 0.5
    levels /= spread + SMALL
    return levels.clamp_(-FURTHEST, FURTHEST)


def _by_range(levels: Tensor) -> Tensor:
    """From 0 to 1 on the last axis, in place: any shape, float64."""
    low, high = torch.aminmax(levels, dim=-1, keepdim=True)
    levels -= low
    levels /= high - low + SMALL
    return levels
