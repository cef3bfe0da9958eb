"""Channels mixed with one another, exchanged or dropped."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from curate.augment.device import constant, in_parts
from curate.augment.draws import Draws
from curate.augment.frame import Frame
from curate.augment.lab import rgb_to_lab
from curate.augment.pointwise import GREY, GREY_BITS, Linear, Pointwise, Recolor, as_planes, every_level, interleaved
from curate.augment.transform import Params, Settings, Transform, frame_of
from curate.errors import UserError

RGB = 3
"""Channels of a colour image."""
THIRD, THIRD_BITS = 21846, 16
"""Of a sum of three levels, a little above, so that the cut gives what a division would."""
MATRIX_BITS = 10
"""Of `cv2.transform`, whose vector code multiplies whole numbers."""
PAIRS = ((0, 1), (0, 2), (1, 2))
"""Rows and columns beside the diagonal of a matrix of three."""
ROTATIONS = 24
"""Of Jacobi's method on a matrix of three rows; a dozen leave nothing of what is beside the diagonal."""


class _Mixed(Recolor):
    """The channels of colour images are mixed by a matrix that is always the same; grey ones stay as they are."""

    @abstractmethod
    def weights(self) -> list[list[float]]:
        """The matrix: rows of the result."""

    def draw(self, draws: Draws, frame: Frame) -> Params:
        return self._same(len(draws), frame, draws.device)

    def replay(self, drawn: Sequence[Mapping[str, Any]], frame: Frame, device: torch.device) -> Params:
        return self._same(len(drawn), frame, device)

    def linear(self, params: Params, channels: int) -> Linear:
        matrix = params["matrix"]
        return Linear(matrix, torch.zeros_like(matrix[:, 0]))

    def _same(self, count: int, frame: Frame, device: torch.device) -> Params:
        if not self.composes():
            return {}
        rows = constant(self.weights(), torch.float32, device) if frame.channels == RGB else torch.eye(1, device=device)
        return {"matrix": rows.expand(count, -1, -1)}


class ToGray(_Mixed):
    """Colours become grey.

    The same pixels as Albumentations, but for one in 100,000 with "pca", which is one level off.
    """

    examples = (
        {},
        {"method": "from_lab"},
        {"method": "desaturation"},
        {"method": "average"},
        {"method": "max", "num_output_channels": 1},
        {"method": "pca"},
    )
    levels = 0
    share = 0.9999

    def composes(self) -> bool:
        return self.settings.method in ("weighted_average", "average") and self.settings.num_output_channels == RGB

    def output(self, frame: Frame) -> Frame:
        frame = super().output(frame)
        return frame if frame.channels == 1 else Frame(frame.height, frame.width, self.settings.num_output_channels)

    def weights(self) -> list[list[float]]:
        if self.settings.method == "average":
            return [[1 / RGB] * RGB] * RGB
        return [[weight / (1 << GREY_BITS) for weight in GREY]] * RGB

    def apply(self, images: Tensor, params: Params) -> Tensor:
        return images if images.shape[3] == 1 else in_parts(self._greyed, images)

    def _greyed(self, images: Tensor) -> Tensor:
        return interleaved([GREYS[self.settings.method](images)] * self.settings.num_output_channels)


class ToRGB(Transform):
    """Grey images get three channels."""

    examples = ({}, {"num_output_channels": 1})
    levels = 0
    share = 1.0

    def output(self, frame: Frame) -> Frame:
        frame = super().output(frame)
        return frame if frame.channels == RGB else Frame(frame.height, frame.width, self.settings.num_output_channels)

    def draw(self, draws: Draws, frame: Frame) -> Params:
        return {}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        channels = self.output(frame_of(images)).channels
        return images if channels == images.shape[3] else interleaved([images[..., 0]] * channels)


class ToSepia(_Mixed):
    """Colours become the browns of an old photograph."""

    levels = 0
    share = 1.0

    def weights(self) -> list[list[float]]:
        return (self._parts() / (1 << MATRIX_BITS)).tolist()

    def apply(self, images: Tensor, params: Params) -> Tensor:
        return images if images.shape[3] == 1 else in_parts(self._browned, images)

    def _browned(self, images: Tensor) -> Tensor:
        planes = as_planes(images).unbind(1)
        return interleaved([_weighted(planes, row, MATRIX_BITS) for row in self._parts().tolist()])

    def _parts(self) -> np.ndarray:
        """The matrix in whole numbers."""
        matrix = np.float32(self.settings.sepia_transformation_matrix)
        return np.rint(matrix * (1 << MATRIX_BITS)).astype(np.int64)


class ChannelShuffle(Recolor):
    """Channels in another order."""

    levels = 0
    share = 1.0

    def draw(self, draws: Draws, frame: Frame) -> Params:
        return {"channels_shuffled": draws.permutation(frame.channels)}

    def replay(self, drawn: Sequence[Mapping[str, Any]], frame: Frame, device: torch.device) -> Params:
        """A grey image has None."""
        orders = [each["channels_shuffled"] or [0] for each in drawn]
        return {"channels_shuffled": torch.tensor(orders, device=device)}

    def linear(self, params: Params, channels: int) -> Linear:
        order = params["channels_shuffled"]
        matrix = torch.eye(order.shape[1], device=order.device)[order]
        return Linear(matrix, torch.zeros_like(matrix[:, 0]))

    def apply(self, images: Tensor, params: Params) -> Tensor:
        planes, order = as_planes(images), params["channels_shuffled"]
        count, channels, height, width = planes.shape
        at = torch.arange(count, device=images.device)[:, None] * channels + order
        mixed = planes.view(-1, height * width).index_select(0, at.reshape(-1))
        return interleaved(mixed.view_as(planes).unbind(1))


class ChannelDropout(Pointwise):
    """One or more channels filled."""

    examples = ({}, {"channel_drop_range": (1, 2), "fill": 77.7})
    channels = (3,)
    levels = 0
    share = 1.0

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        if not 0 <= settings.fill < 256:
            raise UserError(f"ChannelDropout: fill is {settings.fill}; a level is from 0 to 255")

    def output(self, frame: Frame) -> Frame:
        frame, most = super().output(frame), self.settings.channel_drop_range[1]
        if most >= frame.channels:
            raise UserError(f"ChannelDropout may drop {most} of {frame.channels} channels; one has to stay")
        return frame

    def draw(self, draws: Draws, frame: Frame) -> Params:
        """True for channels that are dropped: shape (N, C)."""
        fewest, most = self.settings.channel_drop_range
        count = draws.integers(fewest, most + 1)
        return {"channels_to_drop": draws.permutation(frame.channels) < count[:, None]}

    def replay(self, drawn: Sequence[Mapping[str, Any]], frame: Frame, device: torch.device) -> Params:
        dropped = [[channel in each["channels_to_drop"] for channel in range(frame.channels)] for each in drawn]
        return {"channels_to_drop": torch.tensor(dropped, device=device)}

    def table(self, params: Params, channels: int) -> Tensor:
        dropped = params["channels_to_drop"][..., None]
        return torch.where(dropped, int(self.settings.fill), every_level(dropped.device, torch.uint8))

    def linear(self, params: Params, channels: int) -> Linear:
        dropped = params["channels_to_drop"].float()
        return Linear(torch.diag_embed(1 - dropped), dropped * int(self.settings.fill))


def _weighted_average(images: Tensor) -> Tensor:
    return _weighted(as_planes(images).unbind(1), GREY, GREY_BITS)


def _lightness(images: Tensor) -> Tensor:
    return rgb_to_lab(images)[0]


def _desaturated(images: Tensor) -> Tensor:
    """Halfway between darkest and brightest channel, cut."""
    red, green, blue = as_planes(images).unbind(1)
    low, high = red.minimum(green).minimum(blue), red.maximum(green).maximum(blue)
    return low + (high - low >> 1)


def _average(images: Tensor) -> Tensor:
    """Cut, too."""
    return _weighted(as_planes(images).unbind(1), (THIRD,) * RGB, THIRD_BITS, cut=True)


def _brightest(images: Tensor) -> Tensor:
    red, green, blue = as_planes(images).unbind(1)
    return red.maximum(green).maximum(blue)


def _along_main_direction(images: Tensor) -> Tensor:
    """How far along the direction in which the image's colours differ most, from its least to its most."""
    colours = as_planes(images).flatten(2).double()
    colours -= colours.mean(2, keepdim=True)
    direction = main_direction(colours @ colours.mT / colours.shape[2])
    place = (direction[:, None] @ colours)[:, 0].float()
    low, high = place.amin(1, keepdim=True), place.amax(1, keepdim=True)
    scale = torch.where(high > low, 1 / (high - low).double(), 0)
    parts = place * scale.float() - (low * scale).float()
    return (parts * 255).round().clamp(0, 255).to(torch.uint8).view(images.shape[:3])


GREYS = {
    "weighted_average": _weighted_average,
    "from_lab": _lightness,
    "desaturation": _desaturated,
    "average": _average,
    "max": _brightest,
    "pca": _along_main_direction,
}
"""What grey level a colour has by each method: shape (N, H, W, 3) -> (N, H, W), uint8."""


def main_direction(covariance: Tensor) -> Tensor:
    """The eigenvector of the largest eigenvalue: shape (N, 3, 3) -> (N, 3), float64.

    Its sign is that of OpenCV: by Jacobi's method, which turns the largest value beside the diagonal to 0 and repeats.
    """
    device = covariance.device
    vectors = torch.eye(RGB, dtype=torch.float64, device=device).expand_as(covariance)
    pairs = constant(PAIRS, torch.int64, device)
    number = torch.arange(len(covariance), device=device)
    for _ in range(ROTATIONS):
        beside = covariance[:, pairs[:, 0], pairs[:, 1]]
        k, line = pairs[_first_largest(beside.abs())].unbind(1)
        cosine, sine = _turn(covariance[number, k, line], covariance[number, line, line] - covariance[number, k, k])
        rotation = torch.eye(RGB, dtype=torch.float64, device=device).repeat(len(number), 1, 1)
        rotation[number, k, k], rotation[number, line, line] = cosine, cosine
        rotation[number, k, line], rotation[number, line, k] = -sine, sine
        covariance, vectors = rotation @ covariance @ rotation.mT, rotation @ vectors
    values = covariance.diagonal(dim1=1, dim2=2)
    return vectors[number, _first_largest(values)]


def _turn(beside: Tensor, difference: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the turn that makes 0 of a value beside the diagonal."""
    half = difference / 2
    length = half.abs() + torch.hypot(beside, half)
    still = beside.abs() <= torch.finfo(torch.float64).eps
    whole = torch.where(still, 1, torch.hypot(beside, length))
    sine = torch.where(half < 0, -beside, beside) / whole
    return torch.where(still, 1, length / whole), torch.where(still, 0, sine)


def _first_largest(values: Tensor) -> Tensor:
    """Position of the largest of three, the first of equal ones: shape (N, 3) -> (N,), int64."""
    first, second, third = values.unbind(1)
    best = (second > first).long()
    return torch.where(third > first.maximum(second), 2, best)


def _weighted(planes: Sequence[Tensor], weights: Sequence[int], bits: int, *, cut: bool = False) -> Tensor:
    """Sum of planes times whole weights in 2**bits parts, rounded or cut: shape (N, H, W), uint8, in and out."""
    total = planes[0].int() * weights[0]
    for plane, weight in zip(planes[1:], weights[1:], strict=True):
        total += plane.int().mul_(weight)
    total += 0 if cut else 1 << bits - 1
    total >>= bits
    return total.clamp_(max=255).to(torch.uint8)
