"""Pairs of images that show the same photo, and what follows from them: which one to keep, and who belongs together."""

from collections.abc import Iterator

import cv2
import faiss
import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

KEEP_FIRST = {"test": 0, "val": 1, "train": 2, "pool": 3}
"""Of two twins in different splits the one in the split named first stays: what is measured on is changed last."""
RADIUS = 12
"""Hash bits, of 63, in which two versions of a photo may differ: 76 % of the near-duplicates that people found in
CIFAR-10 do (ciFAIR, Barz and Denzler 2020); 14 bits cost five times as many comparisons for 8 % more."""
SIMILARITY = 0.6
"""Correlation of the details from which on two images are one photo; see `similarity`. Unrelated CIFAR-10 images reach
0.27 in one case of a thousand."""
WEAKEST = 0.4
"""Pairs less similar than this are not kept: no setting makes duplicates of them."""
UNRELATED_STEPS, UNRELATED_MAX = 2.15, 0.95
"""In sets whose images all look alike (digits, scans) more similarity is asked for: 2.15 times as far from the median
of unrelated pairs as their 99th percentile is, five standard deviations if they were normal; at most 0.95."""
UNRELATED_PAIRS, FEWEST_PAIRS = 4_000, 200
SHIFT = 2
"""Thumbnail pixels by which one of two versions may be moved."""
FLAT = 3.0
"""Thumbnails with a smaller standard deviation, in grey levels, show nothing that could be recognised again."""
SAME_HASH = 4
"""Of images with one hash, so many are compared with each other and with those of similar hashes; further ones only
with the first, or 100,000 black frames would make five billion pairs."""
MOST_CANDIDATES = 64
"""Per hash, the nearest so many are looked at."""
BLOCK, CHUNK = 2_048, 512
"""Hashes searched at once, and pairs compared at once: as many as stay in the processor's cache."""
SIDE = 32
BLUR = cv2.GaussianBlur(np.eye(SIDE, dtype=np.float32), (1, 0), 1.5, sigmaY=1.5)
"""A blur of 1.5 pixels as a matrix that works on columns."""
COLUMNS = {"a": "int64", "b": "int64", "kind": "str", "distance": "int64", "similarity": "float32", "asked": "float32"}


def find_pairs(manifest: pd.DataFrame, phash: np.ndarray, thumbnail: np.ndarray) -> pd.DataFrame:
    """Pairs of rows that show, or may show, one photo.

    Returns the columns `a`, `b` (row positions, `a` is the one to keep), `kind` ("exact": equal pixels; "near"),
    `distance` (bits of the hash), `similarity` (in [-1, 1]) and `asked` (the similarity that this set asks for at
    least). Of n images with equal pixels n-1 pairs are listed, each with the one to keep; near pairs are between images
    to keep. `phash`: shape (N,), uint64. `thumbnail`: shape (N, 1024), uint8.
    """
    rank = keep_rank(manifest)
    keeper = exact_keepers(manifest)
    copies = np.flatnonzero(keeper != np.arange(len(manifest)))
    exact = _table(keeper[copies], copies, "exact", np.zeros(len(copies)), np.ones(len(copies)))
    has_pixels = (manifest["pixel_hash"] != "").to_numpy()
    alone = np.flatnonzero(has_pixels & (keeper == np.arange(len(manifest))))
    alone = alone[thumbnail[alone].std(axis=1) >= FLAT] if len(alone) else alone
    alone = alone[np.argsort(rank[alone])]
    found = [_table([], [], "near", [], [])]
    for a, b in _candidates(phash, alone):
        alike = similarity(thumbnail, a, b)
        kept = alike >= WEAKEST
        a, b = a[kept], b[kept]
        found.append(_table(a, b, "near", np.bitwise_count(phash[a] ^ phash[b]), alike[kept]))
    near = pd.concat(found, ignore_index=True)
    swap = (rank[near["a"]] > rank[near["b"]]).astype(bool)
    near.loc[swap, ["a", "b"]] = near.loc[swap, ["b", "a"]].to_numpy()
    near = near.drop_duplicates(["a", "b"]).sort_values(["a", "b"])
    near["asked"] = _asked(manifest["pixel_hash"].to_numpy(dtype=object), thumbnail, alone)
    return pd.concat([exact, near], ignore_index=True).astype(COLUMNS)


def same_photo(pairs: pd.DataFrame, *, radius: int = RADIUS, similarity: float = SIMILARITY) -> pd.DataFrame:
    """The pairs that are taken for one photo."""
    alike = pairs["similarity"] >= np.maximum(pairs["asked"], similarity)
    return pairs[(pairs["kind"] == "exact") | (alike & (pairs["distance"] <= radius))]


def groups(manifest: pd.DataFrame, pairs: pd.DataFrame) -> np.ndarray:
    """A number per image, equal for versions of one photo and for images generated from it: shape (N,), int64.

    Where they stay together when a set is split, nothing is learned by heart on one side and asked on the other.
    """
    pairs = same_photo(pairs)
    parents = pd.Index(manifest["image_id"]).get_indexer(pd.Index(manifest["parent_id"]))
    children = np.flatnonzero(parents >= 0)
    a = np.concatenate([pairs["a"].to_numpy(), parents[children]])
    b = np.concatenate([pairs["b"].to_numpy(), children])
    return components(len(manifest), a, b)


def components(count: int, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The smallest row position of everything linked to each row: shape (count,), int64."""
    graph = coo_matrix((np.ones(len(a), bool), (a, b)), shape=(count, count))
    _, names = connected_components(graph, directed=False)
    _, first = np.unique(names, return_index=True)
    return first[names].astype(np.int64)


def keep_rank(manifest: pd.DataFrame) -> np.ndarray:
    """Position of each row in the order of whom to keep: by split, then as added. Shape (N,), int64."""
    order = np.argsort(manifest["split"].map(KEEP_FIRST).to_numpy(), kind="stable")
    rank = np.empty(len(manifest), np.int64)
    rank[order] = np.arange(len(manifest))
    return rank


def exact_keepers(manifest: pd.DataFrame) -> np.ndarray:
    """For each row the row to keep among those with equal pixels, mostly itself: shape (N,), int64."""
    order = np.argsort(keep_rank(manifest))
    codes = pd.factorize(manifest["pixel_hash"].to_numpy(dtype=object)[order])[0]
    _, first = np.unique(codes, return_index=True)
    keepers = np.empty(len(manifest), np.int64)
    keepers[order] = order[first[codes]] if len(order) else order
    undecoded = np.flatnonzero((manifest["pixel_hash"] == "").to_numpy())
    keepers[undecoded] = undecoded
    return keepers


def generated_together(manifest: pd.DataFrame, pairs: pd.DataFrame) -> np.ndarray:
    """Which pairs are an image and its augmented version, or two of one image, in one split: alike on purpose."""
    parent, image = manifest["parent_id"].to_numpy(dtype=object), manifest["image_id"].to_numpy(dtype=object)
    family, split = np.where(parent == "", image, parent), manifest["split"].to_numpy(dtype=object)
    a, b = pairs["a"].to_numpy(), pairs["b"].to_numpy()
    return ((family[a] == family[b]) & (split[a] == split[b])).astype(bool)


def similarity(thumbnail: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Correlation of the details of rows `a` and `b`, the larger for the best shift: shape (P,), in [-1, 1].

    Details are what is left of a thumbnail without its blurred self, so that two ships below a white sky are not alike
    because of the sky; light and contrast don't count. Weak details, which may be rounding, lower it.
    """
    result = np.empty(len(a), np.float32)
    inner = SIDE - 2 * SHIFT
    noise = inner * inner / 12  # the variance of rounding is 1/12
    for start in range(0, len(a), CHUNK):
        still = _details(thumbnail[a[start : start + CHUNK]])[:, SHIFT:-SHIFT, SHIFT:-SHIFT].copy()
        moved = _details(thumbnail[b[start : start + CHUNK]])
        energy = _energy(still) + noise
        best = np.full(len(still), -1.0, np.float32)
        for down in range(2 * SHIFT + 1):
            for across in range(2 * SHIFT + 1):
                window = moved[:, down : down + inner, across : across + inner]
                product = np.einsum("nij,nij->n", still, window)
                best = np.maximum(best, product / np.sqrt(energy * (_energy(window) + noise)))
        result[start : start + CHUNK] = best
    return result


def _details(thumbnail: np.ndarray) -> np.ndarray:
    """Thumbnails without what a blur of 1.5 pixels leaves: shape (N, 32, 32), float32."""
    pixels = thumbnail.reshape(-1, SIDE, SIDE).astype(np.float32)
    return pixels - BLUR @ pixels @ BLUR.T


def _energy(details: np.ndarray) -> np.ndarray:
    return np.einsum("nij,nij->n", details, details)


def _asked(pixel_hash: np.ndarray, thumbnail: np.ndarray, rows: np.ndarray) -> float:
    """The similarity that unrelated images of this set never reach, from pairs taken at random.

    Neighbours in the order of the pixels' hashes are such pairs, and the same ones whatever the order of the rows.
    """
    rows = rows[np.argsort(pixel_hash[rows])]
    steps = range(1, min(len(rows), 1 + -(-UNRELATED_PAIRS // max(len(rows), 1))))
    a = np.concatenate([rows[:-step] for step in steps] or [rows[:0]])[:UNRELATED_PAIRS]
    b = np.concatenate([rows[step:] for step in steps] or [rows[:0]])[:UNRELATED_PAIRS]
    if len(a) < FEWEST_PAIRS:
        return 0.0
    middle, high = np.arctanh(np.clip(np.quantile(similarity(thumbnail, a, b), [0.5, 0.99]), 0, 0.999))
    return float(min(np.tanh(middle + UNRELATED_STEPS * (high - middle)), UNRELATED_MAX))


def _candidates(phash: np.ndarray, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of rows whose hashes differ in at most `RADIUS` bits, in blocks; `rows` best first."""
    if not len(rows):
        return
    hashes, codes = np.unique(phash[rows], return_inverse=True)
    order = np.argsort(codes, kind="stable")
    members, start = rows[order], np.searchsorted(codes[order], np.arange(len(hashes) + 1))
    count = np.diff(start)
    first = members[np.repeat(start[:-1], count)]
    others = np.arange(len(members)) - np.repeat(start[:-1], count)
    yield first[others > 0], members[others > 0]
    every = np.arange(len(hashes))
    for i in range(1, SAME_HASH):
        for j in range(i + 1, SAME_HASH):
            full = every[count > j]
            yield members[start[full] + i], members[start[full] + j]
    for u, v in _similar_hashes(hashes):
        for i in range(SAME_HASH):
            for j in range(SAME_HASH):
                both = (count[u] > i) & (count[v] > j)
                yield members[start[u[both]] + i], members[start[v[both]] + j]


def _similar_hashes(hashes: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of positions in `hashes`, shape (U,), all different, within `RADIUS` bits."""
    codes = hashes.view(np.uint8).reshape(-1, 8)
    for start in range(0, len(codes), BLOCK):
        index = faiss.IndexBinaryFlat(64)
        index.add(codes[start:])  # each pair once: earlier blocks have met these already
        limits, distance, found = index.range_search(codes[start : start + BLOCK], RADIUS + 1)
        ends = np.asarray(limits, np.int64)
        u = np.repeat(np.arange(len(ends) - 1), ends[1:] - ends[:-1])
        later = u < found
        u, v, distance = u[later], found[later], distance[later]
        if len(u) > MOST_CANDIDATES * BLOCK:
            order = np.lexsort((v, distance, u))
            place = np.arange(len(u)) - np.searchsorted(u[order], u[order])
            order = order[place < MOST_CANDIDATES]
            u, v = u[order], v[order]
        yield u + start, v + start


def _table(a: object, b: object, kind: str, distance: object, similarity: object) -> pd.DataFrame:
    table = pd.DataFrame({"a": a, "b": b, "kind": kind, "distance": distance, "similarity": similarity, "asked": 0.0})
    return table.astype(COLUMNS)
