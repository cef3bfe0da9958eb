"""Sharper or smoother, as Pillow does it."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from curate.augment.draws import Draws
from curate.augment.frame import Frame
from curate.augment.policies import A
from curate.augment.transform import Params, Transform


class BatchSharpness(Transform):
    """Pixels further from, or nearer to, the mean of those around."""

    examples = ({"factor": (0.01, 1.99)}, {"factor": (0.0, 0.0)}, {"factor": (2.5, 2.5)})

    def draw(self, draws: Draws, frame: Frame) -> Params:
        return {"factor": draws.uniform(*self.settings.factor)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        return sharpened(images, params["factor"])

    def fast(self, levels: Tensor, params: Params) -> Tensor:
        """For the fused mode: nothing is rounded."""
        factor = params["factor"].float()[:, None, None, None]
        done = levels.clone()
        inner = levels[:, 1:-1, 1:-1]
        done[:, 1:-1, 1:-1] = torch.lerp(_around(levels) / 13, inner, factor).clamp(0, 255)
        return done


class Sharpness(A.ImageOnlyTransform):
    """Pixels further from, or nearer to, the mean of those around.

    factor: range that a number is drawn from for each image: 0 smooths, 1 leaves the image as it is, 2 sharpens.
    Source: `PIL.ImageEnhance.Sharpness`, which the papers on policies use: pixels at the border stay. Takes uint8.
    """

    for_batches = BatchSharpness

    class InitSchema(A.BasicTransform.InitSchema):
        factor: tuple[float, float]

    def __init__(self, factor: tuple[float, float] = (0.1, 1.9), p: float = 0.5) -> None:
        super().__init__(p=p)
        if not 0 <= factor[0] <= factor[1]:
            raise ValueError(f"factor is {factor}; it has to be a range such as (0.1, 1.9), from 0 on")
        self.factor = factor

    def get_params(self) -> dict[str, Any]:
        return {"factor": self.py_random.uniform(*self.factor)}

    def apply(self, img: np.ndarray, factor: float, **params: Any) -> np.ndarray:
        channels_last = torch.from_numpy(img).reshape(1, *img.shape[:2], -1)
        return sharpened(channels_last, torch.tensor([factor])).numpy().reshape(img.shape)


def sharpened(images: Tensor, factor: Tensor) -> Tensor:
    """Each image's distance from its smoothed copy times its factor: shapes (N, H, W, C), uint8, and (N,)."""
    inner = images[:, 1:-1, 1:-1].float()
    smooth = ((2 * _around(images.int()) + 13) // 26).float()  # rounded by itself, as Pillow does
    levels = smooth + factor.float()[:, None, None, None] * (inner - smooth)
    done = images.clone()
    done[:, 1:-1, 1:-1] = levels.clamp(0, 255).to(torch.uint8)  # cut off behind the point
    return done


def _around(levels: Tensor) -> Tensor:
    """Sum of the 9 pixels around each, and 4 times itself: (N, H, W, C) -> (N, H - 2, W - 2, C), 13 times the mean."""
    rows = levels[:, :-2] + levels[:, 1:-1] + levels[:, 2:]
    return rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:] + 4 * levels[:, 1:-1, 1:-1]
