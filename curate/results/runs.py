"""Training runs, read from `runs/`: what each was trained on, with which settings, and what it came to."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

import numpy as np

from curate.errors import UserError, known
from curate.results.interval import Score
from curate.wording import pasted
from curate.workspace import Entry, Workspace

Data = Literal["raw", "curated", "other"]
MEASURE = "accuracy"
"""Single view: every run has it, and it decides what is said in words."""
WITHOUT_LEAKS = "accuracy_leak_free"
"""Single view, on the test images without a twin in the training set."""
MEASURES = {
    MEASURE: "Single view",
    "accuracy_flip": "With mirror image",
    "accuracy_multi_crop": "With shifted views",
    WITHOUT_LEAKS: "Leak-free",
}
"""Accuracies of `result.json` and what they are called."""
PROVE = "prove-"
"""How the names of runs begin that `curate prove` has trained."""


@dataclass(frozen=True)
class Run:
    """A folder of `runs/` with a result."""

    folder: Path
    data: Data
    at: str
    """When it ended, as the ledger has it; "" for a run from elsewhere."""
    config: dict[str, object]
    classes: tuple[str, ...]
    data_hash: str
    """Of the training images and their labels."""
    seeds: tuple[int, ...]
    hardware: str
    epochs: float
    """That were trained, mean over the seeds; not a whole number where steps or a time budget end training."""
    seconds: float
    """Of training alone, all seeds added up."""
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
    def name(self) -> str:
        return self.folder.name

    @property
    def proves(self) -> bool:
        """Whether it is an arm of `curate prove`."""
        return self.name.startswith(PROVE)


@dataclass(frozen=True)
class Runs:
    """All runs of a workspace, oldest first."""

    finished: list[Run]
    unfinished: list[str]
    """Names of those without a result."""


def read(workspace: Workspace) -> Runs:
    """The runs in the order in which the ledger names them, before them those that came from elsewhere.

    Raises `UserError` for a result that cannot be read.
    """
    entries = [(name, kind, entry.at) for entry in workspace.ledger() for name, kind in trained(entry).items()]
    kinds = {name: kind for name, kind, _ in entries}
    at = {name: moment for name, _, moment in entries}
    order = {name: number for number, (name, _, _) in enumerate(entries)}
    folders = sorted(workspace.root.glob("runs/*"))
    folders.sort(key=lambda folder: order.get(folder.name, -1))
    finished = [
        read_run(folder, data=kinds.get(folder.name) or _kind(folder.name), at=at.get(folder.name, ""))
        for folder in folders
        if (folder / "result.json").exists()
    ]
    begun = [folder.name for folder in folders if (folder / "config.json").exists()]
    return Runs(finished, [name for name in begun if name not in {run.name for run in finished}])


def read_run(folder: Path, *, data: Data = "other", at: str = "") -> Run:
    """A finished run; `data` and `at` are what the ledger says of it. Raises `UserError` where it cannot be read."""
    path = folder / "result.json"
    curves = _curves(folder / "metrics.jsonl")
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        count, scores = len(result["classes"]), {name: result[name] for name in MEASURES if _is_measured(result[name])}
        for name, entry in scores.items():
            if len(entry["values"]) != len(result["seeds"]):
                raise ValueError(f"{name} has not a value for every seed")
        epochs = result.get("epochs_done") or [result["config"]["epochs"]]
        return Run(
            folder=folder,
            data=data,
            at=at,
            config=result["config"],
            classes=tuple(result["classes"]),
            data_hash=result.get("data_hash", ""),
            seeds=tuple(result["seeds"]),
            hardware=result["hardware"],
            epochs=float(np.mean(epochs)),
            seconds=result["seconds"],
            train_images=result["train_images"],
            eval_images=result["eval_images"],
            leak_free_images=result["leak_free_images"],
            scores={name: _score(entry) for name, entry in scores.items()},
            calibration_error=_score(result["calibration_error"]),
            per_class=tuple(result["per_class"]),
            confusion=np.array(result["confusion"], np.int64).reshape(count, count),
            curves=curves,
        )
    except (ValueError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UserError(
            f"{pasted(path)} is no result of this trainer ({reason}); train again, or remove the folder"
        ) from None


def untrained(finished: Iterable[Run]) -> list[Data]:
    """The raw and the curated set, but for those that a finished run has learned."""
    learned = {run.data for run in finished}
    both: tuple[Data, ...] = ("raw", "curated")
    return [data for data in both if data not in learned]


def two(runs: Runs, before: str, after: str | None) -> tuple[Run, Run]:
    """Two finished runs by name. Raises `UserError`, with those that there are, for another name or a missing one."""
    by_name = {run.name: run for run in runs.finished}
    for name in (before, after):
        if name is not None and name not in by_name:
            raise known("finished run", name, list(by_name))
    if after is None:
        others = ", ".join(sorted(by_name.keys() - {before})) or "none"
        raise UserError(f"to compare {before!r} with another run, name that too; there are: {others}")
    return by_name[before], by_name[after]


def trained(entry: Entry) -> dict[str, Data]:
    """Name of a run -> what it was trained on, for a line of the ledger that trained some."""
    given = entry.arguments
    if entry.command == "train":
        return {str(given.get("name", "")): _data(given.get("data"))}
    runs = given.get("runs") if entry.command == "prove" else None
    return {str(name): _data(kind) for name, kind in runs.items()} if isinstance(runs, dict) else {}


def _data(kind: object) -> Data:
    return cast(Data, kind) if kind in get_args(Data) else "other"


def _kind(name: str) -> Data:
    """What a run was trained on that the ledger does not know: its name says it."""
    kinds: tuple[Data, ...] = ("raw", "curated")
    return next((kind for kind in kinds if name.removeprefix(PROVE).startswith(kind)), "other")


def _is_measured(entry: dict | None) -> bool:
    """Whether there is such an accuracy: not without a mirror image, nor over no images at all."""
    return entry is not None and not math.isnan(entry["mean"])


def _score(entry: dict) -> Score:
    return Score(tuple(entry["values"]), entry["mean"], entry["half_width"])


def _curves(path: Path) -> dict[int, tuple[tuple[int, float], ...]]:
    if not path.exists():
        return {}
    curves: dict[int, list[tuple[int, float]]] = {}
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            epoch = json.loads(line)
            if epoch["eval_acc"] is not None:
                curves.setdefault(epoch["seed"], []).append((epoch["epoch"], epoch["eval_acc"]))
    except (ValueError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UserError(f"{pasted(path)} holds no learning curve ({reason}); remove it to do without") from None
    return {seed: tuple(points) for seed, points in curves.items()}
