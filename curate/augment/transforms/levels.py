"""Levels changed by a table: brighter, darker, inverted, in fewer steps."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from curate.augment.draws import Draws
from curate.augment.frame import Frame
from curate.augment.pointwise import Linear, Pointwise, every_level
from curate.augment.transform import Params, Settings
from curate.errors import UserError

TOP = 255
"""The highest level."""
BITS = 8
"""Of a level."""


class RandomBrightnessContrast(Pointwise):
    """Brighter or darker, with more or less contrast."""

    examples = (
        {},
        {"brightness_limit": 0.8, "contrast_limit": 0.9},
        {"brightness_limit": (-0.5, 0.9), "contrast_limit": (-3, 1), "ensure_safe_range": True},
    )
    levels = 0
    share = 1.0

    def composes(self) -> bool:
        return bool(self.settings.brightness_by_max)

    def draw(self, draws: Draws, frame: Frame) -> Params:
        """`share` in place of `beta`, of the image's mean, where brightness does not count by the highest level."""
        alpha = 1 + draws.uniform(*self.settings.contrast_limit)
        share = draws.uniform(*self.settings.brightness_limit)
        if not self.settings.brightness_by_max:
            return {"alpha": alpha, "share": share}
        alpha, beta = self._safe(alpha, share * TOP)
        return {"alpha": alpha, "beta": beta}

    def replay(self, drawn: Sequence[Mapping[str, Any]], frame: Frame, device: torch.device) -> Params:
        """Albumentations says what `beta` came to with the image's mean."""
        return {
            name: torch.tensor([each[name] for each in drawn], dtype=torch.float64, device=device)
            for name in ("alpha", "beta")
        }

    def apply(self, images: Tensor, params: Params) -> Tensor:
        if "share" in params:
            pixels = images[0].numel()
            mean = images.flatten(2).sum(2, dtype=torch.int32).sum(1).double() / pixels
            alpha, beta = self._safe(params["alpha"], params["share"] * mean)
            params = {"alpha": alpha, "beta": beta}
        return super().apply(images, params)

    def table(self, params: Params, channels: int) -> Tensor:
        """Computed in float32 and cut, not rounded, as albucore does."""
        alpha, beta = (_by_channel(params[name].float()) for name in ("alpha", "beta"))
        return (every_level(alpha.device, torch.float32) * alpha + beta).clamp(0, TOP).to(torch.uint8)

    def linear(self, params: Params, channels: int) -> Linear:
        alpha, beta = (params[name].float() for name in ("alpha", "beta"))
        return Linear(_times(alpha, channels), beta[:, None].expand(-1, channels))

    def _safe(self, alpha: Tensor, beta: Tensor) -> tuple[Tensor, Tensor]:
        """Contrast and brightness that cut off nothing, if that is wanted: shape (N,) each."""
        if not self.settings.ensure_safe_range:
            return alpha, beta
        rises = alpha > 0
        beta = torch.where(rises, beta.clamp(0, TOP), beta.clamp(max=TOP))
        return torch.where(rises, alpha.minimum((TOP - beta) / TOP), alpha.maximum(-beta / TOP)), beta


class RandomGamma(Pointwise):
    """Brighter or darker by a power."""

    examples = ({}, {"gamma_limit": (20, 300)}, {"gamma_limit": (100, 100)})
    levels = 0
    share = 1.0

    def draw(self, draws: Draws, frame: Frame) -> Params:
        return {"gamma": draws.uniform(*self.settings.gamma_limit) / 100}

    def table(self, params: Params, channels: int) -> Tensor:
        """Cut, not rounded, as Albumentations does: so even a gamma of 1 takes a level off some."""
        gamma = _by_channel(params["gamma"])
        # its np.arange multiplies; a division would give other last digits
        parts = every_level(gamma.device) * (1 / TOP)
        return (parts**gamma * TOP).to(torch.uint8)


class RandomToneCurve(Pointwise):
    """Levels bent by a random curve."""

    examples = ({}, {"scale": 0.6}, {"scale": 0.3, "per_channel": True})
    levels = 0
    share = 1.0

    def draw(self, draws: Draws, frame: Frame) -> Params:
        scale = self.settings.scale
        shape = (frame.channels,) if self.settings.per_channel and frame.channels > 1 else ()
        low, high = (draws.normal(middle, scale, shape).clamp(0, 1) for middle in (0.25, 0.75))
        return {"low_y": low, "high_y": high}

    def table(self, params: Params, channels: int) -> Tensor:
        """A Bézier curve whose ends are fixed."""
        low, high = _by_channel(params["low_y"]), _by_channel(params["high_y"])
        t = every_level(low.device) * (1 / TOP)
        curve = 3 * (1 - t) ** 2 * t * low + 3 * (1 - t) * t**2 * high + t**3
        return (curve * TOP).round().clamp(0, TOP).to(torch.uint8)


class RGBShift(Pointwise):
    """Each channel brighter or darker by itself."""

    examples = (
        {},
        {"r_shift_limit": 200, "g_shift_limit": (-90, -30), "b_shift_limit": (0, 0)},
        {"r_shift_limit": 0.3, "g_shift_limit": (0.1, 0.9), "b_shift_limit": 0.5},
    )
    levels = 0
    share = 1.0

    def draw(self, draws: Draws, frame: Frame) -> Params:
        ranges = self.settings.noise_params["ranges"][: frame.channels]
        return {"noise_map": torch.stack([draws.uniform(*limits) * TOP for limits in ranges], 1)}

    def table(self, params: Params, channels: int) -> Tensor:
        """Whole levels are added, as albucore does."""
        shift = _by_channel(params["noise_map"].trunc())
        return (every_level(shift.device) + shift).clamp(0, TOP).to(torch.uint8)

    def linear(self, params: Params, channels: int) -> Linear:
        shift = params["noise_map"].trunc().float()
        return Linear(_times(torch.ones_like(shift[:, 0]), channels), shift)


class InvertImg(Pointwise):
    """Levels turned round: black becomes white."""

    levels = 0
    share = 1.0

    def draw(self, draws: Draws, frame: Frame) -> Params:
        return {"white": torch.full((len(draws),), TOP, device=draws.device)}

    def replay(self, drawn: Sequence[Mapping[str, Any]], frame: Frame, device: torch.device) -> Params:
        return {"white": torch.full((len(drawn),), TOP, device=device)}

    def table(self, params: Params, channels: int) -> Tensor:
        return every_level(params["white"].device, torch.uint8).flip(0)[None, None]

    def linear(self, params: Params, channels: int) -> Linear:
        white = params["white"].float()
        return Linear(_times(-torch.ones_like(white), channels), white[:, None].expand(-1, channels))


class Solarize(Pointwise):
    """Levels above a threshold turned round."""

    examples = ({}, {"threshold_range": (0.1, 0.9)}, {"threshold_range": (0, 0)}, {"threshold_range": (1, 1)})
    levels = 0
    share = 1.0

    def draw(self, draws: Draws, frame: Frame) -> Params:
        return {"threshold": draws.uniform(*self.settings.threshold_range)}

    def table(self, params: Params, channels: int) -> Tensor:
        threshold = _by_channel(params["threshold"]) * TOP
        line = every_level(threshold.device)
        return torch.where(line >= threshold, TOP - line, line).to(torch.uint8)


class Posterize(Pointwise):
    """Fewer levels: the lowest bits are dropped."""

    examples = ({}, {"num_bits": (1, 7)}, {"num_bits": [(1, 2), (3, 5), (6, 7)]})
    levels = 0
    share = 1.0

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        for low, high in self._ranges():
            if not 0 <= low <= high <= BITS:
                raise UserError(
                    f"Posterize: num_bits from {low} to {high}; a level has from 0 to {BITS} bits, low first"
                )

    def output(self, frame: Frame) -> Frame:
        frame, wanted = super().output(frame), self.settings.num_bits
        if isinstance(wanted, list) and len(wanted) != frame.channels:
            raise UserError(
                f"Posterize has num_bits for {len(wanted)} channels, the images have {frame.channels}; give one pair"
            )
        return frame

    def draw(self, draws: Draws, frame: Frame) -> Params:
        found = [draws.integers(low, high + 1) for low, high in self._ranges()]
        return {"num_bits": torch.stack(found, 1) if isinstance(self.settings.num_bits, list) else found[0]}

    def table(self, params: Params, channels: int) -> Tensor:
        dropped = BITS - _by_channel(params["num_bits"])
        return (every_level(dropped.device, torch.int64) >> dropped << dropped).to(torch.uint8)

    def _ranges(self) -> list[tuple[int, int]]:
        """Lowest and highest number of bits, of all channels or of each."""
        wanted = self.settings.num_bits
        return wanted if isinstance(wanted, list) else [wanted]


def _by_channel(value: Tensor) -> Tensor:
    """Shape (N,) or (N, C) -> (N, 1, 1) or (N, C, 1)."""
    return value.reshape(len(value), -1, 1)


def _times(factor: Tensor, channels: int) -> Tensor:
    """The matrix that multiplies each channel: shape (N,) -> (N, C, C)."""
    return factor[:, None, None] * torch.eye(channels, device=factor.device)
