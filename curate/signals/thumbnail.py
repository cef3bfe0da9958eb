"""The image as 32 x 32 grey pixels, for comparing images with each other."""

import cv2
import numpy as np

from curate.likeness import SIDE, THUMBNAIL

VERSION = THUMBNAIL


def thumbnail(gray: np.ndarray) -> np.ndarray:
    """Squeezed to a square, each pixel the mean of what it covers: shape (1024,), uint8."""
    if gray.shape == (SIDE, SIDE):
        return gray.ravel()
    height, width = (min(side, SIDE) for side in gray.shape)  # in one step OpenCV would take no mean of a thin strip
    smaller = cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.resize(smaller, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR).ravel()
