"""How wide the sharpest edges are."""

from functools import cache

import cv2
import numpy as np

VERSION = 2
SIDE = 160
"""Larger images are reduced to this many pixels first: blur that this hides does not matter to a classifier."""
SHARPEST = 0.02
"""The share of pixels, those with the steepest slopes, that is looked at: a bird before a soft background is sharp."""
ROUNDING = 1.0
"""Slopes of one grey level per pixel are as likely rounding as picture; added where slopes are divided."""
WEAK = 1.5
"""Where even the steepest slopes are weaker, in grey levels per pixel, only the coarse view tells anything."""
WIDE = 0.9
"""Estimates beyond so many units of blur (see `blur_unit_px`) are made again on the coarse view, better there."""

PIXEL = 1 / 12 + 1 / 3
"""The variance that a pixel's width and the distance over which a slope is taken add on the coarse view."""


def edge_blur(gray: np.ndarray) -> float:
    """Standard deviation, in pixels, of the blur that the steepest edges show; NaN where there are no edges.

    An edge with blur s that is blurred once more by t has its slope divided by sqrt(1 + t² / s²): measuring both slopes
    gives s, whatever the contrast. On a straight edge blur of 1 to 2 units is found to a third; just below 1 unit,
    where the coarse view begins, up to 1.6 times as much is measured.
    Source: Zhuo, Sim 2011, "Defocus map estimation from a single image".
    """
    longest = max(gray.shape)
    pixels = _reduce(gray, SIDE).astype(np.float32)
    side = max(pixels.shape)
    fine, slope = _edges(pixels, max(1.0, 0.012 * side))
    fine *= longest / side
    if slope >= WEAK and fine < WIDE * blur_unit_px(*gray.shape):
        return fine
    pixels = _reduce(pixels, max(8, side // 4))
    coarse, coarse_slope = _edges(pixels, 1.0)
    coarse = max(coarse * coarse - PIXEL, 0.0) ** 0.5 * longest / max(pixels.shape)
    if max(slope, coarse_slope) < 0.5:
        return float("nan")
    return coarse if slope < WEAK else max(fine, coarse)


def blur_unit_px(height: int, width: int) -> float:
    """The blur that takes the detail away: 2 % of the side, and at least 1.5 pixels. Chosen by eye."""
    return max(0.02 * float(height * width) ** 0.5, 1.5)


def _edges(pixels: np.ndarray, blur: float) -> tuple[float, float]:
    """The blur of the steepest edges, in pixels, and how steep they are, in grey levels per pixel."""
    kernel = _gaussian(round(blur, 3))
    softened = cv2.sepFilter2D(pixels, -1, kernel, kernel, borderType=cv2.BORDER_REFLECT)
    both = cv2.merge([pixels, softened])
    across = cv2.Sobel(both, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    down = cv2.Sobel(both, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    slopes = np.sqrt(across * across + down * down).reshape(-1, 2)  # cv2.magnitude rounds by where in memory they lie
    count = min(max(4, round(SHARPEST * len(slopes))), len(slopes))
    steepest = slopes[slopes[:, 0].argpartition(-count)[-count:]]
    before, after = (steepest.sum(axis=0) / count).tolist()
    ratio = 1 + max(before - after, 0.0) / (after + ROUNDING)
    return blur / max(ratio * ratio - 1, 1e-4) ** 0.5, before


@cache
def _gaussian(blur: float) -> np.ndarray:
    return cv2.getGaussianKernel(2 * round(3 * blur) + 1, blur, cv2.CV_32F)


def _reduce(pixels: np.ndarray, side: int) -> np.ndarray:
    """Made to fit into `side` x `side` pixels, each the mean of what it covers; never enlarged."""
    height, width = pixels.shape
    longest = max(height, width)
    if longest <= side:
        return pixels
    size = max(1, round(width * side / longest)), max(1, round(height * side / longest))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
