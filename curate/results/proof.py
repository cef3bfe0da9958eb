"""A proof: what curating was worth, step by step, from networks that were trained with and without; `proof.json`."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from pydantic import TypeAdapter, ValidationError

from curate.errors import UserError
from curate.results.interval import Score
from curate.results.paired import Difference, difference
from curate.wording import pasted
from curate.workspace import Workspace

PROOF = "proof.json"
RAW, CURATED, RANDOM, CLEAN = "raw", "curated", "random", "clean"
"""Names of arms; others are `without-STEP` and `only-STEP`."""
Stopped = Literal["clear", "seeds", "budget"]


@dataclass(frozen=True)
class ArmScore:
    """A training set, and what networks that learned from it came to."""

    name: str
    run: str
    """The folder in `runs/`."""
    says: str
    images: int
    """Training images."""
    right_labels: float | None
    """Share of them whose label is right, 0 to 1; None where no true labels were given."""
    seeds: tuple[int, ...]
    accuracy: Score
    leak_free: Score | None
    """On the test images without a twin in the training set as it came; None where leaks were not looked for, and where
    every test image has one."""
    seconds: float
    """Of training, all seeds added up."""
    images_seen: int
    """In training, all seeds added up."""


@dataclass(frozen=True)
class Compared:
    """One arm minus another, on the seeds that both have."""

    name: str
    """`curated` for curated minus raw, the step's name for a step, `random`, `clean`."""
    says: str
    before: str
    after: str
    images: int
    """Training images that the two differ in."""
    accuracy: Difference
    leak_free: Difference | None


@dataclass(frozen=True)
class Split:
    """Where a change of test accuracy comes from; the two add up to it."""

    better_model: float
    """On the test images without a twin in the training set, times their share."""
    leaks_gone: float
    """On those with one, times their share: a network that no longer learned them by heart."""


@dataclass(frozen=True)
class Proof:
    """What `prove` found. The first comparison is curated minus raw, or of what else was asked."""

    config: Mapping[str, Any]
    hardware: str
    arms: tuple[ArmScore, ...]
    compared: tuple[Compared, ...]
    split: Split | None
    """None where leaks were not looked for."""
    gap_closed: float | None
    """(curated - raw) / (clean - raw): 1 where curating is worth as much as true labels; None without these, and where
    they are worth nothing."""
    test_images: int
    leak_free_images: int | None
    stopped: Stopped
    """Why no more seeds were trained."""
    precision: float | None
    """That was asked for, as a share."""
    seeds_needed: int | None
    """For that precision, if seeds go on to scatter as they did; None where it was reached, or was not asked for."""
    notes: tuple[str, ...]
    """What a reader should know, a sentence each."""

    @property
    def main(self) -> Compared:
        return self.compared[0]


@dataclass(frozen=True)
class Seeds:
    """What the networks of one arm said of the test images."""

    right: Mapping[int, np.ndarray]
    """Seed -> shape (N,), bool, in the order of the test images."""

    def accuracy(self, among: np.ndarray | None = None) -> dict[int, float]:
        """Seed -> accuracy, on the test images of the mask alone where there is one."""
        return {seed: float((right if among is None else right[among]).mean()) for seed, right in self.right.items()}


def compare(
    before: Seeds, after: Seeds, *, at_all_times: bool, margin: float | None = None, among: np.ndarray | None = None
) -> Difference:
    """`after` minus `before`, paired by the seeds that both have, on the test images of the mask `among`, or all."""
    return difference(change(before, after, among), at_all_times=at_all_times, margin=margin)


def change(before: Seeds, after: Seeds, among: np.ndarray | None = None) -> np.ndarray:
    """Per common seed and test image 1 where only `after` is right, -1 where only `before` is, else 0: shape (S, N),
    int8; on the images of the mask `among` alone where there is one."""
    common = sorted(before.right.keys() & after.right.keys())
    first, second = (np.stack([arm.right[seed] for seed in common]) for arm in (before, after))
    if among is not None:
        first, second = first[:, among], second[:, among]
    return second.astype(np.int8) - first.astype(np.int8)


def split(before: Seeds, after: Seeds, leak_free: np.ndarray) -> Split:
    """Part a difference by whether test images leaked. leak_free: shape (N,), bool."""
    mean = change(before, after).mean(0)
    return Split(float(mean[leak_free].sum() / len(mean)), float(mean[~leak_free].sum() / len(mean)))


def as_json(proof: Proof) -> str:
    """The proof as JSON."""
    return json.dumps(asdict(proof), indent=1, allow_nan=False) + "\n"


def read(workspace: Workspace) -> Proof | None:
    """The proof of a workspace; None where `curate prove` has not been run."""
    path = workspace.path(PROOF)
    if not path.exists():
        return None
    try:
        return TypeAdapter(Proof).validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"
        raise UserError(
            f"{pasted(path)} cannot be read ({reason}); 'curate prove {pasted(workspace.root)}' writes it anew"
        ) from None
