"""Softened: by means, by medians, as by motion."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from curate.augment.draws import Draws
from curate.augment.filters import (
    box,
    filtered,
    filtered_apart,
    gaussian,
    median,
    opencv_gaussian,
    smoothed,
    stacked,
)
from curate.augment.frame import Frame
from curate.augment.transform import Params, Settings, Transform
from curate.errors import UserError

SUPPORT = 3.5
"""A Gaussian kernel of no given size reaches this many sigmas, as Pillow's does."""
TINY = 1e-6
"""Sigma from which on a Gaussian kernel is a single 1: a sigma of 0, which would be drawn once in 2**32, is none."""
SMALL_DISC = 8
"""Radius up to which kernels of discs are of one size, in Albumentations."""


class Blur(Transform):
    """Each pixel becomes the mean of a square around it."""

    examples = ({}, {"blur_limit": (5, 5)}, {"blur_limit": (9, 21)})
    levels = 0
    share = 1.0

    def draw(self, draws: Draws, frame: Frame) -> Params:
        return {"kernel": odd(draws, self.settings.blur_limit)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        return box(images, params["kernel"], self.settings.blur_limit[1])


class MedianBlur(Transform):
    """Each pixel becomes the median of a square around it; quick up to 7 px."""

    examples = ({}, {"blur_limit": (3, 3)}, {"blur_limit": (9, 9)})
    levels = 0
    share = 1.0

    def draw(self, draws: Draws, frame: Frame) -> Params:
        return {"kernel": odd(draws, self.settings.blur_limit)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        low, high = self.settings.blur_limit
        return median(images, params["kernel"], range(low, high + 1, 2))


class GaussianBlur(Transform):
    """Softened with a bell-shaped kernel."""

    examples = (
        {},
        {"blur_limit": (3, 7)},
        {"blur_limit": 5, "sigma_limit": (0.1, 1.0)},
        {"blur_limit": (3, 3)},
        {"sigma_limit": 0.8},
        {"sigma_limit": (4.0, 9.0)},
    )
    levels = 0

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        if settings.sigma_limit[1] == 0:
            raise UserError(f"{self.name}: sigma_limit is 0, which makes no kernel; it has to reach above 0")

    @property
    def largest(self) -> int:
        """Length of the longest kernel."""
        low, high = self.settings.blur_limit
        widest = 2 * int(self.settings.sigma_limit[1] * SUPPORT) + 1 if low == 0 else 1
        return max(widest, high + (high % 2 == 0))

    def draw(self, draws: Draws, frame: Frame) -> Params:
        low, high = self.settings.blur_limit
        sigma = draws.uniform(*self.settings.sigma_limit).clamp(min=TINY)
        drawn = draws.integers(low, high + 1)
        size = torch.where(drawn == 0, 2 * (sigma * SUPPORT).long(), drawn // 2 * 2) + 1
        return {"kernel": gaussian(size, sigma, self.largest)}

    def replay(self, drawn: Sequence[Mapping[str, Any]], frame: Frame, device: torch.device) -> Params:
        return {"kernel": stacked([each["kernel"] for each in drawn], self.largest, device)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        return filtered_apart(images, params["kernel"])


class MotionBlur(Transform):
    """Smeared along a line, as by motion.

    From 13 px on OpenCV filters by a Fourier transform, and may round a mean of x.5 the other way.
    """

    examples = (
        {},
        {"blur_limit": (3, 3)},
        {"blur_limit": (5, 11), "allow_shifted": False, "angle_range": (30, 50), "direction_range": (0.2, 1.0)},
        {"blur_limit": (13, 17), "direction_range": (-1.0, -0.5)},
        {"blur_limit": (3, 3), "angle_range": (0, 0), "direction_range": (0, 0)},
    )

    @property
    def largest(self) -> int:
        """Side of the largest kernel."""
        return int(self.settings.blur_limit[1])

    def draw(self, draws: Draws, frame: Frame) -> Params:
        settings = self.settings
        size = odd(draws, settings.blur_limit)
        angle, direction = draws.uniform(*settings.angle_range), draws.uniform(*settings.direction_range)
        shift = draws.uniform(-0.5, 0.5, (2,)) if settings.allow_shifted else torch.zeros(1, 2, device=draws.device)
        return {"kernel": line(size, torch.deg2rad(angle), direction, shift, self.largest)}

    def replay(self, drawn: Sequence[Mapping[str, Any]], frame: Frame, device: torch.device) -> Params:
        return {"kernel": stacked([each["kernel"] for each in drawn], self.largest, device)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        return filtered(images, params["kernel"])


class AdvancedBlur(Transform):
    """Softened with a bell that is long, turned, peaked or flat, and noisy."""

    examples = (
        {},
        {"blur_limit": (3, 3)},
        {"blur_limit": (9, 11), "sigma_x_limit": (1.0, 3.0), "noise_limit": (0.5, 2)},
    )
    levels = 0

    def draw(self, draws: Draws, frame: Frame) -> Params:
        settings, largest = self.settings, self.settings.blur_limit[1]
        size = odd(draws, settings.blur_limit)
        sigmas = torch.stack([draws.uniform(*settings.sigma_x_limit), draws.uniform(*settings.sigma_y_limit)], 1)
        angle = torch.deg2rad(draws.uniform(*settings.rotate_limit))
        (low, high), (least, most) = settings.beta_limit, settings.noise_limit
        beta = torch.where(draws.coin(0.5), draws.uniform(low, 1), draws.uniform(1, high))
        noise = draws.uniform(least, most, (largest, largest))
        return {"kernel": bell(size, sigmas.clamp(min=TINY), angle, beta, noise)}

    def replay(self, drawn: Sequence[Mapping[str, Any]], frame: Frame, device: torch.device) -> Params:
        return {"kernel": stacked([each["kernel"] for each in drawn], self.settings.blur_limit[1], device)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        return filtered(images, params["kernel"])


class Defocus(Transform):
    """Softened with a disc, as by a lens out of focus.

    OpenCV filters by a Fourier transform, which may round another way.
    """

    examples = ({}, {"radius": (1, 2), "alias_blur": (0, 0)}, {"radius": (7, 13), "alias_blur": (0.5, 2.0)})

    def draw(self, draws: Draws, frame: Frame) -> Params:
        low, high = self.settings.radius
        return {"radius": draws.integers(low, high + 1), "alias_blur": draws.uniform(*self.settings.alias_blur)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        low, high = self.settings.radius
        largest = max(SMALL_DISC, high)
        kernels = torch.zeros(len(images), 2 * largest + 1, 2 * largest + 1, device=images.device)
        for radius in range(low, high + 1):
            disc = torch.nn.functional.pad(
                soft_disc(radius, params["alias_blur"]), [largest - max(SMALL_DISC, radius)] * 4
            )
            kernels = torch.where((params["radius"] == radius)[:, None, None], disc, kernels)
        return filtered(images, kernels)


def odd(draws: Draws, limits: tuple[int, int]) -> Tensor:
    """An odd number between two odd ones, both included: shape (N,), int64."""
    low, high = limits
    return low + 2 * draws.integers(0, (high - low) // 2 + 1)


def line(size: Tensor, angle: Tensor, direction: Tensor, shift: Tensor, largest: int) -> Tensor:
    """Kernels of motion along lines: shape (N, largest, largest), float32, sum 1, zeros around smaller ones.

    A line has as many points as its kernel is wide, each rounded to a pixel; the pixels that are hit weigh alike.

    size: shape (N,), int64, odd. angle: shape (N,), in radians. direction: shape (N,): -1 the line goes back from the
    middle, 0 both ways, 1 forwards. shift: shape (N, 2): right and down, in half sides.
    """
    reach, middle = size[:, None] // 2, largest // 2
    start, stop = -reach * (1 - direction.clamp(min=0)[:, None]), reach * (1 + direction.clamp(max=0)[:, None])
    # The points beyond a small kernel's number repeat its last one.
    step = torch.minimum(torch.arange(largest, device=size.device), size[:, None] - 1) / (size[:, None] - 1)
    along = start + (stop - start) * step
    ways = torch.stack([angle.cos(), angle.sin()], 1)[:, :, None]
    at = torch.round(reach[:, None] + ways * along[:, None] + (shift * reach)[:, :, None])
    x, y = (torch.minimum(at.clamp(min=0), 2.0 * reach[:, None]) + middle - reach[:, None]).long().unbind(1)
    hit = torch.zeros(len(size), largest**2, device=size.device).scatter_(1, y * largest + x, 1.0)
    return (hit / hit.sum(1, keepdim=True)).unflatten(1, (largest, largest))


def bell(size: Tensor, sigmas: Tensor, angle: Tensor, beta: Tensor, noise: Tensor) -> Tensor:
    """Kernels of the generalised normal distribution in two dimensions: sum 1, zeros around smaller ones.

    size, angle in radians, beta: shape (N,). sigmas: shape (N, 2). noise: shape (N, largest, largest): factors.
    """
    away = torch.arange(noise.shape[1], device=noise.device) - noise.shape[1] // 2
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    x, y = cos * away + sin * away[:, None], cos * away[:, None] - sin * away
    distance = (x / sigmas[:, 0, None, None]) ** 2 + (y / sigmas[:, 1, None, None]) ** 2
    inside = away.abs() <= size[:, None] // 2
    values = torch.exp(-0.5 * distance ** beta[:, None, None]) * noise * inside[:, :, None] * inside[:, None]
    return values.float() / values.sum((1, 2), keepdim=True)  # rounded as Albumentations does


def soft_disc(radius: int, sigmas: Tensor) -> Tensor:
    """Kernels of a disc whose rim is softened: shape (N,) -> (N, K, K), float32, K = 2 * max(radius, 8) + 1."""
    away = torch.arange(2 * max(SMALL_DISC, radius) + 1, device=sigmas.device) - max(SMALL_DISC, radius)
    disc = (away[:, None] ** 2 + away**2 <= radius**2).float()
    size = 3 if radius <= SMALL_DISC else 5
    kernels = opencv_gaussian(torch.full_like(sigmas, size, dtype=torch.int64), sigmas, size).float()
    discs = (disc / disc.sum()).expand(len(sigmas), -1, -1)
    return smoothed(discs[..., None], kernels)[..., 0]
