"""The manifest's own functions, each alone."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from curate import manifest
from curate.errors import UserError
from curate.manifest import check, classes, data_hash, decodable, follow_originals, from_rows, label_codes, locate
from tests.tables import images

TABLE = images(("a", "train", "cat"), ("b", "test", "dog"), ("c", "pool", ""))


def test_nothing_has_all_columns() -> None:
    assert manifest.empty().dtypes.astype(str).to_dict() == manifest.COLUMNS
    assert len(manifest.empty()) == 0


def test_columns_that_are_left_out_are_empty() -> None:
    rows = {name: ["x", "y"] for name in manifest.COLUMNS if name not in ("parent_id", "error", "width", "height")}
    table = from_rows({**rows, "width": [3, 4], "height": [5, 6]})
    assert table.columns.to_list() == list(manifest.COLUMNS)
    assert table["parent_id"].to_list() == table["error"].to_list() == ["", ""]
    assert table["width"].dtype == np.int32


def test_a_sound_table_comes_back_itself() -> None:
    assert check(TABLE, "here") is TABLE


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (TABLE.drop(columns="label"), "^here: column 'label' is missing; make the workspace anew with 'curate add'$"),
        (pd.concat([TABLE, TABLE.iloc[:1]]), "^here: image_id 'a' stands twice; make the workspace anew$"),
        (
            TABLE.assign(split=["train", "tst", "dev"]),
            "^here: unknown split 'dev'; there are: train, val, test, pool$",
        ),
    ],
    ids=["column", "twice", "split"],
)
def test_what_is_wrong_is_named(table: pd.DataFrame, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check(table, "here")


def test_where_images_lie() -> None:
    table = TABLE.assign(path=["/photos/a.png", "images/b.png", "s3://bucket/c.png"])
    assert locate(table, Path("/ws")) == ["/photos/a.png", "/ws/images/b.png", "s3://bucket/c.png"]


def test_classes_are_sorted_and_have_codes() -> None:
    table = images(("a", "train", "dog"), ("b", "train", "cat"), ("c", "pool", ""), ("d", "test", "dog"))
    assert classes(table) == ["cat", "dog"]
    codes = label_codes(table, ["cat", "dog"])
    assert codes.tolist() == [1, 0, -1, 1]
    assert codes.dtype == np.int64


def test_the_hash_is_of_contents_and_labels_in_order() -> None:
    rows = TABLE.assign(content_hash=["1", "2", "3"])
    expected = hashlib.blake2b(b"1\0cat\n2\0dog\n3\0\n", digest_size=16).hexdigest()
    assert data_hash(rows) == expected
    assert data_hash(rows.assign(path="elsewhere")) == expected
    assert len({data_hash(rows), data_hash(rows.iloc[::-1]), data_hash(rows.assign(label="cat"))}) == 3


def test_which_rows_can_be_decoded() -> None:
    assert decodable(TABLE.assign(error=["", "truncated PNG", ""])).tolist() == [True, False, True]


FAMILY = images(
    *(("a", "train", "cat"), ("b", "train", "dog"), ("a1", "train", "cat"), ("b1", "train", "dog")),
    parents={"a1": "a", "b1": "b"},
)


def changed(**values: dict[str, str]) -> pd.DataFrame:
    """`FAMILY` with some cells of some rows changed: `changed(split={"a": "test"})`."""
    table = FAMILY.set_index("image_id")
    for column, cells in values.items():
        for image_id, value in cells.items():
            table.loc[image_id, column] = value
    return table.reset_index()


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (FAMILY, {"a": "cat", "b": "dog", "a1": "cat", "b1": "dog"}),
        (changed(label={"a": "cow"}), {"a": "cow", "b": "dog", "a1": "cow", "b1": "dog"}),
        (changed(split={"a": "test"}), {"a": "cat", "b": "dog", "b1": "dog"}),
        (changed(pixel_hash={"b": "other"}), {"a": "cat", "b": "dog", "a1": "cat"}),
        (changed(content_hash={"b": "the same pixels"}), {"a": "cat", "b": "dog", "a1": "cat", "b1": "dog"}),
        (changed(pixel_hash={"a1": "drawn anew"}), {"a": "cat", "b": "dog", "a1": "cat", "b1": "dog"}),
        (FAMILY.iloc[1:], {"b": "dog", "a1": "cat", "b1": "dog"}),  # its original is gone: nothing to follow
    ],
    ids=["same", "label", "split", "pixels", "content", "own pixels", "gone"],
)
def test_generated_images_follow_their_original(after: pd.DataFrame, expected: dict[str, str]) -> None:
    followed = follow_originals(FAMILY, after)
    assert dict(zip(followed["image_id"], followed["label"], strict=True)) == expected
    assert followed.index.to_list() == list(range(len(expected)))
    assert followed["label"].dtype == "str"
