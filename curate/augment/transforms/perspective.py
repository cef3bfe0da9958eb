"""Seen from aside."""

from collections.abc import Sequence

import cv2
import torch
from torch import Tensor

from curate.augment.draws import Draws
from curate.augment.frame import Frame
from curate.augment.transform import Params, Settings, Transform, frame_of
from curate.augment.warp import warp_perspective
from curate.errors import UserError

INWARDS = 0.32
"""Part of a side by which a corner moves at most."""
SMALLEST_PX = 6
"""Below it corners could come so near to each other that Albumentations moves them apart."""


class Perspective(Transform):
    """Seen from aside: corners move inwards and come back to the corners."""

    levels = 0
    share = 1.0
    examples = (
        {"fill": 99},
        {"scale": 0.3, "fill": (10, 200, 30)},
        {"border_mode": cv2.BORDER_REFLECT_101, "fit_output": True},
        {"interpolation": cv2.INTER_NEAREST, "fit_output": True, "scale": (0.02, 0.2)},
        {"border_mode": cv2.BORDER_REPLICATE, "interpolation": cv2.INTER_CUBIC, "fit_output": True},
        {"border_mode": cv2.BORDER_WRAP, "interpolation": cv2.INTER_LANCZOS4},
        {"border_mode": cv2.BORDER_REFLECT, "interpolation": cv2.INTER_AREA, "fit_output": True},
    )

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        if not settings.keep_size:
            raise UserError(
                "Perspective with keep_size=False makes images of different sizes, but those of a batch have one; "
                "set keep_size=True"
            )

    def output(self, frame: Frame) -> Frame:
        if min(frame.height, frame.width) < SMALLEST_PX:
            raise UserError(f"Perspective takes images from {SMALLEST_PX} px a side; these have {frame} px")
        return super().output(frame)

    def draw(self, draws: Draws, frame: Frame) -> Params:
        scale = draws.uniform(*self.settings.scale)
        inwards = draws.normal(0, scale[:, None, None], (4, 2)).abs() % INWARDS
        corners = _corners(frame, inwards)
        matrix = inverse_perspective(from_rectangle(frame, corners))
        matrix = matrix / matrix[:, 2:, 2:]
        width, height = _longest(corners, 0, 1, 3, 2), _longest(corners, 0, 3, 1, 2)
        if self.settings.fit_output:
            matrix, width, height = _whole(frame, matrix)
        return {"matrix": matrix, "max_height": height.long(), "max_width": width.long()}

    def fill(self) -> Sequence[float]:
        """One number counts for the first channel alone: Albumentations hands it to OpenCV as it is."""
        fill = self.settings.fill
        return (fill, 0, 0) if isinstance(fill, int | float) else (*fill, 0, 0, 0)

    def apply(self, images: Tensor, params: Params) -> Tensor:
        frame, wanted = frame_of(images), self.settings
        matrix = params["matrix"].clone()
        matrix[:, 0] *= (frame.width / params["max_width"].double())[:, None]
        matrix[:, 1] *= (frame.height / params["max_height"].double())[:, None]
        return warp_perspective(
            images,
            inverse_perspective(matrix),
            frame,
            method=wanted.interpolation,
            border=wanted.border_mode,
            fill=self.fill(),
        )


def from_rectangle(frame: Frame, corners: Tensor) -> Tensor:
    """The matrices that bring a rectangle of this size to four corners.

    corners: x and y, in the order of the clock from top left, shape (N, 4, 2). Returns: shape (N, 3, 3), float64, the
    last number 1. Source: Heckbert 1989, "Fundamentals of texture mapping and image warping".
    """
    first, second, third, fourth = corners.unbind(1)
    across, down, bent = second - third, fourth - third, first - second + third - fourth
    area = _cross(across, down)
    x, y = (_cross(bent, down) / area)[:, None], (_cross(across, bent) / area)[:, None]
    matrix = torch.ones((len(corners), 3, 3), dtype=corners.dtype, device=corners.device)
    matrix[:, :2, 0] = (second - first + x * second) / frame.width
    matrix[:, :2, 1] = (fourth - first + y * fourth) / frame.height
    matrix[:, :2, 2] = first
    matrix[:, 2:, 0], matrix[:, 2:, 1] = x / frame.width, y / frame.height
    return matrix


def inverse_perspective(matrix: Tensor) -> Tensor:
    """The inverse of matrices, shape (N, 3, 3), in the order of OpenCV's arithmetic; zero where there is none."""
    a, b, c, d, e, f, g, h, i = matrix.flatten(1).unbind(1)
    volume = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    minors = [e * i - f * h, c * h - b * i, b * f - c * e]
    minors += [f * g - d * i, a * i - c * g, c * d - a * f]
    minors += [d * h - e * g, b * g - a * h, a * e - b * d]
    factor = torch.where(volume != 0, 1 / volume, 0)
    return (torch.stack(minors, 1) * factor[:, None]).unflatten(1, (3, 3))


def _corners(frame: Frame, inwards: Tensor) -> Tensor:
    """Corners that moved by these parts of the sides, shape (N, 4, 2), in the order of the clock from top left."""
    corners = inwards.clone()
    corners[:, 1:3, 0] = 1 - corners[:, 1:3, 0]
    corners[:, 2:4, 1] = 1 - corners[:, 2:4, 1]
    corners[:, :, 0] *= frame.width
    corners[:, :, 1] *= frame.height
    return corners.float().double()  # Albumentations keeps them as float32


def _longest(corners: Tensor, *ends: int) -> Tensor:
    """The longer of two lines between corners: shape (N,), whole pixels."""
    first, second = ((corners[:, ends[end]] - corners[:, ends[end + 1]]).square().sum(1).sqrt() for end in (0, 2))
    return torch.maximum(first, second).trunc()


def _whole(frame: Frame, matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The matrix that shows all of the image, at whole pixels, and width and height of what it shows."""
    ends = _corners(frame, torch.zeros((len(matrix), 4, 2), dtype=matrix.dtype, device=matrix.device))
    seen = ends @ matrix[:, :2, :2].mT + matrix[:, None, :2, 2]
    depth = ends @ matrix[:, 2:, :2].mT + matrix[:, 2:, 2:]
    seen = (seen / depth).float()
    seen = (seen - seen.amin(1, keepdim=True)).round().double()
    width, height = seen.amax(1).unbind(1)
    return from_rectangle(frame, seen), width, height


def _cross(first: Tensor, second: Tensor) -> Tensor:
    return first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
