"""Edges brought out: sharpened, embossed, with halos."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from curate.augment.device import constant, in_parts
from curate.augment.draws import Draws
from curate.augment.filters import as_levels, filtered, fixed_gaussian, opencv_gaussian, smoothed, stacked
from curate.augment.frame import Frame
from curate.augment.pointwise import looked_up
from curate.augment.transform import Params, Settings, Transform
from curate.augment.transforms.blurs import odd
from curate.errors import UserError

SURROUND = ((-1.0, -1.0, -1.0), (-1.0, 8.0, -1.0), (-1.0, -1.0, -1.0))
"""What sets a pixel apart from the eight around it."""
SLOPE = ((-1.0, -1.0, 0.0), (-1.0, 0.0, 1.0), (0.0, 1.0, 1.0))
"""Light from the upper left."""


class Sharpen(Transform):
    """Edges made stronger."""

    examples = (
        {},
        {"alpha": (0.0, 1.0), "lightness": (0.0, 2.0)},
        {"method": "gaussian"},
        {"method": "gaussian", "kernel_size": 9, "sigma": 3.0, "alpha": (0.1, 1.0)},
    )
    levels = 0

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        if settings.method == "gaussian" and settings.kernel_size % 2 == 0:
            raise UserError(f"{self.name}: kernel_size is {settings.kernel_size}; it has to be odd")

    def output(self, frame: Frame) -> Frame:
        if self.settings.method == "gaussian" and frame.channels == 1:
            raise UserError(
                f'{self.name} with method="gaussian" takes images of 3 channels (of one, Albumentations makes as many '
                'as the image is wide); take method="kernel"'
            )
        return super().output(frame)

    def draw(self, draws: Draws, frame: Frame) -> Params:
        alpha = draws.uniform(*self.settings.alpha)
        if self.settings.method == "gaussian":
            return {"alpha": alpha}
        effect = _middle(draws.uniform(*self.settings.lightness)) + constant(SURROUND, torch.float64, draws.device)
        return {"sharpening_matrix": _blended(alpha, effect)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        if self.settings.method == "kernel":
            return filtered(images, params["sharpening_matrix"])
        blurred = fixed_gaussian(images, self.settings.kernel_size, self.settings.sigma)
        level = torch.arange(256, device=images.device)
        table = (params["alpha"][:, None, None] * level).floor().to(torch.uint8)
        # Albumentations subtracts in uint8: what is darker than around it differs by almost 256, and becomes lighter.
        added = looked_up(images - blurred, table)
        return torch.where(added > 255 - images, 255, images + added)


class Emboss(Transform):
    """Lit from the upper left, as if it were raised."""

    examples = ({}, {"alpha": (0.0, 1.0), "strength": (0.0, 3.0)})
    levels = 0

    def draw(self, draws: Draws, frame: Frame) -> Params:
        alpha = draws.uniform(*self.settings.alpha)
        strength = draws.uniform(*self.settings.strength)[:, None, None]
        ridge = torch.diag(constant((-1, 1, 1), torch.float64, draws.device))
        return {"emboss_matrix": _blended(alpha, ridge + strength * constant(SLOPE, torch.float64, draws.device))}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        return filtered(images, params["emboss_matrix"])


class UnsharpMask(Transform):
    """Edges made stronger where they are strong enough."""

    examples = (
        {},
        {"blur_limit": (5, 5), "threshold": 0},
        {"blur_limit": (3, 15), "sigma_limit": (0.5, 2.0), "alpha": (0.0, 1.0), "threshold": 30},
    )

    def draw(self, draws: Draws, frame: Frame) -> Params:
        settings = self.settings
        size, sigma = odd(draws, settings.blur_limit), draws.uniform(*settings.sigma_limit)
        return {"ksize": size, "sigma": sigma, "alpha": draws.uniform(*settings.alpha)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        kernels = opencv_gaussian(params["ksize"], params["sigma"], self.settings.blur_limit[1]).float()
        return in_parts(self._masked, images, kernels, params["alpha"].float())

    def _masked(self, images: Tensor, kernels: Tensor, alpha: Tensor) -> Tensor:
        values = images.float() / 255
        edges = values - smoothed(values, kernels)
        strong = (edges.abs() * 255 > self.settings.threshold).float()
        sharp = (values + alpha[:, None, None, None] * edges).clamp_(0, 1)
        share = smoothed(strong, kernels)
        return as_levels((sharp * share + values * (1 - share)) * 255)


class RingingOvershoot(Transform):
    """Halos along edges, as of too sharp a filter.

    From 13 px on OpenCV filters by a Fourier transform, which may round another way.
    """

    examples = ({}, {"blur_limit": (3, 3)}, {"blur_limit": (5, 9), "cutoff": (0.5, 3.0)})

    def draw(self, draws: Draws, frame: Frame) -> Params:
        size, cutoff = odd(draws, self.settings.blur_limit), draws.uniform(*self.settings.cutoff)
        return {"kernel": ringing(size, cutoff, self.settings.blur_limit[1])}

    def replay(self, drawn: Sequence[Mapping[str, Any]], frame: Frame, device: torch.device) -> Params:
        return {"kernel": stacked([each["kernel"] for each in drawn], self.settings.blur_limit[1], device)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        return filtered(images, params["kernel"])


def ringing(sizes: Tensor, cutoffs: Tensor, largest: int) -> Tensor:
    """Kernels that let pass what is slower than a cutoff: shapes (N,) -> (N, largest, largest), float64, sum 1.

    cutoffs: in radians a pixel.
    """
    away = torch.arange(largest, device=sizes.device) - largest // 2
    radius, cutoff = torch.hypot(away[:, None].double(), away.double()), cutoffs[:, None, None]
    wave = cutoff * torch.special.bessel_j1(cutoff * radius) / (2 * math.pi * radius)
    values = torch.where(radius == 0, cutoff**2 / (4 * math.pi), wave)
    inside = away.abs() <= sizes[:, None] // 2
    values = torch.where(inside[:, :, None] & inside[:, None], values, 0)
    return values.float() / values.sum((1, 2), keepdim=True)  # rounded as Albumentations does


def _middle(value: Tensor) -> Tensor:
    """Shape (N,) -> (N, 3, 3), zeros around it."""
    return torch.nn.functional.pad(value[:, None, None], (1, 1, 1, 1))


def _blended(alpha: Tensor, effect: Tensor) -> Tensor:
    """The image and the effect, by parts 1 - alpha and alpha: shapes (N,) and (N, 3, 3) -> (N, 3, 3), float32."""
    return (alpha[:, None, None] * effect + _middle(1 - alpha)).float()
