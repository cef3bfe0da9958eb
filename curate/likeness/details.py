"""Coarse details of images, by which those that look alike are found among many."""

from functools import cache

import numpy as np
from scipy.fft import dct

from curate.likeness import SIDE, alignment, views

GRID = SIDE // 2
"""Details are pixels of 16 x 16."""
STEP = 1 / 32
"""A levelled pixel as a whole number, so that 256 bytes hold an image's details: of 4 standard deviations each way."""
ZERO = 128
FREQUENCIES = 48
"""The lowest ones of a cosine transform: a 16th of a thumbnail's bytes, by which as many of ciFAIR's near-duplicates
(Barz and Denzler 2020) stand among the nearest 30 of an image as by all of them (97 %)."""
BLUR = 1.2
"""Pixels by which details are blurred first, so that versions that are shifted a little are found."""
FLAT = 0.2
"""Mean square of levelled details below which an image shows nothing that could be recognised again."""
SHIFT = 1
"""Pixels by which one of two versions may be moved when they are looked at again, each way."""
INNER = GRID - 2 * SHIFT
NOISE = 0.01
"""Variance of a levelled pixel that may be noise."""
ENOUGH = 0.5
"""Mean square of levelled details from which on a likeness counts in full."""
CHUNK = 2048


def of(thumbnail: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Levelled details of some thumbnails: shape (N, 1024), uint8, and N' rows -> (N', 256), uint8."""
    parts = alignment.in_threads(lambda part: coarse(views.pixels(thumbnail[rows[part]])), len(rows), alignment.CHUNK)
    return np.concatenate([np.zeros((0, GRID * GRID), np.uint8), *parts])


def coarse(pixels: np.ndarray) -> np.ndarray:
    """Levelled details of thumbnails: shape (n, 32, 32), float32 -> (n, 256), uint8."""
    level = alignment.levelled(pixels, alignment.BANDS[alignment.COARSE])
    pooled = level.reshape(-1, GRID, 2, GRID, 2).mean(axis=(2, 4)).reshape(len(pixels), -1)
    return np.clip(np.rint(pooled / STEP) + ZERO, 0, 255).astype(np.uint8)


def shows_something(details: np.ndarray) -> np.ndarray:
    """Which images could be recognised again: shape (n,), bool."""
    parts = alignment.in_threads(lambda part: _shown(details[part]), len(details), CHUNK)
    energy: np.ndarray = np.concatenate([np.zeros(0, np.float32), *parts])
    return energy >= FLAT


def descriptors(details: np.ndarray) -> np.ndarray:
    """Unit vectors whose inner product says how alike two images look: shape (n, 256) -> (n, 48), float32."""

    def described(part: slice) -> np.ndarray:
        vectors = _level(details[part]) @ _transform()
        unit: np.ndarray = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
        return unit

    parts = alignment.in_threads(described, len(details), CHUNK)
    return np.concatenate([np.zeros((0, FREQUENCIES), np.float32), *parts])


def likeness(details: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Highest correlation of each image with each of its K others where one is moved by up to `SHIFT` pixels.

    details: shape (n, 256); others: shape (n, K, 256). Returns shape (n, K), float32.
    """
    count, asked, _ = others.shape
    images = _level(details).reshape(count, GRID, GRID)[:, SHIFT:-SHIFT, SHIFT:-SHIFT]
    energy = np.einsum("nij,nij->n", images, images) + INNER**2 * NOISE
    moved = np.zeros((count, GRID, GRID, (2 * SHIFT + 1) ** 2), np.float32)
    for number, (down, across) in enumerate(_shifts()):
        moved[:, down : down + INNER, across : across + INNER, number] = images
    level = _level(others)
    sums = level @ moved.reshape(count, GRID * GRID, -1)
    energies = (level.reshape(count * asked, -1) ** 2) @ _windows() + INNER**2 * NOISE
    best: np.ndarray = (sums / np.sqrt(energies.reshape(sums.shape) * energy[:, None, None])).max(axis=2)
    return best


def least(details: np.ndarray, promising: float) -> np.ndarray:
    """The likeness that is promising for each image, more where it shows little: shape (n, 256) -> (n,)."""

    def asked(part: slice) -> np.ndarray:
        return np.tanh(np.arctanh(promising) / np.clip(_shown(details[part]) / ENOUGH, 0.1, 1))

    return np.concatenate([np.zeros(0, np.float32), *alignment.in_threads(asked, len(details), CHUNK)])


def mirrored(details: np.ndarray) -> np.ndarray:
    """The details of the mirror images."""
    return np.ascontiguousarray(details.reshape(-1, GRID, GRID)[:, :, ::-1]).reshape(details.shape)


def _level(details: np.ndarray) -> np.ndarray:
    return (details.astype(np.float32) - ZERO) * np.float32(STEP)


def _shown(details: np.ndarray) -> np.ndarray:
    return alignment.shown(_level(details).reshape(-1, GRID, GRID))


def _shifts() -> list[tuple[int, int]]:
    return [(down, across) for down in range(2 * SHIFT + 1) for across in range(2 * SHIFT + 1)]


@cache
def _windows() -> np.ndarray:
    """Which pixels lie on the inner part of the other image at each shift: shape (256, S)."""
    inside = np.zeros((GRID, GRID, len(_shifts())), np.float32)
    for number, (down, across) in enumerate(_shifts()):
        inside[down : down + INNER, across : across + INNER, number] = 1
    return inside.reshape(GRID * GRID, -1)


@cache
def _frequencies() -> tuple[np.ndarray, np.ndarray]:
    """The lowest frequencies but 0, down and across: shape (48,) each."""
    down, across = np.divmod(np.arange(GRID * GRID), GRID)
    lowest = np.argsort(down**2 + across**2, kind="stable")[1 : FREQUENCIES + 1]
    return down[lowest], across[lowest]


@cache
def _transform() -> np.ndarray:
    """A blur and a cosine transform: shape (256, 48)."""
    down, across = _frequencies()
    waves = dct(np.eye(GRID), norm="ortho", axis=0)
    passes = np.exp(-(down**2 + across**2) * (np.pi * BLUR / GRID) ** 2 / 2)
    both = waves[down][:, :, None] * waves[across][:, None, :] * passes[:, None, None]
    return np.ascontiguousarray(both.reshape(len(down), -1).T).astype(np.float32)
