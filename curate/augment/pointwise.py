"""What becomes of a pixel depends on that pixel alone."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from stringzilla import translate
from torch import Tensor

from curate.augment.transform import Params, Transform, frame_of

GREY = (9798, 19235, 3735)
"""Weights of red, green and blue in a grey level: 0.299, 0.587 and 0.114 in 2**15 parts, as OpenCV has them."""
GREY_BITS = 15


class Pointwise(Transform):
    """Each channel's levels go through a table. Tables after one another are one table, to the same pixels."""

    @abstractmethod
    def table(self, params: Params, channels: int) -> Tensor:
        """What each of the 256 levels becomes: shape (N or 1, C or 1, 256), uint8; 1 where all are alike."""

    def composes(self) -> bool:
        """Whether the params tell the table; False where it needs a look at the image, and is computed by itself."""
        return True

    def linear(self, params: Params, channels: int) -> "Linear | None":
        """The same as a matrix, unrounded, where it is one; for the fused mode."""
        return None

    def apply(self, images: Tensor, params: Params) -> Tensor:
        return looked_up(images, self.table(params, frame_of(images).channels))


class Recolor(Transform):
    """The channels of each pixel are mixed by a matrix."""

    def composes(self) -> bool:
        """Whether it is a matrix with these settings; otherwise it is computed by itself."""
        return True

    @abstractmethod
    def linear(self, params: Params, channels: int) -> "Linear":
        """The matrix; `apply` rounds as Albumentations does."""


@dataclass(frozen=True)
class Linear:
    """levels -> matrix @ levels + shift, then cut off at 0 and 255; levels count from 0 to 255."""

    matrix: Tensor
    """Shape (N, C, C), float32."""
    shift: Tensor
    """Shape (N, C), float32."""

    def only(self, chosen: Tensor | None) -> "Linear":
        """For the images that are `chosen`, shape (N,), bool; others stay as they are."""
        if chosen is None:
            return self
        same = torch.eye(self.matrix.shape[1], device=self.matrix.device)
        matrix = torch.where(chosen[:, None, None], self.matrix, same)
        return Linear(matrix, torch.where(chosen[:, None], self.shift, 0))

    def then(self, second: "Linear") -> "Linear":
        """These and then `second`, in one; nothing is cut off in between."""
        return Linear(second.matrix @ self.matrix, (second.matrix @ self.shift[:, :, None])[:, :, 0] + second.shift)


def every_level(device: torch.device, dtype: torch.dtype = torch.float64) -> Tensor:
    """All levels, 0 … 255: shape (256,)."""
    return torch.arange(256, device=device, dtype=dtype)


def looked_up(images: Tensor, table: Tensor) -> Tensor:
    """Every level replaced by what the image's table says.

    images: shape (N, H, W, C), uint8. table: shape (N or 1, C or 1, 256), uint8. Returns: shape (N, H, W, C), uint8.
    """
    if images.device.type == "cpu" and not torch.compiler.is_compiling():
        return translated(images, table)
    return indexed(images, table)


def indexed(images: Tensor, table: Tensor) -> Tensor:
    """As `looked_up`, by one look-up in all tables, on any device."""
    count, _, _, channels = images.shape
    table = table.expand(count, channels, 256)
    start = torch.arange(count * channels, device=images.device, dtype=torch.int32).view(count, 1, 1, channels) * 256
    at = images.int() + start
    return table.reshape(-1).index_select(0, at.reshape(-1)).view(images.shape)


def translated(images: Tensor, table: Tensor) -> Tensor:
    """As `looked_up`, by the look-up of bytes that Albumentations has; on a CPU.

    One after another, for each takes less than a microsecond: 4 to 20 times as fast as `indexed` on one core.
    """
    if table.shape[1] == 1:
        result = images.clone(memory_format=torch.contiguous_format)
        _translate(result, table)
        return result
    planes = images.permute(0, 3, 1, 2).clone(memory_format=torch.contiguous_format)
    _translate(planes, table.expand(len(images), -1, -1))
    return interleaved(planes.unbind(1))


def as_planes(images: Tensor) -> Tensor:
    """Shape (N, H, W, C) -> (N, C, H, W), contiguous: arithmetic on a channel is several times as fast there.

    Images of one pixel, or of one channel, are not copied: the result is not to be changed in place.
    """
    return images.permute(0, 3, 1, 2).contiguous()


def interleaved(planes: Sequence[Tensor]) -> Tensor:
    """Channels of shape (N, H, W) -> images of shape (N, H, W, C)."""
    return torch.stack(tuple(planes), 3)


def _translate(pixels: Tensor, table: Tensor) -> None:
    """In place, each part of equal length through its table."""
    tables = table.reshape(-1, 256).numpy()
    for part, row in zip(pixels.view(len(tables), -1).numpy(), tables, strict=True):
        translate(memoryview(part), memoryview(row), inplace=True)
