"""What training and neighbours say of labels, weighed by how labels that are wrong on purpose look to them."""

from dataclasses import dataclass

import numpy as np
from scipy.special import logit

from curate import fusion, label_noise
from curate.signals.final_margin import final_margin
from curate.signals.late_learning import late_learning
from curate.signals.neighbor_agreement import neighbor_agreement
from curate.signals.training_margin import training_margin
from curate.signals.wrong_epochs import wrong_epochs

EVIDENCE = ("training_margin", "final_margin", "wrong_epochs", "late_learning", "neighbor_agreement")
"""What is weighed beside the predictions, in the order of the columns."""
LEAST = 1e-6
"""Least probability that is told apart from 0, here and of a wrong label."""


@dataclass(frozen=True)
class Labels:
    """N labels, each of an image, and what there is to see of them."""

    labels: np.ndarray
    """Shape (N,), -1 for unlabelled."""
    neighbors: np.ndarray | None
    """Shape (R, N, k): see `curate.predictions.Predictions`; so are the margins."""
    margins: np.ndarray | None
    """Shape (N, E)."""

    def evidence(self) -> np.ndarray:
        """Shape (N, F), in the order of `EVIDENCE`, NaN where there is none."""
        columns = [
            training_margin(self.margins),
            final_margin(self.margins),
            wrong_epochs(self.margins),
            late_learning(self.margins),
            neighbor_agreement(self.labels, self.neighbors),
        ]
        return np.stack([np.full(len(self.labels), np.nan) if each is None else each for each in columns], axis=1)


def added(
    rows: np.ndarray, odds: np.ndarray, pred_probs: np.ndarray, repeats: np.ndarray, given: Labels, planted: Labels
) -> np.ndarray:
    """What each kind of evidence adds to the log-odds that labels are wrong: shape (n, F).

    Weights for one half of the images are learned on the other half. rows: shape (n,), of the images. odds: shape (n,),
    by predictions. pred_probs: shape (N, K). repeats: shape (R, N, K). planted: labels of another training, of all N
    images, -1 for those that kept the given one.
    """
    evidence = given.evidence()[rows]
    trained = np.isfinite(evidence[:, 0])
    told = np.where(planted.labels >= 0, planted.labels, given.labels)
    noise = label_noise.fit(repeats[:, rows[trained]], given.labels[rows[trained]])
    chosen = np.flatnonzero((planted.labels >= 0) & (given.labels >= 0) & ~np.isnan(pred_probs).any(axis=1))
    wrong = planted.labels[chosen]
    posterior = noise.posterior(noise.truth(pred_probs[chosen].astype(np.float64)), wrong)
    wrong_ones = fusion.Seen(
        logit(np.clip(1 - posterior[np.arange(len(chosen)), wrong], LEAST, 1 - LEAST)),
        _log_margin(pred_probs[chosen], wrong),
        Labels(told, planted.neighbors, planted.margins).evidence()[chosen],
    )
    seen = fusion.Seen(odds, _log_margin(pred_probs[rows], given.labels[rows]), evidence)
    result = np.zeros_like(evidence)
    for half in (0, 1):
        gets = rows % 2 == half
        weights = fusion.learn(_part(seen, trained & ~gets), _part(wrong_ones, chosen % 2 != half))
        result[gets] = weights.said(seen.odds[gets], seen.heldout[gets], evidence[gets])
    return result


def _part(seen: fusion.Seen, where: np.ndarray) -> fusion.Seen:
    return fusion.Seen(seen.odds[where], seen.heldout[where], seen.evidence[where])


def _log_margin(probs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Logarithm of how often the label is more probable than the best other class: shapes (n, K), (n,) -> (n,)."""
    every = np.arange(len(labels))
    others = probs.astype(np.float64)
    own = others[every, labels].copy()
    others[every, labels] = 0
    return np.log(np.maximum(own, LEAST)) - np.log(np.maximum(others.max(axis=1, initial=0), LEAST))
