"""Whether a run is worse than the one before it that can be compared, and by how much at least."""

from collections.abc import Sequence
from dataclasses import dataclass

from curate.results.interval import shares_half_width
from curate.results.proof import Proof
from curate.results.runs import Run
from curate.results.side_by_side import difference, other_tests, unlike
from curate.wording import some


@dataclass(frozen=True)
class Compared:
    """A run and the one before it. Accuracies are shares: 0.01 is one percentage point."""

    before: Run
    accuracies: tuple[float, float]
    """Of the one before and the run; where these are paired, on the seeds that both have."""
    half_width: float
    """Of the 95 % interval of the difference."""
    interval: str
    """What the interval is of, in words."""

    @property
    def difference(self) -> float:
        """Accuracy of the run minus that of the one before."""
        return self.accuracies[1] - self.accuracies[0]

    @property
    def sure_loss(self) -> float:
        """By how much the run is worse even at the upper end of the interval; 0 where it may be as good."""
        return sure_loss(self.difference, self.half_width)


def compared(run: Run, earlier: Sequence[Run], proof: Proof | None = None) -> Compared | str:
    """The run beside the last of the `earlier` ones with the same test images, classes and settings.

    Seed, device and precision may differ, and the training images, of course. proof: of the workspace, if there is one,
    see `curate.results.side_by_side.compare`. Without such a run: why there is none.
    """
    why = f"there is no run before {run.name} to compare it with"
    for before in reversed(earlier):
        reason = _unlike(before, run)
        if not reason:
            return _beside(before, run, proof)
        if before is earlier[-1]:
            why += f"; {before.name} differs in {reason}"
    return why


def _unlike(before: Run, run: Run) -> str:
    """What makes two runs hard to compare; "" where nothing does."""
    if before.classes != run.classes:
        return f"its classes ({len(before.classes)} and {len(run.classes)})"
    if reason := other_tests(before, run):
        return f"its test images ({reason})"
    settings = [f"{each.name} ({each.before} and {each.after})" for each in unlike(before, run)]
    return some(settings)


def _beside(before: Run, run: Run, proof: Proof | None) -> Compared:
    """The interval is over seeds, as `curate runs` shows it, where there is such a one. Of one seed, or of two whose
    proof goes on, nothing is known of that, and it is of the test images that were right by chance. These are taken for
    independent draws, though both runs saw the same: the interval is rather too wide."""
    found = difference(before, run, proof=proof)
    accuracies = (found.before, found.after)
    if found.half_width is None:
        half = shares_half_width(found.before, found.after, before.eval_images)
        why = "as a run has one seed" if min(found.seeds) < 2 else "as seeds are too few for one over seeds"
        return Compared(before, accuracies, half, f"interval of {before.eval_images:,} test images, {why}")
    old, new = found.seeds
    says = f"{new} seeds, paired" if found.paired else f"{old} and {new} other seeds"
    return Compared(before, accuracies, found.half_width, f"interval over {says}")


def sure_loss(difference: float, half_width: float) -> float:
    """By how much a difference lies below 0 with its whole interval, else 0; without the last digits of rounding."""
    return max(0.0, round(-(difference + half_width), 12))
