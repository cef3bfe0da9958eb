"""Pixels that move to other places as they are: rows and columns are looked up, nothing is resampled."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import torch
from torch import Tensor

from curate.augment.device import constant
from curate.augment.frame import Frame

BORDERS = (cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT, cv2.BORDER_WRAP, cv2.BORDER_REFLECT_101)
"""What may lie outside an image."""
NOWHERE = -1
"""Row or column of a pixel that is filled."""


@dataclass(frozen=True)
class Moves:
    """Which row and column of N images each row and column of the results shows; of one, where all are moved alike.

    Pixel (y, x) of a result is pixel (rows[y], columns[x]) of the image, and where it is turned (rows[x], columns[y]).
    """

    rows: Tensor
    """Shape (N, H'), int64, `NOWHERE` for filled ones; with `turned` (N, L), where L is the larger of H' and W'."""
    columns: Tensor
    """Shape (N, W'), with `turned` (N, L). What is too many may be any row or column of the image."""
    turned: Tensor | None = None
    """Shape (N,), bool: whose rows become columns. None: no image's. Images must be square where only some are."""
    fills: bool = False
    """Whether there may be pixels from nowhere."""
    shape: tuple[int, int] | None = None
    """H' and W' where rows and columns are more than that."""

    @property
    def size(self) -> tuple[int, int]:
        """H' and W'."""
        return self.shape or (self.rows.shape[1], self.columns.shape[1])

    def after(self, second: "Moves") -> "Moves":
        """These moves and then those of `second`, in one."""
        fills = self.fills or second.fills
        if self.turned is None:
            rows, columns = _looked_up(self.rows, second.rows), _looked_up(self.columns, second.columns)
            return Moves(rows, columns, second.turned, fills, second.shape)
        turned = self.turned[:, None]
        down, across = (_lengthened(line, max(second.size)) for line in (second.rows, second.columns))
        rows = torch.where(turned, _looked_up(self.rows, across), _looked_up(self.rows, down))
        columns = torch.where(turned, _looked_up(self.columns, down), _looked_up(self.columns, across))
        turned = self.turned if second.turned is None else self.turned ^ second.turned
        return Moves(rows, columns, turned, fills, second.size)

    def only(self, chosen: Tensor | None) -> "Moves":
        """The moves for images that are `chosen`, shape (N,), bool, and none for others. Sizes must stay."""
        if chosen is None:
            return self
        line = torch.arange(self.rows.shape[1], device=self.rows.device)
        rows = torch.where(chosen[:, None], self.rows, line)
        line = torch.arange(self.columns.shape[1], device=self.rows.device)
        columns = torch.where(chosen[:, None], self.columns, line)
        return Moves(rows, columns, None if self.turned is None else self.turned & chosen, self.fills, self.shape)


def stay(frame: Frame, device: torch.device) -> Moves:
    """Every pixel stays where it is."""
    return Moves(torch.arange(frame.height, device=device)[None], torch.arange(frame.width, device=device)[None])


def moved(
    images: Tensor,
    moves: Moves,
    fill: float | Sequence[float] = 0,
    *,
    hidden: Tensor | None = None,
    hidden_fill: float | Sequence[float] = 0,
) -> Tensor:
    """The images with their pixels at their new places.

    images: shape (N, H, W, C). fill: of pixels from nowhere, one value or one for each channel; rounded for uint8.
    hidden: shape (N, H', W'), bool, pixels of the results that are filled with `hidden_fill`, which is cut off behind
    the point for uint8; None for none.
    """
    count, height, width, channels = images.shape
    high, wide = moves.size
    rows, columns = moves.rows[:, :high, None], moves.columns[:, None, :wide]
    if moves.turned is not None:
        turned = moves.turned[:, None, None]
        rows = torch.where(turned, moves.rows[:, None, :wide], rows)
        columns = torch.where(turned, moves.columns[:, :high, None], columns)
    kind = torch.int32 if count * height * width < 2**31 - 2 else torch.int64
    start = torch.arange(count, device=images.device, dtype=kind)[:, None, None] * height
    at = (start + rows.clamp(min=0).to(kind)) * width + columns.clamp(min=0).to(kind)
    pixels = images.reshape(-1, channels)
    if moves.fills or hidden is not None:  # two more pixels to look up: faster than to fill what was looked up
        outside, behind = (per_channel(each, channels, images.device) for each in (fill, hidden_fill))
        if not images.is_floating_point():  # OpenCV rounds what it pads with, NumPy cuts off what fills holes
            outside = outside.round().clamp(0, 255)
        pixels = torch.cat([pixels, torch.stack([outside, behind]).to(images.dtype)])
    if moves.fills:
        at.masked_fill_((rows < 0) | (columns < 0), count * height * width)
    if hidden is not None:
        at.masked_fill_(hidden, count * height * width + 1)
    return pixels.index_select(0, at.reshape(-1)).view(*at.shape, channels)


def per_channel(value: float | Sequence[float], channels: int, device: torch.device) -> Tensor:
    """One value for each channel, as OpenCV reads a scalar: shape (C,), float64. One number counts for all of them."""
    values = [float(value)] if isinstance(value, int | float) else [float(each) for each in value][:channels]
    return constant(values * channels if len(values) == 1 else values, torch.float64, device)


def within(position: Tensor, size: int | Tensor, border: int) -> Tensor:
    """Positions on a line of `size` pixels, those outside thrown back as a border mode of OpenCV says.

    position: any shape, int64. size: of all lines, or of each, int64, which broadcasts to the positions. border:
    `cv2.BORDER_…`; constant gives `NOWHERE`. Returns: 0 … size - 1, or `NOWHERE`.
    """
    if border == cv2.BORDER_CONSTANT:
        return torch.where((position < 0) | (position >= size), NOWHERE, position)
    if border == cv2.BORDER_REPLICATE:
        return position.clamp(0, size - 1) if isinstance(size, int) else position.clamp(min=0).minimum(size - 1)
    if border == cv2.BORDER_WRAP:
        return position % size
    if border == cv2.BORDER_REFLECT:
        position = position % (2 * size)
        return torch.minimum(position, 2 * size - 1 - position)
    if border == cv2.BORDER_REFLECT_101:
        period = 2 * size - 2 + (size == 1)  # of a line of one pixel it is 1
        position = position % period
        return torch.minimum(position, period - position)
    raise AssertionError(f"border mode {border}")


def _looked_up(first: Tensor, second: Tensor) -> Tensor:
    """first[second] of each image, `NOWHERE` where `second` says so."""
    if len(first) == 1:
        found = first[0][second.clamp(min=0)]
    else:
        second = second.expand(len(first), -1)
        found = first.gather(1, second.clamp(min=0))
    return torch.where(second < 0, NOWHERE, found)


def _lengthened(line: Tensor, length: int) -> Tensor:
    """With its first number repeated at its end: shape (N, M) -> (N, length)."""
    return torch.cat([line, line[:, :1].expand(-1, length - line.shape[1])], 1)
