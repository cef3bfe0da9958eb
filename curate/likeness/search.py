"""Pairs of images that may show one photo, among many: looked for by their details."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

from curate.likeness import alignment, details, views
from curate.likeness.neighbors import Index


@dataclass(frozen=True)
class Reach:
    """How far is looked: `neighbors` nearest ones, an inner product of descriptors of at least `alike`, and then a
    correlation of details, at shifts of whole pixels, of at least `promising`."""

    neighbors: int
    alike: float
    promising: float


WHOLE = Reach(45, 0.55, 0.6)
"""For an image, and for its mirror image."""
PART = Reach(5, 0.75, 0.7)
"""For each view that holds a part of an image: there are many."""
BLOCK = 8_192
"""Images looked for at once."""
CHUNK = 64
"""Images compared with their neighbours at once: as many as stay in the processor's cache."""


@dataclass(frozen=True)
class Pairs:
    """Rows of the two images, and how the first one is seen (see `curate.likeness.views`): shape (P,) each."""

    first: np.ndarray
    second: np.ndarray
    view: np.ndarray

    @classmethod
    def joined(cls, parts: list["Pairs"]) -> "Pairs":
        """All of them, each once, those of one image after each other."""
        none = np.zeros(0, np.int64)
        columns = [np.concatenate([none, *[getattr(part, field.name) for part in parts]]) for field in fields(cls)]
        return cls(*np.unique(np.stack(columns, axis=1), axis=0).T)


def candidates(
    thumbnail: np.ndarray, rows: np.ndarray, coarse: np.ndarray, asked: np.ndarray, large: np.ndarray
) -> Pairs:
    """Pairs that look alike, of which at least one is asked for. A pair may be there in several views.

    rows: shape (N,), where in `thumbnail`, shape (M, 1024), uint8, the images are. coarse: their details, shape
    (N, 256), uint8. asked: shape (N,), bool. large: shape (N,), bool, images with so many pixels that another image may
    be a part of them. Repeats bit for bit.
    """
    shows = details.shows_something(coarse)
    every, new, old = np.flatnonzero(shows), np.flatnonzero(shows & asked), np.flatnonzero(shows & ~asked)
    if not len(new):
        return Pairs.joined([])
    index = Index(details.descriptors(coarse[every]), queries=2 * len(new))
    found = []
    for block in _blocks(new):
        vectors = details.descriptors(coarse[block])
        mirrored = details.mirrored(coarse[block]), details.mirrored_descriptors(vectors)
        for view, (seen, queries) in ((views.PLAIN, (coarse[block], vectors)), (views.MIRRORED, mirrored)):
            at, other = _alike(index, every, coarse, seen, queries, WHOLE)
            apart = block[at] != other
            a, b = block[at][apart], other[apart]
            found.append(Pairs(np.minimum(a, b), np.maximum(a, b), np.full(len(a), view)))
    among_new = Index(details.descriptors(coarse[new])) if len(old) else index
    for some, there, others in ((new, index, every), (old, among_new, new)):
        for part, view in _in_part(thumbnail, rows, some[large[some]]):
            seen = details.coarse(views.of(thumbnail[rows[part]], np.full(len(part), view)))
            at, other = _alike(there, others, coarse, seen, details.descriptors(seen), PART)
            apart = part[at] != other
            found.append(Pairs(part[at][apart], other[apart], np.full(apart.sum(), view)))
    return Pairs.joined(found)


def _alike(
    index: Index, rows: np.ndarray, coarse: np.ndarray, seen: np.ndarray, queries: np.ndarray, reach: Reach
) -> tuple[np.ndarray, np.ndarray]:
    """Which of the queries, and which rows of the index, are promising: two arrays of shape (P,).

    seen, queries: details and descriptors of what is looked for. rows: those that the index holds.
    """
    inner, found = index.search(queries, most=min(reach.neighbors + 1, len(rows)))

    def compared(part: slice) -> tuple[np.ndarray, np.ndarray]:
        others = rows[found[part]]  # -1, where there are fewer, is any: its inner product is too low
        likely = details.likeness(seen[part], coarse[others]) >= reach.promising
        query, place = np.nonzero(likely & (inner[part] >= reach.alike))
        return query + part.start, others[query, place]

    parts = alignment.in_threads(compared, len(queries), CHUNK)
    none = np.zeros(0, np.int64)
    return np.concatenate([none, *[at for at, _ in parts]]), np.concatenate([none, *[other for _, other in parts]])


def _in_part(thumbnail: np.ndarray, rows: np.ndarray, images: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
    """Images, in blocks, and each view that holds a part of them."""
    bordered = images[views.has_border(thumbnail[rows[images]])]
    for kind in range(views.TRIMMED, views.COUNT):
        for block in _blocks(bordered if kind == views.TRIMMED else images):
            yield block, kind


def _blocks(rows: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(rows), BLOCK):
        yield rows[start : start + BLOCK]
