"""What it was worth: the training runs, and the difference between the set as it came and the curated one."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from curate import versions
from curate.manifest import data_hash, learned
from curate.results import runs
from curate.results.proof import Proof
from curate.results.runs import Run
from curate.results.side_by_side import Comparison, RunDifference, compare, other_tests, unlike
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
    """All runs, oldest first, and the comparisons between them, see `comparisons`."""

    runs: list[Run]
    comparisons: list[Comparison]
    """Of a raw run and a curated one."""
    earlier: frozenset[str]
    """Names of runs of a raw or a curated set that has changed since."""
    unfinished: list[str]
    """Names of runs without a result."""
    drawn: list[Run]
    """The runs whose accuracies are drawn: without arms of the proof that show one step or control, as it has these."""

    @property
    def shown(self) -> Run:
        """The run whose mistakes are shown: the curated one of the first comparison, or the last one."""
        return self.comparisons[0].after if self.comparisons else self.runs[-1]

    @property
    def gain(self) -> RunDifference | None:
        """What curating was worth, by the first comparison; None where not the data alone differ, or where it is of an
        earlier set."""
        first = self.comparisons[0] if self.comparisons else None
        if not first or not first.differences or self.earlier & {first.before.name, first.after.name}:
            return None
        return first.differences[0] if _shows_worth(first.before, first.after) else None

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


def worth(workspace: Workspace, images: pd.DataFrame, proof: Proof | None) -> Worth | None:
    """Read `runs/`; None where nothing was trained. Raises `UserError` for a result that cannot be read.

    images: the manifest.
    """
    found = runs.read(workspace)
    if not found.finished and not found.unfinished:
        return None
    drawn = [run for run in found.finished if not (proof and run.proves and run.data == "other")]
    old = earlier(workspace, images, found.finished)
    return Worth(found.finished, comparisons(found.finished, proof, old), old, found.unfinished, drawn)


def earlier(workspace: Workspace, images: pd.DataFrame, found: list[Run]) -> frozenset[str]:
    """Names of the runs that were trained on other images or labels than their set, raw or curated, has now, see
    `curate.versions.curated`; a run that does not say what it was trained on is none of them. images: the manifest."""
    told = [run for run in found if run.data_hash]
    if not told:
        return frozenset()
    now: dict[str, str] = {
        "raw": data_hash(learned(images)),
        "curated": data_hash(learned(versions.curated(workspace))),
    }
    return frozenset(run.name for run in told if run.data_hash != now.get(run.data, run.data_hash))


def comparisons(found: list[Run], proof: Proof | None, old: Collection[str] = ()) -> list[Comparison]:
    """Each curated run with the raw run that it is most like: measured on the same test images, trained by `prove` or
    not, as it is, with the fewest other settings, the latest. Those of the sets as they are now come first, then those
    with most seeds, of as many the latest.

    Pairs that differ in their settings, or are of one set, are left out unless there are no others; then a caution
    says so. old: names of runs of an earlier set.
    """
    pairs = []
    for curated in (run for run in reversed(found) if run.data == "curated"):
        raw = [run for run in reversed(found) if run.data == "raw" and run.classes == curated.classes]
        raw.sort(key=lambda run: (run.proves != curated.proves, len(unlike(run, curated))))
        partner = next((run for run in raw if not other_tests(run, curated)), None)
        if partner:
            pairs.append((partner, curated))
    pairs = [pair for pair in pairs if _shows_worth(*pair)] or pairs
    pairs.sort(key=lambda pair: (any(run.name in old for run in pair), -min(len(run.seeds) for run in pair)))
    return [_with_cautions(compare(*pair, first=FLIPS, proof=proof), old) for pair in pairs]


def _shows_worth(before: Run, after: Run) -> bool:
    """Whether the data differ between the two, and nothing else, as far as the runs tell."""
    return not unlike(before, after) and not _same_set(before, after)


def _same_set(before: Run, after: Run) -> bool:
    return bool(before.data_hash) and before.data_hash == after.data_hash


def _with_cautions(comparison: Comparison, old: Collection[str]) -> Comparison:
    """The comparison with what a reader of a page about the present sets has to know beside it."""
    before, after = comparison.before, comparison.after
    cautions = []
    settings = unlike(before, after)
    if settings and _same_set(before, after):
        told = ", ".join(f"{each.name} ({each.before} → {each.after})" for each in settings)
        cautions.append(f"Both were trained on the same images and labels, and differ in their settings: {told}.")
    cautions += [
        f"{run.name} is of an earlier {run.data} set: its training images or labels have changed since."
        for run in (before, after)
        if run.name in old
    ]
    return replace(comparison, cautions=[*comparison.cautions, *cautions])
