"""Brought to another size, and back."""

from abc import abstractmethod
from collections.abc import Sequence

import cv2
import torch
from torch import Tensor

from curate.augment.device import constant
from curate.augment.draws import Draws
from curate.augment.frame import Frame
from curate.augment.resize import Line, between, matrix, resampled_lines, resized
from curate.augment.transform import Params, Settings, Transform, frame_of
from curate.errors import UserError

METHODS = (
    cv2.INTER_NEAREST,
    cv2.INTER_LINEAR,
    cv2.INTER_CUBIC,
    cv2.INTER_AREA,
    cv2.INTER_LANCZOS4,
    cv2.INTER_LINEAR_EXACT,
    cv2.INTER_NEAREST_EXACT,
)


class Resize(Transform):
    """Brought to a size."""

    examples = (
        *({"height": 40, "width": 27, "interpolation": method} for method in METHODS),
        {"height": 16, "width": 16, "interpolation": cv2.INTER_AREA},
        {"height": 20, "width": 60, "area_for_downscale": "image"},
        {"height": 224, "width": 224},
    )

    def output(self, frame: Frame) -> Frame:
        frame = super().output(frame)
        return Frame(self.settings.height, self.settings.width, frame.channels)

    def draw(self, draws: Draws, frame: Frame) -> Params:
        """Nothing by chance: the size of each image, which says how many there are."""
        return {"shape": constant(frame, torch.int64, draws.device).expand(len(draws), 3)}

    def matrix(self, params: Params, frame: Frame) -> Tensor:
        """From pixels of the result to those of the image: shape (N, 3, 3), float64."""
        shape = params["shape"]
        zero = torch.zeros_like(shape[:, 0])
        return matrix(torch.stack([zero, zero, shape[:, 1], shape[:, 0]], 1), self.output(frame))

    def method(self) -> int:
        """`cv2.INTER_…`; area where some images may be brought to their size by it."""
        return int(cv2.INTER_AREA if self.settings.area_for_downscale else self.settings.interpolation)

    def apply(self, images: Tensor, params: Params) -> Tensor:
        frame = frame_of(images)
        size, settings = self.output(frame), self.settings
        smaller = size.height < frame.height or size.width < frame.width
        area = settings.area_for_downscale is not None and smaller
        return resized(images, None, size, cv2.INTER_AREA if area else settings.interpolation)


class _MaxSize(Transform):
    """Brought to a size by one scale for both sides."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        sizes = settings.max_size
        if sizes is None and not any(settings.max_size_hw):
            raise UserError(f"{self.name} has max_size_hw={settings.max_size_hw}; give a height, a width or both")
        if isinstance(sizes, Sequence) and len(set(sizes)) > 1:
            raise UserError(
                f"{self.name} with max_size={list(sizes)} brings images of a batch to different sizes; give one size"
            )

    def scale(self, frame: Frame) -> float:
        """By how much the image grows."""
        sizes, both = self.settings.max_size, self.settings.max_size_hw
        if sizes is not None:
            size = sizes[0] if isinstance(sizes, Sequence) else sizes
            return float(size / self.side(frame.height, frame.width))
        scales = [wanted / has for wanted, has in zip(both, frame[:2], strict=True) if wanted is not None]
        return float(self.of_both(*scales) if len(scales) == 2 else scales[0])

    @abstractmethod
    def side(self, height: int, width: int) -> int:
        """The side that is brought to the size."""

    @abstractmethod
    def of_both(self, first: float, second: float) -> float:
        """The scale to take of two."""

    def output(self, frame: Frame) -> Frame:
        frame = super().output(frame)
        scale = self.scale(frame)
        return Frame(max(1, round(frame.height * scale)), max(1, round(frame.width * scale)), frame.channels)

    def draw(self, draws: Draws, frame: Frame) -> Params:
        return {"scale": torch.full((len(draws),), self.scale(frame), dtype=torch.float64, device=draws.device)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        frame = frame_of(images)
        area = self.settings.area_for_downscale is not None and self.scale(frame) < 1
        return resized(images, None, self.output(frame), cv2.INTER_AREA if area else self.settings.interpolation)


class SmallestMaxSize(_MaxSize):
    """Brought to a size that the shorter side has then."""

    examples = (
        {"max_size": 40},
        {"max_size": [20], "area_for_downscale": "image"},
        {"max_size_hw": (48, 20), "interpolation": cv2.INTER_CUBIC},
        {"max_size_hw": (None, 25)},
    )

    def side(self, height: int, width: int) -> int:
        return min(height, width)

    def of_both(self, first: float, second: float) -> float:
        return max(first, second)


class LongestMaxSize(_MaxSize):
    """Brought to a size that the longer side has then."""

    examples = SmallestMaxSize.examples

    def side(self, height: int, width: int) -> int:
        return max(height, width)

    def of_both(self, first: float, second: float) -> float:
        return min(first, second)


class Downscale(Transform):
    """Made smaller and brought back, which loses detail."""

    examples = (
        {"scale_range": (0.25, 0.25)},
        {"scale_range": (0.3, 0.9)},
        {"scale_range": (0.4, 1.0), "interpolation_pair": {"downscale": cv2.INTER_AREA, "upscale": cv2.INTER_LINEAR}},
        {"scale_range": (0.5, 0.5), "interpolation_pair": {"downscale": cv2.INTER_AREA, "upscale": cv2.INTER_AREA}},
        {"scale_range": (0.4, 0.8), "interpolation_pair": {"downscale": cv2.INTER_LINEAR, "upscale": cv2.INTER_CUBIC}},
        {
            "scale_range": (0.4, 0.8),
            "interpolation_pair": {"downscale": cv2.INTER_CUBIC, "upscale": cv2.INTER_LANCZOS4},
        },
    )

    def output(self, frame: Frame) -> Frame:
        frame = super().output(frame)
        low = self.settings.scale_range[0]
        if round(min(frame.height, frame.width) * low) < 1:
            raise UserError(f"Downscale by {low} leaves nothing of images of {frame} px; raise scale_range")
        return frame

    def draw(self, draws: Draws, frame: Frame) -> Params:
        return {"scale": draws.uniform(*self.settings.scale_range)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        frame, scale = frame_of(images), params["scale"]
        zero = torch.zeros_like(scale, dtype=torch.int64)
        height, width = (torch.round(side * scale).long() for side in frame[:2])
        same = (height == frame.height) & (width == frame.width)  # OpenCV copies then, whatever the scale
        inverse = torch.where(same, 1.0, scale)
        most = self.settings.scale_range[1]
        rows, columns = (Line(zero, zero + side, inverse, round(side * most)) for side in frame[:2])
        pair = self.settings.interpolation_pair
        small = resampled_lines(images, rows, columns, pair["downscale"])
        rows, columns = between(zero, height, frame.height), between(zero, width, frame.width)
        return resampled_lines(small, rows, columns, pair["upscale"])
