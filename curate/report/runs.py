"""What it was worth: the training runs, and the difference between the set as it came and the curated one."""

from dataclasses import dataclass

import numpy as np

from curate.results import runs
from curate.results.proof import Proof
from curate.results.runs import Run
from curate.results.side_by_side import Comparison, compare, other_tests, unlike
from curate.workspace import Workspace

CONFUSION_CLASSES = 20
"""Up to this many, the whole confusion matrix can be read; of more, the most frequent mistakes."""
MISTAKES, CHANGES, FLIPS = 20, 20, 12
"""Rows of the tables of mistakes and of per-class changes; pictures of images that flipped, each way."""


@dataclass(frozen=True)
class Mistake:
    """How often images of a class were taken for another; `share` is of the true class."""

    true: str
    said: str
    count: int
    share: float


@dataclass(frozen=True)
class Worth:
    """All runs, oldest first, and the comparisons between them: most seeds first, of as many the latest first."""

    runs: list[Run]
    comparisons: list[Comparison]
    """Of a raw run and a curated one."""
    unfinished: list[str]
    """Names of runs without a result."""
    drawn: list[Run]
    """The runs whose accuracies are drawn: without arms of the proof that show one step or control, as it has these."""

    @property
    def shown(self) -> Run:
        """The run whose mistakes are shown: the curated one of the first comparison, or the last one."""
        return self.comparisons[0].after if self.comparisons else self.runs[-1]

    @property
    def mistakes(self) -> list[Mistake]:
        """The most frequent confusions of the run that is shown, first by count."""
        confusion, classes = self.shown.confusion, self.shown.classes
        wrong = confusion - np.diag(np.diag(confusion))
        totals = confusion.sum(1)
        order = np.argsort(-wrong, axis=None, kind="stable")[:MISTAKES]
        pairs = [divmod(int(at), len(classes)) for at in order]
        return [
            Mistake(classes[i], classes[j], int(wrong[i, j]), float(wrong[i, j] / totals[i]))
            for i, j in pairs
            if wrong[i, j]
        ]


def worth(workspace: Workspace, proof: Proof | None) -> Worth | None:
    """Read `runs/`; None where nothing was trained. Raises `UserError` for a result that cannot be read."""
    found = runs.read(workspace)
    if not found.finished and not found.unfinished:
        return None
    drawn = [run for run in found.finished if not (proof and run.proves and run.data == "other")]
    return Worth(found.finished, comparisons(found.finished, proof), found.unfinished, drawn)


def comparisons(found: list[Run], proof: Proof | None) -> list[Comparison]:
    """Each curated run with the raw run that it is most like: measured on the same test images, trained by `prove` or
    not, as it is, with the fewest other settings, the latest."""
    compared = []
    for curated in (run for run in found if run.data == "curated"):
        raw = [run for run in reversed(found) if run.data == "raw" and run.classes == curated.classes]
        raw.sort(key=lambda run: (run.proves != curated.proves, len(unlike(run, curated))))
        partner = next((run for run in raw if not other_tests(run, curated)), None)
        if partner:
            compared.append(compare(partner, curated, first=FLIPS, proof=proof))
    compared.reverse()
    return sorted(compared, key=lambda item: -min(len(item.before.seeds), len(item.after.seeds)))
