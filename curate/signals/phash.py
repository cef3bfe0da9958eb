"""Perceptual hash: 63 bits that change little when the picture does."""

import numpy as np

SIDE, KEPT = 32, 8
CHUNK = 20_000


def phash(thumbnail: np.ndarray) -> np.ndarray:
    """Which of the lowest 8 x 8 frequencies, without the mean, lie above their median: shape (N,), uint64.

    `thumbnail`: shape (N, 1024). Source: Zauner 2010, "Implementation and benchmarking of perceptual image hash
    functions" (DCT hash of a 32 x 32 image).
    """
    waves = _waves()
    bits = np.zeros((len(thumbnail), KEPT * KEPT), bool)
    for start in range(0, len(thumbnail), CHUNK):
        strength = thumbnail[start : start + CHUNK].astype(np.float32) @ waves.T
        bits[start : start + CHUNK, 1:] = strength > np.median(strength, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(np.uint64).ravel()


def _waves() -> np.ndarray:
    """The two-dimensional cosines of the discrete cosine transform: shape (63, 1024)."""
    position, frequency = np.arange(SIDE), np.arange(KEPT)
    cosines = np.cos(np.pi * (2 * position + 1) * frequency[:, None] / (2 * SIDE))
    return np.einsum("ai,bj->abij", cosines, cosines).reshape(KEPT * KEPT, SIDE * SIDE)[1:].astype(np.float32)
