"""How much the pixels differ, in lightness and in colour."""

import cv2
import numpy as np

VERSION = 1
GREY = 0.02
"""Chroma below which an image is grey: 5 of 255 levels, more than JPEG adds to grey. Chosen by eye."""


def color(image: np.ndarray) -> np.ndarray:
    """Contrast and chroma: shape (2,), float32, in [0, 1].

    Contrast is the standard deviation of the channel where it is largest, so that a picture whose parts differ in
    colour alone has contrast, too. Chroma, the largest channel minus the smallest, is 0 for grey; kept is the value
    below which 99 % of the pixels lie.
    """
    _, deviation = cv2.meanStdDev(image)
    red, green, blue = cv2.split(image)
    chroma = cv2.subtract(cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue))
    counts = cv2.calcHist([chroma], [0], None, [256], [0, 256]).ravel().cumsum()
    contrast = max(deviation.ravel().tolist())
    return np.array([contrast / 255, float(counts.searchsorted(0.99 * chroma.size)) / 255], np.float32)
