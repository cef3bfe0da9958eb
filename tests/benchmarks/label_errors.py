"""How well `label_error` finds the labels that people really got wrong in CIFAR-10N, beside cleanlab and each evidence.

`python -m tests.benchmarks.label_errors [SET ...] [--profile NAME] [--planted SHARE] [--kind class]` predicts (once per
set and profile), scans, and compares with the truth, which nothing before saw. Sets are the labels of CIFAR-10N
(`aggre`, 9.0 % wrong; `worse`, 40.2 %; `clean`), `long-tail`, `imagenette` and `digits`, see
`tests.benchmarks.label_sets`; a share of wrong labels is planted on top if asked. Every filter of cleanlab sees the
same probabilities. Results of other sets stay in the JSON.
"""

import argparse
import sys
import time

import numpy as np
import pandas as pd
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from curate import predictions, verbs
from curate.engine import Local
from curate.evidence import Evidence
from curate.finders.label_error import FILTERS
from curate.manifest import label_codes
from curate.workspace import FINDINGS, Workspace, read_table
from tests.benchmarks import label_sets
from tests.benchmarks.record import circumstances, earlier, record, signals_of
from train.predict import predict

BINS = 10
"""Of equal mass, for the calibration error."""
EVIDENCE = ("training_margin", "final_margin", "wrong_epochs", "late_learning", "neighbor_agreement")
"""Signals that are compared beside the predictions."""
LOW = {"training_margin", "final_margin", "neighbor_agreement"}
"""Those that are low for wrong labels."""
AT = (100, 1000)
"""Places at which the precision of the ranking is told."""


def run(arguments: list[str] | None = None) -> None:
    """Results of one set are kept should the next fail."""
    asked = argparse.ArgumentParser(prog="python -m tests.benchmarks.label_errors", description=__doc__)
    asked.add_argument("sets", nargs="*", default=["aggre", "worse"], metavar="SET")
    asked.add_argument("--profile", default="quick")
    asked.add_argument("--planted", type=float, default=0.0, help="share of labels to make wrong on top")
    asked.add_argument("--kind", default="uniform", choices=label_sets.KINDS, help="which labels these take")
    given = asked.parse_args(arguments or [])
    file = "label_errors" if given.profile == "quick" else f"label_errors_{given.profile}"
    for name in given.sets:
        if name not in label_sets.SETS:
            asked.error(f"no set is called {name!r}; there are: {', '.join(label_sets.SETS)}")
        ws = label_sets.workspace(name, planted=given.planted, kind=given.kind)
        found = measure(ws, profile=given.profile, settings=label_sets.SETTINGS.get(name, {}))
        print_figures(ws.root.name, found)
        figures = earlier(file)
        if found["predict_wall_seconds"] is None:
            found["predict_wall_seconds"] = figures.get(ws.root.name, {}).get("predict_wall_seconds")
        signals = signals_of("label_error")
        figures[ws.root.name] = found | {"measured": circumstances(signals)}
        what = "CIFAR-10 (JPEG copy) with labels of CIFAR-10N, and other sets with planted errors"
        record(file, what, figures, signals=signals)


def measure(ws: Workspace, *, profile: str, settings: dict[str, object]) -> dict[str, object]:
    """Predict (once), scan, and compare with the truth."""
    seconds = None
    if not predictions.exists(ws):
        started = time.perf_counter()
        predict(ws, profile=profile, settings=settings)
        seconds = time.perf_counter() - started
    started = time.perf_counter()
    verbs.scan(ws, only=["label_error"], settings={}, engine=Local())
    scan_seconds = time.perf_counter() - started
    rows, true = label_sets.truth(ws)
    predicted = predictions.read(ws, rows)
    labels, truth = label_codes(rows, predicted.classes), label_codes(rows.assign(label=true), predicted.classes)
    wrong = labels != truth
    found = read_table(ws.path(FINDINGS)).set_index("image_id")
    found = found[found["finder"] == "label_error"].reindex(rows["image_id"])
    p_wrong = 1 - found["score"].fillna(1).to_numpy(np.float64)
    flagged = found["flagged"].fillna(False).to_numpy(bool)
    suggested = found["suggested_label"].fillna("").to_numpy()
    ours = scores(wrong, flagged, p_wrong)
    return {
        "wrong_share": float(wrong.mean()),
        "predict_wall_seconds": seconds,
        "training_seconds": predicted.summary["seconds"],
        "scan_seconds": scan_seconds,
        "profile": predicted.summary["profile"],
        "fold_agreement_with_given": predicted.summary["fold_accuracy"],
        "heldout_accuracy_against_truth": accuracy(predicted, truth),
        "config": predicted.summary["config"],
        "label_error": ours,
        "regret": ours.get("best_f1", 0.0) - ours["f1"],
        "estimated_wrong_share": float(p_wrong.mean()),
        "calibration_error": calibration_error(wrong, p_wrong),
        "bins": BINS,
        "false_alarms": float((flagged & ~wrong).mean()),
        "false_alarms_by_class": by_class(true, flagged & ~wrong),
        "suggestion_right_where_flagged_and_wrong": float((suggested == true)[flagged & wrong].mean()),
        "evidence": {name: ranking(wrong, values) for name, values in evidence(ws, rows, predicted, labels).items()},
        "cleanlab": {name: cleanlab_scores(wrong, labels, predicted.pred_probs, name) for name in FILTERS},
    }


def by_class(true: np.ndarray, alarm: np.ndarray) -> dict[str, dict[str, int]]:
    """Images of each class, and how many of them were flagged though their labels are right."""
    return {
        name: {"images": int((true == name).sum()), "false_alarms": int(alarm[true == name].sum())}
        for name in np.unique(true)
    }


def accuracy(predicted: predictions.Predictions, truth: np.ndarray) -> dict[str, object]:
    """Agreement of the held-out predictions with the truth: of each repetition, and of their mean."""
    repeats = [] if predicted.repeats is None else list(predicted.repeats)
    return {
        "repetitions": [float((probs.argmax(1) == truth).mean()) for probs in repeats],
        "mean": float((predicted.pred_probs.argmax(1) == truth).mean()),
    }


def evidence(
    ws: Workspace, rows: pd.DataFrame, predicted: predictions.Predictions, labels: np.ndarray
) -> dict[str, np.ndarray]:
    """Each single evidence, higher for wrong, shape (N,)."""
    seen = Evidence(ws, rows)
    every = np.arange(len(rows))
    others = predicted.pred_probs.copy()
    own = others[every, labels].copy()
    others[every, labels] = 0
    found = {
        "log_margin": np.log(others.max(axis=1) + 1e-9) - np.log(own + 1e-9),
        "self_confidence": -own,
    }
    for name in EVIDENCE:
        values = seen.get(name)
        if values is not None:  # what nothing is known of stands in the middle
            found[name] = np.where(np.isnan(values), np.nanmedian(values), values) * (-1 if name in LOW else 1)
    return found


def cleanlab_scores(wrong: np.ndarray, labels: np.ndarray, pred_probs: np.ndarray, filter_by: str) -> dict[str, float]:
    """Plain cleanlab on the same probabilities: its filter, and its default ranking (self-confidence)."""
    flagged = find_label_issues(labels, pred_probs, filter_by=filter_by, n_jobs=1)
    return scores(wrong, flagged, -get_label_quality_scores(labels, pred_probs))


def scores(wrong: np.ndarray, flagged: np.ndarray, doubt: np.ndarray) -> dict[str, float]:
    """Precision, recall and F1 of what is flagged, and what the ranking is worth. doubt: higher for wrong."""
    hits, count = int((wrong & flagged).sum()), int(flagged.sum())
    return {
        "flagged": count,
        "precision": hits / max(1, count),
        "recall": hits / max(1, int(wrong.sum())),
        "f1": 2 * hits / max(1, count + int(wrong.sum())),
        **ranking(wrong, doubt),
    }


def ranking(wrong: np.ndarray, doubt: np.ndarray) -> dict[str, float]:
    """AUROC, average precision, best possible F1 and precision of the first ones; nothing where no label is wrong."""
    order = np.argsort(-doubt, kind="stable")
    first = {f"precision_at_{count}": float(wrong[order[:count]].mean()) for count in AT}
    if not wrong.any():
        return first
    precision, recall, _ = precision_recall_curve(wrong, doubt)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return {
        "auroc": float(roc_auc_score(wrong, doubt)),
        "average_precision": float(average_precision_score(wrong, doubt)),
        "best_f1": float(f1.max()),
        **first,
    }


def calibration_error(wrong: np.ndarray, p_wrong: np.ndarray) -> float:
    """Mean distance of probability and share of wrong labels over `BINS` bins of equal mass, weighted by their size."""
    parts = np.array_split(np.argsort(p_wrong, kind="stable"), BINS)
    return float(sum(abs(wrong[part].mean() - p_wrong[part].mean()) * len(part) for part in parts) / len(wrong))


def print_figures(name: str, figures: dict) -> None:
    """The figures of one label set as a table."""
    print(
        f"{name}: {100 * figures['wrong_share']:.2f} % wrong, estimated {100 * figures['estimated_wrong_share']:.2f} %"
    )
    print(f"  calibration error {figures['calibration_error']:.4f}, regret {figures['regret']:.4f}")
    lines = {"label_error": figures["label_error"], **figures["evidence"], **figures["cleanlab"]}
    for what, line in lines.items():
        print(f"  {what:22}" + "".join(f"  {key} {value:.4g}" for key, value in line.items()))


if __name__ == "__main__":
    run(sys.argv[1:])
