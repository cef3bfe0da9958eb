"""The predictions: how far the networks agreed with labels that they had not seen."""

import json
from dataclasses import dataclass

from curate import predictions
from curate.workspace import Workspace


@dataclass(frozen=True)
class Trust:
    """What `curate predict` came to. Accuracies, 0 to 1, are agreement with the given labels."""

    fold_accuracy: tuple[float, ...]
    classes: int
    thin_classes: tuple[str, ...]
    model: str

    @property
    def mean(self) -> float:
        return sum(self.fold_accuracy) / len(self.fold_accuracy)


def trust(workspace: Workspace) -> Trust | None:
    """What `predictions.json` says; None where there are no predictions, or none with an accuracy per fold."""
    if not predictions.exists(workspace):
        return None
    summary = json.loads((workspace.root / predictions.FOLDER / "predictions.json").read_text(encoding="utf-8"))
    if not summary.get("fold_accuracy"):  # probabilities of another program carry none
        return None
    return Trust(
        fold_accuracy=tuple(summary["fold_accuracy"]),
        classes=len(summary["classes"]),
        thin_classes=tuple(summary.get("thin_classes", ())),
        model=str(summary.get("config", {}).get("model", "")),
    )
