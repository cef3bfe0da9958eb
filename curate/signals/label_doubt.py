"""How probable it is that a label is wrong, and which one would be right: predictions and twins in one probability."""

import numpy as np
import pandas as pd
from scipy.special import logit

from curate.labels import label_noise

VERSION = 2
LEAST = 1e-6
"""Least probability of a wrong label, and of a right one."""
TWIN = 0.5
"""Weight of a twin's label in log-likelihood: whoever mislabelled one photo may have done so twice."""


def label_doubt(
    manifest: pd.DataFrame,
    labels: np.ndarray,
    pred_probs: np.ndarray,
    repeats: np.ndarray | None,
    twin_labels: pd.DataFrame,
) -> pd.DataFrame:
    """Probability that the label is wrong, for each labelled image with a prediction.

    Predictions of networks that never saw the label are read by a model of how labels of this set go wrong
    (`curate.labels.label_noise`), with the labels of twins as further ones. How a label was learned in training, and
    what the most similar images are called, does not enter: weights for these, learned from labels that were wrong on
    purpose, made nothing better (docs/log.md). Each split has a rate of errors of its own. Generated images are left
    out: they have the label of their original, which nobody gave them, and follow it.

    `labels`: shape (N,), -1 for unlabelled. `pred_probs`: shape (N, K); `repeats`: (R, N, K), None for predictions of
    other programs; `twin_labels`: see that signal.
    Returns the columns `row`, `wrong` (probability), `suggested` (position of the class that is most probable beside
    the given one), `suggested_prob` (that it is right), `predicted` and `predicted_prob` (by the networks alone),
    `own_prob` (of the given label, by the networks alone) and `twins` (what these added to the log-odds of `wrong`).
    """
    repeats = pred_probs[None] if repeats is None else repeats
    known = (labels >= 0) & ~np.isnan(pred_probs).any(axis=1) & (manifest["parent_id"] == "").to_numpy()
    tables = [_empty()]
    for split in manifest["split"].unique():
        rows = np.flatnonzero(known & (manifest["split"] == split).to_numpy())
        if len(rows):
            tables.append(_of_split(rows, labels, pred_probs, repeats, twin_labels))
    return pd.concat(tables, ignore_index=True).sort_values("row", ignore_index=True)


def _of_split(
    rows: np.ndarray, labels: np.ndarray, pred_probs: np.ndarray, repeats: np.ndarray, twins: pd.DataFrame
) -> pd.DataFrame:
    """What predictions, labels and twins say about the images of one split."""
    given, probs = labels[rows], pred_probs[rows].astype(np.float64)
    if len(np.unique(given)) < 2:  # nothing that a label could have been taken for
        return _read(rows, given, probs, np.eye(probs.shape[1])[given])
    noise = label_noise.fit(repeats[:, rows], given, probs)
    truth = noise.truth(probs)
    alone = _read(rows, given, truth, noise.posterior(truth, given))
    at = pd.Series(np.arange(len(rows)), index=rows)
    twins = twins[twins["row"].isin(at.index)]
    if twins.empty:
        return alone
    twice, places = truth.copy(), at[twins["row"]].to_numpy()
    likelihood = noise.likelihood(truth[places], twins["label"].to_numpy())
    np.multiply.at(twice, places, np.maximum(likelihood, 1e-6) ** TWIN)
    twice /= np.maximum(twice.sum(axis=1, keepdims=True), 1e-300)
    table = _read(rows, given, truth, noise.posterior(twice, given, hardness=truth))
    return table.assign(twins=logit(table["wrong"]) - logit(alone["wrong"]))


def _read(rows: np.ndarray, given: np.ndarray, truth: np.ndarray, posterior: np.ndarray) -> pd.DataFrame:
    """The table of a posterior over classes, shape (n, K)."""
    every = np.arange(len(rows))
    own = posterior[every, given]
    others = posterior.copy()
    others[every, given] = -1
    suggested = others.argmax(axis=1) if len(rows) else given
    wrong = np.clip(1 - own, LEAST, 1 - LEAST)
    return pd.DataFrame(
        {
            "row": rows,
            "wrong": wrong,
            "suggested": suggested,
            "suggested_prob": np.clip(others[every, suggested], 0, 1),
            "predicted": truth.argmax(axis=1) if len(rows) else given,
            "predicted_prob": truth.max(axis=1, initial=0),
            "own_prob": truth[every, given],
            "twins": 0.0,
        }
    )


def _empty() -> pd.DataFrame:
    none = np.zeros((0, 2))
    return _read(np.zeros(0, np.int64), np.zeros(0, np.int64), none, none)
