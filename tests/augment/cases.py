"""Every transform with every one of its example settings, and pictures to try them on."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import cv2
import numpy as np
import torch

from curate.augment.frame import Frame
from curate.augment.pipeline import classes, known_transforms, made
from curate.augment.transform import Transform
from curate.augment.upstream import albumentations
from curate.errors import UserError

A = albumentations()
SIZES = (32, 224)


def settings() -> list[tuple[str, Mapping[str, Any]]]:
    """Names of transforms, and settings for them."""
    return [
        (name, example) for name, kind in known_transforms().items() if name in classes() for example in kind.examples
    ]


def names() -> list[str]:
    return [f"{name}({', '.join(f'{key}={value}' for key, value in example.items())})" for name, example in settings()]


def reference(name: str, example: Mapping[str, Any], *, seed: int = 0) -> Any:
    """The transform of Albumentations, always applied, its params kept."""
    return A.Compose([made(classes()[name], {**example, "p": 1.0})], save_applied_params=True, seed=seed)


@cache
def pictures(side: int, channels: int, count: int = 8) -> np.ndarray:
    """Smooth shapes, sharp edges and noise, dark and light: shape (N, side, side, C), uint8."""
    random = np.random.default_rng(side + channels)
    found = []
    for number in range(count):
        coarse = random.integers(0, 256, (4 + number, 5 + number, 3), dtype=np.uint8)
        image = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC).astype(np.float64)
        cv2.circle(image, (side // 2, side // 3), side // 4, random.integers(0, 256, 3).tolist(), -1)
        image += random.normal(0, 3 * (number % 4), image.shape)
        image = (image - 128) * (0.3 + 0.2 * number) + 128 + 20 * (number - 4)
        found.append(np.clip(image, 0, 255).astype(np.uint8)[:, :, :channels])
    return np.ascontiguousarray(np.stack(found))


def takes(transform: Transform, side: int, channels: int) -> bool:
    """Whether the transform is for such images."""
    try:
        transform.output(Frame(side, side, channels))
    except UserError:
        return False
    return True


def columns(values: torch.Tensor) -> np.ndarray:
    """Each number of a param apart: shape (N, …) -> (M, N)."""
    return values.reshape(len(values), -1).double().numpy().T
