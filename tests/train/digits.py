"""Real small images: scikit-learn's handwritten digits."""

from functools import cache

import numpy as np
import torch
from sklearn.datasets import load_digits

from train.config import TrainConfig
from train.data import ImageSet
from train.pixels import resize

QUICK = TrainConfig(epochs=3, batch_size=64, lr=0.5, flip=False, pad=1)
"""A few seconds on two CPU cores."""


@cache
def digits(count: int, *, start: int = 0, side: int = 16) -> ImageSet:
    """`count` digits of `side` px from position `start` on."""
    data = load_digits()
    grey = (data.images[start : start + count] * 255 / 16).astype(np.uint8)
    images = np.stack([resize(np.repeat(image[:, :, None], 3, axis=2), side) for image in grey])
    return ImageSet(
        images=torch.from_numpy(images).permute(0, 3, 1, 2),
        labels=torch.from_numpy(data.target[start : start + count].astype(np.int64)),
        image_ids=tuple(f"digits/{number}" for number in range(start, start + count)),
        classes=tuple("0123456789"),
    )
