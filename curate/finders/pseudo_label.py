"""A label for images without one, where networks are sure."""

import numpy as np
import pandas as pd

from curate.errors import UserError
from curate.labels import pool

ON_REQUEST = True
"""`curate pseudo` runs it: labels that nobody looked at are given only where somebody asks for them."""


def pseudo_label(
    manifest: pd.DataFrame,
    labels: np.ndarray,
    classes: list[str],
    pred_probs: np.ndarray,
    repeats: np.ndarray | None,
    duplicate_pairs: pd.DataFrame,
    *,
    sure: float = 0.95,
) -> pd.DataFrame:
    """Image without a label that networks are sure of: the class they name may be its label.

    Named are images whose class is right with a probability of `sure` or more: calibrated by the training labels, which
    may be wrong (`curate.labels.pool.calibrated`), and the lower one of two, by the networks of all repetitions and by
    those of the first, since the others have learned soft labels and met each label in those of similar images. It is
    never beyond what n labels can tell, 1 - 3 / n; with less than 60 nothing has 0.95. The score is 1 less that
    probability.
    Images that show a photo which is labelled, or in another split, are left out, above all those of test images; of
    one photo one is named. Networks may be sure of images of none of the classes, too.

    `labels`: shape (N,), -1 for unlabelled. `pred_probs`: shape (N, K), NaN where there is none. `repeats`: shape (R,
    N, K), None for predictions of other programs. Source: Lee 2013, "Pseudo-Label: The Simple and Efficient
    Semi-Supervised Learning Method for Deep Neural Networks".
    """
    if not 0 < sure <= 1:
        raise UserError(f"pseudo_label.sure must lie above 0 and not above 1, not {sure:g}")
    found = pool.candidates(manifest, ~np.isnan(pred_probs).any(axis=1), duplicate_pairs)
    names = pool.names_in_use(manifest, classes)
    named, prob = _named(manifest, labels, pred_probs, None if repeats is None else repeats[0], found.rows)
    chosen: list[int] = []
    out: set[int] = set()
    for at in np.argsort(-prob, kind="stable").tolist():
        if prob[at] >= sure and names[named[at]] and at not in out:
            chosen.append(at)
            out.update(found.twins.get(at, []))
    return pd.DataFrame(
        {
            "row": found.rows[chosen],
            "score": 1 - prob[chosen],
            "flagged": True,
            "suggested_label": names[named[chosen]],
            "suggested_prob": prob[chosen],
            "detail": [f"networks are sure: {names[named[at]]} {prob[at]:.3f}" for at in chosen],
        }
    )


def _named(
    manifest: pd.DataFrame, labels: np.ndarray, pred_probs: np.ndarray, first: np.ndarray | None, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The class that networks name, and how probably it is right: shapes (n,). first: shape (N, K)."""
    if not len(rows):
        return np.zeros(0, np.int64), np.zeros(0)
    probs = pool.calibrated(manifest, labels, pred_probs)[rows]
    named, prob = probs.argmax(axis=1), probs.max(axis=1)
    if first is not None:
        prob = np.minimum(prob, pool.calibrated(manifest, labels, first)[rows, named])
    return named, np.minimum(prob, pool.most_sure(manifest, labels, pred_probs))
