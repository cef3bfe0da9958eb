"""Whether a run is worse than the one before it that can be compared, and by how much at least."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

from curate.gate.facts import MEASURE
from curate.interval import mean_interval, welch_interval
from curate.runs import Run
from curate.side_by_side import other_tests, unlike

UPPER = 0.975
"""Quantile of a 95 % interval's upper end."""
NAMED = 3
"""Settings that are named where runs differ in more."""


@dataclass(frozen=True)
class Compared:
    """A run and the one before it. Accuracies are shares: 0.01 is one percentage point."""

    before: Run
    difference: float
    """Mean of the run minus mean of the one before."""
    half_width: float
    """Of the 95 % interval of the difference."""
    interval: str
    """What the interval is of, in words."""

    @property
    def sure_loss(self) -> float:
        """By how much the run is worse even at the upper end of the interval; 0 where it may be as good."""
        return sure_loss(self.difference, self.half_width)


def compared(run: Run, earlier: Sequence[Run]) -> Compared | str:
    """The run beside the last of the `earlier` ones, oldest first, with the same test images, classes and settings.

    Seed, device and precision may differ, and the training images, of course. Without such a run: why there is none.
    """
    why = f"there is no run before {run.name} to compare it with"
    for before in reversed(earlier):
        reason = _unlike(before, run)
        if not reason:
            return Compared(before, _mean(run) - _mean(before), *_interval(before, run))
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
    return ", ".join(settings[:NAMED]) + (", …" if len(settings) > NAMED else "")


def _interval(before: Run, run: Run) -> tuple[float, str]:
    """Half of the 95 % interval of the difference, and what it is of.

    Between seeds where each run has two or more: Student's t of the differences where the seeds are the same, else
    Welch's. With one seed nothing is known of that, and the interval is of the test images that were right by chance.
    """
    old, new = (np.array(each.scores[MEASURE].values) for each in (before, run))
    if min(len(old), len(new)) < 2:
        half = of_images(_mean(before), _mean(run), before.eval_images)
        return half, f"interval of {before.eval_images:,} test images, as a run has one seed"
    least = _least(old, new, run.eval_images)
    if before.seeds == run.seeds:
        return max(least, mean_interval(new - old)[1]), f"interval over {len(new)} seeds, paired"
    return max(least, welch_interval(old, new)[1]), f"interval over {len(old)} and {len(new)} other seeds"


def of_images(before: float, after: float, images: int) -> float:
    """Half of the 95 % interval of the difference of two shares of so many images each.

    One image more in each share is taken for right, and one for wrong: else two shares of 1 had no interval at all.
    Source: Agresti, Caffo 2000, "Simple and Effective Confidence Intervals for Proportions and Differences". The images
    are taken for independent draws, though both runs saw the same: the interval is rather too wide.
    """
    shares = [(share * images + 1) / (images + 2) for share in (before, after)]
    variance = sum(share * (1 - share) / (images + 2) for share in shares)
    return float(ndtri(UPPER)) * math.sqrt(variance)


def _least(old: np.ndarray, new: np.ndarray, images: int) -> float:
    """Half of the interval over seeds at least: few seeds may agree by chance, on few test images above all.

    A difference of d images takes at least as many that one run alone has right. As if each of these were tossed
    (McNemar 1947), differences scatter by the root of d; by that of 1 / 12 where they do but for rounding.
    """
    seeds, fewest = (1 / len(old) + 1 / len(new)) / 2, min(len(old), len(new))
    deviation = math.sqrt(max(abs(new.mean() - old.mean()) * images, 1 / 12)) / images
    return float(stdtrit(fewest - 1, UPPER)) * deviation * math.sqrt(seeds)


def sure_loss(difference: float, half_width: float) -> float:
    """By how much a difference lies below 0 with its whole interval, else 0; without the last digits of rounding."""
    return max(0.0, round(-(difference + half_width), 12))


def _mean(run: Run) -> float:
    return run.scores[MEASURE].mean
