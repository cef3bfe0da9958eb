"""Test images that one run has right and another wrong: by the majority of the seeds, from `predicted.parquet`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import scipy

from curate.errors import UserError
from curate.results import paired
from curate.wording import pasted

PREDICTED = "predicted.parquet"
SEED = "seed-"
LEAK_FREE = "leak_free"
"""The column that says of each test image whether it counts for the accuracy without leaks."""


@dataclass(frozen=True)
class Flip:
    """A test image that two runs disagree on."""

    image_id: str
    label: str
    before: str
    """What most seeds said: of those that were wrong, the class that they named most often."""
    after: str
    seeds_before: int
    """How many were so, right or wrong."""
    seeds_after: int


@dataclass(frozen=True)
class Flips:
    """How two runs do on the same test images. An image is right, or wrong, where more than half of the seeds are."""

    images: int
    seeds: tuple[int, int]
    """That were asked, before and after: those that both runs have, or all, where they have none in common."""
    both_right: int
    to_right: int
    to_wrong: int
    both_wrong: int
    undecided: int
    """Images on which half of the seeds of a run are right."""
    p_value: float
    """That chance alone splits the images that flipped as unevenly: exact McNemar test."""
    now_right: list[Flip]
    """From wrong to right, those first that most seeds agree on."""
    now_wrong: list[Flip]


def predicted(folder: Path, seeds: Sequence[int]) -> pd.DataFrame | None:
    """What the seeds of a run said of its test images, by `image_id`: columns `label`, `seed-N` for each, and
    `LEAK_FREE`, bool, False throughout where the run does not tell.

    None where the run has not kept it. Raises `UserError` for a file that is something else.
    """
    path = folder / PREDICTED
    if not path.exists():
        return None
    try:
        table = pd.read_parquet(path)
    except (ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno:  # of the operating system, and not pyarrow's for a damaged file
            raise
        table = pd.DataFrame()
    columns = ["image_id", "label", *(f"{SEED}{seed}" for seed in seeds)]
    if not set(columns) <= set(table) or table["image_id"].duplicated().any():
        raise UserError(f"{pasted(path)} does not hold what its run predicted; remove it to do without, or train again")
    free = table[LEAK_FREE].astype(bool) if LEAK_FREE in table else False
    return table[columns].assign(**{LEAK_FREE: free}).set_index("image_id")


def other_images(labels: pd.Series, there: pd.Series) -> tuple[pd.Index, pd.Index]:
    """The test images that are not among those `there`; and, where all are, those with another label there.

    labels, there: by image_id.
    """
    missing = labels.index.difference(there.index)
    if len(missing):
        return missing, missing[:0]
    return missing, labels.index[(labels != there.loc[labels.index]).to_numpy()]


def is_right(table: pd.DataFrame, seeds: Sequence[int]) -> np.ndarray:
    """Whether each seed has each image right: shape (S, N), bool. table: see `predicted`."""
    said = table[[f"{SEED}{seed}" for seed in seeds]].to_numpy(object)
    return (said == table["label"].to_numpy(object)[:, None]).T


def flips(before: pd.DataFrame, after: pd.DataFrame, *, first: int) -> Flips:
    """Compare what two runs predicted of the same images, as `predicted` gives it; `first`: flips to list each way."""
    after = after.loc[before.index]
    common = paired.common(_seeds(before), _seeds(after))
    said = [table[common or _seeds(table)].to_numpy(object) for table in (before, after)]
    image_ids, labels = before.index.to_numpy(object), before["label"].to_numpy(object)
    right = [(each == labels[:, None]).sum(1) for each in said]
    seeds = (said[0].shape[1], said[1].shape[1])
    is_right = [2 * count > number for count, number in zip(right, seeds, strict=True)]
    is_wrong = [2 * count < number for count, number in zip(right, seeds, strict=True)]
    to_right, to_wrong = is_wrong[0] & is_right[1], is_right[0] & is_wrong[1]
    both_right, both_wrong = int((is_right[0] & is_right[1]).sum()), int((is_wrong[0] & is_wrong[1]).sum())

    def listed(flipped: np.ndarray, sign: int) -> list[Flip]:
        """The images that agree most first; sign: 1 where they became right."""
        agreed = sign * (right[1].astype(float) / seeds[1] - right[0] / seeds[0])
        rows = np.flatnonzero(flipped)
        rows = rows[np.argsort(-agreed[rows], kind="stable")][:first]
        return [
            Flip(
                image_id=str(image_ids[row]),
                label=str(labels[row]),
                before=_most_often(said[0][row], labels[row], right=sign < 0),
                after=_most_often(said[1][row], labels[row], right=sign > 0),
                seeds_before=int(right[0][row] if sign < 0 else seeds[0] - right[0][row]),
                seeds_after=int(right[1][row] if sign > 0 else seeds[1] - right[1][row]),
            )
            for row in rows
        ]

    gained, lost = int(to_right.sum()), int(to_wrong.sum())
    return Flips(
        images=len(before),
        seeds=seeds,
        both_right=both_right,
        to_right=gained,
        to_wrong=lost,
        both_wrong=both_wrong,
        undecided=len(before) - both_right - both_wrong - gained - lost,
        p_value=float(scipy.stats.binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0,
        now_right=listed(to_right, 1),
        now_wrong=listed(to_wrong, -1),
    )


def _seeds(table: pd.DataFrame) -> list[str]:
    return [name for name in table.columns if name.startswith(SEED)]


def _most_often(said: np.ndarray, label: str, *, right: bool) -> str:
    """The class that most seeds named among those that are right, or wrong; of several the first by name."""
    names, counts = np.unique([name for name in said if (name == label) == right], return_counts=True)
    return str(names[counts.argmax()])
