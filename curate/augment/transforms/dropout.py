"""Parts of images that are dropped: rectangles, grids of them, stripes, single pixels."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from curate.augment.draws import Draws
from curate.augment.frame import Frame
from curate.augment.holes import Holes, check_levels, painted
from curate.augment.lattice import per_channel
from curate.augment.transform import Params, Settings, Transform
from curate.errors import UserError


class CoarseDropout(Holes):
    """Rectangles anywhere are filled."""

    examples = (
        {},
        {"num_holes_range": (1, 4), "hole_height_range": (4, 9), "hole_width_range": (3, 12), "fill": 200},
        {"num_holes_range": (8, 12), "hole_height_range": (0.05, 0.3), "hole_width_range": (0.0, 1.0)},
        {"num_holes_range": (2, 3), "hole_height_range": (0, 64), "hole_width_range": (0.2, 2.5), "fill": 7.9},
        {"num_holes_range": (3, 3), "hole_height_range": (9, 9), "hole_width_range": (9, 9), "fill": "random"},
        {"num_holes_range": (20, 30), "hole_width_range": (0.2, 0.6), "fill": "random_uniform"},
    )

    def output(self, frame: Frame) -> Frame:
        frame = super().output(frame)
        wanted = self.settings
        if self._in_pixels():
            for low, high, size in self._pixels(frame):
                if low > high:
                    raise UserError(f"{self.name} makes holes of at least {low} px; a side of the images has {size} px")
        elif wanted.hole_width_range[1] > 1:
            raise UserError(
                f"{self.name}: hole_width_range is {wanted.hole_width_range}, in pixels, but hole_height_range "
                f"{wanted.hole_height_range}, a share of the image; give both in pixels or both as shares"
            )
        return frame

    def rectangles(self, draws: Draws, frame: Frame) -> Tensor:
        fewest, most = self.settings.num_holes_range
        count = draws.integers(fewest, most + 1)
        heights, widths = self._sides(draws, frame)
        top = draws.integers(0, frame.height - heights + 1, (most,))
        left = draws.integers(0, frame.width - widths + 1, (most,))
        there = torch.arange(most, device=draws.device) < count[:, None]
        holes = torch.stack([left, top, left + widths, top + heights], 2)
        return torch.where(there[..., None], holes, 0)

    def _sides(self, draws: Draws, frame: Frame) -> tuple[Tensor, Tensor]:
        """Heights and widths, shape (N, K) each."""
        wanted, shape = self.settings, (self.settings.num_holes_range[1],)
        if self._in_pixels():
            tall, wide = (draws.integers(low, high + 1, shape) for low, high, _ in self._pixels(frame))
            return tall, wide
        (shortest, tallest), (narrowest, widest) = wanted.hole_height_range, wanted.hole_width_range
        tall = (frame.height * draws.uniform(shortest, tallest, shape)).long()
        return tall, (frame.width * draws.uniform(narrowest, widest, shape)).long()

    def _in_pixels(self) -> bool:
        """As Albumentations tells pixels from shares, of both sides: so (0.5, 1.0) are heights of 0 and 1 px."""
        return bool(self.settings.hole_height_range[1] >= 1)

    def _pixels(self, frame: Frame) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        """Least and largest height, and that of the image; the same of widths."""
        (least, tallest), (narrow, widest) = self.settings.hole_height_range, self.settings.hole_width_range
        return (
            (int(least), int(min(tallest, frame.height)), frame.height),
            (int(narrow), int(min(widest, frame.width)), frame.width),
        )


class Erasing(Holes):
    """One rectangle of a share of the area is filled."""

    examples = (
        {},
        {"scale": (0.1, 0.9), "ratio": (0.5, 1.0), "fill": (9, 99, 199)},
        {"scale": (0.02, 0.2), "fill": "random"},
        {"scale": (0.0, 0.4), "ratio": (1.0, 1.0), "fill": "random_uniform"},
    )

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        if settings.ratio[0] <= 0 or settings.scale[1] <= 0:
            raise UserError(
                f"{self.name}: scale is {settings.scale} and ratio {settings.ratio}; the largest scale and the least "
                "ratio have to be above 0"
            )

    def output(self, frame: Frame) -> Frame:
        frame = super().output(frame)
        least, largest = self._areas(frame)
        if largest < least:
            raise UserError(
                f"{self.name}: no rectangle of scale {self.settings.scale} and every ratio in {self.settings.ratio} "
                f"fits images of {frame} px; make the scale or the ratios smaller"
            )
        return frame

    def rectangles(self, draws: Draws, frame: Frame) -> Tensor:
        area, ratio = draws.uniform(*self._areas(frame)), draws.uniform(*self.settings.ratio)
        height, width = (area / ratio).sqrt().round().long(), (area * ratio).sqrt().round().long()
        top = draws.integers(0, frame.height - height + 1)
        left = draws.integers(0, frame.width - width + 1)
        return torch.stack([left, top, left + width, top + height], 1)[:, None]

    def _areas(self, frame: Frame) -> tuple[float, float]:
        """Least and largest area, in pixels: at most that at which a rectangle of any of the ratios fits the image."""
        low, high = self.settings.ratio
        smallest, largest = (share * frame.height * frame.width for share in self.settings.scale)
        return smallest, min(largest, low * frame.height**2, frame.width**2 / high)


class GridDropout(Holes):
    """One rectangle in each cell of a grid is filled."""

    examples = (
        {},
        {"holes_number_xy": (2, 2), "ratio": 0.3, "fill": 50},
        {"holes_number_xy": (2, 1), "random_offset": False, "shift_xy": (3, 40)},
        {"unit_size_range": (5, 12), "fill": "random_uniform"},
        {"unit_size_range": (2, 4), "ratio": 1.0, "random_offset": False, "shift_xy": (1, 0)},
        {"holes_number_xy": (3, 5), "ratio": 0.8, "fill": "random"},
    )

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        sizes = settings.unit_size_range
        if not settings.holes_number_xy and sizes and sizes[0] == sizes[1]:
            raise UserError(
                f"{self.name}: unit_size_range is {sizes}, and sizes are drawn below the second number; "
                f"{(sizes[0], sizes[0] + 1)} are units of {sizes[0]} px"
            )

    def output(self, frame: Frame) -> Frame:
        frame, wanted = super().output(frame), self.settings
        cells = wanted.holes_number_xy
        shortest = min(frame.height, frame.width)
        if cells and (cells[0] > frame.height or cells[1] > frame.width):
            raise UserError(f"{self.name}: holes_number_xy is {cells}, more than images of {frame} px have pixels")
        least = 0 if cells else wanted.unit_size_range[1] if wanted.unit_size_range else 2
        if least > shortest:
            raise UserError(f"{self.name} has units of up to {least} px; images of {frame} px have no room for them")
        return frame

    def rectangles(self, draws: Draws, frame: Frame) -> Tensor:
        rows, columns, most = self._cells(draws, frame)
        tops, tall = _split(frame.height, rows, most[0], draws)
        lefts, wide = _split(frame.width, columns, most[1], draws)
        heights, widths = self._shares(tall)[:, :, None], self._shares(wide)[:, None, :]
        down, across = self._offsets(draws, tall[:, :, None] - heights, wide[:, None, :] - widths)
        top = torch.minimum(tops[:, :, None] + down, frame.height - heights)
        left = torch.minimum(lefts[:, None, :] + across, frame.width - widths)
        sides = torch.broadcast_tensors(left, top, left + widths, top + heights)
        there = (tall > 0)[:, :, None] & (wide > 0)[:, None, :]
        return torch.where(there[..., None], torch.stack(sides, 3), 0).flatten(1, 2)

    def _cells(self, draws: Draws, frame: Frame) -> tuple[Tensor, Tensor, tuple[int, int]]:
        """Rows and columns of the grid, shape (N,) each, and the most there can be."""
        wanted = self.settings
        if wanted.holes_number_xy:
            most = wanted.holes_number_xy  # rows first, whatever the name says
        elif wanted.unit_size_range:
            least, above = wanted.unit_size_range
            unit = draws.integers(least, above)
            return frame.height // unit, frame.width // unit, (frame.height // least, frame.width // least)
        else:
            most = frame.height // max(2, frame.height // 10), frame.width // max(2, frame.width // 10)
        same = torch.ones(len(draws), dtype=torch.int64, device=draws.device)
        return same * most[0], same * most[1], most

    def _shares(self, sides: Tensor) -> Tensor:
        """Sides of the holes in cells with these, which leave a pixel, so that there is none in cells of one pixel."""
        return torch.minimum((sides.double() * self.settings.ratio).long().clamp(min=1), (sides - 1).clamp(min=0))

    def _offsets(self, draws: Draws, down: Tensor, across: Tensor) -> tuple[Tensor, Tensor]:
        """Of the holes in their cells, from the top and from the left: shape (N, R, C), with so much room at most."""
        if not self.settings.random_offset:
            x, y = self.settings.shift_xy
            return torch.full_like(down, y), torch.full_like(across, x)
        share = draws.grid_uniform((2, down.shape[1], across.shape[2])).double()
        return (share[:, 0] * (down + 1)).long(), (share[:, 1] * (across + 1)).long()


class XYMasking(Holes):
    """Stripes over the whole height or width are filled."""

    examples = (
        {"num_masks_x": (1, 2), "num_masks_y": 2, "mask_x_length": (2, 6), "mask_y_length": 5, "fill": 77},
        {"num_masks_x": 4, "mask_x_length": (0, 32), "mask_y_length": 1},
        {"num_masks_y": (2, 6), "mask_y_length": (3, 9), "fill": "random_uniform"},
    )

    def output(self, frame: Frame) -> Frame:
        frame, wanted = super().output(frame), self.settings
        if wanted.mask_x_length[1] > frame.width or wanted.mask_y_length[1] > frame.height:
            raise UserError(
                f"{self.name}: mask_x_length is {wanted.mask_x_length} and mask_y_length {wanted.mask_y_length}, more "
                f"than images of {frame} px have"
            )
        return frame

    def rectangles(self, draws: Draws, frame: Frame) -> Tensor:
        wanted, height, width = self.settings, frame.height, frame.width
        left, right, upright = _stripes(draws, wanted.num_masks_x, wanted.mask_x_length, width)
        top, bottom, flat = _stripes(draws, wanted.num_masks_y, wanted.mask_y_length, height)
        x = torch.stack([left, torch.zeros_like(left), right, torch.full_like(left, height)], 2)
        y = torch.stack([torch.zeros_like(top), top, torch.full_like(top, width), bottom], 2)
        there = torch.cat([upright, flat], 1)
        holes = torch.where(there[..., None], torch.cat([x, y], 1), 0)
        first = (~there).int().argsort(dim=1, stable=True)  # those there are before those there are not
        return holes.gather(1, first[..., None].expand_as(holes))


class PixelDropout(Transform):
    """Single pixels are filled."""

    examples = (
        {"dropout_prob": 0.2},
        {"dropout_prob": 0.1, "per_channel": True, "drop_value": 130.7},
        {"dropout_prob": 0.5, "drop_value": None},
        {"dropout_prob": 0.3, "drop_value": (17,)},
    )

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        if settings.drop_value is not None:
            check_levels(self.name, "drop_value", settings.drop_value)

    def output(self, frame: Frame) -> Frame:
        frame, value = super().output(frame), self.settings.drop_value
        if isinstance(value, tuple) and len(value) not in (1, frame.channels):
            raise UserError(
                f"{self.name}: drop_value has {len(value)} numbers, but the images {frame.channels} channels"
            )
        return frame

    def draw(self, draws: Draws, frame: Frame) -> Params:
        """`drop_mask`: shape (N, H, W, C) or (N, H, W, 1), bool. `drop_values`: shape (N, C), uint8."""
        channels = frame.channels if self.settings.per_channel else 1
        mask = draws.grid_uniform((frame.height, frame.width, channels)) < self.settings.dropout_prob
        value = self.settings.drop_value
        if value is None:
            values = draws.integers(0, 255, (frame.channels,))  # 255 is never drawn there either
        else:
            values = per_channel(value, frame.channels, draws.device).expand(len(draws), -1)
        return {"drop_mask": mask, "drop_values": values.to(torch.uint8)}

    def replay(self, drawn: Sequence[Mapping[str, Any]], frame: Frame, device: torch.device) -> Params:
        masks = np.stack([np.reshape(each["drop_mask"], (frame.height, frame.width, -1)) for each in drawn])
        values = np.stack([np.reshape(each["drop_values"], (frame.height * frame.width, -1))[0] for each in drawn])
        return {
            "drop_mask": torch.as_tensor(masks, device=device),
            "drop_values": torch.as_tensor(values, device=device).expand(-1, frame.channels),
        }

    def apply(self, images: Tensor, params: Params) -> Tensor:
        mask, values = params["drop_mask"], params["drop_values"][:, None, None]
        if mask.shape[3] == images.shape[3]:
            return torch.where(mask, values, images)
        return painted(images, mask[..., 0], values)


def _split(size: int, parts: Tensor, most: int, draws: Draws) -> tuple[Tensor, Tensor]:
    """A line of pixels in almost equal parts, the larger ones anywhere: where each begins, and how long it is.

    parts: shape (N,). Returns: shape (N, most) each, int64; length 0 for those that are not there.
    """
    there = torch.arange(most, device=parts.device) < parts[:, None]
    order = draws.permutation(most)
    rank = torch.where(there, order, order + most).argsort(1).argsort(1)
    longer = rank < (size % parts)[:, None]
    lengths = torch.where(there, (size // parts)[:, None] + longer, 0)
    return lengths.cumsum(1) - lengths, lengths


def _stripes(
    draws: Draws, number: tuple[int, int], length: tuple[int, int], size: int
) -> tuple[Tensor, Tensor, Tensor]:
    """First pixel, the one behind the last, and whether it is there, of stripes on a line: shape (N, K) each."""
    most = number[1]
    count = draws.integers(number[0], most + 1)
    lengths = draws.integers(length[0], length[1] + 1, (most,))
    start = draws.integers(0, size - lengths + 1, (most,))
    return start, start + lengths, torch.arange(most, device=draws.device) < count[:, None]
