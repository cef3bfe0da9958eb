"""What becomes of a pixel depends on that pixel alone."""

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from curate.augment.transform import Params, Transform, frame_of


class Pointwise(Transform):
    """Each channel's levels go through a table. Tables after one another are one table, to the same pixels."""

    @abstractmethod
    def table(self, params: Params, channels: int) -> Tensor:
        """What each of the 256 levels becomes: shape (N, C, 256) or (N, 1, 256), uint8."""

    def linear(self, params: Params) -> "Linear | None":
        """The same as a matrix, unrounded, where it is one; for the fused mode."""
        return None

    def apply(self, images: Tensor, params: Params) -> Tensor:
        return looked_up(images, self.table(params, frame_of(images).channels))


class Recolor(Transform):
    """The channels of each pixel are mixed by a matrix."""

    @abstractmethod
    def linear(self, params: Params) -> "Linear":
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


def looked_up(images: Tensor, table: Tensor) -> Tensor:
    """Every level replaced by what the image's table says: shapes (N, H, W, C) and (N, C or 1, 256) -> (N, H, W, C)."""
    count, _, _, channels = images.shape
    table = table.expand(count, channels, 256)
    start = torch.arange(count * channels, device=images.device, dtype=torch.int32).view(count, 1, 1, channels) * 256
    at = images.int() + start
    return table.reshape(-1).index_select(0, at.reshape(-1)).view(images.shape)
