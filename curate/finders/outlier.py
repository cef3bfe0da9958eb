"""Far from everything else in the set."""

import numpy as np
import pandas as pd

from curate.errors import UserError
from curate.likeness.neighbors import most_similar, unit

VERSION = 2


def outlier(manifest: pd.DataFrame, embeddings: np.ndarray, *, neighbours: int = 10, fence: float = 3.0) -> np.ndarray:
    """Image unlike its nearest neighbours in the network's embedding space: something that belongs to no class.

    Score in [0, 1], 0.5 ** (distance / limit), where distance is the mean cosine distance to the `neighbours` nearest
    images and the limit is Tukey's outer fence over all images: upper quartile plus `fence` interquartile ranges.
    Originals are judged, among originals: what was generated from an outlier lies beside it.
    `embeddings`: shape (N, D), NaN where there is none. Returns shape (N,), NaN for images without embedding, and for
    generated ones.
    Sources: Kuan, Mueller 2022, "Back to the Basics: Revisiting Out-of-Distribution Detection Baselines" (mean distance
    to k = 10 neighbours); Tukey 1977, "Exploratory Data Analysis" (fence 3.0).
    """
    if neighbours < 1:
        raise UserError(f"outlier.neighbours must be 1 or more, not {neighbours}")
    score = np.full(len(embeddings), np.nan, np.float32)
    rows = np.flatnonzero(~np.isnan(embeddings).any(axis=1) & (manifest["parent_id"] == "").to_numpy())
    nearest = min(neighbours, len(rows) - 1)
    if nearest < 1:
        return score
    distance = _mean_distance(embeddings[rows], nearest)
    low, high = np.quantile(distance, [0.25, 0.75])
    limit = high + fence * (high - low)
    score[rows] = 0.5 ** (distance / max(limit, 1e-6))
    return score


def _mean_distance(embeddings: np.ndarray, nearest: int) -> np.ndarray:
    """Mean cosine distance, in [0, 2], to the `nearest` other images: shape (N,)."""
    directions = unit(embeddings)
    similarity, _ = most_similar(directions, directions, most=nearest + 1)  # the most similar one is the image itself
    return np.clip(1 - similarity[:, 1:], 0, 2).mean(axis=1)
