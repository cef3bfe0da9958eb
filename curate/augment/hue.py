"""Hue, saturation and value with the arithmetic of OpenCV 4 for uint8; and the same on unrounded levels."""

from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from curate.augment.device import assume_constant_result, in_parts

TURN = 180
"""Hues in a whole turn."""
BITS = 12
"""Behind the point of OpenCV's quotients."""
LARGEST, SMALLEST, FALLING, RISING = range(4)
SECTORS = (
    (LARGEST, FALLING, SMALLEST, SMALLEST, RISING, LARGEST),
    (RISING, LARGEST, LARGEST, FALLING, SMALLEST, SMALLEST),
    (SMALLEST, SMALLEST, RISING, LARGEST, LARGEST, FALLING),
)
"""What red, green and blue are in each sixth of a turn."""
PART = 3 << 17
"""Values that are computed at once on a CPU, whose cache then holds them."""


def shifted(images: Tensor, hue: Tensor, saturation: Tensor | None = None, value: Tensor | None = None) -> Tensor:
    """What OpenCV makes of the images by way of HSV, with these numbers added to it.

    images: shape (N, H, W, 3), uint8. hue, saturation, value: shape (N,), whole numbers. The hue goes round; the others
    are cut off at 0 and 255, and grey stays grey.
    """
    return in_parts(_shifted, images, hue, saturation, value, values=PART)


def _shifted(images: Tensor, hue: Tensor, saturation: Tensor | None, value: Tensor | None) -> Tensor:
    hues, saturations, values = rgb_to_hsv(images)
    hues = hues + torch.remainder(hue, TURN).int()[:, None, None]
    if saturation is not None:
        raised = (saturations + saturation.int()[:, None, None]).clamp(0, 255)
        saturations = raised * saturations.clamp(max=1)
    if value is not None:
        values = (values + value.int()[:, None, None]).clamp(0, 255)
    return hsv_to_rgb(hues, saturations, values)


def rgb_to_hsv(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """As `cv2.COLOR_RGB2HSV`: shape (N, H, W, 3), uint8 -> hue, saturation and value, (N, H, W), int32 each."""
    red, green, blue = (images[..., channel].to(torch.int16) for channel in range(3))
    sixths, spread, value = (each.int() for each in _sixths(red, green, blue))
    of_saturation, of_hue = _constants(images.device).quotients
    saturation = (spread * at(of_saturation, value) + (1 << BITS - 1)) >> BITS
    hue = (sixths * at(of_hue, spread) + (1 << BITS - 1)) >> BITS
    return hue + (hue >> 31 & TURN), saturation, value  # a turn more where it is negative


def hsv_to_rgb(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """As `cv2.COLOR_HSV2RGB`: shape (N, H, W), int32 each -> (N, H, W, 3), uint8. hue: from 0 to 359.

    OpenCV rounds down where it computes a block of pixels of a row at once, and to the nearest behind the last block.
    """
    index = hue * 256 + saturation
    levels = value.float() * (1 / 255)
    width = hue.shape[2]
    rest = width - width % BLOCK
    planes = []
    for factors in _constants(hue.device).factors:
        plane = levels * at(factors, index) * 255
        plane[:, :, rest:].round_()
        planes.append(plane.int().to(torch.uint8).flatten())  # by way of int, which is faster
    return torch.stack(planes, 1).view(*hue.shape, 3)


def turned(
    planes: tuple[Tensor, Tensor, Tensor], hue: Tensor, saturation: Tensor | None = None, value: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """The same as `shifted` without rounding: red, green and blue of shape (N, H, W), float32, from 0 to 255.

    hue, saturation, value: shape (N,), any numbers.
    """
    sixths, spread, largest = _sixths(*planes)
    place = sixths / spread.clamp(min=1e-6) + torch.remainder(hue / (TURN / 6), 6).float()[:, None, None]
    place = place - 6 * torch.floor(place / 6)
    if saturation is not None or value is not None:
        share = spread / largest.clamp(min=1e-6)
        if saturation is not None:
            share = (share + saturation.float()[:, None, None] / 255).clamp(0, 1) * torch.sign(spread)
        if value is not None:
            largest = (largest + value.float()[:, None, None]).clamp(0, 255)
        spread = largest * share
    lowest = largest - spread
    red = torch.addcmul(lowest, spread, ((place - 3).abs() - 1).clamp(0, 1))
    green = torch.addcmul(lowest, spread, (2 - (place - 2).abs()).clamp(0, 1))
    blue = torch.addcmul(lowest, spread, (2 - (place - 4).abs()).clamp(0, 1))
    return red, green, blue


def _sixths(red: Tensor, green: Tensor, blue: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Hue in sixths of a turn, from -1 to 5, times the spread; the spread of the channels; the largest of them."""
    largest = torch.maximum(torch.maximum(red, green), blue)
    spread = largest - torch.minimum(torch.minimum(red, green), blue)
    from_red = green - blue
    from_green = torch.add(blue - red, spread, alpha=2)
    from_blue = torch.add(red - green, spread, alpha=4)
    not_red, not_green = torch.sign(largest - red), torch.sign(largest - green)  # a choice by factors of 0 and 1:
    from_green = from_green + not_green * (from_blue - from_green)  # on a CPU torch.where is many times slower
    return from_red + not_red * (from_green - from_red), spread, largest


class Constants(NamedTuple):
    """Tables on one device."""

    quotients: tuple[Tensor, ...]
    """255, and a sixth of a turn, divided by 0 … 255, with `BITS` behind the point: shape (256,), int32 each."""
    factors: tuple[Tensor, ...]
    """Red, green, blue as shares of the value, by hue * 256 + saturation, of two turns: (92160,), float32 each."""


@assume_constant_result
def _constants(device: torch.device) -> Constants:
    return _made(device)


@cache
def _made(device: torch.device) -> Constants:
    quotients, factors = _quotients(), _factors()
    return Constants(tuple(each.to(device) for each in quotients), tuple(each.to(device) for each in factors))


def _quotients() -> tuple[Tensor, ...]:
    number, whole = torch.arange(256, dtype=torch.float64).clamp(min=1), float(1 << BITS)
    return (255 * whole / number).round().int(), (TURN / 6 * whole / number).round().int()


def _factors() -> tuple[Tensor, ...]:
    sixths = torch.arange(TURN).float() * (6 / TURN)
    sector = torch.floor(sixths)
    part = (sixths - sector)[:, None]
    saturation = torch.arange(256).float() * (1 / 255)

    def left(share: Tensor) -> Tensor:
        """1 - saturation * share with one rounding, as OpenCV computes it."""
        return (1 - saturation.double() * share.double()).float()

    smallest = (1 - saturation).expand(TURN, 256)
    kinds = torch.stack([torch.ones(TURN, 256), smallest, left(part), left(1 - part)])
    line = torch.arange(TURN)
    return tuple(kinds[torch.tensor(kind)[sector.long()], line].flatten().repeat(2) for kind in SECTORS)


def _block() -> int:
    """Pixels that OpenCV brings from HSV to RGB at once: depends on the processor, so it is asked for one colour."""
    for width in (16, 32, 64):
        row = np.full((1, width, 3), (30, 120, 200), np.uint8)
        if cv2.cvtColor(row, cv2.COLOR_HSV2RGB)[0, 0, 2] == 105:  # 105.88
            return width
    return 1 << 30


BLOCK = _block()


def at(table: Tensor, index: Tensor) -> Tensor:
    """table[index], which would be slower on a CPU: shape (K,), and any shape, int32 or int64."""
    return table.index_select(0, index.reshape(-1)).view(index.shape)
