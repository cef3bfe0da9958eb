"""Findings that are alike, so that one look and one key decide several: one question, near in embedding space."""

import warnings

import numpy as np

from curate.likeness.neighbors import unit

SIZE = 16
"""Images of a cluster, about: what is seen at a glance in four rows of four. Chosen by eye."""
FAR = 1.5
"""Interquartile ranges beyond the third quartile from which on a member is odd: Tukey 1977, "Exploratory Data
Analysis"."""
MANY, PART = 4_000, 2_000
"""A group of more images is split into parts of about so many first: 32,000 images take 5 s, and would take 66."""
UNSURE = 0.5
"""A member whose suggestion is right with less than this share of its cluster's median probability is odd, too. Chosen
by eye."""


def cluster(groups: np.ndarray, features: np.ndarray | None, *, size: int = SIZE) -> np.ndarray:
    """Split each group into clusters of about `size`: shape (N,), int64, numbered from 0 by first member.

    groups: shape (N,), what is asked of each ("cat -> dog"); features: shape (N, D), embeddings, NaN where there is
    none; None for no embeddings at all. Without them members go together in the order that they come in. The same
    input gives the same clusters.
    """
    own = [
        _in_order(len(rows), size) if features is None else _by_features(features[rows], size)
        for rows in _members(groups)
    ]
    found = _numbered(groups, own)
    _, first, inverse = np.unique(found, return_index=True, return_inverse=True)
    return first.argsort(kind="stable").argsort(kind="stable")[inverse]


def odd(clusters: np.ndarray, features: np.ndarray | None, suggested_prob: np.ndarray) -> np.ndarray:
    """Members that a decision for their cluster may not fit: shape (N,), bool.

    They lie far from the middle of their cluster, or their suggestion is much less probable than the others'.
    """
    found = np.zeros(len(clusters), bool)
    for rows in _members(clusters):
        if len(rows) < 4:  # of three, none is the outlier
            continue
        found[rows] |= suggested_prob[rows] < UNSURE * np.median(suggested_prob[rows])
        if features is not None and not np.isnan(features[rows]).any():
            directions = unit(features[rows])
            distance = 1 - directions @ unit(directions.mean(axis=0, keepdims=True))[0]
            low, high = np.quantile(distance, [0.25, 0.75])
            found[rows] |= distance > high + FAR * (high - low) + 1e-6
    return found


def _members(names: np.ndarray) -> list[np.ndarray]:
    """The rows of each name, in their order."""
    inverse = np.unique(names, return_inverse=True)[1]
    order = inverse.argsort(kind="stable")
    return [rows for rows in np.split(order, np.flatnonzero(np.diff(inverse[order])) + 1) if len(rows)]


def _numbered(names: np.ndarray, own: list[np.ndarray]) -> np.ndarray:
    """Clusters that are numbered within each group, as `_members` gives these, with numbers of all: shape (N,)."""
    found, last = np.zeros(len(names), np.int64), 0
    for rows, numbers in zip(_members(names), own, strict=True):
        found[rows] = numbers + last
        last += int(numbers.max()) + 1
    return found


def _by_features(features: np.ndarray, size: int) -> np.ndarray:
    """k-means on the sphere; those without an embedding go together."""
    from sklearn.cluster import KMeans

    known = ~np.isnan(features).any(axis=1)
    found = np.full(len(features), 0, np.int64)
    many = round(int(known.sum()) / size)
    if len(features) > MANY and size < PART:  # k-means takes as long as images times clusters
        parts = _by_features(features, PART)
        if parts.max() > 0:  # equal images stay one part
            return _numbered(parts, [_by_features(features[rows], size) for rows in _members(parts)])
    if many > 1:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Number of distinct clusters")  # of equal images
            means = KMeans(many, n_init=1, random_state=0).fit(unit(features[known]))
        found[known] = means.labels_ + 1
    elif known.any():
        found[known] = 1
    found[~known] = -1 - _in_order(int((~known).sum()), size)
    return np.unique(found, return_inverse=True)[1].astype(np.int64)


def _in_order(count: int, size: int) -> np.ndarray:
    return np.arange(count) // size
