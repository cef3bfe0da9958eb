"""How probable it is that a label is wrong, and which one would be right: all evidence in one probability."""

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from curate import fusion, label_noise
from curate.signals.final_margin import final_margin
from curate.signals.late_learning import late_learning
from curate.signals.neighbor_agreement import neighbor_agreement
from curate.signals.training_margin import training_margin
from curate.signals.twin_labels import twin_labels
from curate.signals.wrong_epochs import wrong_epochs

EVIDENCE = ("training_margin", "final_margin", "wrong_epochs", "late_learning", "neighbor_agreement")
"""What is weighed beside the predictions, in the order of the columns."""
WEIGHED = False
"""Whether `EVIDENCE` changes the probability. Off: on CIFAR-10N `worse` it lowered the best F1 from 0.871 to 0.828, and
on `aggre` it changed nothing, as planted labels are learned in another training than the given ones (docs/log.md)."""
TWIN = 0.5
"""Weight of a twin's label in log-likelihood: whoever mislabelled one photo may have done so twice."""
LEAST = 1e-6


def label_doubt(
    manifest: pd.DataFrame,
    labels: np.ndarray,
    pred_probs: np.ndarray,
    repeats: np.ndarray | None,
    neighbors: np.ndarray | None,
    margins: np.ndarray | None,
    planted: np.ndarray | None,
    planted_margins: np.ndarray | None,
    duplicate_pairs: pd.DataFrame,
) -> pd.DataFrame:
    """Probability that the label is wrong, for each labelled image with a prediction.

    Predictions of networks that never saw the label are read by a model of how labels of this set go wrong
    (`curate.label_noise`), with the labels of twins as further ones. How the label was learned in training and what the
    most similar images are called changes the probability as far as it told planted errors from given labels
    (`curate.fusion`), learned on half of the images for the other half; this is off, see
    `WEIGHED`. Each split has a rate of errors of its own.

    `labels`: shape (N,), -1 for unlabelled. `pred_probs`: shape (N, K); `repeats`: (R, N, K), None for predictions of
    other programs; the others: see `curate.predictions.Predictions`.
    Returns the columns `row`, `wrong` (probability), `suggested` (position of the class that is most probable beside
    the given one), `suggested_prob` (that it is right), `predicted` and `predicted_prob` (by the networks alone),
    `own_prob` (of the given label, by the networks alone), `heldout` (log-odds by predictions), and one for each of
    `EVIDENCE` (what it added to the log-odds).
    """
    known = (labels >= 0) & ~np.isnan(pred_probs).any(axis=1)
    tables = [_empty()]
    for split in manifest["split"].unique():
        rows = np.flatnonzero(known & (manifest["split"] == split).to_numpy())
        if len(rows):
            tables.append(_of_split(rows, labels, pred_probs, repeats, duplicate_pairs))
    table = pd.concat(tables, ignore_index=True).sort_values("row", ignore_index=True)
    evidence = _evidence(labels, neighbors, margins)[table["row"]]
    added = np.zeros_like(evidence)
    if WEIGHED and planted is not None and planted_margins is not None:
        added = _weigh(table, evidence, labels, pred_probs, repeats, neighbors, planted, planted_margins)
    odds = table["heldout"].to_numpy() + added.sum(axis=1)
    wrong = np.clip(expit(odds), LEAST, 1 - LEAST)
    before = np.maximum(table["wrong"].to_numpy(), 1e-12)
    table["suggested_prob"] *= wrong / before
    table["wrong"] = wrong
    for number, name in enumerate(EVIDENCE):
        table[name] = added[:, number]
    return table


def _of_split(
    rows: np.ndarray, labels: np.ndarray, pred_probs: np.ndarray, repeats: np.ndarray | None, pairs: pd.DataFrame
) -> pd.DataFrame:
    """What predictions, labels and twins say about the images of one split."""
    given, probs = labels[rows], pred_probs[rows].astype(np.float64)
    if len(np.unique(given)) < 2:  # nothing that a label could have been taken for
        return _read(rows, given, probs, np.eye(probs.shape[1])[given])
    noise = label_noise.fit(_repeats(repeats, pred_probs)[:, rows], given)
    truth = noise.truth(probs)
    twins = twin_labels(labels, pairs)
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


def _repeats(repeats: np.ndarray | None, pred_probs: np.ndarray) -> np.ndarray:
    return pred_probs[None] if repeats is None else repeats


def _evidence(labels: np.ndarray, neighbors: np.ndarray | None, margins: np.ndarray | None) -> np.ndarray:
    """Shape (N, F), NaN where there is none."""
    columns = [
        training_margin(margins),
        final_margin(margins),
        wrong_epochs(margins),
        late_learning(margins),
        neighbor_agreement(labels, neighbors),
    ]
    return np.stack([np.full(len(labels), np.nan) if each is None else each for each in columns], axis=1)


def _weigh(
    table: pd.DataFrame,
    evidence: np.ndarray,
    labels: np.ndarray,
    pred_probs: np.ndarray,
    repeats: np.ndarray | None,
    neighbors: np.ndarray | None,
    planted: np.ndarray,
    planted_margins: np.ndarray,
) -> np.ndarray:
    """What each kind of evidence adds to the log-odds of each row of the table: shape (n, F).

    Weights for one half of the images are learned on the other half.
    """
    rows = table["row"].to_numpy()
    trained = np.isfinite(evidence[:, 0])
    told = np.where(planted >= 0, planted, labels)
    noise = label_noise.fit(_repeats(repeats, pred_probs)[:, rows[trained]], labels[rows[trained]])
    chosen = np.flatnonzero((planted >= 0) & (labels >= 0) & ~np.isnan(pred_probs).any(axis=1))
    truth = noise.truth(pred_probs[chosen].astype(np.float64))
    posterior = noise.posterior(truth, planted[chosen])
    planted_odds = logit(np.clip(1 - posterior[np.arange(len(chosen)), planted[chosen]], LEAST, 1 - LEAST))
    wrong_ones = fusion.Seen(
        planted_odds,
        _log_margin(pred_probs[chosen], planted[chosen]),
        _evidence(told, neighbors, planted_margins)[chosen],
    )
    seen = fusion.Seen(table["heldout"].to_numpy(), _log_margin(pred_probs[rows], labels[rows]), evidence)
    added = np.zeros_like(evidence)
    for half in (0, 1):
        gets = rows % 2 == half
        weights = fusion.learn(_part(seen, trained & ~gets), _part(wrong_ones, chosen % 2 != half))
        added[gets] = weights.said(seen.odds[gets], seen.heldout[gets], evidence[gets])
    return added


def _part(seen: fusion.Seen, where: np.ndarray) -> fusion.Seen:
    return fusion.Seen(seen.odds[where], seen.heldout[where], seen.evidence[where])


def _log_margin(probs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Logarithm of how often the label is more probable than the best other class: shapes (n, K), (n,) -> (n,)."""
    every = np.arange(len(labels))
    others = probs.astype(np.float64)
    own = others[every, labels].copy()
    others[every, labels] = 0
    return np.log(np.maximum(own, LEAST)) - np.log(np.maximum(others.max(axis=1, initial=0), LEAST))
