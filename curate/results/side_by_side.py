"""Two runs side by side: what differs in their settings, in accuracy with its interval, per class and per image."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from curate.errors import UserError
from curate.results import paired
from curate.results.flips import LEAK_FREE, Flips, flips, is_right, other_images, predicted
from curate.results.interval import welch_interval
from curate.results.paired import Verdict
from curate.results.proof import Proof
from curate.results.runs import MEASURE, MEASURES, WITHOUT_LEAKS, Run

Said = tuple[pd.DataFrame, pd.DataFrame]
"""What two runs predicted, see `curate.results.flips.predicted`."""
NOT_OF_THE_DATA = ("seed", "device", "precision")
"""Settings that may differ between two runs without making them unlike."""


@dataclass(frozen=True)
class Setting:
    """A setting of training that two runs have differently; None where a run does not know it."""

    name: str
    before: object
    after: object


@dataclass(frozen=True)
class RunDifference:
    """After minus before, as a share (0.01 is one percentage point), of one measure."""

    measure: str
    before: float
    after: float
    mean: float
    half_width: float | None
    """Of the 95 % interval; None where there are too few seeds for one."""
    seeds: tuple[int, int]
    """How many before and after."""
    paired: bool
    """Whether seeds were paired, those that both runs have; otherwise the two are independent samples (Welch)."""
    verdict: Verdict


@dataclass(frozen=True)
class ClassChange:
    """A class's accuracy before and after, 0 to 1."""

    label: str
    before: float
    after: float
    change: float


@dataclass(frozen=True)
class Comparison:
    """Two runs that were measured on the same test images."""

    before: Run
    after: Run
    settings: list[Setting]
    differences: list[RunDifference]
    """In the order of `MEASURES`."""
    class_changes: list[ClassChange]
    """The greatest loss first."""
    flips: Flips | None
    """None where a run has not kept what it predicted."""
    cautions: list[str]
    """What makes the two hard to compare, a sentence each."""


def compare(before: Run, after: Run, *, first: int, proof: Proof | None = None) -> Comparison:
    """Set two runs side by side; `first`: flipped images to list each way.

    proof: of the workspace; where both runs are of it, and it added seeds until the answer was clear, intervals are as
    wide as that takes. Raises `UserError` where they were measured on different test images.
    """
    if reason := other_tests(before, after):
        raise UserError(
            f"{before.name} and {after.name} were not measured on the same test images: {reason}; "
            "train one of them again, with the images that are there now"
        )
    said = _said(before, after)
    measures = [name for name in MEASURES if name in before.scores and name in after.scores]
    at_all_times = _until_clear(before, after, proof)
    return Comparison(
        before=before,
        after=after,
        settings=_settings(before, after),
        differences=[_difference(name, before, after, said, at_all_times=at_all_times) for name in measures],
        class_changes=_class_changes(before, after),
        flips=None if said is None else flips(*said, first=first),
        cautions=_cautions(before, after),
    )


def difference(before: Run, after: Run, *, proof: Proof | None = None) -> RunDifference:
    """That in accuracy, single view, of two runs that were measured on the same test images; see `compare`."""
    return _difference(MEASURE, before, after, _said(before, after), at_all_times=_until_clear(before, after, proof))


def greatest(changes: list[ClassChange], most: int) -> list[ClassChange]:
    """The `most` classes that changed most, in the order in which they came."""
    chosen = sorted(changes, key=lambda item: -abs(item.change))[:most]
    return [item for item in changes if item in chosen]


def unlike(before: Run, after: Run) -> list[Setting]:
    """The settings that differ and make the runs unlike."""
    return [setting for setting in _settings(before, after) if setting.name not in NOT_OF_THE_DATA]


def other_tests(before: Run, after: Run) -> str:
    """How the test images of two runs differ; "" where they are the same, as far as the runs tell."""
    counts = [_per_class(run) for run in (before, after)]
    if before.eval_images != after.eval_images:
        return f"{before.eval_images:,} and {after.eval_images:,} images"
    for label in sorted(counts[0].keys() | counts[1].keys()):
        numbers = [count.get(label, 0) for count in counts]
        if numbers[0] != numbers[1]:
            return f"{numbers[0]:,} and {numbers[1]:,} images of class {label!r}"
    said = _said(before, after)
    if said is None:
        return ""
    old, new = said
    missing, changed = other_images(old["label"], new["label"])
    if len(missing):
        return f"{len(missing):,} are others, such as {missing[0]!r}"
    return f"{len(changed):,} have another label, such as {changed[0]!r}" if len(changed) else ""


def _said(before: Run, after: Run) -> Said | None:
    """None where one of them has not kept it."""
    old, new = predicted(before.folder, before.seeds), predicted(after.folder, after.seeds)
    return None if old is None or new is None else (old, new)


def _per_class(run: Run) -> dict[str, int]:
    """Test images of each class that has any."""
    counts = run.confusion.sum(1) // max(1, len(run.seeds))
    return {label: int(count) for label, count in zip(run.classes, counts, strict=True) if count}


def _settings(before: Run, after: Run) -> list[Setting]:
    names = sorted({*before.config, *after.config})
    values = [Setting(name, before.config.get(name), after.config.get(name)) for name in names]
    return [each for each in values if each.before != each.after]


def _difference(measure: str, before: Run, after: Run, said: Said | None, *, at_all_times: bool) -> RunDifference:
    common = paired.common(before.seeds, after.seeds)
    least = _least_deviation(measure, before, after, said)
    old, new = _values(before, measure, common), _values(after, measure, common)
    if common:
        half = paired.half_width(new - old, least=least, at_all_times=at_all_times)
    else:
        half = _unpaired_half_width(old, new, least=least)
    means, numbers = (float(old.mean()), float(new.mean())), (len(old), len(new))
    verdict = paired.verdict(means[1] - means[0], half, None, min(numbers))
    known = half if math.isfinite(half) else None
    return RunDifference(measure, *means, means[1] - means[0], known, numbers, bool(common), verdict)


def _values(run: Run, measure: str, seeds: Sequence[int]) -> np.ndarray:
    """Of these seeds, or of all where none are named: shape (S,)."""
    values = dict(zip(run.seeds, run.scores[measure].values, strict=True))
    return np.array([values[seed] for seed in seeds or run.seeds])


def _until_clear(before: Run, after: Run, proof: Proof | None) -> bool:
    """Whether both runs are of a proof that added seeds until the answer was clear."""
    if proof is None or not {before.name, after.name} <= {arm.run for arm in proof.arms}:
        return False
    return proof.main.accuracy.at_all_times


def _least_deviation(measure: str, before: Run, after: Run, said: Said | None) -> float:
    """How far differences between a network of each run scatter at least, see `paired.least_deviation`: of single view,
    and taken for that with other views, on the images that the measure is of. Where it is not known which ones flipped:
    as if none had that need not have."""
    common = paired.common(before.seeds, after.seeds)
    old, new = (said[0], said[1].loc[said[0].index]) if said else (pd.DataFrame(), pd.DataFrame())
    free = measure == WITHOUT_LEAKS
    if said and free:
        among = old[LEAK_FREE] & new[LEAK_FREE]
        old, new = old[among], new[among]
    if old.empty:
        images = min((free and run.leak_free_images) or run.eval_images for run in (before, after))
        change = _values(after, measure, common).mean() - _values(before, measure, common).mean()
        return paired.deviation_of_flips(abs(change) * images, images)
    first, second = is_right(old, common or before.seeds), is_right(new, common or after.seeds)
    if not common:  # each with each
        first, second = np.repeat(first, len(second), axis=0), np.tile(second, (len(first), 1))
    return paired.least_deviation(second.astype(np.int8) - first.astype(np.int8))


def _unpaired_half_width(before: np.ndarray, after: np.ndarray, *, least: float) -> float:
    """Half of the 95 % interval (Welch) of a difference of accuracies over other seeds; nan where one has one seed.

    least: deviation at least of the difference between a network of each.
    """
    fewest = min(len(before), len(after))
    if fewest < 2:
        return float("nan")
    spread = least * math.sqrt((1 / len(before) + 1 / len(after)) / 2)
    return max(welch_interval(before, after)[1], float(stdtrit(fewest - 1, 1 - paired.ALPHA / 2)) * spread)


def _class_changes(before: Run, after: Run) -> list[ClassChange]:
    later = dict(zip(after.classes, after.per_class, strict=True))
    known = [(label, old, later.get(label)) for label, old in zip(before.classes, before.per_class, strict=True)]
    changes = [
        ClassChange(label, old, new, new - old) for label, old, new in known if old is not None and new is not None
    ]
    return sorted(changes, key=lambda item: (item.change, item.label))


def _cautions(before: Run, after: Run) -> list[str]:
    settings = [f"{each.name} ({each.before} → {each.after})" for each in unlike(before, after)]
    same = bool(before.data_hash) and before.data_hash == after.data_hash
    cautions = []
    if settings and not same:
        cautions.append(f"The runs differ in more than the data: {', '.join(settings)}.")
    if same and not settings:
        cautions.append("Both were trained on the same images and labels with the same settings.")
    if before.leak_free_images != after.leak_free_images:
        cautions.append("Their leak-free test images differ: findings changed between the two. Train both again.")
    return cautions
