"""The given label is probably wrong."""

import numpy as np
import pandas as pd

from curate.errors import known
from curate.labels import threshold

METHODS = ("fused", "confident_learning")
FILTERS = ("prune_by_noise_rate", "prune_by_class", "both", "confident_learning", "predicted_neq_given")
"""The rules of `cleanlab.filter.find_label_issues`."""
SUGGEST = 0.1
"""Probability of a wrong label from which on another one is suggested: below, it is of no use to anybody."""
FITS = 0.5
"""Share of that probability that one class must have to be suggested; else none fits."""
PLAUSIBLE = 0.25
"""Probability, by predictions alone, from which on an image may be of a class; with two such classes it is ambiguous:
chosen by eye."""


def label_error(
    manifest: pd.DataFrame,
    labels: np.ndarray,
    classes: list[str],
    pred_probs: np.ndarray,
    label_doubt: pd.DataFrame,
    neighbor_agreement: np.ndarray | None,
    late_learning: np.ndarray | None,
    *,
    method: str = "fused",
    at: str = "f1",
    filter_by: str = "prune_by_class",
) -> pd.DataFrame:
    """Label that networks, trained on the other images, say is wrong; with the one to give.

    The score is one minus the probability that the label is wrong, see the signal `label_doubt`. `at` says what is
    flagged: "f1" as many as are expected to give the best F1, "precision=0.9" or "recall=0.8" as many as are expected
    to keep to that, "probability=0.5" all above, "budget=500" so many. A class is suggested where it has more than half
    of the probability that the label is wrong; else `detail` says that no class fits. It says "ambiguous" where the
    networks find two classes plausible, and what there is to see: what the networks say, what labels of twins added to
    the log-odds of a wrong label, how many of the most similar images have this label, and how probably it was learned
    late in training, as wrong ones are. The last two are for the eye and don't enter the score.

    `method="confident_learning"`: plain cleanlab on the mean probabilities. The score is p(given) / (p(given) + p(best
    other)), and `filter_by` is the rule of cleanlab's filter that flags.

    `labels`: shape (N,), positions in `classes`, -1 for unlabelled. `pred_probs`: shape (N, K), out of fold, rows sum
    to 1, NaN where there is none. Each split is judged by itself, because a test set is often cleaner than what it
    tests. Generated images are not judged: their label is that of their original, and follows it.
    Source of cleanlab's rules: Northcutt, Jiang, Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset
    Labels".
    """
    if method not in METHODS:
        raise known("value of label_error.method", method, list(METHODS))
    split = manifest["split"].to_numpy()
    if method == "confident_learning":
        given = np.where(manifest["parent_id"] == "", labels, -1)
        return _confident_learning(split, given, classes, pred_probs, filter_by)
    rows = label_doubt["row"].to_numpy()
    seen = label_doubt.assign(
        neighbor_agreement=np.nan if neighbor_agreement is None else neighbor_agreement[rows],
        late_learning=np.nan if late_learning is None else late_learning[rows],
    )
    return _fused(split, labels, classes, seen, at)


def _fused(split: np.ndarray, labels: np.ndarray, classes: list[str], doubt: pd.DataFrame, at: str) -> pd.DataFrame:
    threshold.parse(at)
    names = np.array(classes, dtype=object)
    rows, wrong = doubt["row"].to_numpy(), doubt["wrong"].to_numpy()
    flagged = np.zeros(len(rows), bool)
    for name in np.unique(split[rows]):
        mine = split[rows] == name
        flagged[mine] = threshold.taken(wrong[mine], threshold.cut(wrong[mine], at))
    given, suggested = labels[rows], doubt["suggested"].to_numpy()
    fits = (doubt["suggested_prob"] > FITS * doubt["wrong"]).to_numpy() & (wrong >= SUGGEST) & (len(classes) > 1)
    return pd.DataFrame(
        {
            "row": rows,
            "score": 1 - wrong,
            "flagged": flagged,
            "suggested_label": np.where(fits, names[suggested], ""),
            "suggested_prob": np.where(fits, doubt["suggested_prob"], 0.0),
            "detail": _details(names, given, fits, doubt),
        }
    )


def _details(names: np.ndarray, given: np.ndarray, fits: np.ndarray, doubt: pd.DataFrame) -> list[str]:
    """What kind of doubt it is, and what there is to see."""
    own, top = doubt["own_prob"].to_numpy(), doubt["predicted_prob"].to_numpy()
    predicted = doubt["predicted"].to_numpy()
    second = np.where(predicted == given, doubt["suggested_prob"], own)
    kind = np.where((second >= PLAUSIBLE) & (top >= PLAUSIBLE), "ambiguous: ", "")
    kind = np.where((doubt["wrong"] >= FITS) & ~fits, "no class fits: ", kind)
    evidence = doubt["twins"], doubt["neighbor_agreement"], doubt["late_learning"]
    meant = np.where(fits & (doubt["suggested"] != predicted), names[doubt["suggested"]], "")
    columns = (kind, names[predicted], top, names[given], own, meant, doubt["suggested_prob"], *evidence)
    return [
        f"{what}networks say {name} {p:.2f}"
        + (f", {label} {q:.2f}" if label != name else "")
        + (f"; {other} {r:.2f} as it is labelled {label}" if other else "")
        + (f"; twins {twins:+.1f}" if abs(twins) >= 0.05 else "")
        + (f"; {near:.0%} of neighbours agree" if near == near else "")
        + (f"; learned late {late:.2f}" if late == late else "")
        for what, name, p, label, q, other, r, twins, near, late in zip(*columns, strict=True)
    ]


def _confident_learning(
    split: np.ndarray, labels: np.ndarray, classes: list[str], pred_probs: np.ndarray, filter_by: str
) -> pd.DataFrame:
    rows = np.flatnonzero((labels >= 0) & ~np.isnan(pred_probs).any(axis=1))
    given, probs = labels[rows], pred_probs[rows].astype(np.float64)
    others = probs.copy()
    others[np.arange(len(rows)), given] = -1
    best = others.argmax(axis=1) if len(rows) else given
    p_given, p_best = probs[np.arange(len(rows)), given], probs[np.arange(len(rows)), best]
    score = p_given / np.maximum(p_given + p_best, 1e-12) if len(classes) > 1 else np.ones(len(rows))
    flagged = np.zeros(len(rows), bool)
    for name in np.unique(split[rows]):
        mine = split[rows] == name
        flagged[mine] = _issues(given[mine], probs[mine], filter_by)
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
