"""How well `label_error` finds the labels that people really got wrong in CIFAR-10, beside plain cleanlab.

Trains 5 folds on `aggre` (9.0 % wrong) and on `worse` (40.2 %), with the labels people gave; the truth is used for
scoring alone. Every filter of cleanlab sees the same probabilities.
"""

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from curate import predictions, verbs
from curate.manifest import label_codes
from curate.workspace import FINDINGS, read_table
from tests.benchmarks import cifar10n
from tests.benchmarks.record import record
from train import verbs as training

FILTERS = ("prune_by_noise_rate", "prune_by_class", "both", "confident_learning", "predicted_neq_given")


def run() -> None:
    """Both label sets; results of one are kept should the other fail."""
    figures: dict[str, object] = {}
    for column in ("aggre", "worse"):
        figures[column] = measure(column)
        record("label_errors", "CIFAR-10 (JPEG copy), CIFAR-10N labels; 5 folds, 50,000 training images", figures)


def measure(column: str) -> dict[str, object]:
    """Predict (once), scan, and compare with the truth."""
    ws = cifar10n.workspace(column)
    if not predictions.exists(ws):
        training.predict(ws, folds=5, settings={})
    verbs.scan(ws, only=["label_error"], settings={}, workers=None)
    rows, true = cifar10n.truth(ws)
    wrong = (rows["label"] != true).to_numpy()
    predicted = predictions.read(ws, rows)
    found = read_table(ws.path(FINDINGS)).set_index("image_id")
    found = found[found["finder"] == "label_error"].reindex(rows["image_id"])
    score = found["score"].fillna(1).to_numpy()
    flagged = found["flagged"].fillna(False).to_numpy(bool)
    suggested = found["suggested_label"].fillna("").to_numpy()
    labels = label_codes(rows, predicted.classes)
    right = np.array(predicted.classes)[predicted.pred_probs.argmax(1)] == true
    return {
        "wrong_share": float(wrong.mean()),
        "predict_seconds": predicted.summary["seconds"],
        "fold_agreement_with_given": predicted.summary["fold_accuracy"],
        "held_out_accuracy_against_truth": float(right.mean()),
        "config": predicted.summary["config"],
        "label_error": scores(wrong, flagged, score),
        "suggestion_right_where_flagged_and_wrong": float((suggested == true)[flagged & wrong].mean()),
        "cleanlab": {name: cleanlab_scores(wrong, labels, predicted.pred_probs, name) for name in FILTERS},
    }


def cleanlab_scores(wrong: np.ndarray, labels: np.ndarray, pred_probs: np.ndarray, filter_by: str) -> dict[str, float]:
    """Plain cleanlab on the same probabilities: its filter, and its default ranking (self-confidence)."""
    flagged = find_label_issues(labels, pred_probs, filter_by=filter_by, n_jobs=1)
    return scores(wrong, flagged, get_label_quality_scores(labels, pred_probs))


def scores(wrong: np.ndarray, flagged: np.ndarray, score: np.ndarray) -> dict[str, float]:
    """Precision, recall and F1 of what is flagged; AUROC, average precision and best possible F1 of the ranking."""
    hits = int((wrong & flagged).sum())
    precision, recall, _ = precision_recall_curve(wrong, -score)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return {
        "flagged": int(flagged.sum()),
        "precision": hits / max(1, int(flagged.sum())),
        "recall": hits / int(wrong.sum()),
        "f1": 2 * hits / (int(flagged.sum()) + int(wrong.sum())),
        "auroc": float(roc_auc_score(wrong, -score)),
        "average_precision": float(average_precision_score(wrong, -score)),
        "best_f1": float(f1.max()),
    }
