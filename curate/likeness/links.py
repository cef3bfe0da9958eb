"""Which images were compared, and what came of it, kept so that only new ones are compared again.

A file holds the hashes and details of all images that were looked for, and the pairs of these that may be one photo.
Those that were there before are looked for again once there are as many new ones: what lies among an image's nearest
neighbours depends on what else is there.
"""

import zipfile
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from curate.engine import Engine
from curate.files import TEMPORARY_PREFIX, make_folder, replacing
from curate.likeness import THUMBNAIL, alignment, details, search, views
from curate.likeness.shared import Shared

FILE = "links.npz"
SENT = f"{TEMPORARY_PREFIX}sent-"
"""Beginning of the name of a folder with what workers are sent. It goes when the search ends."""
PAIRS = 16_384
"""Pairs laid on each other at once."""
LEAST, SURE = -4.0, 7.0
"""Log-odds from which a pair is kept, and up to which the second image is laid on the first as well. Where both have a
border, what lies inside has to be alike, too: frames and bars say nothing."""


@dataclass(frozen=True)
class Links:
    """Pairs of images that look alike: positions in the list of hashes, how the first one is seen, and log-odds that
    they are one photo; shape (P,) each."""

    first: np.ndarray
    second: np.ndarray
    view: np.ndarray
    odds: np.ndarray


def find(
    hashes: list[str], thumbnail: np.ndarray, rows: np.ndarray, large: np.ndarray, store: Path | None, engine: Engine
) -> Links:
    """Links of images, all different, named by hashes in ascending order.

    rows: shape (N,), where in `thumbnail`, shape (M, 1024), uint8, they are. large: shape (N,), bool, see
    `curate.likeness.search.candidates`. store: the folder of the file; None: nothing is kept.
    """
    names = np.array(hashes, dtype="S")
    searched, known, earlier = _read(store) if store else _nothing()
    at = np.minimum(np.searchsorted(searched, names), max(len(searched) - 1, 0))
    new = searched[at] != names if len(searched) else np.ones(len(names), bool)
    if not new.any():
        return _among(names, searched, earlier)
    if 2 * new.sum() > len(names):
        new[:] = True
    coarse = np.empty((len(names), known.shape[1]), np.uint8)
    coarse[~new] = known[at[~new]]
    coarse[new] = details.of(thumbnail, rows[new])
    found = _looked_for(thumbnail, rows, coarse, new, large, store, engine)
    if not new.all():
        found = joined(_among(names, searched, earlier), found)
    if store:
        _write(store, names, coarse, found)
    return found


def _looked_for(
    thumbnail: np.ndarray,
    rows: np.ndarray,
    coarse: np.ndarray,
    new: np.ndarray,
    large: np.ndarray,
    store: Path | None,
    engine: Engine,
) -> Links:
    """Links of which at least one image is new."""
    if store:
        make_folder(store)
    with TemporaryDirectory(prefix=SENT, dir=store) as name:
        folder = Path(name)
        thumbnails = Shared(thumbnail, folder / "thumbnail.npy")
        images = search.Images(thumbnails, Shared(rows, folder / "rows.npy"), Shared(coarse, folder / "coarse.npy"))
        pairs = search.candidates(images, new, large, engine, folder)
        first, second = rows[pairs.first], rows[pairs.second]
        blocks = [
            (first[start : start + PAIRS], second[start : start + PAIRS], pairs.view[start : start + PAIRS])
            for start in range(0, len(first), PAIRS)
        ]
        compared = partial(_compared, thumbnail=thumbnails)
        odds = engine.map_batches(compared, blocks, batch_size=1, describe="compare", total=len(blocks), threaded=True)
        every = np.concatenate([np.zeros(0, np.float32), *odds])
    kept = every >= LEAST
    return Links(pairs.first[kept], pairs.second[kept], pairs.view[kept], every[kept])


def compared(thumbnail: np.ndarray, rows: np.ndarray, first: np.ndarray, second: np.ndarray) -> Links:
    """Links of pairs that are given, plain or mirrored; rows: as in `find`."""
    first, second = np.tile(first, 2), np.tile(second, 2)
    view = np.repeat(views.WHOLE, len(first) // 2)
    parts = [slice(start, start + PAIRS) for start in range(0, len(first), PAIRS)]
    odds = [_odds(thumbnail, rows[first[part]], rows[second[part]], view[part]) for part in parts]
    return Links(first, second, view, np.concatenate([np.zeros(0, np.float32), *odds]))


def _compared(blocks: list[tuple[np.ndarray, np.ndarray, np.ndarray]], *, thumbnail: Shared) -> np.ndarray:
    """Log-odds that the images of each pair are one photo: shape (P,), float32. The unit of work.

    blocks: rows of the first images and of the second ones, and how the first one is seen.
    """
    return np.concatenate([_odds(thumbnail.values, *block) for block in blocks])


def _odds(thumbnail: np.ndarray, first: np.ndarray, second: np.ndarray, view: np.ndarray) -> np.ndarray:
    odds = alignment.log_odds(alignment.compare(thumbnail, first, second, view))
    is_whole = np.isin(view, views.WHOLE)
    doubt = np.flatnonzero(is_whole & (odds >= LEAST) & (odds <= SURE))
    other_way = alignment.log_odds(alignment.compare(thumbnail, second[doubt], first[doubt], view[doubt]))
    odds[doubt] = np.maximum(odds[doubt], other_way)
    likely = np.flatnonzero(is_whole & (odds > LEAST))
    inside = inside_odds(thumbnail, first[likely], second[likely], view[likely])
    odds[likely] = np.minimum(odds[likely], inside)
    return odds.astype(np.float32)


def inside_odds(
    thumbnail: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    view: np.ndarray,
    *,
    promising: float = alignment.PROMISING,
) -> np.ndarray:
    """Log-odds without what is border in both images of a pair, infinite where nothing is: shape (P,).

    Were each trimmed by itself, one that has less contrast would lose more, and not fit on the other any more; and one
    that shows little within its border would keep it. view: shape (P,), of `views.WHOLE`. promising: see
    `curate.likeness.alignment.compare`.
    """
    keys = np.concatenate([first * views.COUNT + view, second * views.COUNT + views.PLAIN])
    seen, at = np.unique(keys, return_inverse=True)
    images = views.of(thumbnail[seen // views.COUNT], seen % views.COUNT).astype(np.uint8)
    a, b = at.reshape(2, -1)
    box = views.inside(images)
    part = views.around(box[a], box[b])
    bordered = views.is_border(part, least=1)
    a, b, part = a[bordered], b[bordered], part[bordered]
    left = np.concatenate([views.cut(images[a], part), views.cut(images[b], part)]).reshape(-1, thumbnail.shape[1])
    row = np.arange(len(a))
    odds = np.full(len(first), np.inf)
    plain = np.full(len(a), views.PLAIN)
    odds[bordered] = alignment.log_odds(alignment.compare(left, row, row + len(a), plain, promising=promising))
    return odds


def _among(names: np.ndarray, searched: np.ndarray, links: Links) -> Links:
    """Links between images that are there, by their positions in `names`."""
    if not len(names):
        return _nothing()[2]
    at = np.searchsorted(names, searched)
    there = names[np.minimum(at, len(names) - 1)] == searched
    kept = there[links.first] & there[links.second]
    return Links(at[links.first[kept]], at[links.second[kept]], links.view[kept], links.odds[kept])


def joined(earlier: Links, found: Links) -> Links:
    """Those and these."""
    return Links(
        *[np.concatenate([getattr(earlier, field.name), getattr(found, field.name)]) for field in fields(Links)]
    )


def _nothing() -> tuple[np.ndarray, np.ndarray, Links]:
    none = np.zeros(0, np.int64)
    coarse = np.zeros((0, details.GRID**2), np.uint8)
    return np.zeros(0, "S1"), coarse, Links(none, none, none, np.zeros(0, np.float32))


def _read(store: Path) -> tuple[np.ndarray, np.ndarray, Links]:
    """Hashes, in ascending order, details and links; nothing where there is no file, or a damaged one, or one of
    thumbnails of another version."""
    damage = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)
    with suppress(*damage), (store / FILE).open("rb") as file, np.load(file, allow_pickle=False) as content:
        if content["thumbnail_version"] == THUMBNAIL:
            return content["hashes"], content["coarse"], Links(*[content[field.name] for field in fields(Links)])
    return _nothing()


def _write(store: Path, names: np.ndarray, coarse: np.ndarray, links: Links) -> None:
    with replacing(store / FILE) as temporary, temporary.open("wb") as file:
        np.savez(file, hashes=names, coarse=coarse, thumbnail_version=THUMBNAIL, **vars(links))
