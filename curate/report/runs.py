"""What it was worth: the training runs, and the difference between the set as it came and the curated one."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from curate.errors import UserError
from curate.interval import mean_interval, welch_interval
from curate.report.making import Version
from curate.workspace import Workspace

Data = Literal["raw", "curated", "other"]
MEASURES = {
    "accuracy": "Single view",
    "accuracy_flip": "With mirror image",
    "accuracy_multi_crop": "With shifted views",
    "accuracy_leak_free": "Leak-free",
}
"""Accuracies of `result.json` and what they are called; the first one decides what the report says in words."""

CONFUSION_CLASSES = 20
"""Up to this many, the whole confusion matrix can be read; of more, the most frequent mistakes."""
MISTAKES, CHANGES = 20, 20
"""Rows of the tables of mistakes and of per-class changes."""
NOT_OF_THE_DATA = ("seed", "device", "precision")
"""Settings that may differ between two runs without making them unlike."""


@dataclass(frozen=True)
class Score:
    """An accuracy, 0 to 1, once per seed; `half_width` of its 95 % interval, None for one seed."""

    values: tuple[float, ...]
    mean: float
    half_width: float | None


@dataclass(frozen=True)
class Run:
    """A folder of `runs/`."""

    name: str
    data: Data
    config: dict[str, object]
    classes: tuple[str, ...]
    seeds: tuple[int, ...]
    hardware: str
    seconds: float
    train_images: int
    eval_images: int
    leak_free_images: int | None
    scores: dict[str, Score]
    """By measure; without those that the run does not have."""
    calibration_error: Score
    per_class: tuple[float | None, ...]
    confusion: np.ndarray
    """Shape (K, K), int64: row true class, column predicted class, summed over the seeds."""
    curves: dict[int, tuple[tuple[int, float], ...]]
    """Seed -> (epoch, accuracy on the evaluation set) of every epoch that has one."""

    @property
    def mistakes(self) -> "list[Mistake]":
        """The most frequent confusions, first by count."""
        wrong = self.confusion - np.diag(np.diag(self.confusion))
        totals = self.confusion.sum(1)
        order = np.argsort(-wrong, axis=None, kind="stable")[:MISTAKES]
        pairs = [divmod(int(at), len(self.classes)) for at in order]
        counted = [
            (self.classes[i], self.classes[j], int(wrong[i, j]), int(totals[i])) for i, j in pairs if wrong[i, j]
        ]
        return [Mistake(true, said, count, count / total) for true, said, count, total in counted]


@dataclass(frozen=True)
class Mistake:
    """How often images of a class were taken for another; `share` is of the true class."""

    true: str
    said: str
    count: int
    share: float


@dataclass(frozen=True)
class Difference:
    """Curated minus raw, as a share (0.01 is one percentage point), of one measure."""

    measure: str
    mean: float
    half_width: float | None
    """Of the 95 % interval; None where a run has one seed."""
    seeds: tuple[int, int]
    """Of the raw and of the curated run."""
    paired: bool
    """Whether seeds were paired; otherwise the two runs are independent samples (Welch)."""

    @property
    def verdict(self) -> Literal["better", "worse", "unclear", "one seed"]:
        if self.half_width is None:
            return "one seed"
        if abs(self.mean) <= self.half_width:
            return "unclear"
        return "better" if self.mean > 0 else "worse"


@dataclass(frozen=True)
class ClassChange:
    """A class's accuracy before and after, 0 to 1."""

    label: str
    before: float
    after: float

    @property
    def change(self) -> float:
        return self.after - self.before


@dataclass(frozen=True)
class Comparison:
    """A raw and a curated run side by side."""

    raw: Run
    curated: Run
    differences: list[Difference]
    cautions: list[str]
    """What makes the two hard to compare, a sentence each."""

    @property
    def class_changes(self) -> list[ClassChange]:
        """Per-class accuracies, the greatest loss first; of many classes those with the greatest changes."""
        known = zip(self.raw.classes, self.raw.per_class, self.curated.per_class, strict=True)
        changes = [ClassChange(label, old, new) for label, old, new in known if old is not None and new is not None]
        largest = sorted(changes, key=lambda item: -abs(item.change))[:CHANGES]
        return sorted(largest, key=lambda item: (item.change, item.label))

    @property
    def unlisted_classes(self) -> int:
        return max(len(self.raw.classes) - CHANGES, 0)


@dataclass(frozen=True)
class Worth:
    """All runs, oldest first, and the comparisons between them: most seeds first, of as many the latest first."""

    runs: list[Run]
    comparisons: list[Comparison]
    unfinished: list[str]
    """Folders of runs without a result."""

    @property
    def shown(self) -> Run:
        """The run whose mistakes are shown: the curated one of the first comparison, or the last one."""
        return self.comparisons[0].curated if self.comparisons else self.runs[-1]


def worth(workspace: Workspace, made: list[Version]) -> Worth | None:
    """Read `runs/`; None where nothing was trained. Raises `UserError` for a result that cannot be read."""
    folders = sorted(path for path in workspace.root.glob("runs/*") if path.is_dir())
    if not folders:
        return None
    at = {name: version.number for version in made for name in version.data}
    data = {name: kind for version in made for name, kind in version.data.items()}
    folders.sort(key=lambda folder: at.get(folder.name, 0))
    finished = [folder for folder in folders if (folder / "result.json").exists()]
    runs = [_read(folder, data.get(folder.name, "")) for folder in finished]
    return Worth(runs, compare(runs), [folder.name for folder in folders if folder not in finished])


def compare(runs: list[Run]) -> list[Comparison]:
    """Each curated run with the raw run that it is most like: same test images and classes, fewest other settings."""
    comparisons = []
    for curated in (run for run in runs if run.data == "curated"):
        tested = (curated.classes, curated.eval_images)
        partners = [run for run in runs if run.data == "raw" and (run.classes, run.eval_images) == tested]
        if partners:
            raw = min(reversed(partners), key=lambda run: len(_unlike(run, curated)))
            comparisons.append(Comparison(raw, curated, _differences(raw, curated), _cautions(raw, curated)))
    comparisons.reverse()
    return sorted(comparisons, key=lambda item: -min(len(item.raw.seeds), len(item.curated.seeds)))


def _differences(raw: Run, curated: Run) -> list[Difference]:
    return [_difference(name, raw, curated) for name in MEASURES if name in raw.scores and name in curated.scores]


def _difference(measure: str, raw: Run, curated: Run) -> Difference:
    before, after = np.array(raw.scores[measure].values), np.array(curated.scores[measure].values)
    numbers, paired = (len(before), len(after)), raw.seeds == curated.seeds and len(before) == len(after)
    if min(numbers) < 2:
        return Difference(measure, float(after.mean() - before.mean()), None, numbers, paired)
    if paired:
        mean, half = mean_interval(after - before)
    else:
        mean, half = welch_interval(before, after)
    return Difference(measure, mean, half, numbers, paired)


def _unlike(first: Run, second: Run) -> list[str]:
    names = sorted({*first.config, *second.config} - {*NOT_OF_THE_DATA})
    return [name for name in names if first.config.get(name) != second.config.get(name)]


def _cautions(raw: Run, curated: Run) -> list[str]:
    settings = [f"{name} ({raw.config.get(name)} → {curated.config.get(name)})" for name in _unlike(raw, curated)]
    cautions = [f"The runs differ in more than the data: {', '.join(settings)}."] if settings else []
    if raw.leak_free_images != curated.leak_free_images:
        cautions.append("Their leak-free test images differ: findings changed between the two. Train both again.")
    return cautions


def _read(folder: Path, data: str) -> Run:
    path = folder / "result.json"
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        count = len(result["classes"])
        return Run(
            name=folder.name,
            data=_data(folder.name, data),
            config=result["config"],
            classes=tuple(result["classes"]),
            seeds=tuple(result["seeds"]),
            hardware=result["hardware"],
            seconds=result["seconds"],
            train_images=result["train_images"],
            eval_images=result["eval_images"],
            leak_free_images=result["leak_free_images"],
            scores={name: _score(result[name]) for name in MEASURES if _is_measured(result[name])},
            calibration_error=_score(result["calibration_error"]),
            per_class=tuple(result["per_class"]),
            confusion=np.array(result["confusion"], np.int64).reshape(count, count),
            curves=_curves(folder / "metrics.jsonl"),
        )
    except (ValueError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UserError(f"{path} is no result of this trainer ({reason}); train again, or remove the folder") from None


def _is_measured(entry: dict | None) -> bool:
    """Whether there is such an accuracy: not without a mirror image, nor over no images at all."""
    return entry is not None and not math.isnan(entry["mean"])


def _score(entry: dict) -> Score:
    return Score(tuple(entry["values"]), entry["mean"], entry["half_width"])


def _data(name: str, data: str) -> Data:
    """What a run was trained on: the ledger knows; a run from elsewhere is taken by its name."""
    kinds: Sequence[Data] = ("raw", "curated")
    return next((kind for kind in kinds if data == kind or (not data and name.startswith(kind))), "other")


def _curves(path: Path) -> dict[int, tuple[tuple[int, float], ...]]:
    if not path.exists():
        return {}
    curves: dict[int, list[tuple[int, float]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        epoch = json.loads(line)
        if epoch["eval_acc"] is not None:
            curves.setdefault(epoch["seed"], []).append((epoch["epoch"], epoch["eval_acc"]))
    return {seed: tuple(points) for seed, points in curves.items()}
