"""Noise on the pixels."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from curate.augment.draws import Draws
from curate.augment.frame import Frame
from curate.augment.holes import painted
from curate.augment.transform import Params, Transform


class GaussNoise(Transform):
    """Normal noise is added."""

    examples = (
        {},
        {"std_range": (0.05, 0.1), "mean_range": (-0.2, 0.3)},
        {"per_channel": False},
        {"noise_scale_factor": 0.3},
        {"noise_scale_factor": 0.7, "per_channel": False, "std_range": (0, 0.2)},
    )
    share = 1.0
    levels = 0

    def draw(self, draws: Draws, frame: Frame) -> Params:
        """`noise_map`: shape (N, H, W, C), or (N, H, W, 1) where channels share it; float32, in levels."""
        wanted, scale = self.settings, self.settings.noise_scale_factor
        height, width = (max(1, int(size * scale)) for size in (frame.height, frame.width))
        std, mean = draws.uniform(*wanted.std_range), draws.uniform(*wanted.mean_range)
        noise = draws.grid_normal((height, width, frame.channels if wanted.per_channel else 1))
        std, mean = (part.float()[:, None, None, None] * 255 for part in (std, mean))
        noise = noise.mul_(std).add_(mean)
        if scale != 1:
            # no antialiasing, pixel centres at halves: as cv2.INTER_LINEAR
            noise = interpolate(noise.permute(0, 3, 1, 2), (frame.height, frame.width), mode="bilinear")
            noise = noise.permute(0, 2, 3, 1)
        return {"noise_map": noise}

    def replay(self, drawn: Sequence[Mapping[str, Any]], frame: Frame, device: torch.device) -> Params:
        maps = np.stack([np.reshape(each["noise_map"], frame) for each in drawn])
        return {"noise_map": torch.as_tensor(maps, device=device)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        # the noise is cut to whole levels before it is added
        return (params["noise_map"].trunc() + images).clamp_(0, 255).to(torch.uint8)


class MultiplicativeNoise(Transform):
    """Levels are multiplied by random factors."""

    examples = (
        {},
        {"multiplier": (0.0, 3.0), "per_channel": True},
        {"multiplier": (0.5, 1.5), "elementwise": True},
        {"multiplier": (0.5, 1.5), "elementwise": True, "per_channel": True},
    )
    share = 1.0
    levels = 0

    def draw(self, draws: Draws, frame: Frame) -> Params:
        """`multiplier`: shape (N, H, W, C) or (N, H, W, 1), or (N, 1, 1, C) where all pixels share it; float32."""
        wanted = self.settings
        low, high = wanted.multiplier
        channels = frame.channels if wanted.per_channel else 1
        if wanted.elementwise:
            return {"multiplier": draws.grid_uniform((frame.height, frame.width, channels)) * (high - low) + low}
        factor = draws.uniform(low, high, (1, 1, channels)).float()
        return {"multiplier": factor.expand(-1, -1, -1, frame.channels)}

    def replay(self, drawn: Sequence[Mapping[str, Any]], frame: Frame, device: torch.device) -> Params:
        shape = tuple(frame) if self.settings.elementwise else (1, 1, frame.channels)
        factors = np.stack([np.reshape(each["multiplier"], shape) for each in drawn])
        return {"multiplier": torch.as_tensor(factors, device=device)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        return (images * params["multiplier"]).clamp_(max=255).to(torch.uint8)  # cut to whole levels, not rounded


class SaltAndPepper(Transform):
    """Single pixels become white or black."""

    examples = ({}, {"amount": (0.0, 0.4), "salt_vs_pepper": (0.0, 1.0)}, {"amount": (1.0, 1.0)})
    share = 1.0
    levels = 0

    def draw(self, draws: Draws, frame: Frame) -> Params:
        """`salt_mask` and `pepper_mask`: shape (N, H, W), bool."""
        area, wanted = frame.height * frame.width, self.settings
        amount, salt_share = draws.uniform(*wanted.amount), draws.uniform(*wanted.salt_vs_pepper)
        pixels = (area * amount).long()
        salt = (pixels * salt_share).long()
        words = draws.grid_words((area,))
        # the pixels with the smallest words are changed, of which two are the same once in 2**32
        smallest = words.topk(max(1, int(area * max(wanted.amount))), 1, largest=False).values
        salt_mask = _smallest(words, smallest, salt)
        pepper_mask = _smallest(words, smallest, pixels) & ~salt_mask
        shape = (frame.height, frame.width)
        return {"salt_mask": salt_mask.unflatten(1, shape), "pepper_mask": pepper_mask.unflatten(1, shape)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        salt, pepper = params["salt_mask"], params["pepper_mask"]
        white = (salt.to(torch.uint8) * 255)[..., None]
        return painted(images, salt | pepper, white.expand_as(images))


def _smallest(words: Tensor, smallest: Tensor, count: Tensor) -> Tensor:
    """Which words are the `count` smallest: shape (N, M), and (N, K), in order, and (N,) -> (N, M), bool."""
    limit = smallest.gather(1, (count - 1).clamp(min=0)[:, None])
    return (words <= limit) & (count > 0)[:, None]
