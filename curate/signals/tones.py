"""How light the darkest, middle and lightest parts are."""

import cv2
import numpy as np

VERSION = 1
SHARES = np.array([0.01, 0.05, 0.5, 0.95, 0.99])
"""The percentiles that are kept, in this order."""


def tones(gray: np.ndarray) -> np.ndarray:
    """Percentiles 1, 5, 50, 95 and 99 of the luma: shape (5,), float32, in [0, 1], 0 black."""
    counts = cv2.calcHist([gray], [0], None, [256], [0, 256]).ravel().cumsum()
    return (counts.searchsorted(SHARES * counts[-1]) / 255).astype(np.float32)
