"""How many augmented images are missing, and how many each original gives."""

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
import pandas as pd

from curate import manifest
from curate.errors import UserError

ANY = ""
"""Stands for the class where it does not matter of which class images are."""


@dataclass(frozen=True)
class Target:
    """How many training images there are to be, originals and augmented ones together.

    Without a number: in every class as many as in the largest.
    """

    per_class: int | None = None
    total: int | None = None


def missing(train: pd.DataFrame, target: Target) -> dict[str, int]:
    """How many images are to be made, by class, or under `ANY`.

    train: the labelled training images. Those that cannot be decoded do not count, so that a class of nothing else is
    missing all. Raises `UserError` for a target that every class, or the set, is above already.
    """
    usable = train[manifest.decodable(train)]
    if target.total is not None:
        if target.total < len(usable):
            raise UserError(
                f"--total {target.total:,}: there are {len(usable):,} training images already; ask for more"
            )
        return {ANY: target.total - len(usable)}
    sizes = usable["label"].value_counts().reindex(manifest.classes(train), fill_value=0)
    goal = int(sizes.max()) if target.per_class is None else target.per_class
    if goal < sizes.min():
        raise UserError(
            f"--per-class {goal:,}: even the smallest class, {sizes.idxmin()!r}, has {sizes.min():,} training images "
            "already; ask for more"
        )
    return {str(name): max(0, goal - int(size)) for name, size in sizes.items()}


def deal(taken: np.ndarray, count: int) -> np.ndarray:
    """How many of `count` images each original gives, one after the other: always that with the fewest, of these the
    first. So it is the same whether they are dealt at once or in two parts.

    taken: shape (P,), int, how many it gave before. Returns: shape (P,), int64.
    """

    def needed(level: int) -> int:
        return int(np.maximum(level - taken, 0).sum())

    level = bisect_right(range(int(taken.min()), int(taken.max()) + count + 2), count, key=needed) - 1
    level += int(taken.min())
    more = np.maximum(level - taken, 0)
    more[np.flatnonzero(taken <= level)[: count - int(more.sum())]] += 1
    return more
