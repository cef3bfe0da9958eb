"""How probable it is that a label is wrong, and which one would be right: all evidence in one probability."""

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from curate import label_evidence, label_noise
from curate.label_evidence import EVIDENCE, LEAST, Labels

WEIGHED = False
"""Whether `EVIDENCE` changes the probability. Off: on CIFAR-10N `worse` it lowered the best F1 from 0.871 to 0.828, and
on `aggre` it changed nothing, as planted labels are learned in another training than the given ones (docs/log.md)."""
TWIN = 0.5
"""Weight of a twin's label in log-likelihood: whoever mislabelled one photo may have done so twice."""


def label_doubt(
    manifest: pd.DataFrame,
    labels: np.ndarray,
    pred_probs: np.ndarray,
    repeats: np.ndarray | None,
    neighbors: np.ndarray | None,
    margins: np.ndarray | None,
    planted: np.ndarray | None,
    planted_margins: np.ndarray | None,
    twin_labels: pd.DataFrame,
) -> pd.DataFrame:
    """Probability that the label is wrong, for each labelled image with a prediction.

    Predictions of networks that never saw the label are read by a model of how labels of this set go wrong
    (`curate.label_noise`), with the labels of twins as further ones. How the label was learned in training and what the
    most similar images are called can change the probability as far as it told planted errors from given labels
    (`curate.label_evidence`); this is off, see `WEIGHED`. Each split has a rate of errors of its own.

    `labels`: shape (N,), -1 for unlabelled. `pred_probs`: shape (N, K); `repeats`: (R, N, K), None for predictions of
    other programs; `twin_labels`: see that signal; the others: `curate.predictions.Predictions`.
    Returns the columns `row`, `wrong` (probability), `suggested` (position of the class that is most probable beside
    the given one), `suggested_prob` (that it is right), `predicted` and `predicted_prob` (by the networks alone),
    `own_prob` (of the given label, by the networks alone), `heldout` (log-odds by predictions), and one for each of
    `EVIDENCE` (what it added to the log-odds).
    """
    repeats = pred_probs[None] if repeats is None else repeats
    known = (labels >= 0) & ~np.isnan(pred_probs).any(axis=1)
    tables = [_empty()]
    for split in manifest["split"].unique():
        rows = np.flatnonzero(known & (manifest["split"] == split).to_numpy())
        if len(rows):
            tables.append(_of_split(rows, labels, pred_probs, repeats, twin_labels))
    table = pd.concat(tables, ignore_index=True).sort_values("row", ignore_index=True)
    added = np.zeros((len(table), len(EVIDENCE)))
    if WEIGHED and planted is not None and planted_margins is not None:
        given, others = Labels(labels, neighbors, margins), Labels(planted, neighbors, planted_margins)
        added = label_evidence.added(
            table["row"].to_numpy(), table["heldout"].to_numpy(), pred_probs, repeats, given, others
        )
    odds = table["heldout"].to_numpy() + added.sum(axis=1)
    wrong = np.clip(expit(odds), LEAST, 1 - LEAST)
    before = np.maximum(table["wrong"].to_numpy(), 1e-12)
    table["suggested_prob"] *= wrong / before
    table["wrong"] = wrong
    for number, name in enumerate(EVIDENCE):
        table[name] = added[:, number]
    return table


def _of_split(
    rows: np.ndarray, labels: np.ndarray, pred_probs: np.ndarray, repeats: np.ndarray, twins: pd.DataFrame
) -> pd.DataFrame:
    """What predictions, labels and twins say about the images of one split."""
    given, probs = labels[rows], pred_probs[rows].astype(np.float64)
    if len(np.unique(given)) < 2:  # nothing that a label could have been taken for
        return _read(rows, given, probs, np.eye(probs.shape[1])[given])
    noise = label_noise.fit(repeats[:, rows], given)
    truth = noise.truth(probs)
    at = pd.Series(np.arange(len(rows)), index=rows)
    twins = twins[twins["row"].isin(at.index)]
    twice = truth.copy()
    if len(twins):
        places = at[twins["row"]].to_numpy()
        likelihood = noise.likelihood(truth[places], twins["label"].to_numpy())
        np.multiply.at(twice, places, np.maximum(likelihood, 1e-6) ** TWIN)
        twice /= np.maximum(twice.sum(axis=1, keepdims=True), 1e-300)
    return _read(rows, given, truth, noise.posterior(twice, given, hardness=truth))


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
            "heldout": logit(wrong),
        }
    )


def _empty() -> pd.DataFrame:
    none = np.zeros((0, 2))
    return _read(np.zeros(0, np.int64), np.zeros(0, np.int64), none, none)
