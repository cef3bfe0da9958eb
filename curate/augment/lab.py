"""Lightness and colour in L*a*b*, with the arithmetic of OpenCV 4 for uint8."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from curate.augment.device import assume_constant_result
from curate.augment.hue import at

BITS = 12
"""Behind the point of OpenCV's matrices."""
ONE = 1 << 14
"""1 in OpenCV's X, Y and Z."""
CUBE_ROOTS = 3072
"""Length of its table of cube roots, which counts in 2040ths."""
LOWEST = -8145
"""Least number whose cube is in its table."""
WHITE = (0.950456, 1.0, 1.088754)
"""X, Y and Z of white: D65."""
FROM_RGB = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
TO_RGB = ((3.240479, -1.53715, -0.498535), (-0.969256, 1.875991, 0.041556), (0.055648, -0.204043, 1.057311))


def rgb_to_lab(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """As `cv2.COLOR_RGB2LAB`: shape (N, H, W, 3), uint8 -> L, a and b, (N, H, W), uint8 each."""
    tables = _tables(images.device)
    linear = [at(tables.linear, images[..., channel].int()) for channel in range(3)]
    rows = [[share / white for share in row] for row, white in zip(FROM_RGB, WHITE, strict=True)]
    x, y, z = (at(tables.root, _weighed(linear, row, BITS)) for row in rows)
    middle = 128 << 15
    lightness = 296 * y - (16 * 255 * (1 << 15) + 50) // 100
    planes = [_shifted(each, 15) for each in (lightness, 500 * (x - y) + middle, 200 * (y - z) + middle)]
    first, second, third = (plane.clamp(0, 255).to(torch.uint8) for plane in planes)
    return first, second, third


def lab_to_rgb(lightness: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """As `cv2.COLOR_LAB2RGB`: shape (N, H, W), uint8 each -> (N, H, W, 3), uint8."""
    tables, lightness = _tables(a.device), lightness.int()
    y, root = at(tables.luminance, lightness), at(tables.luminance_root, lightness)
    x = root + ((5 * a.int() * 53687 + (1 << 7)) >> 13) - 128 * ONE // 500
    z = root - ((b.int() * 41943 + (1 << 4)) >> 9) + 128 * ONE // 200 - 1
    linear = [at(tables.cube, x - LOWEST), y, at(tables.cube, z - LOWEST)]
    rows = [[share * white for share, white in zip(row, WHITE, strict=True)] for row in TO_RGB]
    planes = [_weighed(linear, row, BITS + 2).clamp(0, len(tables.level) - 1) for row in rows]
    return torch.stack([at(tables.level, plane).flatten() for plane in planes], 1).view(*a.shape, 3)


def _weighed(planes: list[Tensor], row: list[float], bits: int) -> Tensor:
    """The sum of three planes by these weights, which OpenCV rounds, divided by 2**`bits` and rounded."""
    first, second, third = (plane * round(weight * (1 << BITS)) for plane, weight in zip(planes, row, strict=True))
    return _shifted(first + second + third, bits)


class Tables(NamedTuple):
    """OpenCV's tables on one device."""

    linear: Tensor
    """Linear light of each level, in 2040ths: shape (256,), int32."""
    root: Tensor
    """Cube root of it, straight near 0, in units of 2**-15: shape (3072,), int32."""
    luminance: Tensor
    """Y of each L: shape (256,), int32."""
    luminance_root: Tensor
    """Cube root of it."""
    cube: Tensor
    """X or Z of their roots, from `LOWEST` on: shape (36864,), int32."""
    level: Tensor
    """Level of linear light, in 4096ths: shape (4096,), uint8."""


@assume_constant_result
def _tables(device: torch.device) -> Tables:
    return _made(device)


@cache
def _made(device: torch.device) -> Tables:
    tables = (_linear(), _root(), *_luminance(), _cube(), _level())
    return Tables(*(table.to(device) for table in tables))


def _linear() -> Tensor:
    level = (torch.arange(256).float() / 255).double()
    light = torch.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    return (2040 * light.float()).round().int()


def _root() -> Tensor:
    light = (torch.arange(CUBE_ROOTS).float() * (1 / 2040)).double()
    root = torch.where(light < 216 / 24389, light * 841 / 108 + 16 / 116, light ** (1 / 3))
    table = (32768 * root.float()).round().int()
    table[324] -= 1  # where OpenCV's cube root is lower by one bit, and just so rounds down
    return table


def _luminance() -> tuple[Tensor, Tensor]:
    level = torch.arange(256, dtype=torch.float64)
    root = ONE * (level * 100 / 255 + 16) / 116
    dark = level <= 20
    y = torch.where(dark, level * ONE * 180 / (17 * 29**3), root**3 / ONE**2)
    root = torch.where(dark, ONE * (16 / 116 + level * 5 / (3 * 17 * 29)), root)
    return y.round().int(), root.round().int()


def _cube() -> Tensor:
    root = torch.arange(LOWEST, LOWEST + ONE * 9 // 4)
    dark = torch.div(root * 108, 841, rounding_mode="trunc") - 290
    return torch.where(root <= 3390, dark, root * root // ONE * root // ONE).int()


def _level() -> Tensor:
    light = torch.arange(4096, dtype=torch.float64) / 4096
    level = torch.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return (255 * level.float()).round().to(torch.uint8)


def _shifted(number: Tensor, bits: int) -> Tensor:
    """number / 2**bits, rounded."""
    return (number + (1 << bits - 1)) >> bits
