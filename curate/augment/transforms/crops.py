"""Cut out and padded at whole pixels."""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import torch
from torch import Tensor

from curate.augment.device import constant
from curate.augment.draws import Draws
from curate.augment.frame import Frame
from curate.augment.lattice import BORDERS, Moves, within
from curate.augment.transform import Lattice, Params
from curate.errors import UserError

SIDES = ("pad_top", "pad_bottom", "pad_left", "pad_right")


class Pad(Lattice):
    """Made larger by a border."""

    examples = (
        *({"padding": 5, "border_mode": border, "fill": 99} for border in BORDERS),
        {"padding": (40, 0), "border_mode": cv2.BORDER_REFLECT_101},
        {"padding": (1, 2, 3, 4), "fill": (10, 20, 30)},
        {"padding": 3, "fill": (77.6, 2.5, 300)},
    )

    def sides(self, frame: Frame) -> tuple[int, int, int, int]:
        """Pixels added at top, bottom, left and right."""
        padding = self.settings.padding
        if isinstance(padding, int):
            return padding, padding, padding, padding
        left, top, right, bottom = (*padding, *padding) if len(padding) == 2 else padding
        return top, bottom, left, right

    def output(self, frame: Frame) -> Frame:
        frame = super().output(frame)
        top, bottom, left, right = self.sides(frame)
        return Frame(frame.height + top + bottom, frame.width + left + right, frame.channels)

    def draw(self, draws: Draws, frame: Frame) -> Params:
        sides = self.sides(frame)
        whole = torch.zeros(len(draws), dtype=torch.int64, device=draws.device)
        return {name: whole + pixels for name, pixels in zip(SIDES, sides, strict=True)}

    def fills(self) -> bool:
        return True

    def fill(self) -> float | Sequence[float]:
        return self.settings.fill

    def moves(self, params: Params, frame: Frame, device: torch.device) -> Moves:
        left, top = params["pad_left"], params["pad_top"]
        if not self.scatters():  # all images alike
            left, top = left[:1], top[:1]
        return window(frame, self.output(frame), (left, top), self.settings.border_mode)

    def scatters(self) -> bool:
        """Whether chance decides on which sides pixels are added."""
        return False


class PadIfNeeded(Pad):
    """Made larger by a border where it is smaller than wanted."""

    examples = (
        {"min_height": 40, "min_width": 41, "border_mode": cv2.BORDER_REFLECT_101},
        {"min_height": None, "min_width": 16, "pad_height_divisor": 50, "position": "top_right", "fill": 7},
        {"min_height": 240, "min_width": 239, "position": "random", "border_mode": cv2.BORDER_REFLECT_101},
    )

    def sides(self, frame: Frame) -> tuple[int, int, int, int]:
        wanted = self.settings
        top, bottom = _missing(frame.height, wanted.min_height, wanted.pad_height_divisor)
        left, right = _missing(frame.width, wanted.min_width, wanted.pad_width_divisor)
        return _placed((top, bottom, left, right), wanted.position)

    def scatters(self) -> bool:
        return bool(self.settings.position == "random")

    def draw(self, draws: Draws, frame: Frame) -> Params:
        params = super().draw(draws, frame)
        return _scattered(params, draws) if self.scatters() else params


class _Crop(Lattice):
    """Cut to a size, and padded before where it is smaller and `pad_if_needed` says so."""

    def output(self, frame: Frame) -> Frame:
        frame, wanted = super().output(frame), self.settings
        if not wanted.pad_if_needed and (wanted.height > frame.height or wanted.width > frame.width):
            raise UserError(
                f"{self.name} cuts {wanted.width} x {wanted.height} px out of images of {frame} px; "
                "make it smaller, or set pad_if_needed=True"
            )
        return Frame(wanted.height, wanted.width, frame.channels)

    def fills(self) -> bool:
        return bool(self.settings.pad_if_needed)

    def fill(self) -> float | Sequence[float]:
        return self.settings.fill

    def padded(self, draws: Draws, frame: Frame) -> Params:
        """Pixels added at each side before, shape (N,) each."""
        wanted = self.settings
        if not wanted.pad_if_needed:
            return {}
        missing = (*_missing(frame.height, wanted.height, None), *_missing(frame.width, wanted.width, None))
        sides = _placed(missing, wanted.pad_position)
        whole = torch.zeros(len(draws), dtype=torch.int64, device=draws.device)
        params = {name: whole + pixels for name, pixels in zip(SIDES, sides, strict=True)}
        return _scattered(params, draws) if wanted.pad_position == "random" else params

    def moves(self, params: Params, frame: Frame, device: torch.device) -> Moves:
        left, top = params["crop_coords"][:, 0], params["crop_coords"][:, 1]
        wanted = self.settings
        if not wanted.pad_if_needed:
            x, y = (torch.arange(size, device=device) for size in (wanted.width, wanted.height))
            return Moves(top[:, None] + y, left[:, None] + x)
        outside = params["pad_left"] - left, params["pad_top"] - top
        size = Frame(wanted.height, wanted.width, frame.channels)
        return window(frame, size, outside, wanted.border_mode)

    def replay(self, drawn: Sequence[Mapping[str, Any]], frame: Frame, device: torch.device) -> Params:
        none = dict.fromkeys(SIDES, 0)
        return super().replay([{**each, **(each["pad_params"] or none)} for each in drawn], frame, device)


class RandomCrop(_Crop):
    """A window anywhere."""

    examples = (
        {"height": 24, "width": 20},
        {"height": 32, "width": 32},
        {"height": 40, "width": 230, "pad_if_needed": True, "border_mode": cv2.BORDER_REFLECT_101},
        {"height": 40, "width": 230, "pad_if_needed": True, "pad_position": "random", "fill": (3, 2, 1)},
        {"height": 40, "width": 230, "pad_if_needed": True, "fill": 77.6},
    )

    def draw(self, draws: Draws, frame: Frame) -> Params:
        params, wanted = self.padded(draws, frame), self.settings
        height, width = max(frame.height, wanted.height), max(frame.width, wanted.width)
        top = draws.integers(0, height - wanted.height + 1)
        left = draws.integers(0, width - wanted.width + 1)
        coords = torch.stack([left, top, left + wanted.width, top + wanted.height], 1)
        return {"crop_coords": coords, **params}


class CenterCrop(_Crop):
    """The window in the middle."""

    examples = (
        {"height": 23, "width": 20},
        {"height": 40, "width": 230, "pad_if_needed": True, "border_mode": cv2.BORDER_REFLECT_101},
    )

    def draw(self, draws: Draws, frame: Frame) -> Params:
        params, wanted = self.padded(draws, frame), self.settings
        height, width = max(frame.height, wanted.height), max(frame.width, wanted.width)
        top, left = (height - wanted.height) // 2, (width - wanted.width) // 2
        corners = [[left, top, left + wanted.width, top + wanted.height]]
        coords = constant(corners, torch.int64, draws.device)
        return {"crop_coords": coords.expand(len(draws), 4), **params}


def window(frame: Frame, size: Frame, outside: tuple[Tensor, Tensor], border: int) -> Moves:
    """What a window of `size` shows of images of size `frame`.

    outside: columns and rows of the window before the image's first ones, shape (N,) each, int64; negative where it
    begins inside.
    """
    x = torch.arange(size.width, device=outside[0].device) - outside[0][:, None]
    y = torch.arange(size.height, device=outside[0].device) - outside[1][:, None]
    fills = border == cv2.BORDER_CONSTANT
    return Moves(within(y, frame.height, border), within(x, frame.width, border), fills=fills)


def _missing(size: int, wanted: int | None, divisor: int | None) -> tuple[int, int]:
    """Pixels to be added before and behind, as Albumentations shares them out."""
    if wanted is not None:
        missing = max(wanted - size, 0)
    else:
        assert divisor is not None, "one of the two is set"
        missing = -size % divisor
    return missing // 2, missing - missing // 2


def _placed(sides: tuple[int, int, int, int], position: str) -> tuple[int, int, int, int]:
    """The pixels to be added, brought to the sides that `position`, where the image is to be, says."""
    top, bottom, left, right = sides
    if position.startswith("top"):
        top, bottom = 0, top + bottom
    elif position.startswith("bottom"):
        top, bottom = top + bottom, 0
    if position.endswith("left"):
        left, right = 0, left + right
    elif position.endswith("right"):
        left, right = left + right, 0
    return top, bottom, left, right


def _scattered(params: Params, draws: Draws) -> Params:
    """The same pixels, shared out between both sides by chance."""
    tall, wide = params["pad_top"] + params["pad_bottom"], params["pad_left"] + params["pad_right"]
    top, left = draws.integers(0, tall + 1), draws.integers(0, wide + 1)
    return {"pad_top": top, "pad_bottom": tall - top, "pad_left": left, "pad_right": wide - left}
