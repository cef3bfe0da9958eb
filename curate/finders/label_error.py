"""The given label is probably wrong."""

import numpy as np
import pandas as pd

FILTERS = ("prune_by_noise_rate", "prune_by_class", "both", "confident_learning", "predicted_neq_given")
"""The rules of `cleanlab.filter.find_label_issues`."""


def label_error(
    manifest: pd.DataFrame,
    labels: np.ndarray,
    classes: list[str],
    pred_probs: np.ndarray,
    *,
    filter_by: str = "prune_by_class",
) -> pd.DataFrame:
    """Label that the network, trained on the other images, takes for wrong, with the label it would give.

    The score is p(given) / (p(given) + p(best other)), in [0, 1]: below 0.5 the network would choose another class. It
    orders images as the log-margin does.

    `labels`: shape (N,), positions in `classes`, -1 for unlabelled. `pred_probs`: shape (N, K), out of fold, rows sum
    to 1, NaN where there is none. `filter_by`: which rule of cleanlab's filter flags. The default flags per class as
    many of the lowest p(given) as the estimated noise says; of the five it had the best F1 on CIFAR-10N `aggre` and on
    `worse`, see docs/benchmarks.md. Each split is judged by itself, because a test set is often cleaner than what it
    tests.
    Source: Northcutt, Jiang, Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels".
    """
    rows = np.flatnonzero((labels >= 0) & ~np.isnan(pred_probs).any(axis=1))
    given, probs = labels[rows], pred_probs[rows].astype(np.float64)
    others = probs.copy()
    others[np.arange(len(rows)), given] = -1
    best = others.argmax(axis=1) if len(rows) else given
    p_given, p_best = probs[np.arange(len(rows)), given], probs[np.arange(len(rows)), best]
    score = p_given / np.maximum(p_given + p_best, 1e-12) if len(classes) > 1 else np.ones(len(rows))
    split = manifest["split"].to_numpy()[rows]
    flagged = np.zeros(len(rows), bool)
    for name in np.unique(split):
        flagged[split == name] = _issues(given[split == name], probs[split == name], filter_by)
    return pd.DataFrame(
        {
            "row": rows,
            "score": score,
            "flagged": flagged,
            "suggested_label": np.where(score < 0.5, np.array(classes, dtype=object)[best], "").astype("object"),
            "detail": [
                f"p(given) {p:.2f}, p({classes[k]}) {q:.2f}" for p, k, q in zip(p_given, best, p_best, strict=True)
            ],
        }
    )


def _issues(given: np.ndarray, probs: np.ndarray, filter_by: str) -> np.ndarray:
    """cleanlab's verdict, shape (N,), bool. It wants classes without gaps, so those that nobody has are left out."""
    if filter_by not in FILTERS:
        from curate.errors import known

        raise known("value of label_error.filter_by", filter_by, list(FILTERS))
    present = np.unique(given)
    if len(present) < 2:
        return np.zeros(len(given), bool)
    if filter_by == "predicted_neq_given":
        return probs.argmax(axis=1) != given
    from cleanlab.filter import find_label_issues

    kept = probs[:, present]
    kept /= np.maximum(kept.sum(axis=1, keepdims=True), 1e-12)
    codes = np.searchsorted(present, given)
    return find_label_issues(codes, kept, filter_by=filter_by, min_examples_per_class=0, n_jobs=1)
