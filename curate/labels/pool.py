"""Images without a label: which of them may be given one, and how sure networks are of each class."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from curate.labels import label_noise
from curate.likeness import duplicates
from curate.manifest import decodable

POOL = "pool"


@dataclass(frozen=True)
class Candidates:
    """Images that may be given a label."""

    rows: np.ndarray
    """Shape (C,), positions in the manifest, in the order of their names: whatever the order of the manifest."""
    twins: dict[int, list[int]]
    """Candidates, by their place among `rows`, that show the same photo as another."""


def unlabelled(manifest: pd.DataFrame) -> np.ndarray:
    """Which rows wait for a label: shape (N,), bool. Generated images follow their originals and wait for nothing."""
    return ((manifest["split"] == POOL) & (manifest["label"] == "") & (manifest["parent_id"] == "")).to_numpy(bool)


def candidates(manifest: pd.DataFrame, known: np.ndarray, pairs: pd.DataFrame) -> Candidates:
    """The unlabelled images that show a photo which nothing labelled, and no other split, shows; of equal ones, one.

    known: shape (N,), bool, of which images there are predictions. pairs: as `curate.likeness.duplicates.find_pairs`
    gives them.
    """
    pairs = duplicates.same_photo(pairs)
    exact, near = (pairs[pairs["kind"] == kind] for kind in ("exact", "near"))
    photo = np.arange(len(manifest))
    photo[exact["b"].to_numpy()] = exact["a"].to_numpy()  # near pairs are between the images to keep
    a, b = near["a"].to_numpy(), near["b"].to_numpy()
    there = np.zeros(len(manifest), bool)
    there[photo[((manifest["split"] != POOL) | (manifest["label"] != "")).to_numpy(bool)]] = True
    like = there.copy()
    like[a[there[b]]] = True
    like[b[there[a]]] = True
    rows = np.flatnonzero(unlabelled(manifest) & decodable(manifest) & known & ~like[photo])
    rows = rows[np.argsort(manifest["image_id"].to_numpy(dtype=object)[rows], kind="stable")]
    rows = rows[np.sort(np.unique(photo[rows], return_index=True)[1])]
    place = np.full(len(manifest), -1)
    place[photo[rows]] = np.arange(len(rows))
    twins: dict[int, list[int]] = {}
    for one, other in zip(place[a].tolist(), place[b].tolist(), strict=True):
        if one >= 0 and other >= 0:
            twins.setdefault(one, []).append(other)
            twins.setdefault(other, []).append(one)
    return Candidates(rows, twins)


def calibrated(manifest: pd.DataFrame, labels: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """How probable each class is, so that of images at 0.9 nine of ten are right: shape (N, K), rows sum to 1.

    labels: shape (N,), -1 for unlabelled. probs: shape (N, K), of networks that did not see the image; NaN where there
    are none, and so is what is returned. Without training labels of two classes they stay as they are.
    The training labels may be wrong, so that agreement with them understates how often networks are right: the model of
    `curate.labels.label_noise` finds the sharpness that makes them most likely, errors included. How far networks agree
    with each other, which `label_doubt` weighs too, is left out: they share mistakes, and nobody looks at what follows.
    Unlabelled images are predicted by the networks of all folds together, without shifted views. That was as sharp as
    one network with them: on CIFAR-10N `worse` 2.27 was best for test images and for those out of fold.
    """
    known, told = ~np.isnan(probs).any(axis=1), _told(manifest, labels, probs)
    if len(np.unique(labels[told])) < 2:
        return probs.astype(np.float64)
    noise = label_noise.fit(probs[None, told], labels[told])
    found = np.full(probs.shape, np.nan)
    found[known] = noise.truth(probs[known])
    return found


def most_sure(manifest: pd.DataFrame, labels: np.ndarray, probs: np.ndarray) -> float:
    """The highest probability that the training labels can tell: where none of n is wrong, up to 3 / n of as many
    others may be. Source: Hanley, Lippman-Hand 1983, "If Nothing Goes Wrong, Is Everything All Right?". 0 where there
    are no labels of two classes."""
    told = _told(manifest, labels, probs)
    return max(0.0, 1 - 3 / len(told)) if len(np.unique(labels[told])) > 1 else 0.0


def _told(manifest: pd.DataFrame, labels: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """The rows by which probabilities are calibrated, in the order of their names."""
    known = ~np.isnan(probs).any(axis=1)
    given = ((manifest["split"] == "train") & (manifest["parent_id"] == "")).to_numpy()  # not copied from an original
    rows = np.flatnonzero(given & (labels >= 0) & known & decodable(manifest))
    return rows[np.argsort(manifest["image_id"].to_numpy(dtype=object)[rows], kind="stable")]


def names_in_use(manifest: pd.DataFrame, classes: list[str]) -> np.ndarray:
    """The classes, with "" for those that no image has any more: shape (K,), objects. Nobody can be given these."""
    there = set(manifest["label"])
    return np.array([name if name in there else "" for name in classes], dtype=object)
