"""Which of several versions go, and which are merely named."""

import numpy as np
import pandas as pd
import pytest

from curate.finders.near_duplicate import near_duplicate
from curate.likeness import duplicates


def manifest(count: int) -> pd.DataFrame:
    columns = {"image_id": [f"set/{row}" for row in range(count)], "parent_id": "", "width": 32, "height": 32}
    return pd.DataFrame(columns).assign(split="train")


def pairs(*rows: tuple[int, int, float]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["a", "b", "probability"]).assign(kind="near", view=0)
    return table[list(duplicates.COLUMNS)].astype(duplicates.COLUMNS)


def found(count: int, table: pd.DataFrame, **settings: float) -> dict[int, tuple[bool, str, int]]:
    rows = near_duplicate(manifest(count), table, np.full((count, 2), 0.5), **settings)
    return {row.row: (row.flagged, row.related_id, row.group) for row in rows.itertuples()}


def test_of_a_chain_every_second_stays() -> None:
    chain = pairs((0, 1, 0.9), (1, 2, 0.9), (2, 3, 0.9))
    assert found(4, chain) == {1: (True, "set/0", 0), 3: (True, "set/2", 2)}


def test_versions_of_one_photo_are_one_group() -> None:
    assert found(3, pairs((0, 1, 0.9), (0, 2, 0.8), (1, 2, 0.9))) == {1: (True, "set/0", 0), 2: (True, "set/0", 0)}


def test_similar_images_are_named_and_not_flagged() -> None:
    table = pairs((0, 2, 0.4), (1, 2, 0.3), (0, 3, 0.9))
    assert found(4, table) == {2: (False, "set/0", -1), 3: (True, "set/0", 0)}
    assert found(4, table, probability=0.35)[2] == (True, "set/0", 0)


def test_what_is_flagged_for_one_image_is_not_named_for_another() -> None:
    assert found(3, pairs((0, 2, 0.9), (1, 2, 0.4))) == {2: (True, "set/0", 0)}


@pytest.mark.parametrize(
    ("columns", "chroma", "kept"),
    [
        ({}, [0.3, 0.5, 0.5], "set/0"),  # as added
        ({}, [0.01, 0.5, 0.5], "set/1"),  # the first is grey
        ({}, [0.01, 0.01, 0.5], "set/2"),
        ({}, [0, 0.01, 0], "set/0"),
        ({"width": [64, 32, 32]}, [0, 0.5, 0.5], "set/0"),  # the largest one
        ({"parent_id": ["gone/9", "", ""]}, [0.5, 0, 0], "set/1"),  # the first was generated from another image
        ({"parent_id": ["gone/9", "", ""], "width": [64, 32, 32]}, [0.5, 0.5, 0.5], "set/1"),
        ({"parent_id": ["gone/9", "", ""], "split": ["test", "train", "train"]}, [0.5, 0.5, 0.5], "set/0"),
    ],
)
def test_which_of_several_versions_stays(columns: dict[str, list], chroma: list[float], kept: str) -> None:
    color = np.stack([np.full(3, 0.2), chroma], axis=1)
    versions = pairs((0, 1, 0.9), (0, 2, 0.9), (1, 2, 0.9))
    rows = near_duplicate(manifest(3).assign(**columns), versions, color)
    assert set(rows["related_id"][rows["flagged"]]) == {kept}
    assert rows["flagged"].sum() == 2
