"""Cutout: a square around any pixel is filled."""

import torch
from pydantic import Field
from torch import Tensor

from curate.augment.draws import Draws
from curate.augment.frame import Frame
from curate.augment.holes import Holes
from curate.augment.policies import A, BatchOnly


class BatchCutout(Holes):
    """A square around any pixel is filled."""

    examples = ()  # CoarseDropout, the nearest in Albumentations, has whole squares alone

    def rectangles(self, draws: Draws, frame: Frame) -> Tensor:
        size = self.settings.size
        top = draws.integers(0, frame.height) - size // 2
        left = draws.integers(0, frame.width) - size // 2
        x, y = (torch.stack([start, start + size], 1) for start in (left, top))
        x, y = x.clamp(0, frame.width), y.clamp(0, frame.height)
        return torch.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], 1)[:, None]


class Cutout(BatchOnly):
    """A square around any pixel is filled.

    size: its side in pixels; what lies outside the image is cut off. fill: a level, or one for each channel.
    Source: DeVries and Taylor 2017, "Improved regularization of convolutional neural networks with cutout".
    """

    for_batches = BatchCutout

    class InitSchema(A.BasicTransform.InitSchema):
        size: int = Field(ge=1)
        fill: float | tuple[float, ...]

    def __init__(self, size: int, fill: float | tuple[float, ...] = 0.0, p: float = 1.0) -> None:
        super().__init__(p=p)
        self.size, self.fill = size, fill
