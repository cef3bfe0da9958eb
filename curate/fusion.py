"""Several kinds of evidence weighed into one probability, by how labels that are wrong on purpose look to them."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

FEWEST = 40
"""Planted labels from which on weights are learned: ten for each kind of evidence or so."""
RIDGE = 30.0
"""Prior precision of the weights of standardised evidence: with 3, kinds of evidence that say the same got large
weights of opposite signs on CIFAR-10N `aggre`."""
ROUNDS = 4
"""In which what is believed of the given labels is updated by the weights."""

TERMS = 6
"""Columns of `_terms`."""


@dataclass(frozen=True)
class Seen:
    """What there is to see of N labels."""

    odds: np.ndarray
    """Shape (N,): log-odds that the label is wrong, by predictions that never saw it."""
    heldout: np.ndarray
    """Shape (N,): log-margin of the label in these predictions."""
    evidence: np.ndarray
    """Shape (N, F): other evidence, NaN where there is none."""


@dataclass(frozen=True)
class Weights:
    """What evidence says beyond the log-odds of predictions that never saw the label."""

    center: np.ndarray
    """Shape (F, T): expected value of each kind of evidence, see `_terms`."""
    spread: np.ndarray
    """Shape (F,): standard deviation around it; infinite where too little is known of the evidence to say anything."""
    weights: np.ndarray
    """Shape (2F,): log-odds per standard deviation above what was expected, and how it changes with the log-odds."""

    def said(self, odds: np.ndarray, heldout: np.ndarray, evidence: np.ndarray) -> np.ndarray:
        """What each kind of evidence adds to the log-odds: shapes (N,), (N,), (N, F) -> (N, F); 0 where it is NaN."""
        rest = self._rest(odds, heldout, evidence)
        count = len(self.spread)
        return rest * (self.weights[:count] + self.weights[count:] * _bent(odds)[:, None])

    def _rest(self, odds: np.ndarray, heldout: np.ndarray, evidence: np.ndarray) -> np.ndarray:
        rest = (evidence - _terms(odds, heldout) @ self.center.T) / self.spread
        return np.clip(np.nan_to_num(rest), -4, 4)


def nothing(kinds: int) -> Weights:
    """Weights that add nothing, where none can be learned."""
    return Weights(np.zeros((kinds, TERMS)), np.ones(kinds), np.zeros(2 * kinds))


def learn(given: Seen, planted: Seen) -> Weights:
    """Learn what evidence says of a label, given what predictions say, from labels that are wrong on purpose.

    Given labels count as right as far as they are believed to be; logistic regression tells the two apart by the
    log-odds and by what of the evidence does not follow from them; only the latter becomes weights, so it does not
    matter that planted errors may be easier or harder to see than real ones. Evidence that is known of fewer than
    `FEWEST` labels is not weighed, and none is where fewer were planted.
    """
    kinds = given.evidence.shape[1]
    count, extra = len(given.odds), len(planted.odds)
    if extra < FEWEST:
        return nothing(kinds)
    odds, heldout, evidence = (
        np.concatenate(pair)
        for pair in ((given.odds, planted.odds), (given.heldout, planted.heldout), (given.evidence, planted.evidence))
    )
    base = _terms(odds, heldout)
    center, spread = np.zeros((kinds, TERMS)), np.full(kinds, np.inf)
    for kind in range(kinds):
        known = np.isfinite(evidence[:, kind])
        if known.sum() < FEWEST:
            continue
        center[kind] = np.linalg.lstsq(base[known], evidence[known, kind], rcond=None)[0]
        spread[kind] = max(float((evidence[known, kind] - base[known] @ center[kind]).std()), 1e-6)
    weights = Weights(center, spread, np.zeros(2 * kinds))
    rest = weights._rest(odds, heldout, evidence)
    terms = np.concatenate([base, rest, rest * _bent(odds)[:, None]], axis=1)
    wrong = np.concatenate([np.zeros(count), np.ones(extra)])
    ridge = np.array([1e-2] * TERMS + [RIDGE] * (2 * kinds))
    believed = given.odds
    for _ in range(ROUNDS):
        right = expit(-believed)
        share = np.concatenate([right * extra / right.sum(), np.ones(extra)])  # both sides weigh the same
        weights = Weights(center, spread, _logistic(terms, wrong, share, ridge)[TERMS:])
        believed = given.odds + weights.said(given.odds, given.heldout, given.evidence).sum(axis=1)
    return weights


def _logistic(terms: np.ndarray, target: np.ndarray, weight: np.ndarray, ridge: np.ndarray) -> np.ndarray:
    """Weighted logistic regression with a Gaussian prior, by Newton's method: shape (terms,)."""
    at = np.zeros(terms.shape[1])
    for _ in range(25):
        fitted = expit(terms @ at)
        gradient = terms.T @ (weight * (target - fitted)) - ridge * at
        curvature = terms.T @ (terms * (weight * fitted * (1 - fitted))[:, None]) + np.diag(ridge)
        step = np.linalg.solve(curvature, gradient)
        at = at + step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-9))
        if np.abs(step).max() < 1e-6:
            break
    return at


def _bent(odds: np.ndarray) -> np.ndarray:
    """Log-odds in -1 to 1: beyond 6, which is 400 to 1, more of them change nothing."""
    return np.tanh(odds / 3)


def _terms(odds: np.ndarray, heldout: np.ndarray) -> np.ndarray:
    """What evidence is expected from, and compared at: shapes (N,), (N,) -> (N, `TERMS`)."""
    bent, margin = _bent(odds), heldout / 3
    return np.stack([np.ones_like(bent), bent, bent**2, margin, margin**2, margin * bent], axis=1)
