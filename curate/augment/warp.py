"""Images seen through a matrix: turned, scaled, sheared, in perspective; the arithmetic of OpenCV 4.

OpenCV rounds source coordinates to 32nds of a pixel and weighs the pixels around by whole numbers, so that the same
pixels come out on every device.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import torch
from torch import Tensor

from curate.augment.frame import Frame
from curate.augment.lattice import within
from curate.augment.transform import Params, Transform, frame_of

FINE = 10
"""Bits of a source coordinate behind the point, where it is affine."""
WEIGHT = 5
"""Bits of it that the weights are made from."""
UNIT = 1 << WEIGHT
SCALE = 15
"""Bits of a weight where more than two pixels a line are weighed."""
FAR = 1 << 15
"""OpenCV keeps source pixels as numbers of 16 bits, and cuts off what is larger."""
BLOCK = 32
"""Side of the blocks in which OpenCV warps."""
FIELD = 18
"""Bits that the weighed sum of a channel takes: 8 of a pixel and twice 5 of the weights."""
TOGETHER = 1 << 16
"""Pixels that a processor computes at once: measured, so that what comes in between stays in its cache."""
MANY = 1 << 24
"""The same elsewhere: takes some GB."""

Places = tuple[Tensor, Tensor]
"""Where in the image each pixel of the result is, x and y: shape (N, H', W') each, int32."""


class Warp(Transform):
    """Every pixel of the result is resampled from where an affine matrix points in the image: to the same pixels."""

    levels = 0
    share = 1.0

    @abstractmethod
    def matrix(self, params: Params, frame: Frame) -> Tensor:
        """From pixels of the result to those of the image: shape (N, 3, 3), float64, on (x, y, 1)."""

    def border(self) -> int:
        """`cv2.BORDER_…`: what lies outside the image."""
        return int(self.settings.border_mode)

    def fill(self) -> float | Sequence[float]:
        """What lies there with a constant border. OpenCV fills channels with zero that a sequence leaves out."""
        fill = self.settings.fill
        return fill if isinstance(fill, int | float) else (*fill, 0, 0, 0)

    def method(self) -> int:
        """`cv2.INTER_…`. OpenCV takes INTER_AREA for INTER_LINEAR where it warps."""
        method = int(self.settings.interpolation)
        return cv2.INTER_LINEAR if method == cv2.INTER_AREA else method

    def apply(self, images: Tensor, params: Params) -> Tensor:
        frame = frame_of(images)
        matrix, size = self.matrix(params, frame), self.output(frame)
        return warp_affine(images, matrix, size, method=self.method(), border=self.border(), fill=self.fill())


def warp_affine(
    images: Tensor,
    matrix: Tensor,
    size: Frame,
    *,
    method: int = cv2.INTER_LINEAR,
    border: int = cv2.BORDER_CONSTANT,
    fill: float | Sequence[float] = 0,
    still: Tensor | None = None,
) -> Tensor:
    """What `cv2.warpAffine` makes of each image, given the inverse of its matrix.

    images: shape (N, H, W, C), uint8, C at most 3. matrix: shape (N, 3, 3), float64: from pixels of the result to those
    of the image. still: shape (N,), bool: images with BORDER_REPLICATE instead, whose matrix only scales, mirrors and
    turns by quarters; None for none. Returns: shape (N, size.height, size.width, C), uint8.
    """
    bits = FINE if method == cv2.INTER_NEAREST else FINE - WEIGHT
    x = torch.arange(size.width, device=images.device, dtype=torch.float64)
    y = torch.arange(size.height, device=images.device, dtype=torch.float64)
    along = _fine(matrix[:, :2, 0, None] * x)  # (N, 2, W')
    down = _fine(matrix[:, :2, 1, None] * y + matrix[:, :2, 2, None]) + (1 << bits - 1)  # (N, 2, H')
    if still is not None:
        for axis, length in enumerate((images.shape[2], images.shape[1])):
            across = matrix[:, axis, 0] != 0
            _keep_inside(along[:, axis], down[:, axis, :1], length, still & across)
            _keep_inside(down[:, axis], along[:, axis, :1], length, still & ~across)

    def places(part: slice) -> Places:
        across, below = along[part], down[part]
        x, y = (torch.add(across[:, axis, None, :], below[:, axis, :, None]) for axis in (0, 1))
        return x.bitwise_right_shift_(bits), y.bitwise_right_shift_(bits)

    return resampled_at(images, places, size, method=method, border=border, fill=fill)


def warp_perspective(
    images: Tensor,
    matrix: Tensor,
    size: Frame,
    *,
    method: int,
    border: int,
    fill: float | Sequence[float],
) -> Tensor:
    """What `cv2.warpPerspective` makes of each image, given the inverse of its matrix; as `warp_affine`."""
    unit = 1 if method == cv2.INTER_NEAREST else UNIT
    x = torch.arange(size.width, device=images.device, dtype=torch.float64)
    y = torch.arange(size.height, device=images.device, dtype=torch.float64)
    # Sums are rounded in the order of OpenCV, which begins with the first column of a block.
    wide = min(BLOCK * BLOCK // min(BLOCK // 2, size.height), size.width)
    first = x.div(wide, rounding_mode="floor") * wide

    def line(row: Tensor) -> Tensor:
        a, b, c = (row[:, number, None, None] for number in range(3))
        return (a * first + b * y[:, None] + c).add_(a * (x - first))

    def places(part: slice) -> Places:
        x, y, depth = (line(matrix[part, number]) for number in range(3))
        factor = torch.where(depth != 0, unit / depth, 0)
        x, y = ((at * factor).clamp_(-(1 << 31), (1 << 31) - 1).round_().int() for at in (x, y))
        return _near(x, unit), _near(y, unit)

    return resampled_at(images, places, size, method=method, border=border, fill=fill)


@dataclass(frozen=True)
class Edge:
    """What lies outside an image."""

    border: int
    """`cv2.BORDER_…`."""
    levels: Sequence[int]
    """Of each channel, with a constant border."""


class Room:
    """Memory for what comes in between, the same for each part of a batch: to ask for it anew costs a fifth more."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._held: dict[tuple[str, Sequence[int]], Tensor] = {}

    def __call__(self, name: str, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """A tensor of this shape that holds anything."""
        key = name, tuple(shape)
        if key not in self._held:
            self._held[key] = torch.empty(shape, dtype=dtype, device=self.device)
        return self._held[key]


def resampled_at(
    images: Tensor,
    places: Callable[[slice], Places],
    size: Frame,
    *,
    method: int,
    border: int,
    fill: float | Sequence[float],
) -> Tensor:
    """The pixels at these places: shape (N, H, W, C), uint8, C at most 3 -> (N, size.height, size.width, C), uint8.

    places: of some of the images, in 32nds of a pixel; in whole ones where `method` is INTER_NEAREST.
    """
    count, _, _, channels = images.shape
    result = torch.empty((count, size.height, size.width, channels), dtype=torch.uint8, device=images.device)
    values = fill[:channels] if isinstance(fill, Sequence) else (fill,) * channels
    edge = Edge(border, [min(max(round(value), 0), 255) for value in values])
    room = Room(images.device)
    for part in _parts(images, size):
        x, y = places(part)
        if method == cv2.INTER_NEAREST:
            _nearest(result[part], images[part], x, y, edge, room)
        elif method in (cv2.INTER_LINEAR, cv2.INTER_AREA):  # OpenCV takes one for the other where it warps
            _bilinear(result[part], images[part], x, y, edge, room)
        else:
            _weighed(result[part], images[part], x, y, edge, room, _weights(method, images.device))
    return result


def _parts(images: Tensor, size: Frame) -> Iterator[slice]:
    """The images in parts of so many pixels as are computed at once."""
    most = TOGETHER if images.device.type == "cpu" else MANY
    step = max(1, most // max(images.shape[1] * images.shape[2], size.height * size.width))
    for start in range(0, len(images), step):
        yield slice(start, start + step)


def _nearest(result: Tensor, images: Tensor, x: Tensor, y: Tensor, edge: Edge, room: Room) -> None:
    rows, columns = within(y, images.shape[1], edge.border), within(x, images.shape[2], edge.border)
    table = _packed(images, edge, room)
    at = _numbers(images, rows, columns, room)
    _unpacked(result, table.index_select(0, at.view(-1)).mul_(UNIT * UNIT), room)


def _bilinear(result: Tensor, images: Tensor, x: Tensor, y: Tensor, edge: Edge, room: Room) -> None:
    """All channels are weighed at once, as digits of one number."""
    x, y = folded(x, images.shape[2], edge.border), folded(y, images.shape[1], edge.border)
    if edge.border == cv2.BORDER_WRAP:  # the pixel after the last is the first
        images = torch.cat([images, images[:, :1]], 1)
        images = torch.cat([images, images[:, :, :1]], 2)
    table, pitch = _packed(images, edge, room), images.shape[2] + 1
    at = _numbers(images, y >> WEIGHT, x >> WEIGHT, room).view(-1)
    right, below, rest, upper, lower, other = (
        room(name, at.shape, torch.float64) for name in ("right", "below", "rest", "upper", "lower", "other")
    )
    torch.neg(right.copy_(x.bitwise_and_(UNIT - 1).view(-1)), out=rest).add_(UNIT)
    for line, start in ((upper, 0), (lower, pitch)):
        torch.index_select(table[start:], 0, at, out=line).mul_(rest)
        line.addcmul_(torch.index_select(table[start + 1 :], 0, at, out=other), right)
    torch.neg(below.copy_(y.bitwise_and_(UNIT - 1).view(-1)), out=rest).add_(UNIT)
    _unpacked(result, upper.mul_(rest).addcmul_(lower, below), room)


def _weighed(result: Tensor, images: Tensor, x: Tensor, y: Tensor, edge: Edge, room: Room, weights: Tensor) -> None:
    """By as many pixels around a place as there are weights: shape (K, K, 1024), int32."""
    fraction = ((y & UNIT - 1) * UNIT + (x & UNIT - 1)).view(-1)
    taps = range(1 - len(weights) // 2, 1 + len(weights) // 2)
    rows = [within((y >> WEIGHT) + tap, images.shape[1], edge.border) for tap in taps]
    columns = [within((x >> WEIGHT) + tap, images.shape[2], edge.border) for tap in taps]
    tables = [_framed(images[..., channel].int(), value) for channel, value in enumerate(edge.levels)]
    totals = [torch.full_like(fraction, 1 << SCALE - 1) for _ in tables]
    for row, line in zip(rows, weights, strict=True):
        for column, weight in zip(columns, line, strict=True):
            at, factor = _numbers(images, row, column, room).view(-1), weight.index_select(0, fraction)
            for table, total in zip(tables, totals, strict=True):
                total += table.index_select(0, at).mul_(factor)
    for channel, total in enumerate(totals):
        result[..., channel] = (total >> SCALE).clamp_(0, 255).view(x.shape)


def folded(at: Tensor, size: int, border: int) -> Tensor:
    """Places on a line of `size` pixels, in 32nds, those outside thrown back to where there is the same to be seen.

    at: any shape, int32. border: `cv2.BORDER_…`; constant gives places up to a pixel outside.
    """
    last = UNIT * (size - 1)
    if border == cv2.BORDER_CONSTANT:
        return at.clamp(-UNIT, last + UNIT)
    if border == cv2.BORDER_REPLICATE or size == 1:
        return at.clamp(0, last)
    exact = at.clamp(-FAR * UNIT, FAR * UNIT - 1).float()  # 24 bits hold these, and division is exact enough
    if border == cv2.BORDER_WRAP:
        period = UNIT * size
        return exact.sub_((exact / period).floor_(), alpha=period).int()
    if border == cv2.BORDER_REFLECT_101:
        return exact.sub_((exact / (2 * last)).round_(), alpha=2 * last).abs_().int()
    assert border == cv2.BORDER_REFLECT, border
    half, period = UNIT // 2, 2 * UNIT * size  # mirrors stand half a pixel outside
    exact = exact.add_(half)
    return exact.sub_((exact / period).round_(), alpha=period).abs_().sub_(half).clamp_(0, last).int()


@cache
def _weights(method: int, device: torch.device) -> Tensor:
    """Weights of the pixels around a place by its fraction: shape (K, K, 1024), int32, sums of K x K are 2**15.

    By 4 x 4 pixels for INTER_CUBIC, by 8 x 8 for INTER_LANCZOS4.

    1024 fractions: y * 32 + x. Rounded and mended as OpenCV does it (initInterTab2D in imgwarp.cpp).
    """
    lines = _cubic() if method == cv2.INTER_CUBIC else _lanczos()
    side = lines.shape[1]
    products = lines[:, None, :, None] * lines[None, :, None, :]
    limit = 1 << SCALE
    weights = np.clip(np.rint(products * np.float32(limit)), -limit, limit - 1).astype(np.int32)
    # What is missing goes to the largest of the four weights behind the middle, what is too much off the smallest.
    near = weights[..., side // 2 : side // 2 + 2, side // 2 : side // 2 + 2].reshape(UNIT * UNIT, 4)
    excess = weights.sum((2, 3)).reshape(-1) - limit
    mended = np.where(excess < 0, near.argmax(1), near.argmin(1))
    row, column = side // 2 + mended // 2, side // 2 + mended % 2
    weights = weights.reshape(UNIT * UNIT, side, side)
    weights[np.arange(UNIT * UNIT), row, column] -= excess
    return torch.from_numpy(weights.transpose(1, 2, 0).copy()).to(device)


def _cubic() -> np.ndarray:
    """Weights along a line by fraction: shape (32, 4), float32, in the order of OpenCV's arithmetic."""
    one = np.float32(1)
    x, a = np.arange(UNIT, dtype=np.float32) / UNIT, np.float32(-0.75)
    first = ((a * (x + 1) - 5 * a) * (x + 1) + 8 * a) * (x + 1) - 4 * a
    second, third = (((a + 2) * at - (a + 3)) * at * at + 1 for at in (x, one - x))
    return np.stack([first, second, third, one - first - second - third], 1)


def _lanczos() -> np.ndarray:
    """Weights along a line by fraction: shape (32, 8), float32, in the order of OpenCV's arithmetic."""
    x = np.arange(UNIT, dtype=np.float32)[:, None] / UNIT
    root = np.sqrt(0.5)
    sines = np.array([1, -root, 0, root, -1, root, 0, -root])
    cosines = np.array([0, -root, 1, -root, 0, root, -1, root])
    start = -(x + 3).astype(np.float64) * np.pi / 4
    away = (x + 3 - np.arange(8, dtype=np.float32)).astype(np.float64)
    middle = np.abs(away) < 1e-6
    angle = np.where(middle, 1, -away * np.pi / 4)
    waves = (sines * np.sin(start) + cosines * np.cos(start)) / angle**2
    weights = np.where(middle, 1e30, waves).astype(np.float32)
    return weights * (1 / np.cumsum(weights, 1)[:, -1:])


def _fine(at: Tensor) -> Tensor:
    """Source coordinates in 1024ths of a pixel, int32, cut off where sums would not fit."""
    return (at * (1 << FINE)).round_().clamp_(-(1 << 30), (1 << 30) - 1).int()


def _keep_inside(line: Tensor, rest: Tensor, length: int, chosen: Tensor) -> None:
    """Has line + rest lie between the first and the last of `length` pixels, for images that are `chosen`; in place.

    line, rest: shapes (N, M) and (N, 1), int32, in 1024ths. chosen: shape (N,), bool.
    """
    line.copy_(torch.where(chosen[:, None], line.clamp(-rest, (length - 1 << FINE) - rest), line))


def _near(at: Tensor, unit: int) -> Tensor:
    """Coordinates whose whole pixels are cut off at 16 bits, as OpenCV does: near the horizon of a perspective."""
    bits = unit.bit_length() - 1
    return (at >> bits).clamp_(-FAR, FAR - 1).bitwise_left_shift_(bits).bitwise_or_(at & unit - 1)


def _numbers(images: Tensor, rows: Tensor, columns: Tensor, room: Room) -> Tensor:
    """Positions of pixels in what `_framed` makes of images: shape (N, H', W'), int32."""
    count, height, width, _ = images.shape
    pitch = width + 1
    start = torch.arange(count, dtype=torch.int32, device=images.device)[:, None, None] * ((height + 1) * pitch)
    at = room("at", rows.shape, torch.int32)
    return torch.mul(rows, pitch, out=at).add_(columns).add_(start + (pitch + 1))


def _framed(pixels: Tensor, value: float) -> Tensor:
    """The pixels in a row, one of `value` before each line and a line of them before each image, two at the end.

    So one lies behind each line and image, too. Shape (N, H, W) -> (N * (H + 1) * (W + 1) + 2 * W + 4,).
    """
    count, height, width = pixels.shape
    size = count * (height + 1) * (width + 1)
    table = torch.full((size + 2 * width + 4,), value, dtype=pixels.dtype, device=pixels.device)
    table[:size].view(count, height + 1, width + 1)[:, 1:, 1:] = pixels
    return table


def _packed(images: Tensor, edge: Edge, room: Room) -> Tensor:
    """All channels of a pixel as one number, float64, in the row that `_framed` makes.

    The channels are digits of 18 bits, 0.5 more each, so that sums are rounded when cut off. Those of three channels
    would take a bit more than the 53 that a float64 has beside its sign: the last channel counts from -128.
    """
    channels = images.shape[3]
    assert channels <= 3, channels
    factors = [float(1 << FIELD * channel) for channel in range(channels)]
    less = sum(factors) / 2 - 128 * factors[-1]
    value = sum(factor * level for factor, level in zip(factors, edge.levels, strict=True)) + less
    pixels, plane = (room(name, images.shape[:3], torch.float64) for name in ("pixels", "plane"))
    torch.add(plane.copy_(images[..., 0]), less, out=pixels)
    for channel in range(1, channels):
        pixels.add_(plane.copy_(images[..., channel]), alpha=factors[channel])
    return _framed(pixels, value)


def _unpacked(result: Tensor, total: Tensor, room: Room) -> None:
    """Pixels of what `_packed` made, each times the sum of the weights, 1024: shape (N * H * W,) -> (N, H, W, C)."""
    digits, shifted = (room(name, result.shape[:3], torch.int64) for name in ("digits", "shifted"))
    digits.view(-1).copy_(total)
    digits.add_(128 << 2 * WEIGHT + FIELD * (result.shape[3] - 1))
    for channel in range(result.shape[3]):
        torch.bitwise_right_shift(digits, 2 * WEIGHT + FIELD * channel, out=shifted)
        result[..., channel].copy_(shifted)
