"""Which of several versions go, and which are merely named."""

import pandas as pd

from curate.finders.near_duplicate import near_duplicate
from curate.likeness import duplicates


def manifest(count: int, splits: list[str] | None = None) -> pd.DataFrame:
    columns = {"image_id": [f"set/{row}" for row in range(count)], "parent_id": "", "width": 32, "height": 32}
    return pd.DataFrame(columns).assign(split=splits or "train")


def pairs(*rows: tuple[int, int, float]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["a", "b", "probability"]).assign(kind="near", view=0)
    return table[list(duplicates.COLUMNS)].astype(duplicates.COLUMNS)


def found(count: int, table: pd.DataFrame, **settings: float) -> dict[int, tuple[bool, str, int]]:
    rows = near_duplicate(manifest(count), table, **settings)
    return {row.row: (row.flagged, row.related_id, row.group) for row in rows.itertuples()}


def test_of_a_chain_every_second_stays() -> None:
    chain = pairs((0, 1, 0.9), (1, 2, 0.9), (2, 3, 0.9))
    assert found(4, chain) == {1: (True, "set/0", 0), 3: (True, "set/2", 2)}


def test_versions_of_one_photo_are_one_group() -> None:
    assert found(3, pairs((0, 1, 0.9), (0, 2, 0.8), (1, 2, 0.9))) == {1: (True, "set/0", 0), 2: (True, "set/0", 0)}


def test_similar_images_are_named_and_not_flagged() -> None:
    table = pairs((0, 1, 0.4), (2, 1, 0.3), (0, 3, 0.9))
    assert found(4, table) == {1: (False, "set/0", -1), 3: (True, "set/0", 0)}
    assert found(4, table, probability=0.35)[1] == (True, "set/0", 0)


def test_what_is_flagged_for_one_image_is_not_named_for_another() -> None:
    assert found(3, pairs((0, 2, 0.9), (1, 2, 0.4))) == {2: (True, "set/0", 0)}
