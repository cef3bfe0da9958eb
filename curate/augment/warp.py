"""Images seen through a matrix: turned, scaled, sheared, in perspective; the arithmetic of OpenCV 4.

OpenCV rounds source coordinates to 1/1024 of a pixel, then to 1/32, and weighs the pixels around by whole numbers.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import cv2
import torch
from torch import Tensor

from curate.augment.frame import Frame
from curate.augment.lattice import NOWHERE, per_channel, within
from curate.augment.transform import Params, Transform, frame_of

FINE = 10
"""Bits of a source coordinate behind the point."""
WEIGHT = 5
"""Bits of it that the weights are made from."""


class Warp(Transform):
    """Every pixel of the result is resampled from where a matrix points in the image."""

    interpolation: ClassVar[int] = cv2.INTER_LINEAR

    @abstractmethod
    def matrix(self, params: Params, frame: Frame) -> Tensor:
        """From pixels of the result to those of the image: shape (N, 3, 3), float64, on (x, y, 1)."""

    def border(self) -> int:
        """`cv2.BORDER_…`: what lies outside the image."""
        return int(self.settings.border_mode)

    def fill(self) -> float | Sequence[float]:
        """What lies there with a constant border."""
        return self.settings.fill

    def method(self) -> int:
        """`cv2.INTER_…`."""
        return int(self.settings.interpolation)

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
) -> Tensor:
    """What `cv2.warpAffine` makes of each image, given the inverse of its matrix.

    images: shape (N, H, W, C), uint8. matrix: shape (N, 3, 3), float64: from pixels of the result to those of the
    image. Returns: shape (N, size.height, size.width, C), uint8.
    """
    assert method == cv2.INTER_LINEAR, method
    unit = 1 << FINE
    x = torch.arange(size.width, device=images.device, dtype=torch.float64)
    y = torch.arange(size.height, device=images.device, dtype=torch.float64)
    half = 1 << FINE - WEIGHT - 1
    along = torch.round(matrix[:, :2, 0, None] * x * unit).long()
    down = torch.round((matrix[:, :2, 1, None] * y + matrix[:, :2, 2, None]) * unit).long() + half
    at = (along[:, :, None, :] + down[:, :, :, None]) >> FINE - WEIGHT  # (N, 2, H', W'): x, y
    return bilinear(images, at[:, 0], at[:, 1], border=border, fill=fill)


def bilinear(images: Tensor, x: Tensor, y: Tensor, *, border: int, fill: float | Sequence[float]) -> Tensor:
    """The pixels at these places, in 32nds of a pixel: x, y of shape (N, H', W'), int64 -> (N, H', W', C), uint8."""
    count, height, width, channels = images.shape
    flat = images.reshape(-1, channels)
    value = per_channel(fill, channels, images.device).round().clamp(0, 255).int()
    start = torch.arange(count, device=images.device)[:, None, None] * height
    part = (1 << WEIGHT) - 1
    weights = ((part + 1 - (x & part), x & part), (part + 1 - (y & part), y & part))
    total = torch.zeros((*x.shape, channels), dtype=torch.int32, device=images.device)
    for below in (0, 1):
        rows = within((y >> WEIGHT) + below, height, border)
        for right in (0, 1):
            columns = within((x >> WEIGHT) + right, width, border)
            at = ((start + rows.clamp(min=0)) * width + columns.clamp(min=0)).reshape(-1)
            pixels = flat.index_select(0, at).view_as(total).int()
            if border == cv2.BORDER_CONSTANT:
                pixels = torch.where(((rows != NOWHERE) & (columns != NOWHERE))[..., None], pixels, value)
            total += pixels * (weights[0][right] * weights[1][below]).int()[..., None]
    return ((total + (1 << 2 * WEIGHT - 1)) >> 2 * WEIGHT).to(torch.uint8)
