"""Levels spread out by how often each of them is there."""

from typing import Any

import cv2
import torch
from torch import Tensor

from curate.augment.device import in_parts
from curate.augment.draws import Draws
from curate.augment.frame import Frame
from curate.augment.hue import PART, at
from curate.augment.lab import lab_to_rgb, rgb_to_lab
from curate.augment.lattice import within
from curate.augment.pointwise import every_level, looked_up
from curate.augment.transform import Params, Transform
from curate.errors import UserError

YCRCB_BITS = 14
"""Behind the point of OpenCV's shares of colours in YCrCb."""
LUMA = (4899, 9617, 1868)
"""Shares of red, green and blue in the luma."""


class Equalize(Transform):
    """Levels are spread so that each is about as frequent."""

    examples = tuple({"mode": mode, "by_channels": each} for mode in ("cv", "pil") for each in (True, False))

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        if settings.mask is not None:
            raise UserError("Equalize: a mask cannot be used on batches; leave it out, and the whole image counts")

    def draw(self, draws: Draws, frame: Frame) -> Params:
        return {}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        if images.shape[3] == 1 or self.settings.by_channels:
            return self._spread(images)
        luma, red, blue = _rgb_to_ycrcb(images)
        return _ycrcb_to_rgb(self._spread(luma[..., None])[..., 0], red, blue)

    def _spread(self, images: Tensor) -> Tensor:
        table = _equalized_pil if self.settings.mode == "pil" else _equalized_cv
        return looked_up(images, table(histograms(images)))


class AutoContrast(Transform):
    """Levels are stretched from black to white."""

    examples = (
        {},
        {"method": "pil"},
        {"cutoff": 5},
        {"cutoff": 10.5, "method": "pil"},
        {"cutoff": 60},
    )

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        if settings.ignore is not None:
            raise UserError("AutoContrast: `ignore` fails in Albumentations with OpenCV 4.14, too; leave it out")

    def draw(self, draws: Draws, frame: Frame) -> Params:
        return {}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        counts = histograms(images)
        counts[..., 255] = 0  # Albumentations counts the levels below 255
        low, high = _bounds(counts, self.settings.cutoff)
        table = _stretched_pil(low, high) if self.settings.method == "pil" else _stretched_cdf(counts, low, high)
        same = every_level(images.device, torch.uint8)
        return looked_up(images, torch.where(high > low, table, same))


class CLAHE(Transform):
    """Contrast is spread within tiles, but only so far (CLAHE)."""

    examples = (
        {},
        {"clip_limit": (1.0, 40.0), "tile_grid_size": (4, 2)},
        {"clip_limit": 2.0, "tile_grid_size": (5, 7)},
        {"clip_limit": (3.0, 3.0), "tile_grid_size": (1, 1)},
    )

    def draw(self, draws: Draws, frame: Frame) -> Params:
        return {"clip_limit": draws.uniform(*self.settings.clip_limit)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        return in_parts(self._spread, images, params["clip_limit"], values=PART)

    def _spread(self, images: Tensor, limit: Tensor) -> Tensor:
        columns, rows = self.settings.tile_grid_size
        if images.shape[3] == 1:
            return _spread_in_tiles(images[..., 0], limit, rows, columns)[..., None]
        lightness, a, b = rgb_to_lab(images)
        return lab_to_rgb(_spread_in_tiles(lightness, limit, rows, columns), a, b)


def histograms(images: Tensor) -> Tensor:
    """How often each level is there: shape (N, H, W, C), uint8 -> (N, C, 256), int64."""
    return torch.stack([counted(images[..., channel].flatten(1)) for channel in range(images.shape[3])], 1)


def counted(groups: Tensor) -> Tensor:
    """How often each level is in each group: shape (M, P), uint8 -> (M, 256), int64."""
    size = len(groups) * 256
    place = (groups.int() + torch.arange(0, size, 256, device=groups.device, dtype=torch.int32)[:, None]).flatten()
    if groups.device.type == "cpu" and not torch.compiler.is_compiling():
        return torch.bincount(place, minlength=size).view(-1, 256)  # waits for a GPU, to know the length of the result
    total = torch.zeros(size, dtype=torch.int64, device=groups.device)
    return total.scatter_add_(0, place.long(), torch.ones_like(total[:1]).expand(len(place))).view(-1, 256)


def _equalized_cv(counts: Tensor) -> Tensor:
    """Table of `cv2.equalizeHist`: shape (N, C, 256), int64 -> the same shape, uint8."""
    total = counts.cumsum(2)
    lowest = (total > 0).int().argmax(2, keepdim=True)
    first = total.gather(2, lowest)
    others = total[..., -1:] - first
    scale = _divided(255, others.clamp(min=1).float())
    table = ((total - first).float() * scale).round().clamp(0, 255)
    return torch.where(others > 0, table, every_level(counts.device, torch.int64)).to(torch.uint8)


def _equalized_pil(counts: Tensor) -> Tensor:
    """Table of Albumentations for mode "pil": shape (N, C, 256), int64 -> the same shape, uint8."""
    total = counts.cumsum(2)
    below = total.masked_fill(total == total[..., -1:], 0).amax(2, keepdim=True)  # pixels of all but the highest level
    step = below // 255
    table = ((total + step // 2) // step.clamp(min=1)).clamp(max=255)
    return torch.where(step > 0, table, every_level(counts.device, torch.int64)).to(torch.uint8)


def _bounds(counts: Tensor, cutoff: float) -> tuple[Tensor, Tensor]:
    """Lowest and highest level that is kept: shape (N, C, 256), int64 -> (N, C, 1) each, int64."""
    total = counts.sum(2, keepdim=True)
    if not cutoff:
        there = (counts > 0).int()
        low, high = there.argmax(2, keepdim=True), 255 - there.flip(2).argmax(2, keepdim=True)
        return low, torch.where(total > 0, high, low)
    cut = (total.double() * cutoff / 100).float()  # NumPy compares in float32
    low = ((counts.cumsum(2).float() >= cut).int().argmax(2, keepdim=True) + 1).clamp(max=255)
    high = 255 - (counts.flip(2).cumsum(2).float() >= cut).int().argmax(2, keepdim=True)
    return low, torch.where(total > 0, high, low)


def _stretched_cdf(counts: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Levels by the share of pixels below them: shapes (N, C, 256) and (N, C, 1), int64 -> (N, C, 256), uint8."""
    level = every_level(counts.device, torch.int64)
    total = counts.masked_fill(level < low, 0).cumsum(2)
    first, last = total.gather(2, low), total.gather(2, high)
    table = ((total - first).float() * 255 / (last - first).clamp(min=1).float()).round().clamp(0, 255)
    table = torch.where(last > 0, table, level)
    table = table.masked_fill(level < low, 0).masked_fill(level > high, 255)
    return table.to(torch.uint8)


def _stretched_pil(low: Tensor, high: Tensor) -> Tensor:
    """Levels by their distance from the bounds: shape (N, C, 1), int64 -> (N, C, 256), uint8."""
    scale = _divided(255, (high - low).clamp(min=1).double())
    return ((every_level(low.device, torch.int64) - low) * scale).round().clamp(0, 255).to(torch.uint8)


def _spread_in_tiles(planes: Tensor, limit: Tensor, rows: int, columns: int) -> Tensor:
    """What `cv2.CLAHE` makes of planes: shape (N, H, W), uint8, with limits of shape (N,), float64.

    Each tile has a table of levels; a pixel's level is interpolated between those of the four tiles around it.
    """
    count, height, width = planes.shape
    tiles, (tile_height, tile_width) = _in_tiles(planes, rows, columns)
    area = tile_height * tile_width
    most = torch.floor(limit * area / 256).clamp(min=1).float().repeat_interleave(rows * columns)[:, None]
    scale = _divided(255, torch.full((1,), float(area), device=planes.device))
    tables = _limited(counted(tiles).float(), most, area).cumsum_(1).mul_(scale).round_().clamp_(0, 255).flatten()
    above, below, low = _neighbours(height, tile_height, rows, planes.device)
    left, right, near = _neighbours(width, tile_width, columns, planes.device)
    start = planes.int() + torch.arange(count, device=planes.device, dtype=torch.int32)[:, None, None] * (
        rows * columns * 256
    )
    lines = []
    for row in (above, below):
        line = start + row[:, None] * (columns * 256)
        lines.append(at(tables, line + left * 256) * (1 - near) + at(tables, line + right * 256) * near)
    low = low[:, None]
    return (lines[0] * (1 - low) + lines[1] * low).round().to(torch.uint8)


def _in_tiles(planes: Tensor, rows: int, columns: int) -> tuple[Tensor, tuple[int, int]]:
    """The pixels of each tile, shape (N * rows * columns, P), and its height and width.

    Where a side cannot be divided, both grow: OpenCV adds a whole row of tiles' worth to one that could be.
    """
    count, height, width = planes.shape
    if height % rows or width % columns:
        height, width = height + rows - height % rows, width + columns - width % columns
        down = within(torch.arange(height, device=planes.device), planes.shape[1], cv2.BORDER_REFLECT_101)
        across = within(torch.arange(width, device=planes.device), planes.shape[2], cv2.BORDER_REFLECT_101)
        planes = planes.index_select(1, down).index_select(2, across)
    size = height // rows, width // columns
    tiles = planes.view(count, rows, size[0], columns, size[1]).transpose(2, 3)
    return tiles.reshape(count * rows * columns, -1), size


def _limited(counts: Tensor, most: Tensor, area: int) -> Tensor:
    """Histograms cut off at `most`, and what was cut off shared out: shapes (M, 256) and (M, 1), whole, float32."""
    kept = counts.minimum(most)
    excess = area - kept.sum(1, keepdim=True)
    each = torch.floor(excess / 256)
    level = every_level(counts.device, torch.int64)
    step = 256 // level.clamp(min=1)[:, None]  # by how many are left over: that many levels, so far apart, get one more
    more = ((level % step == 0) & (level // step < level[:, None])).float()
    return kept.add_(each).add_(more.index_select(0, (excess - 256 * each)[:, 0].int()))


def _neighbours(size: int, tile: int, tiles: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Of each pixel of a side the tile before, the tile behind, int32, and how near it is to that, float32."""
    place = torch.arange(size, device=device).float() * (1 / tile) - 0.5
    first = torch.floor(place)
    second = (first + 1).clamp(max=tiles - 1)
    return first.clamp(min=0).int(), second.int(), place - first


def _divided(number: float, by: Tensor) -> Tensor:
    """number / by, rounded once: `/` multiplies a number by the reciprocal."""
    return torch.full_like(by, number) / by


def _rgb_to_ycrcb(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """As `cv2.COLOR_RGB2YCrCb`: shape (N, H, W, 3), uint8 -> luma, red and blue difference, (N, H, W), uint8 each."""
    red, green, blue = (images[..., channel].int() for channel in range(3))
    half, middle = 1 << YCRCB_BITS - 1, 128 << YCRCB_BITS
    luma = red * LUMA[0] + green * LUMA[1] + blue * LUMA[2] + half >> YCRCB_BITS
    differences = ((red - luma) * 11682 + middle + half, (blue - luma) * 9241 + middle + half)
    red, blue = ((each >> YCRCB_BITS).clamp(0, 255).to(torch.uint8) for each in differences)
    return luma.to(torch.uint8), red, blue


def _ycrcb_to_rgb(luma: Tensor, red: Tensor, blue: Tensor) -> Tensor:
    """As `cv2.COLOR_YCrCb2RGB`: shape (N, H, W), uint8 each -> (N, H, W, 3), uint8."""
    luma, red, blue = luma.int(), red.int() - 128, blue.int() - 128
    half = 1 << YCRCB_BITS - 1
    added = (red * 22987, blue * -5636 + red * -11698, blue * 29049)
    planes = [((each + half >> YCRCB_BITS) + luma).clamp(0, 255).to(torch.uint8).flatten() for each in added]
    return torch.stack(planes, 1).view(*luma.shape, 3)
