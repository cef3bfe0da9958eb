"""The predictions: how far the networks agreed with labels that they had not seen."""

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
    """What the predictions say of themselves; None where there are none, or none with an accuracy per fold."""
    if not predictions.exists(workspace):
        return None
    summary = predictions.read_summary(workspace)
    if not summary.get("fold_accuracy"):  # probabilities of another program carry none
        return None
    return Trust(
        fold_accuracy=tuple(summary["fold_accuracy"]),
        classes=len(summary["classes"]),
        thin_classes=tuple(summary.get("thin_classes", ())),
        model=str(summary.get("config", {}).get("model", "")),
    )
