"""The 1,797 handwritten digits embedded in scikit-learn; chosen by name alone, since they have no path."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from curate.images import encode_png
from curate.layouts import Options, Sample

PRIORITY = 0
SIDE_PX = 32
"""The digits come as 8x8; networks for small images are made for 32x32."""
LEVELS = 16
"""Highest grey value in scikit-learn's digits."""
TEST_EVERY = 5
"""Every fifth image of each class is a test image: 355 of 1,797."""


def recognises(path: Path) -> bool:
    """Never: no file or folder is this set."""
    return False


def read(path: Path, options: Options) -> Iterator[Sample]:
    """The digits as PNG, split 80/20 within each class, the same way every time. `path` and `options` don't matter."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    seen: Counter[str] = Counter()
    for index, (image, target) in enumerate(zip(digits.images, digits.target, strict=True)):
        label = str(target)
        seen[label] += 1
        split = "test" if seen[label] % TEST_EVERY == 0 else "train"
        pixels = np.round(image * (255 / LEVELS)).astype(np.uint8)
        enlarged = cv2.resize(pixels, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC)
        yield Sample(f"{split}/{label}/{index:04d}.png", label, split, data=encode_png(enlarged))
