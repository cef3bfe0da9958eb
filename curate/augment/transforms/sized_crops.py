"""Parts of an image brought to one size."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import torch
from torch import Tensor

from curate.augment.device import constant
from curate.augment.draws import Draws
from curate.augment.frame import Frame
from curate.augment.lattice import BORDERS, NOWHERE, Moves, moved, within
from curate.augment.resize import matrix, resized
from curate.augment.transform import Params, Settings, Transform, frame_of
from curate.errors import UserError

ATTEMPTS = 10
"""At a window that lies within the image, before the one in the middle is taken."""


class _SizedCrop(Transform):
    """A window, brought to a size."""

    def output(self, frame: Frame) -> Frame:
        height, width = self.settings.size
        return Frame(height, width, super().output(frame).channels)

    def matrix(self, params: Params, frame: Frame) -> Tensor:
        """From pixels of the result to those of the image: shape (N, 3, 3), float64."""
        return matrix(params["crop_coords"], self.output(frame))

    def method(self) -> int:
        """`cv2.INTER_…`; area where some images may be brought to their size by it."""
        return int(cv2.INTER_AREA if self.settings.area_for_downscale else self.settings.interpolation)

    def apply(self, images: Tensor, params: Params) -> Tensor:
        boxes, size = params["crop_coords"], self.output(frame_of(images))
        method = self.settings.interpolation
        result = resized(images, boxes, size, method)
        if self.settings.area_for_downscale is None or method == cv2.INTER_AREA:
            return result
        smaller = (boxes[:, 3] - boxes[:, 1] > size.height) | (boxes[:, 2] - boxes[:, 0] > size.width)
        area = resized(images, boxes, size, cv2.INTER_AREA)
        return torch.where(smaller[:, None, None, None], area, result)


class RandomResizedCrop(_SizedCrop):
    """A window of random area, shape and place, brought to a size."""

    examples = (
        {"size": (24, 20)},
        {"size": (224, 224), "scale": (0.3, 1.0)},
        {"size": (28, 40), "interpolation": cv2.INTER_CUBIC, "ratio": (0.5, 2.0)},
        {"size": (20, 20), "area_for_downscale": "image"},
        {"size": (16, 16), "scale": (0.9, 1.0), "ratio": (1.5, 3.0), "interpolation": cv2.INTER_AREA},
        {"size": (16, 18), "scale": (0.9, 1.0), "ratio": (0.3, 0.6), "interpolation": cv2.INTER_NEAREST},
    )

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        if settings.ratio[0] <= 0:
            raise UserError(f"RandomResizedCrop: ratio is {settings.ratio}; its lower bound has to be above 0")

    def draw(self, draws: Draws, frame: Frame) -> Params:
        area, (low, high) = frame.height * frame.width, self.settings.ratio
        areas = draws.uniform(self.settings.scale[0] * area, self.settings.scale[1] * area, (ATTEMPTS,))
        ratios = draws.uniform(math.log(low), math.log(high), (ATTEMPTS,)).exp()
        widths, heights = (areas * ratios).sqrt().round().long(), (areas / ratios).sqrt().round().long()
        fits = (widths > 0) & (widths <= frame.width) & (heights > 0) & (heights <= frame.height)
        first = fits.int().argmax(1, keepdim=True)
        window = _window(draws, frame, heights.gather(1, first)[:, 0], widths.gather(1, first)[:, 0])
        middle = constant(self.middle(frame), torch.int64, draws.device)
        return {"crop_coords": torch.where(fits.any(1)[:, None], window, middle)}

    def middle(self, frame: Frame) -> tuple[int, int, int, int]:
        """The window where no attempt fitted: the largest one of an allowed shape."""
        low, high = self.settings.ratio
        ratio = frame.width / frame.height
        height, width = frame.height, frame.width
        if ratio < low:
            height = round(width / low)
        elif ratio > high:
            width = round(height * high)
        top, left = (frame.height - height) // 2, (frame.width - width) // 2
        return left, top, left + width, top + height


class RandomSizedCrop(_SizedCrop):
    """A window of random height and place, brought to a size."""

    examples = (
        {"min_max_height": (8, 32), "size": (24, 20)},
        {"min_max_height": (20, 50), "size": (32, 32), "w2h_ratio": 1.3, "interpolation": cv2.INTER_LANCZOS4},
        {"min_max_height": (20, 200), "size": (112, 90), "w2h_ratio": 0.7, "area_for_downscale": "image"},
    )

    def output(self, frame: Frame) -> Frame:
        low, ratio = self.settings.min_max_height[0], self.settings.w2h_ratio
        if int(low * ratio) < 1:
            raise UserError(f"RandomSizedCrop: {low} px high, w2h_ratio={ratio} is less than a pixel wide; raise one")
        return super().output(frame)

    def draw(self, draws: Draws, frame: Frame) -> Params:
        low, high = self.settings.min_max_height
        height = draws.integers(low, high + 1)
        width = (height * float(self.settings.w2h_ratio)).long()
        return {"crop_coords": _window(draws, frame, height.clamp(max=frame.height), width.clamp(max=frame.width))}


class CropAndPad(Transform):
    """Cut off or padded at each side, and brought back to its size."""

    examples = (
        {"px": (-8, 9), "border_mode": cv2.BORDER_CONSTANT, "fill": 99},
        *({"percent": (-0.2, 0.3), "border_mode": border, "fill": 70} for border in BORDERS),
        {"percent": (-0.3, 0.3), "sample_independently": False, "fill": (30, 70)},
        {"px": 5, "interpolation": cv2.INTER_CUBIC, "fill": (10, 20, 250)},
        {"px": (-5, -3, 6, 0), "keep_size": False},
        {"percent": ((-0.3, 0.3), (0.1, 0.2), (-0.8, -0.7), (-0.2, 0.4)), "interpolation": cv2.INTER_AREA},
        {"px": ((-9, 4), (-7, 5), (1, 7), (-3, -1)), "border_mode": cv2.BORDER_REFLECT_101},
        {"px": ([-20, 2, 7], [1, -3, 7], [-15, 4, -9], [1, 2])},
    )

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        given = settings.percent if settings.px is None else settings.px
        self.ranges, self.options = _forms(given)

    def bounds(self, frame: Frame) -> list[tuple[int, int]]:
        """Fewest and most pixels that may be added at top, right, bottom and left."""
        last = 1 if self.settings.px is not None and self.ranges else 0  # a range of pixels is without its end
        found = [(low, high - last) for low, high in self.ranges] or [(min(some), max(some)) for some in self.options]
        units = [1] * 4 if self.settings.percent is None else [frame.height, frame.width] * 2
        return [(int(low * unit), int(high * unit)) for (low, high), unit in zip(found, units, strict=True)]

    def padded(self, frame: Frame) -> Frame:
        """The largest that an image may become before it is brought back to its size."""
        top, right, bottom, left = (max(high, 0) for _, high in self.bounds(frame))
        return Frame(frame.height + top + bottom, frame.width + left + right, frame.channels)

    def output(self, frame: Frame) -> Frame:
        frame, bounds = super().output(frame), self.bounds(frame)
        top, right, bottom, left = (low for low, _ in bounds)
        cuts = (-min(top, 0) - min(bottom, 0)) / frame.height, (-min(left, 0) - min(right, 0)) / frame.width
        # brought back to their size, Albumentations leaves a pixel of images, unless twice their size is cut off
        if max(cuts) > 2 or (max(cuts) >= 1 and not self.settings.keep_size):
            raise UserError(f"CropAndPad cuts off all of images of {frame} px; make px or percent smaller")
        if self.settings.keep_size:
            return frame
        if any(low != high for low, high in bounds):
            raise UserError("CropAndPad with keep_size=False makes images of different sizes; set keep_size=True")
        return Frame(frame.height + top + bottom, frame.width + left + right, frame.channels)

    def draw(self, draws: Draws, frame: Frame) -> Params:
        sides = self.sides(draws, frame)
        top, right, bottom, left = sides.clamp(max=0).neg().unbind(1)
        top, bottom = _left_over(top, bottom, frame.height)
        left, right = _left_over(left, right, frame.width)
        crop = torch.stack([left, top, frame.width - right, frame.height - bottom], 1)
        pad = sides.clamp(min=0)[:, [0, 2, 3, 1]]
        return {"crop_params": crop, "pad_params": pad, "fill": self.fill(draws)}

    def sides(self, draws: Draws, frame: Frame) -> Tensor:
        """Pixels to be added at top, right, bottom and left, below 0 those to be cut off: shape (N, 4), int64."""
        if self.options:
            sides = torch.stack([_choice(draws, some) for some in self.options], 1)
        else:
            low, high = constant(self.ranges, torch.float64, draws.device).unbind(1)
            alike = not self.settings.sample_independently and len(set(self.ranges)) == 1
            part = draws.uniform(shape=(1 if alike else 4,))
            sides = low + (high - low) * part
            sides = sides if self.settings.px is None else sides.floor()
        if self.settings.percent is not None:
            sides = sides * constant([frame.height, frame.width] * 2, torch.float64, draws.device)
        return sides.long()

    def fill(self, draws: Draws) -> Tensor:
        """One value for all channels, even where there are three: shape (N,), float64."""
        fill = self.settings.fill
        if not isinstance(fill, Sequence):
            return _choice(draws, [fill])
        return draws.uniform(*fill) if len(fill) == 2 else _choice(draws, fill)

    def replay(self, drawn: Sequence[Mapping[str, Any]], frame: Frame, device: torch.device) -> Params:
        whole, none = (0, 0, frame.width, frame.height), (0, 0, 0, 0)
        full = [
            {**each, "crop_params": each["crop_params"] or whole, "pad_params": each["pad_params"] or none}
            for each in drawn
        ]
        return super().replay(full, frame, device)

    def apply(self, images: Tensor, params: Params) -> Tensor:
        frame = frame_of(images)
        size, border = self.padded(frame), self.settings.border_mode
        left, top, right, bottom = params["crop_params"][:, :, None].unbind(1)
        pads = params["pad_params"]
        rows = within(torch.arange(size.height, device=images.device) - pads[:, :1], bottom - top, border)
        columns = within(torch.arange(size.width, device=images.device) - pads[:, 2:3], right - left, border)
        result = moved(
            images, Moves((rows + top).clamp(max=frame.height - 1), (columns + left).clamp(max=frame.width - 1))
        )
        if border == cv2.BORDER_CONSTANT:
            inside = (rows != NOWHERE)[:, :, None, None] & (columns != NOWHERE)[:, None, :, None]
            fill = params["fill"].round().clamp(0, 255).to(torch.uint8)
            result = torch.where(inside, result, fill[:, None, None, None])
        if not self.settings.keep_size:
            return result[:, : self.output(frame).height, : self.output(frame).width].contiguous()
        height = (bottom - top)[:, 0] + pads[:, 0] + pads[:, 1]
        width = (right - left)[:, 0] + pads[:, 2] + pads[:, 3]
        boxes = torch.stack([torch.zeros_like(width), torch.zeros_like(width), width, height], 1)
        return resized(result, boxes, frame, self.settings.interpolation)


def _window(draws: Draws, frame: Frame, height: Tensor, width: Tensor) -> Tensor:
    """Windows of these sizes, shape (N,) each, anywhere: left, top, right and bottom, shape (N, 4), int64."""
    top = (draws.uniform() * (frame.height - height + 1)).long()
    left = (draws.uniform() * (frame.width - width + 1)).long()
    return torch.stack([left, top, left + width, top + height], 1)


def _forms(given: Any) -> tuple[list[tuple[float, float]], list[Sequence[float]]]:
    """What px or percent says of the four sides: ranges, or numbers to choose from; the other list is empty."""
    if not isinstance(given, Sequence):
        return [], [[given]] * 4
    if len(given) == 2:
        return [(given[0], given[1])] * 4, []
    counts = {len(side) if isinstance(side, Sequence) else 0 for side in given}
    if counts == {0}:
        return [], [[side] for side in given]
    if counts == {2}:
        return [tuple(side) for side in given], []
    if 0 in counts or len(given[0]) == 2:
        raise UserError(f"CropAndPad: {given!r} mixes numbers, ranges and lists; give four of one kind")
    return [], list(given)


def _choice(draws: Draws, options: Sequence[float]) -> Tensor:
    """One of them for each image, all as probable: shape (N,), float64."""
    values = constant(options, torch.float64, draws.device)
    return values.expand(len(draws)) if len(options) == 1 else values[draws.integers(0, len(options))]


def _left_over(before: Tensor, behind: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Pixels to be cut off before and behind; where none were left, as many fewer as a line has and one more.

    Albumentations gives back half of them at either side, and what that side had not to the other.
    """
    every = size + 1
    half = (every + 1) // 2
    back = torch.where(behind < every - half, every - behind, half)
    back = torch.where(before < half, before, back)
    none = before + behind >= size
    fewer = [(before - back).clamp(min=0), (behind - every + back).clamp(min=0)]
    return torch.where(none, fewer[0], before), torch.where(none, fewer[1], behind)
