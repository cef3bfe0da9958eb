"""What `cv2.resize` of OpenCV 4 does, for batches in which each image has its own part that is brought to one size.

Columns are resampled first, then rows. Tables say which pixels of a line count for each pixel of the result, and how
much, in the arithmetic that OpenCV has for the method. Pixels are the same, except that cubic and area add up
floating-point numbers in another order: some 2 in 100,000 are one level off, with area up to 3 in 1,000 where many sums
end in a half, as they do from 24 to 16 px. Cubic is that of builds with Intel's IPP, as PyPI has them for x86, which
leave parts less than three pixels wide to other code: there, and in builds without it, 5 in 100 are one level off.
"""

import math
from dataclasses import dataclass

import cv2
import torch
from torch import Tensor

from curate.augment.device import constant
from curate.augment.frame import Frame

BITS = 11
"""Of weights as whole numbers: linear, Lanczos."""
EXACT_BITS = 8
"""Of weights of the two exact methods."""
CACHED = 1 << 18
"""Numbers computed at once on a CPU, so that they stay in its cache: 1 MB; 2 to 4 times as fast as a whole batch."""
WHOLE = 1 << 28
"""The same elsewhere."""
TOO_THIN = 1e-3
"""Part of a pixel that area leaves out."""
ANGLES = ((1, 0), (-1, -1), (0, 1), (1, -1), (-1, 0), (1, 1), (0, -1), (-1, 1))
"""Sine and cosine of the angles by which neighbouring pixels lie apart in the window of Lanczos, each not yet divided
by its length."""


@dataclass(frozen=True)
class Line:
    """How the rows, or the columns, of N images are resampled."""

    start: Tensor
    """First one of the part that counts: shape (N,), int64."""
    size: Tensor
    """How many there are: shape (N,), int64."""
    inverse: Tensor
    """Pixels of the result for each of them: shape (N,), float64."""
    length: int
    """Pixels of the result."""

    @property
    def scale(self) -> Tensor:
        """Pixels of the image for each of the result: shape (N,), float64; rounded twice, as OpenCV does."""
        return 1 / self.inverse

    def each(self) -> Tensor:
        """The pixels of the result: shape (length,), float64."""
        return torch.arange(self.length, device=self.start.device, dtype=torch.float64)


@dataclass(frozen=True)
class Taps:
    """Which rows, or columns, of an image make each of the result."""

    at: Tensor
    """Shape (N, length, T), int64."""
    weights: Tensor
    """Shape (N, length, T), int32 or float32."""


def resized(images: Tensor, boxes: Tensor | None, size: Frame, method: int) -> Tensor:
    """Parts of the images, brought to one size.

    images: shape (N, H, W, C), uint8. boxes: left, top, right and bottom of each part, the last two outside: shape
    (N, 4), int64; None: whole images. method: `cv2.INTER_…`. Returns: shape (N, size.height, size.width, C), uint8.
    """
    count, height, width, _ = images.shape
    shrink = False
    if boxes is None:
        shrink = size.height <= height and size.width <= width
        boxes = constant((0, 0, width, height), torch.int64, images.device).expand(count, 4)
    grow = size.height >= height and size.width >= width
    left, top, right, bottom = boxes.unbind(1)
    rows, columns = between(top, bottom, size.height), between(left, right, size.width)
    return resampled_lines(images, rows, columns, method, shrink=shrink, grow=grow)


def between(start: Tensor, end: Tensor, length: int) -> Line:
    """Pixels from `start` on, before `end`, shapes (N,), brought to `length`."""
    size = end - start
    whole = torch.full_like(size, length, dtype=torch.float64)  # a number by a tensor would be rounded twice
    return Line(start, size, whole / size, length)


def resampled_lines(
    images: Tensor, rows: Line, columns: Line, method: int, *, shrink: bool = False, grow: bool = False
) -> Tensor:
    """The images with rows and columns resampled: shape (N, rows.length, columns.length, C), uint8.

    shrink, grow: whether it is known that all do so both ways; area then needn't do either and choose.
    """
    if method == cv2.INTER_AREA and shrink:
        return _means(images, rows, columns)
    tables = _tables(rows, method, ends=False), _tables(columns, method, ends=True)
    if method != cv2.INTER_AREA:
        return _in_parts(images, *tables, method)
    grown = _in_parts(images, *tables, cv2.INTER_LINEAR)
    if grow:
        return grown
    shrinks = (rows.scale >= 1) & (columns.scale >= 1)
    return torch.where(shrinks[:, None, None, None], _means(images, rows, columns), grown)


def matrix(boxes: Tensor, size: Frame) -> Tensor:
    """From pixels of the result to those of the image: shape (N, 4) -> (N, 3, 3), float64. Boxes as in `resized`."""
    start, span = boxes[:, :2].double(), (boxes[:, 2:] - boxes[:, :2]).double()
    scale = span / constant((size.width, size.height), torch.float64, boxes.device)
    shift = 0.5 * scale - 0.5 + start
    one = torch.ones(len(boxes), 1, dtype=torch.float64, device=boxes.device)
    return torch.cat([torch.diag_embed(torch.cat([scale, one], 1))[:, :, :2], torch.cat([shift, one], 1)[..., None]], 2)


def _in_parts(images: Tensor, rows: Taps, columns: Taps, method: int) -> Tensor:
    """As `_separable`, so many images at once as fit into the processor's cache."""
    count, height, _, channels = images.shape
    length, width = rows.at.shape[1], columns.at.shape[1]
    result = torch.empty((count, length, width, channels), dtype=torch.uint8, device=images.device)
    limit = CACHED if images.device.type == "cpu" else WHOLE
    step = max(1, limit // (max(height, length) * width * channels))
    for first in range(0, count, step):
        part = slice(first, first + step)
        result[part] = _separable(images[part], _part(rows, part), _part(columns, part), method)
    return result


def _part(taps: Taps, part: slice) -> Taps:
    return Taps(taps.at[part], taps.weights[part])


def _separable(images: Tensor, rows: Taps, columns: Taps, method: int) -> Tensor:
    """Levels from 0 to 255: shape (N, H', W', C)."""
    count, height, _, channels = images.shape
    _, length, taps = rows.at.shape
    if taps * length < height:  # fewer rows count than there are
        images = _rows(images, rows.at.flatten(1))
        at = torch.arange(taps * length, device=images.device).view(1, length, taps)
        rows = Taps(at.expand(count, -1, -1), rows.weights)
    if method in (cv2.INTER_NEAREST, cv2.INTER_NEAREST_EXACT):
        return _rows(_across(images, columns.at[:, :, 0]), rows.at[:, :, 0])
    across = _weighed(images, columns)
    result = _linear_down(across, rows) if method == cv2.INTER_LINEAR else _down(across, rows, method)
    return result.view(count, length, -1, channels)


def _rows(images: Tensor, at: Tensor) -> Tensor:
    """These rows of each image: shapes (N, H, …) and (N, H') -> (N, H', …)."""
    count, height = images.shape[:2]
    start = torch.arange(count, device=images.device)[:, None] * height
    return images.flatten(0, 1).index_select(0, (start + at).reshape(-1)).view(*at.shape, *images.shape[2:])


def _across(images: Tensor, at: Tensor) -> Tensor:
    """These columns of each image: shapes (N, H, W, C) and (N, W') -> (N, H, W', C)."""
    count, height, width, channels = images.shape
    kind = torch.int32 if count * height * width < 2**31 else torch.int64
    start = torch.arange(count * height, device=images.device, dtype=kind).view(count, height, 1) * width
    pixels = images.reshape(-1, channels).squeeze(1)  # single numbers are looked up four times as fast as rows of one
    return pixels.index_select(0, (start + at.to(kind)[:, None]).view(-1)).view(count, height, -1, channels)


def _weighed(images: Tensor, columns: Taps) -> Tensor:
    """Columns resampled, not yet divided by the sum of the weights: shape (N, H, W' C)."""
    channels = images.shape[3]
    pixels = [_across(images, at).flatten(2).to(columns.weights.dtype) for at in columns.at.unbind(2)]
    weights = [each[:, :, None].expand(-1, -1, channels).flatten(1)[:, None] for each in columns.weights.unbind(2)]
    return _sum(pixels, weights)


def _linear_down(across: Tensor, rows: Taps) -> Tensor:
    """Rows resampled as OpenCV does with vectors of 16 bits: each product loses its last bits before they are added."""
    across.bitwise_right_shift_(4)
    first, second = (
        _rows(across, rows.at[:, :, tap]).mul_(rows.weights[:, :, tap, None]).bitwise_right_shift_(16) for tap in (0, 1)
    )
    return first.add_(second).add_(2).bitwise_right_shift_(2)


def _down(across: Tensor, rows: Taps, method: int) -> Tensor:
    """Rows resampled, rounded and cut off."""
    lines = [_rows(across, at) for at in rows.at.unbind(2)]
    total = _sum(lines, [weights[:, :, None] for weights in rows.weights.unbind(2)])
    if method == cv2.INTER_CUBIC:
        total.round_()
    else:
        bits = 2 * (EXACT_BITS if method == cv2.INTER_LINEAR_EXACT else BITS)
        total.add_(1 << bits - 1).bitwise_right_shift_(bits)
    return total.clamp_(0, 255)


def _sum(pixels: list[Tensor], weights: list[Tensor]) -> Tensor:
    """Of the products, written over the first pixels."""
    total = pixels[0].mul_(weights[0])
    for each, weight in zip(pixels[1:], weights[1:], strict=True):
        total.addcmul_(each, weight)
    return total


def _tables(line: Line, method: int, *, ends: bool) -> Taps:
    """What makes each pixel of the result. ends: as OpenCV has it for columns."""
    if method == cv2.INTER_NEAREST:
        low, weights = (line.each() * line.scale[:, None]).floor().long(), None
    elif method == cv2.INTER_NEAREST_EXACT:
        low, weights = _nearest_exact(line), None
    elif method == cv2.INTER_LINEAR_EXACT:
        low, part = _places(line)
        second = _ends(low, part * (1 << EXACT_BITS), line).round().int()
        weights = torch.stack([(1 << EXACT_BITS) - second, second], 2)
    elif method == cv2.INTER_CUBIC:
        low, part = _places(line)
        weights = _cubic(part).float()
    else:
        low, part = _areas(line) if method == cv2.INTER_AREA else _places(line, torch.float32)
        if method == cv2.INTER_LANCZOS4:
            exact = _lanczos(part)
        else:
            part = _ends(low, part, line) if ends else part
            exact = torch.stack([1 - part, part], 2)
        weights = (exact * (1 << BITS)).round().int()
    if weights is None:
        weights = torch.ones((*low.shape, 1), dtype=torch.int32, device=low.device)
    taps = weights.shape[2]
    at = low[:, :, None] + torch.arange(taps, device=low.device) - (taps - 1) // 2
    at = torch.minimum(at.clamp(min=0), line.size[:, None, None] - 1)
    return Taps(line.start[:, None, None] + at, weights)


def _places(line: Line, kind: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Where the middle of each pixel of the result lies: the pixel before it, (N, length), and the part beyond."""
    place = ((line.each() + 0.5) * line.scale[:, None] - 0.5).to(kind)
    low = place.floor()
    return low.long(), place - low


def _areas(line: Line) -> tuple[Tensor, Tensor]:
    """The same, as area has it where an image grows: pixels of the result lie in one of the image, or over an edge."""
    low = (line.each() * line.scale[:, None]).floor()
    part = (line.each() + 1 - (low + 1) * line.inverse[:, None]).float()
    return low.long(), torch.where(part <= 0, 0, part - part.floor())


def _ends(low: Tensor, part: Tensor, line: Line) -> Tensor:
    """No part of a pixel outside counts."""
    return torch.where((low < 0) | (low >= line.size[:, None] - 1), 0, part)


def _nearest_exact(line: Line) -> Tensor:
    """In fractions of 16 bits."""
    step = ((line.size << 16) + line.length // 2) // line.length
    middle = step // 2 - line.size % 2
    return (step[:, None] * line.each().long() + middle[:, None]) >> 16


def _cubic(part: Tensor) -> Tensor:
    """Weights of the four pixels around: shape (…, 4)."""
    a = -0.75
    before, after = part + 1, 1 - part
    weights = [
        ((a * before - 5 * a) * before + 8 * a) * before - 4 * a,
        ((a + 2) * part - (a + 3)) * part * part + 1,
        ((a + 2) * after - (a + 3)) * after * after + 1,
    ]
    return torch.stack([*weights, 1 - weights[0] - weights[1] - weights[2]], -1)


def _lanczos(part: Tensor) -> Tensor:
    """Weights of the eight pixels around: float32 -> shape (…, 8), float32."""
    first = (part + 3).double() * (-math.pi / 4)
    sine, cosine = first.sin(), first.cos()
    weights = []
    for number, (of_sine, of_cosine) in enumerate(ANGLES):
        length = math.hypot(of_sine, of_cosine)
        y = (part + 3 - number).double() * (-math.pi / 4)
        weights.append(((of_sine * sine + of_cosine * cosine) / length / (y * y)).float())
    total = torch.stack(weights, -1)
    total = total * (1 / total.sum(-1, keepdim=True))
    total = total.nan_to_num(nan=1)  # exactly on a pixel, infinite before: that one alone counts
    alone = constant((0, 0, 0, 1, 0, 0, 0, 0), torch.float32, part.device)
    return torch.where((part < torch.finfo(torch.float32).eps)[..., None], alone, total)


def _means(images: Tensor, rows: Line, columns: Line) -> Tensor:
    """Of what each pixel of the result covers. Whole numbers of pixels are added up and divided at the end."""
    count, height, width, channels = images.shape
    whole = _whole(rows) & _whole(columns)
    down, down_cells = _covered(rows, height, whole)
    across, across_cells = _covered(columns, width, whole)
    lines = torch.bmm(down, images.float().flatten(2)).view(count, rows.length, width, channels)
    lines = lines.transpose(2, 3).reshape(count, -1, width)
    total = torch.bmm(lines, across.transpose(1, 2)).view(count, rows.length, channels, columns.length).transpose(2, 3)
    cells = (down_cells[:, :, None] * across_cells[:, None, :])[..., None]
    halves = (whole & (rows.scale == 2) & (columns.scale == 2))[:, None, None, None] & (cells == 4)
    total = (total + 0.5 * halves) * (1 / cells)  # halves are rounded up for 2 x 2 pixels, to even ones otherwise
    return total.round().clamp(0, 255).to(torch.uint8).contiguous()


def _whole(line: Line) -> Tensor:
    """Where each pixel of the result covers a whole number of pixels."""
    return (line.scale - line.scale.round()).abs() < torch.finfo(torch.float64).eps


def _covered(line: Line, size: int, whole: Tensor) -> tuple[Tensor, Tensor]:
    """How much of each pixel of a line counts for each of the result, and by how many their sum is to be divided.

    Shapes (N, length, size) and (N, length), float32. Where not `whole`, weights are divided already.
    """
    scale, last = line.scale[:, None], line.size[:, None] - 1
    begin = line.each() * scale
    end = begin + scale
    cell = torch.minimum(scale, line.size[:, None] - begin)
    low, high = begin.ceil(), torch.minimum(end.floor(), last)
    low = torch.minimum(low, high)
    before, behind = low - begin, torch.minimum((end - high).clamp(max=1), cell)
    shares = torch.stack([before * (before > TOO_THIN), torch.ones_like(begin), behind * (behind > TOO_THIN)])
    cells = torch.where(whole[:, None], shares[0] + (high - low) + shares[2], 1)
    shares = (shares / torch.where(whole[:, None], 1, cell)).float()[..., None]
    at = torch.arange(size, device=line.start.device) - line.start[:, None]
    past = at[:, None].float() - low.float()[..., None]
    more = at[:, None].float() - high.float()[..., None]
    weights = torch.where(past == -1, shares[0], torch.where((past >= 0) & (more < 0), shares[1], 0))
    return torch.where(more == 0, shares[2], weights), cells.float()
