"""What a transform for whole batches is: the kinds there are, by what may be composed with what."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from curate.augment.draws import Draws, Stream
from curate.augment.frame import Frame
from curate.augment.lattice import Moves, moved
from curate.errors import UserError

Params = dict[str, Tensor]
"""What was drawn, by the names that Albumentations has for it; each of shape (N, …)."""
Settings = Any
"""A transform of Albumentations. Its attributes are the settings, already checked."""


class Transform(ABC):
    """One transform of Albumentations, for whole batches. The class is called as the one there.

    `draw` gives what chance decides for each image, with the distributions of Albumentations; `apply` does with it to
    N images what Albumentations does with one, to the same pixels.
    """

    examples: ClassVar[tuple[Mapping[str, Any], ...]] = ({},)
    """Settings with which the tests try it: every kind of border, range or method that it has."""
    levels: ClassVar[int] = 1
    share: ClassVar[float] = 0.999
    """Pixels of the tests' images that may differ by no more than `levels`: measured, not hoped for."""
    channels: ClassVar[tuple[int, ...]] = (1, 3)
    """Numbers of channels that it takes."""
    floats: ClassVar[bool] = False
    """Whether it may follow what makes floats of levels, such as Normalize."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def name(self) -> str:
        """What Albumentations calls it."""
        return type(self.settings).__name__

    def output(self, frame: Frame) -> Frame:
        """Size of what becomes of images of this size. Raises `UserError` for images that it is not for."""
        if frame.channels not in self.channels:
            wanted = " or ".join(str(count) for count in self.channels)
            raise UserError(
                f"{self.name} takes images of {wanted} channels; these have {frame.channels}: take it out, or convert "
                "the images"
            )
        return frame

    @abstractmethod
    def draw(self, draws: Draws, frame: Frame) -> Params:
        """What chance decides for N images of this size, and whatever follows from it and from the size."""

    @abstractmethod
    def apply(self, images: Tensor, params: Params) -> Tensor:
        """The changed images, resampled and rounded as Albumentations does.

        images: shape (N, H, W, C), uint8, contiguous. Returns: shape (N, H', W', C), uint8 unless it says otherwise.
        """

    def replay(self, drawn: Sequence[Mapping[str, Any]], frame: Frame, device: torch.device) -> Params:
        """The params that Albumentations drew for N images (`save_applied_params=True`), as `draw` would give them.

        Unless a transform needs more, those of the names that `draw` gives are stacked.
        """
        trial = self.draw(Stream(0, 0, torch.zeros(1, dtype=torch.int64)).at(0), frame)
        return {
            name: torch.as_tensor(np.stack([np.asarray(each[name]) for each in drawn]), device=device).to(value.dtype)
            for name, value in trial.items()
        }


class Lattice(Transform):
    """Every pixel of the result is one of the image's, or filled: flips, turns by 90 degrees, crops, pads."""

    levels = 0
    share = 1.0
    floats = True

    def fills(self) -> bool:
        """Whether some pixels come from outside the image; otherwise all are the image's, in order or in reverse."""
        return False

    def fill(self) -> float | Sequence[float]:
        """Value of pixels from nowhere, of all channels or one for each."""
        return 0

    @abstractmethod
    def moves(self, params: Params, frame: Frame, device: torch.device) -> Moves:
        """Where each pixel of the results comes from, for images of this size."""

    def apply(self, images: Tensor, params: Params) -> Tensor:
        return moved(images, self.moves(params, frame_of(images), images.device), self.fill())


def frame_of(images: Tensor) -> Frame:
    """Size of images of shape (N, H, W, C)."""
    return Frame(*images.shape[1:4])
