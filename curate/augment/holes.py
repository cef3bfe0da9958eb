"""Rectangles of an image that are filled."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from curate.augment.frame import Frame
from curate.augment.lattice import per_channel
from curate.augment.transform import Params, Transform, frame_of


class Holes(Transform):
    """Rectangles are filled with one value for each channel."""

    floats = True

    @abstractmethod
    def holes(self, params: Params, frame: Frame) -> Tensor:
        """Shape (N, K, 4), int64: left, top, right, bottom, the last two outside; empty ones where there are fewer."""

    def value(self) -> float | Sequence[float]:
        """What they are filled with."""
        return self.settings.fill

    def apply(self, images: Tensor, params: Params) -> Tensor:
        frame = frame_of(images)
        value = per_channel(self.value(), frame.channels, images.device).to(images.dtype)
        return torch.where(inside(self.holes(params, frame), frame)[..., None], value, images)


def inside(holes: Tensor, frame: Frame) -> Tensor:
    """Which pixels lie in any of the rectangles: shape (N, K, 4) -> (N, H, W), bool."""
    x = torch.arange(frame.width, device=holes.device)
    y = torch.arange(frame.height, device=holes.device)
    across = (x >= holes[:, :, 0, None]) & (x < holes[:, :, 2, None])
    down = (y >= holes[:, :, 1, None]) & (y < holes[:, :, 3, None])
    if holes.shape[1] == 1:
        return down[:, 0, :, None] & across[:, 0, None, :]
    return torch.einsum("nky,nkx->nyx", down.float(), across.float()) > 0
