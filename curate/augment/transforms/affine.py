"""Turned, scaled, sheared and shifted."""

from collections.abc import Mapping
from typing import Any, ClassVar

import cv2
import torch
from torch import Tensor

from curate.augment.draws import Draws
from curate.augment.frame import Frame
from curate.augment.transform import Params, Settings
from curate.augment.warp import Warp
from curate.errors import UserError

Range = tuple[float, float]
KINDS = (
    {"border_mode": cv2.BORDER_REFLECT_101},
    {"border_mode": cv2.BORDER_WRAP, "interpolation": cv2.INTER_AREA},
    {"border_mode": cv2.BORDER_REPLICATE, "interpolation": cv2.INTER_NEAREST},
    {"fill": (10, 200, 30), "interpolation": cv2.INTER_CUBIC},
    {"border_mode": cv2.BORDER_REFLECT, "interpolation": cv2.INTER_LANCZOS4},
)
"""Borders and interpolations that the tests try."""


class _Turned(Warp):
    """What `draw` gives is the matrix from the image to the result."""

    def matrix(self, params: Params, frame: Frame) -> Tensor:
        forward = params["matrix"]
        same = torch.eye(3, dtype=forward.dtype, device=forward.device)
        # Albumentations leaves images as they are where np.allclose says that nothing would happen to them.
        untouched = ((forward - same).abs() <= 1e-8 + 1e-5 * same).flatten(1).all(1)
        return torch.where(untouched[:, None, None], same, inverse_affine(forward))


class Affine(_Turned):
    """Turned, scaled, sheared and shifted."""

    examples: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"rotate": (-45, 45), "scale": (0.6, 1.5), "fill": 99},
        {"shear": (-20, 20), "translate_percent": (-0.3, 0.3), **KINDS[0]},
        {"shear": {"x": (-30, 10), "y": (0, 15)}, "scale": {"x": (0.5, 0.9), "y": (1, 2)}, **KINDS[1]},
        {"translate_px": {"x": (-9, 4)}, **KINDS[2]},
        {"rotate": (150, 400), "translate_percent": {"x": (0, 0.2), "y": (-0.5, -0.1)}, **KINDS[3]},
        {"scale": (0.5, 2), "balanced_scale": True, "keep_ratio": True, **KINDS[4]},
        {"scale": {"x": (0.4, 0.8), "y": (1.1, 1.6)}, "balanced_scale": True},
        {},
    )

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        if settings.fit_output:
            raise UserError(
                f"{self.name} with fit_output=True makes images of different sizes, but those of a batch have one; "
                "set fit_output=False, or take SafeRotate, which shrinks what it turns"
            )

    def draw(self, draws: Draws, frame: Frame) -> Params:
        wanted = self.settings
        translate = self._translate(draws, frame)
        shear = torch.stack([-draws.uniform(*wanted.shear[axis]) for axis in "xy"], 1)
        x, y = (self._scale(draws, wanted.scale[axis]) for axis in "xy")
        scale = torch.stack([x, x if wanted.keep_ratio else y], 1)
        rotate = draws.uniform(*wanted.rotate)
        return {"matrix": affine(frame, rotate, scale=scale, shear=shear, translate=translate)}

    def _translate(self, draws: Draws, frame: Frame) -> Tensor:
        """Pixels to the right and down: shape (N, 2), float64, whole."""
        wanted = self.settings
        if wanted.translate_percent is None:
            ranges = [wanted.translate_px[axis] for axis in "xy"]
            return torch.stack([draws.integers(int(low), int(high) + 1) for low, high in ranges], 1).double()
        sides = {"x": frame.width, "y": frame.height}
        moved = [draws.uniform(*wanted.translate_percent[axis]) * side for axis, side in sides.items()]
        return torch.stack(moved, 1).trunc()

    def _scale(self, draws: Draws, limits: Range) -> Tensor:
        """Shape (N,). Balanced, it is as often below 1 as above, where both may be."""
        low, high = limits
        if not self.settings.balanced_scale:
            return draws.uniform(low, high)
        if low < 1 < high:
            return torch.where(draws.coin(0.5), draws.uniform(low, 1), draws.uniform(1, high))
        return draws.uniform(low, 1) if low < 1 else draws.uniform(1, max(high, 1))


class ShiftScaleRotate(Affine):
    """Affine without shear, under its older name."""

    examples = (
        {},
        {"shift_limit_x": 0.3, "shift_limit_y": (0, 0.1), "scale_limit": (-0.5, 0.5), **KINDS[0]},
        {"rotate_limit": (90, 180), **KINDS[3]},
    )


class Rotate(_Turned):
    """Turned about the middle."""

    examples = ({"fill": 99}, *KINDS, {"limit": (170, 200)})

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        if settings.crop_border:
            raise UserError(
                "Rotate with crop_border=True makes images of different sizes, but those of a batch have one; "
                "set crop_border=False, and take a crop for it that always gives one size"
            )

    def draw(self, draws: Draws, frame: Frame) -> Params:
        return {"matrix": turned(frame, draws.uniform(*self.settings.limit))}


class SafeRotate(_Turned):
    """Turned, and shrunk so that nothing is cut off."""

    examples = ({"fill": 99}, *KINDS, {"limit": (100, 200)})

    def draw(self, draws: Draws, frame: Frame) -> Params:
        matrix = turned(frame, draws.uniform(*self.settings.limit))
        cosine, sine = matrix[:, 0, 0].abs(), matrix[:, 0, 1].abs()
        width = (frame.height * sine + frame.width * cosine).trunc()
        height = (frame.height * cosine + frame.width * sine).trunc()
        # Albumentations brings the middle of the pixels to the middle of the size: half a pixel off.
        matrix[:, 0, 2] += width / 2 - (frame.width / 2 - 0.5)
        matrix[:, 1, 2] += height / 2 - (frame.height / 2 - 0.5)
        matrix[:, 0] *= (frame.width / width)[:, None]
        matrix[:, 1] *= (frame.height / height)[:, None]
        return {"matrix": matrix}


def turned(frame: Frame, rotate: Tensor) -> Tensor:
    """`affine` by an angle alone."""
    none = torch.zeros((len(rotate), 2), dtype=rotate.dtype, device=rotate.device)
    return affine(frame, rotate, scale=none + 1, shear=none, translate=none)


def affine(frame: Frame, rotate: Tensor, *, scale: Tensor, shear: Tensor, translate: Tensor) -> Tensor:
    """From pixels of the image to those of the result: scaled, turned, sheared about the middle, then shifted.

    rotate: degrees against the clock, shape (N,). scale, shear in degrees, translate in pixels: of x and y, shape
    (N, 2). Returns: shape (N, 3, 3), float64.
    """
    angle = torch.deg2rad(rotate % 360)
    cosine, sine = angle.cos(), angle.sin()
    lines = torch.stack([cosine, sine, -sine, cosine], 1).unflatten(1, (2, 2)) * scale[:, None, :]
    lines = lines + torch.deg2rad(shear).tan()[:, :, None] * lines.flip(1)
    x, y = frame.width / 2 - 0.5, frame.height / 2 - 0.5
    matrix = torch.zeros((len(rotate), 3, 3), dtype=torch.float64, device=rotate.device)
    matrix[:, :2, :2] = lines
    matrix[:, :2, 2] = translate - lines[:, :, 0] * x - lines[:, :, 1] * y
    matrix[:, 0, 2] += x
    matrix[:, 1, 2] += y
    matrix[:, 2, 2] = 1
    return matrix


def inverse_affine(matrix: Tensor) -> Tensor:
    """The inverse of affine matrices, shape (N, 3, 3), by OpenCV's order of arithmetic; zero where there is none."""
    a, b, c, d, e, f = matrix[:, :2].flatten(1).unbind(1)
    area = a * e - b * d
    factor = torch.where(area != 0, 1 / area, 0)
    a, b, d, e = e * factor, b * -factor, d * -factor, a * factor
    none = torch.zeros_like(a)
    numbers = [a, b, -a * c - b * f, d, e, -d * c - e * f, none, none, none + 1]
    return torch.stack(numbers, 1).unflatten(1, (3, 3))
