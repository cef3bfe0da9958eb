"""How alike two images are once one is laid on the other: shifted, scaled, turned and mirrored as fits best.

Images are thumbnails of 32 x 32 grey pixels. Two bands of each are compared, fine and coarser details, both levelled:
divided by how strong such details are around, so that light, contrast and one bold edge don't decide, and a busy
background counts as much as what stands before it. Correlation at every shift comes from the product of spectra.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import numpy as np
from scipy.fft import rfft2
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from curate.engine import threads
from curate.likeness import SIDE, views

Result = TypeVar("Result")

SHIFT = 3
"""Thumbnail pixels by which one of two versions may be moved, each way."""
FITS = ((1.0, 0.0), (0.88, 0.0), (1.13, 0.0), (1.0, 4.5), (1.0, -4.5))
"""How one of two versions may lie on the other: by how much it is larger, and turned, in degrees."""
TURNED = 0.06
"""By how much the correlation of turned images counts less: silhouettes of planes and horses fit each other so."""
INNER = SIDE - 2 * SHIFT
"""Of the first image, what lies on the second one at every shift."""
CHUNK = 2048
"""Pairs compared at once. Those with one image in common should follow each other, as it is looked at once for all."""
PRODUCTS = 512
"""Pairs whose spectra are multiplied at once: as many as stay in the processor's cache."""
BANDS = ((0.0, 1.5, 4.0), (0.8, 3.5, 9.0))
"""Fine and coarser details: what a blur of the first many pixels leaves and one of the second takes, and the variance
that is added before they are levelled, for noise and rounding."""
FINE, COARSE = range(2)
AROUND = 3.5
"""Pixels over which details are levelled."""
ROUNDING = 0.02 / 12
"""Variance of a levelled pixel that may be rounding: it keeps flat images from being alike."""
ENOUGH = 0.9
"""Mean square of levelled details (see `shown`) from which on their correlation counts in full. Images that show one
edge, or one outline before nothing, have less, and fit many others."""
PROMISING = 0.5
"""Correlation of coarser details, neither scaled nor turned, below which two images are not looked at further: of 1,000
pairs that are taken for one photo 2 have less, and 6 of 10 candidates."""
WEIGHTS, BIAS = (7.0, 9.0), -13.2
"""Log-odds that two images are one photo: weights of the inverse hyperbolic tangents of how fine and coarser details
correlate. Chosen on pairs of CIFAR-10: those of ciFAIR (Barz and Denzler 2020), and those that were looked at
(docs/log.md)."""


def compare(
    thumbnail: np.ndarray, a: np.ndarray, b: np.ndarray, view: np.ndarray, *, promising: float = PROMISING
) -> np.ndarray:
    """Correlation of fine and of coarser details of rows `a`, seen in some way, and `b`: shape (P, 2).

    Taken where coarser details fit best, and less where an image shows little, see `ENOUGH`. Of pairs whose coarser
    details are less than `promising` as they are, neither scaled nor turned, the finer ones are not looked at, and 0.
    thumbnail: shape (N, 1024), uint8. view: shape (P,), see `curate.likeness.views`.
    """

    def compared(part: slice) -> np.ndarray:
        seen, at = np.unique(a[part] * views.COUNT + view[part], return_inverse=True)
        first = views.of(thumbnail[seen // views.COUNT], seen % views.COUNT)
        others, to = np.unique(b[part], return_inverse=True)
        return _compare(first, at, views.pixels(thumbnail[others]), to, promising)

    return np.concatenate([np.zeros((0, len(BANDS)), np.float32), *in_threads(compared, len(a), CHUNK)])


def log_odds(alike: np.ndarray) -> np.ndarray:
    """That images are one photo, by what `compare` gives: shape (P, 2) -> (P,)."""
    odds: np.ndarray = np.arctanh(np.clip(alike, 0, 0.999)) @ np.array(WEIGHTS) + BIAS
    return odds


def in_threads(function: Callable[[slice], Result], count: int, size: int) -> list[Result]:
    """What the function gives for each `size` of so many rows, in order."""
    parts = [slice(start, start + size) for start in range(0, count, size)]
    # a product of matrices has threads of its own, which would wait for each other
    with threadpool_limits(1), ThreadPoolExecutor(threads()) as pool:
        return list(pool.map(function, parts))


def levelled(images: np.ndarray, band: tuple[float, float, float]) -> np.ndarray:
    """Details of a band, divided by their strength around: shape (n, 32, 32)."""
    leaves, takes, noise = band
    details = _blurred(images, leaves) - _blurred(images, takes)
    level: np.ndarray = details / np.sqrt(_blurred(details**2, AROUND) + noise)
    return level


def shown(level: np.ndarray) -> np.ndarray:
    """How much of an image shows something: the mean square of levelled details, (n, s, s) -> (n,), about 0 to 1."""
    mean: np.ndarray = np.einsum("nij,nij->n", level, level) / (level.shape[1] * level.shape[2])
    return mean


def discounted(correlation: np.ndarray, share: np.ndarray) -> np.ndarray:
    """A correlation that counts for a share of its inverse hyperbolic tangent, by which evidence adds up."""
    less: np.ndarray = np.tanh(np.arctanh(np.clip(correlation, -0.999, 0.999)) * share)
    return less


def _compare(first: np.ndarray, at: np.ndarray, second: np.ndarray, to: np.ndarray, promising: float) -> np.ndarray:
    """See `compare`. The images of pair i are `first[at[i]]` and `second[to[i]]`, in pixels."""
    levels = [levelled(first, band) for band in BANDS]
    still, shares = [_still(level) for level in levels], [_share(level) for level in levels]
    level = levelled(second, BANDS[COARSE])
    best = _correlations(still[COARSE], at, level, to)
    share = np.minimum(shares[COARSE][at], _share(level)[to])
    both = np.zeros((len(at), len(BANDS)), np.float32)
    both[:, COARSE] = discounted(best.max(axis=1), share)
    rows = np.flatnonzero(both[:, COARSE] >= promising)
    best, at = best[rows], at[rows]
    used, to = np.unique(to[rows], return_inverse=True)
    second = second[used]
    fit = np.zeros(len(rows), np.int64)
    for number, (_, degrees) in enumerate(FITS[1:], start=1):
        level = levelled(_fitted(second, number), BANDS[COARSE])
        found = _correlations(still[COARSE], at, level, to) - TURNED * (degrees != 0)
        better = found.max(axis=1) > best.max(axis=1)
        best[better], fit[better] = found[better], number
    for number in np.unique(fit):
        some = np.flatnonzero(fit == number)
        used, which = np.unique(to[some], return_inverse=True)
        level = levelled(_fitted(second[used], number), BANDS[FINE])
        found = _correlations(still[FINE], at[some], level, which)
        place = np.arange(len(some)), (found + best[some]).argmax(axis=1)
        both[rows[some], FINE] = discounted(found[place], np.minimum(shares[FINE][at[some]], _share(level)[which]))
        both[rows[some], COARSE] = discounted(best[some][place], share[rows[some]])
    return both


def _share(level: np.ndarray) -> np.ndarray:
    """How much correlations of these details count: shape (n,), at most 1."""
    return np.minimum(shown(level) / ENOUGH, 1)


def _correlations(
    still: tuple[np.ndarray, np.ndarray], at: np.ndarray, moved: np.ndarray, to: np.ndarray
) -> np.ndarray:
    """Of levelled details of P pairs, of `still[at]` and `moved[to]`, at each of the S shifts: shape (P, S)."""
    spectrum, energy = still
    theirs = rfft2(moved).reshape(len(moved), SIDE * (SIDE // 2 + 1))
    others = (moved**2).reshape(len(moved), SIDE * SIDE) @ _windows() + INNER**2 * ROUNDING
    parts = [slice(start, start + PRODUCTS) for start in range(0, len(at), PRODUCTS)]
    sums = [(spectrum[at[part]] * theirs[to[part]]).view(np.float32) @ _at_shifts() for part in parts]
    none = np.zeros((0, len(_windows().T)), np.float32)
    correlations: np.ndarray = np.concatenate([none, *sums]) / np.sqrt(energy[at, None] * others[to])
    return correlations


def _still(details: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Conjugate spectrum, shape (n, 544), and energy, shape (n,), of the inner part."""
    inner = np.zeros_like(details)
    inner[:, SHIFT:-SHIFT, SHIFT:-SHIFT] = details[:, SHIFT:-SHIFT, SHIFT:-SHIFT]
    energy = np.einsum("nij,nij->n", inner, inner) + INNER**2 * ROUNDING
    return np.conj(rfft2(inner).reshape(len(inner), -1)), energy


def _fitted(images: np.ndarray, number: int) -> np.ndarray:
    """Laid on the other as `FITS` says."""
    return images if FITS[number] == (1.0, 0.0) else views.resampled(images, _fit(number))


def _blurred(pixels: np.ndarray, sigma: float) -> np.ndarray:
    return _along_both(pixels, _blur(sigma)) if sigma else pixels


def _along_both(pixels: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """`matrix @ pixels @ matrix.T` of each image: along rows in one large product, then along columns."""
    rows = (pixels.reshape(-1, SIDE) @ matrix.T).reshape(pixels.shape)
    both: np.ndarray = np.matmul(matrix, rows)
    return both


@cache
def _blur(sigma: float) -> np.ndarray:
    """A Gaussian blur as a matrix that works on columns; pixels beyond the border do not count."""
    place = np.arange(SIDE)
    weight = np.exp(-((place[:, None] - place) ** 2) / (2 * sigma**2))
    weight[weight < 1e-6] = 0  # numbers too small for float32's exponent make products ten times as slow
    return (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)


@cache
def _fit(number: int) -> csr_matrix:
    """What scales and turns about the middle, see `curate.likeness.views.resampling`."""
    scale, degrees = FITS[number]
    middle, turn = (SIDE - 1) / 2, np.deg2rad(degrees)
    down, across = np.mgrid[:SIDE, :SIDE] - middle
    return views.resampling(
        middle + scale * (np.cos(turn) * down - np.sin(turn) * across),
        middle + scale * (np.sin(turn) * down + np.cos(turn) * across),
    )


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
