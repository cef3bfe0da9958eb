"""How alike two images are once one is laid on the other: shifted, scaled and mirrored as fits best.

Images are thumbnails of 32 x 32 grey pixels. Two bands of each are compared, fine and coarser details, both levelled:
divided by how strong such details are around, so that light, contrast and one bold edge don't decide, and a busy
background counts as much as what stands before it. Correlation at every shift comes from the product of spectra.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from scipy.fft import rfft2
from threadpoolctl import threadpool_limits

from curate.signals.thumbnail import SIDE

SHIFT = 3
"""Thumbnail pixels by which one of two versions may be moved, each way."""
SCALES = (1.0, 0.88, 1.13)
"""By which one of two versions may be larger."""
INNER = SIDE - 2 * SHIFT
"""Of the first image, what lies on the second one at every shift."""
CHUNK = 512
"""Pairs compared at once: as many as stay in the processor's cache. Pairs with one image in common should follow each
other, as its spectrum is taken once."""
PROMISING = 0.6
"""Correlation of coarser details, unscaled, from which on a pair is looked at again. Of ciFAIR's near-duplicates all
have 0.65 and more, of images that look alike one in six has 0.6."""
BANDS = ((0.0, 1.5, 4.0), (0.8, 3.5, 9.0))
"""Fine and coarser details: what a blur of the first many pixels leaves and one of the second takes, and the variance
that is added before they are levelled, for noise and rounding."""
AROUND = 3.5
"""Pixels over which details are levelled."""
FAINT = 0.1
"""Descriptors of less than this length are of images that show nothing."""
ROUNDING = 0.02 / 12
"""Variance of a levelled pixel that may be rounding: it keeps flat images from being alike."""


def compare(
    thumbnail: np.ndarray, a: np.ndarray, b: np.ndarray, flipped: np.ndarray, *, promising: float = PROMISING
) -> np.ndarray:
    """Correlation of fine and of coarser details of rows `a` and `b` where both together are highest: shape (P, 2).

    thumbnail: shape (N, 1024), uint8. flipped: shape (P,), bool, whether `b` is to be mirrored. 0 for pairs whose
    coarser details correlate by less than `promising` before one of them is scaled.
    """

    def compared(part: slice) -> np.ndarray:
        first, at = np.unique(a[part], return_inverse=True)
        second = _pixels(thumbnail[b[part]])
        second = np.where(flipped[part, None, None], second[:, :, ::-1], second)
        return _compare(_pixels(thumbnail[first]), at, second, promising)

    return np.concatenate([np.zeros((0, len(BANDS)), np.float32), *_in_threads(compared, len(a))])


def _in_threads(function: Callable[[slice], np.ndarray], count: int) -> list[np.ndarray]:
    """What the function gives for each `CHUNK` of so many rows, in order."""
    parts = [slice(start, start + CHUNK) for start in range(0, count, CHUNK)]
    # a product of matrices has threads of its own, which would wait for each other
    with threadpool_limits(1), ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(function, parts))


def _compare(first: np.ndarray, at: np.ndarray, second: np.ndarray, promising: float) -> np.ndarray:
    """See `compare`. The images of pair i are `first[at[i]]` and `second[i]`, in pixels."""
    alike = np.zeros((len(second), len(BANDS)), np.float32)
    coarse = next(_correlations(first, at, second, bands=BANDS[1:], scales=SCALES[:1]))[0]
    near = np.flatnonzero(coarse.max(axis=1) >= promising)
    if not len(near):
        return alike
    best = np.full((len(near), len(BANDS)), -1, np.float32)
    for both in _correlations(first, at[near], second[near], bands=BANDS, scales=SCALES):
        here = both[:, np.arange(len(near)), both.sum(axis=0).argmax(axis=1)].T
        best = np.where((here.sum(axis=1) > best.sum(axis=1))[:, None], here, best)
    alike[near] = best
    return alike


def descriptors(thumbnail: np.ndarray) -> np.ndarray:
    """What images that look alike are found by: their coarser details as 16 x 16 pixels, blurred by as much as versions
    may be shifted; unit vectors of shape (N, 256), float32. Of an image that shows nothing, 0."""

    def described(part: slice) -> np.ndarray:
        details = _blurred(_levelled(_pixels(thumbnail[part]), BANDS[1]), 1.5)
        pooled = details.reshape(-1, SIDE // 2, 2, SIDE // 2, 2).mean(axis=(2, 4)).reshape(len(details), -1)
        pooled -= pooled.mean(axis=1, keepdims=True)
        vectors: np.ndarray = pooled / np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), FAINT)
        return vectors

    nothing = np.zeros((0, SIDE * SIDE // 4), np.float32)
    return np.concatenate([nothing, *_in_threads(described, len(thumbnail))])


def mirrored(descriptors: np.ndarray) -> np.ndarray:
    """The descriptors of the mirror images: shape (N, 256)."""
    half = SIDE // 2
    return np.ascontiguousarray(descriptors.reshape(-1, half, half)[:, :, ::-1]).reshape(len(descriptors), -1)


def _pixels(thumbnail: np.ndarray) -> np.ndarray:
    return thumbnail.reshape(-1, SIDE, SIDE).astype(np.float32)


def _correlations(
    first: np.ndarray,
    at: np.ndarray,
    second: np.ndarray,
    *,
    bands: tuple[tuple[float, float, float], ...],
    scales: tuple[float, ...],
) -> Iterator[np.ndarray]:
    """For each scale the correlation of each band at each of the S shifts: shape (bands, n, S)."""
    still = [_still(_levelled(first, band)) for band in bands]
    for scale in scales:
        resampled = second if scale == 1 else _along_both(second, _resampling(scale))
        found = []
        for (spectrum, energy), band in zip(still, bands, strict=True):
            moved = _levelled(resampled, band)
            product = spectrum[at] * rfft2(moved).reshape(len(moved), -1)
            sums = product.view(np.float32) @ _at_shifts()
            others = (moved**2).reshape(len(moved), -1) @ _windows() + INNER**2 * ROUNDING
            found.append(sums / np.sqrt(energy[at, None] * others))
        yield np.stack(found)


def _still(levelled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Conjugate spectrum, shape (n, 544), and energy, shape (n,), of the inner part."""
    inner = np.zeros_like(levelled)
    inner[:, SHIFT:-SHIFT, SHIFT:-SHIFT] = levelled[:, SHIFT:-SHIFT, SHIFT:-SHIFT]
    energy = np.einsum("nij,nij->n", inner, inner) + INNER**2 * ROUNDING
    return np.conj(rfft2(inner).reshape(len(inner), -1)), energy


def _levelled(pixels: np.ndarray, band: tuple[float, float, float]) -> np.ndarray:
    """Details of a band, divided by their strength around: shape (n, 32, 32)."""
    leaves, takes, noise = band
    details = _blurred(pixels, leaves) - _blurred(pixels, takes)
    return details / np.sqrt(_blurred(details**2, AROUND) + noise)


def _blurred(pixels: np.ndarray, sigma: float) -> np.ndarray:
    return _along_both(pixels, _blur(sigma)) if sigma else pixels


def _along_both(pixels: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """`matrix @ pixels @ matrix.T` of each image, as two large products in place of many small ones."""
    for _ in range(2):
        pixels = np.ascontiguousarray(pixels.transpose(0, 2, 1))
        pixels = (pixels.reshape(-1, SIDE) @ matrix.T).reshape(pixels.shape)
    return pixels


@cache
def _blur(sigma: float) -> np.ndarray:
    """A Gaussian blur as a matrix that works on columns; pixels beyond the border do not count."""
    place = np.arange(SIDE)
    weight = np.exp(-((place[:, None] - place) ** 2) / (2 * sigma**2))
    weight[weight < 1e-6] = 0  # numbers too small for float32's exponent make products ten times as slow
    return (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)


@cache
def _resampling(scale: float) -> np.ndarray:
    """Linear interpolation about the middle as a matrix that works on columns, mirrored at the border."""
    middle = (SIDE - 1) / 2
    place = middle + (np.arange(SIDE) - middle) * scale
    place = np.where(place < 0, -place, np.where(place > SIDE - 1, 2 * (SIDE - 1) - place, place))
    return np.maximum(1 - np.abs(place[:, None] - np.arange(SIDE)), 0).astype(np.float32)


@cache
def _at_shifts() -> np.ndarray:
    """What makes correlations at all shifts of a product of spectra, its real and imaginary parts taking turns."""
    shifts = np.arange(-SHIFT, SHIFT + 1)
    down, across = np.arange(SIDE), np.arange(SIDE // 2 + 1)
    phase = (2 * np.pi / SIDE) * (
        down[:, None, None, None] * shifts[:, None] + across[:, None, None] * shifts[None, None, None, :]
    )
    twice = np.where((across == 0) | (across == SIDE // 2), 1, 2)[:, None, None]
    parts = np.stack([twice * np.cos(phase), -twice * np.sin(phase)], axis=2) / SIDE**2
    return parts.reshape(-1, len(shifts) ** 2).astype(np.float32)


@cache
def _windows() -> np.ndarray:
    """Which pixels lie on the inner part of the first image at each shift: shape (1024, S)."""
    inside = np.zeros((2 * SHIFT + 1, SIDE), np.float32)
    for number in range(2 * SHIFT + 1):
        inside[number, number : number + INNER] = 1
    return np.einsum("si,tj->ijst", inside, inside).reshape(SIDE * SIDE, -1)
