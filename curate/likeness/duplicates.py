"""Pairs of images that show the same photo, and what follows from them: which one to keep, and who belongs together."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.special import expit

from curate.engine import Engine, Local
from curate.errors import UserError
from curate.likeness import alignment, links, search, views

KEEP_FIRST = {"test": 0, "val": 1, "train": 2, "pool": 3}
"""Of two twins in different splits the one in the split named first stays: what is measured on is changed last."""
PROBABILITY = 0.5
"""From which on two images are taken for one photo."""
WEAKEST = 0.1
"""Pairs that are less probably one photo are not kept; those between are similar: look twice."""
LARGE = 64
"""Pixels of the shorter side from which on another image may be a part of an image: a part of less shows little."""
UNRELATED_STEPS, MOST_ASKED = 2.15, 20.0
"""In sets whose images all look alike (digits, scans) more is asked for: log-odds of 0 lie 2.15 times as far from the
median of unrelated pairs as their 99th percentile does, five standard deviations if they were normal; at most where
log-odds of other sets would be 20, details that correlate by 0.97."""
UNRELATED_PAIRS, FEWEST_PAIRS = 4_000, 200
ONE_PHOTO = 0.3
"""Share of the pairs among joined images, at least, that are alike where these are versions of one photo. Measured: 1.0
of 10 to 100 photos in 2 to 100 versions each, shifted, lighter, noisy; 0.03 of digits, most of which links join."""
MOST_MEASURED = 8
"""So many images of a photo in test and val are compared with all its versions, others with their neighbours. Chosen
by eye: 2,000 versions of one, 40 in test, take 2.5 s of a core in every scan."""
COLUMNS = {"a": "int64", "b": "int64", "kind": "str", "probability": "float32", "view": "int64"}


def find_pairs(
    manifest: pd.DataFrame, thumbnail: np.ndarray, store: Path | None = None, engine: Engine = Local()
) -> pd.DataFrame:
    """Pairs of rows that show, or may show, one photo.

    Returns the columns `a`, `b` (row positions, `a` is the one to keep), `kind` ("exact": equal pixels; "near"),
    `probability` (that it is one photo) and `view` (how one of the two must be seen, see `curate.likeness.views`). Of n
    images with equal pixels n-1 pairs are listed, each with the one to keep; near pairs are between images to keep.
    thumbnail: shape (N, 1024), uint8. store: a folder in which is kept what was found, so that images that were there
    before are not compared with each other again.
    """
    rank = keep_rank(manifest)
    keeper = exact_keepers(manifest)
    copies = np.flatnonzero(keeper != np.arange(len(manifest)))
    exact = _table(keeper[copies], copies, "exact", 1.0, views.PLAIN)
    hashes = _hashes(manifest)
    seen = thumbnail.any(axis=1)  # an image that was missing is looked for when it is there again
    alone = np.flatnonzero((hashes != "") & (keeper == np.arange(len(manifest))) & seen)
    alone = alone[np.argsort(hashes[alone])]
    large = manifest[["width", "height"]].to_numpy()[alone].min(axis=1) >= LARGE
    found = links.find(hashes[alone].tolist(), thumbnail, alone, large, store, engine)
    likely = found.odds >= 0
    together = components(len(alone), found.first[likely], found.second[likely])
    asked = _asked(thumbnail, alone, together)
    measured = manifest["split"].isin(["test", "val"]).to_numpy()
    found = links.joined(found, _in_large_groups(found, thumbnail, alone, measured, rank, asked))
    odds = found.odds - asked
    kept = expit(odds) >= WEAKEST
    first, second = alone[found.first[kept]], alone[found.second[kept]]
    swapped = rank[first] > rank[second]
    a, b = np.where(swapped, second, first), np.where(swapped, first, second)
    near = _table(a, b, "near", expit(odds[kept]), found.view[kept])
    near = near.sort_values("probability", ascending=False, kind="stable").drop_duplicates(["a", "b"])
    return pd.concat([exact, near.sort_values(["a", "b"])], ignore_index=True).astype(COLUMNS)


def same_photo(pairs: pd.DataFrame, *, probability: float = PROBABILITY) -> pd.DataFrame:
    """The pairs that are taken for one photo. Raises `UserError` for a probability that no pair is kept for."""
    if not WEAKEST <= probability <= 1:
        raise UserError(f"probability = {probability:g} must lie between {WEAKEST:g}, the least that is kept, and 1")
    return pairs[pairs["probability"] >= probability]


def told(pairs: pd.DataFrame, splits: np.ndarray | None = None) -> list[str]:
    """What is known of each pair, for people; splits: shape (P,), where the other image is."""
    places = [f" as in {split}" for split in splits] if splits is not None else [""] * len(pairs)
    return [
        f"same pixels{place}"
        if kind == "exact"
        else f"{'similar: ' * (value < PROBABILITY)}same photo{place} with {100 * value:.0f} %"
        + f", {views.NAMES[view]}" * (view != views.PLAIN)
        for place, kind, value, view in zip(places, pairs["kind"], pairs["probability"], pairs["view"], strict=True)
    ]


def groups(manifest: pd.DataFrame, pairs: pd.DataFrame) -> np.ndarray:
    """A number per image, equal for versions of one photo and for images generated from it: shape (N,), int64.

    Where they stay together when a set is split, nothing is learned by heart on one side and asked on the other.
    """
    pairs = same_photo(pairs)
    family = pd.factorize(families(manifest))[0]
    _, first = np.unique(family, return_index=True)
    a = np.concatenate([pairs["a"].to_numpy(), first[family]])
    b = np.concatenate([pairs["b"].to_numpy(), np.arange(len(manifest))])
    return components(len(manifest), a, b)


def families(manifest: pd.DataFrame) -> np.ndarray:
    """The original of each image, mostly itself, whether it is there or was dropped: shape (N,), texts."""
    parent, image = manifest["parent_id"].to_numpy(dtype=object), manifest["image_id"].to_numpy(dtype=object)
    return np.where(parent == "", image, parent)


def components(count: int, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The smallest row position of everything linked to each row: shape (count,), int64."""
    graph = coo_matrix((np.ones(len(a), bool), (a, b)), shape=(count, count))
    _, names = connected_components(graph, directed=False)
    _, first = np.unique(names, return_index=True)
    return first[names].astype(np.int64)


def keep_rank(manifest: pd.DataFrame, *then: np.ndarray) -> np.ndarray:
    """Position of each row in the order of whom to keep: by split, originals before generated images, by pixels, by
    `then`, as added. Shape (N,), int64. then: shape (N,) each, the lowest first."""
    rank = np.empty(len(manifest), np.int64)
    rank[_keep_order(manifest, *then)] = np.arange(len(manifest))
    return rank


def _keep_order(manifest: pd.DataFrame, *then: np.ndarray) -> np.ndarray:
    """Positions of the rows, the one to keep first, see `keep_rank`."""
    pixels = (manifest["width"] * manifest["height"]).to_numpy()
    generated = (manifest["parent_id"] != "").to_numpy()
    return np.lexsort([*then, -pixels, generated, manifest["split"].map(KEEP_FIRST).to_numpy()])


def exact_keepers(manifest: pd.DataFrame) -> np.ndarray:
    """For each row the row to keep among those with equal pixels, mostly itself: shape (N,), int64.

    As in `keep_rank`, but one whose label most of the copies have before others, and an unlabelled one last. Generated
    images have no vote.
    """
    hashes = _hashes(manifest)
    vote = (manifest["label"] != "") & (manifest["parent_id"] == "")
    votes = vote.groupby([hashes, manifest["label"]]).transform("sum").to_numpy()
    order = _keep_order(manifest, -votes)
    codes = pd.factorize(hashes[order])[0]
    _, first = np.unique(codes, return_index=True)
    keepers = np.empty(len(manifest), np.int64)
    keepers[order] = order[first[codes]] if len(order) else order
    undecoded = np.flatnonzero(hashes == "")
    keepers[undecoded] = undecoded
    return keepers


def _hashes(manifest: pd.DataFrame) -> np.ndarray:
    """Of the pixels of each image, "" where it cannot be decoded, or its file is gone: shape (N,), texts."""
    return manifest["pixel_hash"].where(manifest["error"] == "", "").to_numpy(dtype=object)


def generated_together(manifest: pd.DataFrame, pairs: pd.DataFrame) -> np.ndarray:
    """Which pairs are an image and its augmented version, or two of one image, in one split: alike on purpose."""
    family, split = families(manifest), manifest["split"].to_numpy(dtype=object)
    a, b = pairs["a"].to_numpy(), pairs["b"].to_numpy()
    return ((family[a] == family[b]) & (split[a] == split[b])).astype(bool)


def _in_large_groups(
    found: links.Links, thumbnail: np.ndarray, rows: np.ndarray, measured: np.ndarray, rank: np.ndarray, asked: float
) -> links.Links:
    """Links of the image to keep of a photo, and of those in test and val, with all its versions where these are more
    than the neighbours that are looked at. rows: as `_asked`. measured: shape (M,), bool, whether an image is in test
    or val. rank: shape (M,), see `keep_rank`."""
    likely = found.odds >= asked
    photo = components(len(rows), found.first[likely], found.second[likely])
    order = np.argsort(rank[rows])
    pairs = [np.zeros((2, 0), np.int64)]
    for name in np.flatnonzero(np.bincount(photo) > search.WHOLE.neighbors):
        versions = order[photo[order] == name]
        chosen = versions[: max(1, min(measured[rows[versions]].sum(), MOST_MEASURED))]
        first, second = np.repeat(chosen, len(versions)), np.tile(versions, len(chosen))
        pairs.append(np.stack([first, second])[:, first != second])
    first, second = np.concatenate(pairs, axis=1)
    return links.compared(thumbnail, rows, first, second)


def _asked(thumbnail: np.ndarray, rows: np.ndarray, together: np.ndarray) -> float:
    """Log-odds that unrelated images of this set do not reach, from pairs taken at random; 0 where they are far below.

    rows: in the order of the hashes of their pixels: neighbours are unrelated, and the same whatever the order of the
    set. together: shape (N,), a number for each of `rows`, equal for those that links join. Where joined images are
    alike, each with each, and the others far from that, they are versions of one photo, however many there are. Where
    all images look alike, links join many that are not, or others come near to it, too.
    """
    steps = range(1, min(len(rows), 1 + -(-UNRELATED_PAIRS // max(len(rows), 1))))
    every, none = np.arange(len(rows)), np.zeros(0, np.int64)
    a = np.concatenate([every[:-step] for step in steps] or [none])[:UNRELATED_PAIRS]
    b = np.concatenate([every[step:] for step in steps] or [none])[:UNRELATED_PAIRS]
    if len(a) < FEWEST_PAIRS:
        return 0.0
    plain = np.full(len(a), views.PLAIN)
    odds = alignment.log_odds(alignment.compare(thumbnail, rows[a], rows[b], plain, promising=-1))
    inside = links.inside_odds(thumbnail, rows[a], rows[b], plain, promising=-1)
    odds = np.minimum(odds, inside)  # bars don't make a set look alike
    joined = together[a] == together[b]
    if len(odds[~joined]) >= FEWEST_PAIRS and (odds[joined] >= 0).sum() >= ONE_PHOTO * joined.sum():
        return _reached(odds[~joined]) and _reached(odds)
    return _reached(odds)


def _reached(odds: np.ndarray) -> float:
    """Log-odds that pairs as these, shape (P,), do not reach; 0 where they are far below."""
    middle, high = np.quantile(odds, [0.5, 0.99])
    return float(np.clip(middle + UNRELATED_STEPS * (high - middle), 0, MOST_ASKED))


def _table(a: np.ndarray, b: np.ndarray, kind: str, probability: object, view: object) -> pd.DataFrame:
    table = pd.DataFrame({"a": a, "b": b, "kind": kind, "probability": probability, "view": view})
    return table.astype(COLUMNS)
