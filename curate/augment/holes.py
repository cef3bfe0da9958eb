"""Rectangles of an image that are filled."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from curate.augment.draws import Draws
from curate.augment.frame import Frame
from curate.augment.lattice import per_channel
from curate.augment.transform import Params, Settings, Transform, frame_of
from curate.errors import UserError

BITS = 31
"""Rectangles that have a bit each of an int32; for more of them, sums of corners take less time on a CPU, too."""
EXACT = 24
"""Bits of a whole number that float32 holds."""


class Holes(Transform):
    """Rectangles are filled: with one value for each channel, with noise, or each with a colour of its own."""

    levels = 0
    share = 1.0

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        fill = settings.fill
        if not isinstance(fill, str):
            check_levels(self.name, "fill", fill)
        elif fill.startswith("inpaint"):
            raise UserError(
                f'{self.name}: fill="{fill}" has no version for batches; take a number, "random" or "random_uniform"'
            )

    def output(self, frame: Frame) -> Frame:
        frame, fill = super().output(frame), self.settings.fill
        if isinstance(fill, tuple) and len(fill) != frame.channels:
            raise UserError(f"{self.name}: fill has {len(fill)} numbers, but the images {frame.channels} channels")
        return frame

    @abstractmethod
    def rectangles(self, draws: Draws, frame: Frame) -> Tensor:
        """Shape (N, K, 4), int64: left, top, right, bottom, the last two outside; empty ones where there are fewer."""

    def holes(self, params: Params, frame: Frame) -> Tensor:
        """The rectangles that were drawn."""
        return params["holes"]

    def value(self) -> float | Sequence[float] | None:
        """What they are filled with; None where chance decides that."""
        return None if isinstance(self.settings.fill, str) else self.settings.fill

    def draw(self, draws: Draws, frame: Frame) -> Params:
        """`holes`, and where chance fills them `levels`, shape (N, H, W, C), uint8: those of all pixels."""
        params = {"holes": self.rectangles(draws, frame)}
        if self.settings.fill == "random":
            params["levels"] = random_levels(draws, frame)
        elif self.settings.fill == "random_uniform":
            params["levels"] = _coloured(params["holes"], draws, frame)
        return params

    def replay(self, drawn: Sequence[Mapping[str, Any]], frame: Frame, device: torch.device) -> Params:
        found = [np.reshape(each["holes"], (-1, 4)).astype(np.int64) for each in drawn]
        most = max(len(holes) for holes in found)
        padded = np.stack([np.pad(holes, ((0, most - len(holes)), (0, 0))) for holes in found])
        params = {"holes": torch.as_tensor(padded, device=device)}
        if isinstance(self.settings.fill, str):
            levels = [self._filled(holes, each, frame) for holes, each in zip(found, drawn, strict=True)]
            params["levels"] = torch.as_tensor(np.stack(levels), device=device)
        return params

    def _filled(self, holes: np.ndarray, drawn: Mapping[str, Any], frame: Frame) -> np.ndarray:
        """What Albumentations fills holes with, which is in its params as a seed: shape (H, W, C), uint8."""
        levels = np.zeros(frame, np.uint8)
        generator = np.random.default_rng(drawn.get("seed"))
        for left, top, right, bottom in holes:
            hole = levels[top:bottom, left:right]
            shape = (1, frame.channels) if self.settings.fill == "random_uniform" else hole.shape
            hole[:] = generator.integers(0, 256, shape, np.uint8)
        return levels

    def apply(self, images: Tensor, params: Params) -> Tensor:
        frame, value = frame_of(images), self.value()
        if value is None:
            levels = params["levels"]
        else:
            levels = per_channel(value, frame.channels, images.device).to(torch.uint8)
        return painted(images, inside(self.holes(params, frame), frame), levels)


def check_levels(name: str, setting: str, levels: float | Sequence[float]) -> None:
    """Raises `UserError` unless these are from 0 to 255: Albumentations overflows there."""
    outside = [level for level in np.ravel(levels).tolist() if not 0 <= level <= 255]
    if outside:
        raise UserError(f"{name}: {setting} is {outside[0]}; levels are from 0 to 255")


def painted(images: Tensor, mask: Tensor, levels: Tensor) -> Tensor:
    """The images with other levels where `mask` says so.

    images: shape (N, H, W, C), uint8. mask: (N, H, W), bool. levels: uint8, broadcasts to the images.
    """
    # channel by channel: a mask that broadcasts along the last axis takes twice as long on a CPU
    channels = range(images.shape[3])
    return torch.stack([torch.where(mask, levels[..., channel], images[..., channel]) for channel in channels], 3)


def inside(holes: Tensor, frame: Frame) -> Tensor:
    """Which pixels lie in any of the rectangles: shape (N, K, 4) -> (N, H, W), bool. They must lie in the image."""
    return _bits(holes, frame).bool() if holes.shape[1] <= BITS else _counted(holes, frame) > 0


def last(holes: Tensor, frame: Frame) -> Tensor:
    """Number of the last rectangle that each pixel lies in: shape (N, K, 4) -> (N, H, W), int32, -1 for none."""
    found = torch.full((len(holes), frame.height, frame.width), -1, dtype=torch.int32, device=holes.device)
    for number, group in enumerate(holes.split(EXACT, 1)):
        bits = _bits(group, frame)
        highest = (bits.float().view(torch.int32) >> 23) - 127  # the exponent of a float
        found = torch.where(bits > 0, highest + number * EXACT, found)
    return found


def _bits(holes: Tensor, frame: Frame) -> Tensor:
    """Which of at most `BITS` rectangles each pixel lies in: shape (N, K, 4) -> (N, H, W), int32, a bit for each."""
    x = torch.arange(frame.width, device=holes.device)
    y = torch.arange(frame.height, device=holes.device)
    powers = (1 << torch.arange(holes.shape[1], dtype=torch.int32, device=holes.device))[:, None]
    across = ((x >= holes[:, :, 0, None]) & (x < holes[:, :, 2, None])) * powers
    down = ((y >= holes[:, :, 1, None]) & (y < holes[:, :, 3, None])) * powers
    return down.sum(1, dtype=torch.int32)[:, :, None] & across.sum(1, dtype=torch.int32)[:, None, :]


def _counted(holes: Tensor, frame: Frame) -> Tensor:
    """How many rectangles each pixel lies in: shape (N, K, 4) -> (N, H, W), int32. Any number of them costs the same.

    That is the sum of their corners above and to the left of it: 1 for the first and the last, -1 for the others.
    """
    left, top, right, bottom = holes.unbind(2)
    width = frame.width + 1
    corners = torch.cat([top * width + left, bottom * width + right, top * width + right, bottom * width + left], 1)
    signs = torch.ones_like(corners, dtype=torch.int32)
    signs[:, 2 * holes.shape[1] :] = -1
    count = torch.zeros((len(holes), (frame.height + 1) * width), dtype=torch.int32, device=holes.device)
    count = count.scatter_add_(1, corners, signs).view(-1, frame.height + 1, width)
    return count.cumsum(2, dtype=torch.int32).cumsum(1, dtype=torch.int32)[:, : frame.height, : frame.width]


def random_levels(draws: Draws, frame: Frame) -> Tensor:
    """Every level of every pixel equally probable: shape (N, H, W, C), uint8."""
    size = frame.height * frame.width * frame.channels
    return draws.grid_words((-(-size // 4),)).view(torch.uint8)[:, :size].unflatten(1, tuple(frame))


def _coloured(holes: Tensor, draws: Draws, frame: Frame) -> Tensor:
    """For each pixel a colour that is drawn for the last of the rectangles that it lies in: (N, H, W, C), uint8."""
    count, most = holes.shape[:2]
    if not most:
        return torch.zeros((count, *frame), dtype=torch.uint8, device=holes.device)
    colours = draws.integers(0, 256, (most, frame.channels)).to(torch.uint8)
    start = torch.arange(count, device=holes.device)[:, None, None] * most
    at = (start + last(holes, frame).clamp(min=0)).reshape(-1)
    return colours.flatten(0, 1).index_select(0, at).view(count, *frame)
