"""How many of the most similar images have the same label."""

import numpy as np
import pandas as pd

VERSION = 2


def neighbor_agreement(manifest: pd.DataFrame, labels: np.ndarray, neighbors: np.ndarray | None) -> np.ndarray | None:
    """Share of the nearest images that carry the image's label: shape (N,), 0 to 1, low for wrong labels.

    `labels`: shape (N,), -1 for unlabelled. `neighbors`: shape (R, N, k), rows of the nearest images to each in the
    embeddings of R networks that had seen neither; -1 where there are fewer; None, and then so is the result, where
    nobody noted them. NaN for images without a label or a labelled neighbour. Generated images count as unlabelled:
    they are held out with their original, lie beside it, and have its label, right or wrong.
    Source: Zhu, Dong, Liu 2022, "Detecting Corrupted Labels Without Training a Model to Predict".
    """
    if neighbors is None:
        return None
    labels = np.where(manifest["parent_id"] == "", labels, -1)
    named = np.where(neighbors >= 0, labels[neighbors], -1)
    there = (named >= 0).sum(axis=(0, 2))
    same = (named == labels[:, None]).sum(axis=(0, 2))
    return np.where((labels >= 0) & (there > 0), same / np.maximum(there, 1), np.nan)
