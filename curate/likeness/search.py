"""Pairs of images that may show one photo, among many: looked for by their details.

Blocks of images that are alike, as they lie in neighbouring cells of the index, are units of work for an engine: one
reads its own part of what all have, and what is around it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from curate.engine import Engine
from curate.likeness import alignment, details, views
from curate.likeness.neighbors import Index
from curate.likeness.shared import Shared


@dataclass(frozen=True)
class Reach:
    """How far is looked: `neighbors` nearest ones, an inner product of descriptors of at least `alike`, and then a
    correlation of details, at shifts of whole pixels, of at least `promising` (more for images that show little)."""

    neighbors: int
    alike: float
    promising: float


WHOLE = Reach(30, 0.55, 0.6)
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


@dataclass(frozen=True)
class Images:
    """N images to be compared, all different. Sent to a worker, their arrays are files."""

    thumbnail: Shared
    """Shape (M, 1024), uint8."""
    rows: Shared
    """Where in `thumbnail` they are: shape (N,), int64."""
    coarse: Shared
    """Their details: shape (N, 256), uint8."""

    def seen(self, some: np.ndarray, view: int) -> np.ndarray:
        """Details of some images in a view: shape (n, 256), uint8."""
        if view == views.PLAIN:
            return self.coarse.values[some]
        if view == views.MIRRORED:
            return details.mirrored(self.coarse.values[some])
        return details.coarse(views.of(self.thumbnails(some), np.full(len(some), view)))

    def thumbnails(self, some: np.ndarray) -> np.ndarray:
        """Shape (n, 1024), uint8."""
        return self.thumbnail.values[self.rows.values[some]]


@dataclass(frozen=True)
class Block:
    """Images to look for, as seen in a view, among all or among the new ones."""

    images: np.ndarray
    view: int
    among: int


EVERY, NEW = range(2)


@dataclass(frozen=True)
class Among:
    """Images that are looked among: their positions, in the order of the index."""

    index: Index
    members: Shared


@dataclass(frozen=True)
class Looking:
    """The unit of work: blocks of images are looked for."""

    images: Images
    among: tuple[Among, ...]

    def __call__(self, blocks: list[Block]) -> list[Pairs]:
        """Pairs that look alike."""
        return [self._pairs(block) for block in blocks]

    def _pairs(self, block: Block) -> Pairs:
        some = block.images
        if block.view == views.TRIMMED:
            some = some[views.has_border(self.images.thumbnails(some))]
        if not len(some):
            return Pairs.joined([])
        at, second = self._alike(some, block.view, self.among[block.among])
        first = some[at]
        apart = first != second
        first, second = first[apart], second[apart]
        if block.view in views.WHOLE:
            first, second = np.minimum(first, second), np.maximum(first, second)
        return Pairs(first, second, np.full(len(first), block.view))

    def _alike(self, some: np.ndarray, view: int, among: Among) -> tuple[np.ndarray, np.ndarray]:
        """Positions in `some`, and of the images that are promising: two arrays of shape (P,)."""
        reach = WHOLE if view in views.WHOLE else PART
        seen, members, coarse = self.images.seen(some, view), among.members.values, self.images.coarse.values
        queries, least = details.descriptors(seen), details.least(seen, reach.promising)
        inner, found = among.index.search(queries, most=min(reach.neighbors + 1, len(members)))

        def compared(part: slice) -> tuple[np.ndarray, np.ndarray]:
            others = members[found[part]]  # -1, where there are fewer, is any: its inner product is too low
            likely = details.likeness(seen[part], coarse[others]) >= least[part, None]
            query, place = np.nonzero(likely & (inner[part] >= reach.alike))
            return query + part.start, others[query, place]

        parts = alignment.in_threads(compared, len(queries), CHUNK)
        none = np.zeros(0, np.int64)
        return np.concatenate([none, *[at for at, _ in parts]]), np.concatenate([none, *[other for _, other in parts]])


def candidates(images: Images, asked: np.ndarray, large: np.ndarray, engine: Engine, folder: Path) -> Pairs:
    """Pairs that look alike, of which at least one is asked for. A pair may be there in several views.

    asked: shape (N,), bool. large: shape (N,), bool, images with so many pixels that another image may be a part of
    them. folder: for what workers are sent. Repeats bit for bit, whatever the engine.
    """
    coarse = images.coarse.values
    shows = details.shows_something(coarse)
    every, new, old = np.flatnonzero(shows), np.flatnonzero(shows & asked), np.flatnonzero(shows & ~asked)
    if not len(new):
        return Pairs.joined([])
    whole = Index.built(details.descriptors(coarse[every]), folder / "every.faiss", queries=2 * len(new))
    among = [Among(whole, Shared(every, folder / "every.npy"))]
    if len(old):
        index = Index.built(details.descriptors(coarse[new]), folder / "new.faiss")
        among.append(Among(index, Shared(new, folder / "new.npy")))
    near = every[np.argsort(whole.cells, kind="stable")]
    blocks = list(_blocks(near[asked[near]], views.WHOLE, EVERY))
    blocks += _blocks(near[asked[near] & large[near]], views.INSIDE, EVERY)
    if len(old):
        blocks += _blocks(near[~asked[near] & large[near]], views.INSIDE, NEW)
    looking = Looking(images, tuple(among))
    found = engine.map_batches(looking, blocks, batch_size=1, describe="look for", total=len(blocks), threaded=True)
    return Pairs.joined([pairs for some in found for pairs in some])


def _blocks(images: np.ndarray, seen: tuple[int, ...], among: int) -> Iterator[Block]:
    for start in range(0, len(images), BLOCK):
        for view in seen:
            yield Block(images[start : start + BLOCK], view, among)
