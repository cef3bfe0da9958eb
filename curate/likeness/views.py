"""Ways to see an image, in one of which it may be another: mirrored, without its border, or a part of it."""

from functools import cache
from itertools import product

import cv2
import numpy as np
from scipy.sparse import csr_matrix

from curate.likeness import SIDE

PLAIN, MIRRORED, TRIMMED, FIRST_PART = range(4)
PARTS = [
    (size, down, across) for size, places in ((0.72, 3), (0.85, 2)) for down, across in product(range(places), repeat=2)
]
"""Parts of an image: how large, and the place among so many in a row. With the shifts and scales that two images are
tried at, they cover what is left of an image whose sides are cut to 68 to 90 %, wherever that lies."""
COUNT = FIRST_PART + len(PARTS)
WHOLE, INSIDE = (PLAIN, MIRRORED), tuple(range(TRIMMED, COUNT))
"""Views that hold all of an image, and those that hold what lies inside."""
NAMES = ("", "mirrored", "without its border", *["a part of it"] * len(PARTS))
"""What is said of a pair of which one image was seen so."""
UNIFORM = 6.0
"""Rows and columns at the edge with a smaller standard deviation, in grey levels, are border."""
LEAST_TRIMMED, LEAST_LEFT = 1, SIDE // 3
"""A border of fewer thumbnail pixels is none; one that leaves fewer is the image itself."""
NOTHING = (SIDE, 0, SIDE, 0)
"""No part of an image: first row, the one after the last, and columns so."""


def of(thumbnail: np.ndarray, view: np.ndarray) -> np.ndarray:
    """Thumbnails as seen: shape (n, 1024), uint8, and views of shape (n,) -> (n, 32, 32), float32."""
    images = pixels(thumbnail)
    for kind in np.unique(view[view != PLAIN]):
        rows = np.flatnonzero(view == kind)
        if kind == MIRRORED:
            images[rows] = images[rows, :, ::-1]
        elif kind == TRIMMED:
            box = inside(images[rows])
            bordered = is_border(box)
            images[rows[bordered]] = cut(images[rows[bordered]], box[bordered])
        else:
            images[rows] = resampled(images[rows], _part(int(kind) - FIRST_PART))
    return images


def pixels(thumbnail: np.ndarray) -> np.ndarray:
    """Shape (n, 1024), uint8 -> (n, 32, 32), float32."""
    return thumbnail.reshape(-1, SIDE, SIDE).astype(np.float32)


def has_border(thumbnail: np.ndarray) -> np.ndarray:
    """Which thumbnails, shape (n, 1024), have a border: shape (n,), bool."""
    return is_border(inside(thumbnail))


def inside(thumbnail: np.ndarray) -> np.ndarray:
    """What lies between uniform rows and columns at the edges of thumbnails, shape (n, 1024) or (n, 32, 32): first row,
    the one after the last, and columns so, shape (n, 4). `NOTHING` of an image that is uniform."""
    return np.array([_inside(image) for image in pixels(thumbnail)], np.int64).reshape(-1, 4)


def is_border(box: np.ndarray, *, least: int = LEAST_LEFT) -> np.ndarray:
    """Where what lies around is a border, see `inside`: shape (n, 4) -> (n,), bool.

    Uniform rows at one edge alone, or columns, are none: they may be a sky, or a floor. Rows and columns in one corner
    are. least: thumbnail pixels that it leaves.
    """
    top, bottom, left, right = box.T
    most = SIDE - LEAST_TRIMMED
    bars = ((top >= LEAST_TRIMMED) & (bottom <= most)) | ((left >= LEAST_TRIMMED) & (right <= most))
    height, width = bottom - top, right - left
    found: np.ndarray = (bars | (np.maximum(height, width) <= most)) & (np.minimum(height, width) >= least)
    return found


def around(box: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The least that holds both of two parts: shape (n, 4) each -> (n, 4)."""
    return np.where([True, False, True, False], np.minimum(box, other), np.maximum(box, other))


def cut(images: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Parts of images, made as large as these: shapes (n, 32, 32) and (n, 4) -> (n, 32, 32)."""
    parts = [
        cv2.resize(image[top:bottom, left:right], (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
        for image, (top, bottom, left, right) in zip(images, box, strict=True)
    ]
    return np.array(parts, images.dtype).reshape(images.shape)


def resampled(images: np.ndarray, matrix: csr_matrix) -> np.ndarray:
    """Images of shape (n, 32, 32) at the places of `resampling`."""
    moved = matrix @ images.reshape(len(images), SIDE * SIDE).T
    return np.ascontiguousarray(moved.T).reshape(images.shape)


def resampling(down: np.ndarray, across: np.ndarray) -> csr_matrix:
    """Linear interpolation at these places, shape (32, 32) each, mirrored at the border: shape (1024, 1024)."""
    columns, weights = [], []
    for at_down, at_across in ((np.floor(down) + i, np.floor(across) + j) for i in (0, 1) for j in (0, 1)):
        weights.append(((1 - np.abs(down - at_down)) * (1 - np.abs(across - at_across))).ravel())
        columns.append((_reflected(at_down) * SIDE + _reflected(at_across)).ravel())
    rows = np.tile(np.arange(SIDE * SIDE), 4)
    values = np.concatenate(weights).astype(np.float32)
    return csr_matrix((values, (rows, np.concatenate(columns))), shape=(SIDE * SIDE, SIDE * SIDE))


def _reflected(place: np.ndarray) -> np.ndarray:
    place = np.abs(place.astype(int))
    return np.minimum(place, 2 * (SIDE - 1) - place)


@cache
def _part(number: int) -> csr_matrix:
    size, *places = PARTS[number]
    steps = max(place for other, place, _ in PARTS if other == size)
    middle = (np.arange(SIDE) + 0.5) * size - 0.5
    down, across = (middle + SIDE * (1 - size) * place / steps for place in places)
    return resampling(*np.meshgrid(down, across, indexing="ij"))


def _inside(image: np.ndarray) -> tuple[int, int, int, int]:
    """See `inside`: shape (32, 32), float32."""
    down = np.flatnonzero(image.std(axis=1) >= UNIFORM)
    if not len(down):
        return NOTHING
    top, bottom = down[0], down[-1] + 1
    across = np.flatnonzero(image[top:bottom].std(axis=0) >= UNIFORM)
    return (top, bottom, across[0], across[-1] + 1) if len(across) else NOTHING
