"""Predictions come back aligned with the manifest, whatever became of it since."""

import json
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate import predictions
from curate.errors import UserError
from curate.predictions import NEIGHBORS, OPTIONAL, Predictions, read, write
from curate.workspace import Workspace
from tests.tables import images

IMAGES = images(("a", "train", "cat"), ("b,\n\u732b", "train", "dog"), ("c", "test", "cat"), ("d", "pool", ""))
MADE = Predictions(
    classes=["cat", "dog"],
    pred_probs=np.array([[0.9, 0.1], [0.25, 0.75], [0.5, 0.5], [np.nan, np.nan]], np.float32),
    embeddings=np.arange(12, dtype=np.float32).reshape(4, 3),
    fold=np.array([0, 1, -1, -1]),
    summary={"model": "resnet_fast", "fold_accuracy": [0.9, 0.8]},
)


@pytest.fixture
def kept(tmp_path) -> Workspace:
    workspace = Workspace(tmp_path)
    write(workspace, IMAGES, MADE)
    return workspace


def test_round_trip(kept: Workspace) -> None:
    back = read(kept, IMAGES)
    assert back.classes == MADE.classes
    assert back.summary == MADE.summary
    assert np.array_equal(back.pred_probs, MADE.pred_probs, equal_nan=True)
    assert np.array_equal(back.embeddings, MADE.embeddings)
    assert back.fold.tolist() == [0, 1, -1, -1]
    assert back.present.tolist() == [True, True, True, False]


def test_rows_are_found_by_id_and_content(kept: Workspace) -> None:
    table = images(("c", "train", "dog"), ("new", "train", "cat"), ("a", "train", "cat"), ("d", "pool", ""))
    table.loc[2, "content_hash"] = "changed"
    back = read(kept, table)
    assert back.pred_probs[0].tolist() == [0.5, 0.5]  # moved and relabelled: still the same picture
    assert back.present.tolist() == [True, False, False, False]
    assert np.isnan(back.embeddings[1:3]).all()
    assert back.embeddings[3].tolist() == [9, 10, 11]
    assert back.fold.tolist() == [-1, -1, -1, -1]


def everything(rows: int, *, repeats: int = 2, epochs: int = 3) -> Predictions:
    """All that `predict` leaves of so many rows, a different number everywhere; each is the neighbour of the next."""
    neighbors = np.full((repeats, rows, NEIGHBORS), -1)
    for repeat in range(repeats):
        neighbors[repeat, :, 0] = (np.arange(rows) + 1 + repeat) % max(rows, 1)
    probs = np.linspace(0.1, 0.9, repeats * rows, dtype=np.float32).reshape(repeats, rows)
    both = np.stack([probs, 1 - probs], axis=2)
    margins = np.arange(rows * epochs, dtype=np.float16).reshape(rows, epochs)
    return Predictions(
        ["cat", "dog"],
        both.mean(axis=0),
        np.arange(3 * rows, dtype=np.float32).reshape(rows, 3),
        np.arange(rows),
        {},
        repeats=both,
        neighbors=neighbors,
        margins=margins,
    )


@pytest.mark.parametrize("rows", [4, 1, 0])
def test_round_trip_of_all_there_can_be(kept: Workspace, rows: int) -> None:
    made = everything(rows)
    write(kept, IMAGES[:rows], made)
    back = read(kept, IMAGES[:rows])
    for name in OPTIONAL:
        np.testing.assert_array_equal(getattr(back, name), getattr(made, name), err_msg=name)


def test_predictions_of_other_programs_lack_it(kept: Workspace) -> None:
    back = read(kept, IMAGES)
    assert all(getattr(back, name) is None for name in OPTIONAL)


def test_neighbors_are_rows_of_the_manifest_as_it_is_now(kept: Workspace) -> None:
    """Moved, removed and added rows: a, b, c, d are at 3, nowhere, 0, 2."""
    write(kept, IMAGES, everything(4))
    table = IMAGES.iloc[[2, 3, 3, 0]].reset_index(drop=True)
    table.loc[1, "image_id"] = "new"
    back = read(kept, table)
    assert back.neighbors is not None
    assert back.neighbors.shape == (2, 4, NEIGHBORS)
    nearest = back.neighbors[:, :, 0].tolist()
    assert nearest[0] == [2, -1, 3, -1]  # c -> d; new; d -> a; a -> b, which is gone
    assert nearest[1] == [3, -1, -1, 0]  # c -> a; new; d -> b; a -> c
    assert (back.neighbors[:, :, 1:] == -1).all()


def test_all_of_it_is_found_by_id_and_content(kept: Workspace) -> None:
    made = everything(4)
    write(kept, IMAGES, made)
    table = IMAGES.iloc[[1, 3, 0]].reset_index(drop=True)
    table.loc[2, "content_hash"] = "changed"
    back = read(kept, table)
    assert back.repeats is not None
    assert made.repeats is not None
    assert back.margins is not None
    assert made.margins is not None
    np.testing.assert_array_equal(back.repeats[:, :2], made.repeats[:, [1, 3]])
    np.testing.assert_array_equal(back.margins[:2], made.margins[[1, 3]])
    for values in (back.repeats[:, 2], back.margins[2]):
        assert np.isnan(values).all()


def test_how_a_label_was_learned_says_nothing_about_another(kept: Workspace) -> None:
    made = everything(4)
    write(kept, IMAGES, made)
    table = IMAGES.copy()
    table.loc[1, "label"] = "cat"
    table.loc[2, "label"] = ""
    back = read(kept, table)
    assert back.margins is not None
    assert np.isnan(back.margins).all(axis=1).tolist() == [False, True, True, False]
    np.testing.assert_array_equal(back.pred_probs, made.pred_probs)  # it never saw the label


@pytest.mark.parametrize("rows", [0, 4])
def test_rows_that_were_all_added_since(kept: Workspace, rows: int) -> None:
    write(kept, IMAGES[:rows], everything(rows))
    back = read(kept, images(("x", "train", "cat"), ("y", "test", "")))
    assert back.margins is not None
    assert back.neighbors is not None
    assert not back.present.any()
    assert np.isnan(back.margins).all()
    assert (back.neighbors == -1).all()


def test_no_rows(kept: Workspace) -> None:
    assert read(kept, IMAGES[:0]).pred_probs.shape == (0, 2)
    empty = Predictions(["cat", "dog"], np.empty((0, 2)), np.empty((0, 3)), np.empty(0, int), {})
    write(kept, IMAGES[:0], empty)
    back = read(kept, IMAGES[:0])
    assert (back.pred_probs.shape, back.embeddings.shape) == ((0, 2), (0, 3))


def test_same_inputs_give_the_same_bytes(kept: Workspace, tmp_path) -> None:
    other = Workspace(tmp_path / "other")
    write(other, IMAGES, MADE)
    one, two = ((workspace.root / predictions.FILE).read_bytes() for workspace in (kept, other))
    assert one == two


def test_missing_predictions_name_the_verb(tmp_path) -> None:
    assert not predictions.exists(Workspace(tmp_path))
    with pytest.raises(UserError, match="has no predictions; 'curate predict"):
        read(Workspace(tmp_path), IMAGES)


@pytest.mark.parametrize("about", [None, b"", b"{}", b"[]", b"\xff", b'{"classes": ["cat"]}'])
def test_damaged_metadata_is_one_line(kept: Workspace, about: bytes | None) -> None:
    path = kept.root / predictions.FILE
    table = pq.read_table(path).replace_schema_metadata(None if about is None else {predictions.METADATA: about})
    pq.write_table(table, path)
    with pytest.raises(UserError, match="run 'curate predict' again"):
        read(kept, IMAGES)


@pytest.mark.parametrize("data", [b"", b"PAR1 no more", None])
def test_damaged_predictions_are_one_line(kept: Workspace, data: bytes | None) -> None:
    path = kept.root / predictions.FILE
    path.unlink() if data is None else path.write_bytes(data)
    with pytest.raises(UserError, match=r"run 'curate predict' again|'curate predict.*makes them"):
        read(kept, IMAGES)


def plain_lists(table: pa.Table) -> pa.Table:
    return swapped(table, "pred_probs", pa.array(table["pred_probs"].to_pylist()))


def swapped(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    """The table with other values in a column."""
    return table.set_column(table.schema.get_field_index(name), name, values)


def with_classes(table: pa.Table, classes: object) -> pa.Table:
    return table.replace_schema_metadata({predictions.METADATA: json.dumps({"classes": classes}).encode()})


def fixed(values: list, size: int, kind: pa.DataType) -> pa.Array:
    return pa.array(values, pa.list_(kind, size))


PROBS = [[0.9, 0.1], [0.25, 0.75], [0.5, 0.5], None]
OF_OTHER_PROGRAMS: dict[str, tuple[Callable[[pa.Table], pa.Table], str]] = {
    "no fold": (lambda table: table.drop_columns("fold"), "no column 'fold'"),
    "no embedding": (lambda table: table.drop_columns("embedding"), "no column 'embedding'"),
    "no image_id": (lambda table: table.drop_columns("image_id"), "no column 'image_id'"),
    "margins of no label": (lambda table: table.drop_columns("label"), "no column 'label'"),
    "a column twice": (lambda table: table.append_column("fold", table["fold"]), "Multiple matches for .*fold"),
    "a row twice": (lambda table: pa.concat_tables([table, table[:1]]), "'a' stands twice"),
    "plain lists": (plain_lists, "column 'pred_probs' is of type list<.*must hold lists of one length"),
    "numbers as text": (
        lambda table: swapped(table, "embedding", fixed([["a"]] * 4, 1, pa.string())),
        "column 'embedding' is of type .*must hold lists of one length",
    ),
    "fold as text": (lambda table: swapped(table, "fold", pa.array(["0"] * 4)), "column 'fold' is of type string"),
    "ids that are numbers": (lambda table: swapped(table, "image_id", pa.array(range(4))), "column 'image_id' is of"),
    "no probabilities": (
        lambda table: swapped(table, "pred_probs", fixed(PROBS, 2, pa.float32())),
        "column 'pred_probs' has rows without a value",
    ),
    "half of the probabilities": (
        lambda table: swapped(table, "pred_probs", fixed([[0.5, None]] * 4, 2, pa.float32())),
        "are no probabilities",
    ),
    "a fold that is null": (
        lambda table: swapped(table, "fold", pa.array([0, 1, None, 2])),
        "column 'fold' has rows without a value",
    ),
    "an id that is null": (
        lambda table: swapped(table, "image_id", pa.array(["a", "b", "c", None])),
        "column 'image_id' has rows without a value",
    ),
    "neighbours that are no rows": (
        lambda table: swapped(table, "neighbors", fixed([[4] * NEIGHBORS] * 4, NEIGHBORS, pa.int64())),
        "column 'neighbors' names rows that are not there",
    ),
    "neighbours that are null": (
        lambda table: swapped(table, "neighbors", fixed([[None] * NEIGHBORS] * 4, NEIGHBORS, pa.int64())),
        "column 'neighbors' names rows that are not there",
    ),
    "other neighbours": (
        lambda table: swapped(table, "neighbors", fixed([[1] * 7] * 4, 7, pa.int64())),
        f"column 'neighbors' has 7 values a row, no multiple of {NEIGHBORS}",
    ),
    "repetitions of other classes": (
        lambda table: swapped(table, "repeats", fixed([[0.2] * 5] * 4, 5, pa.float32())),
        "column 'repeats' has 5 values a row, no multiple of 2",
    ),
    "no classes": (lambda table: with_classes(table, []), "no list of class names"),
    "a number of classes": (lambda table: with_classes(table, 2), "no list of class names"),
    "numbers for classes": (lambda table: with_classes(table, [0, 1]), "no list of class names"),
}


@pytest.mark.parametrize("case", OF_OTHER_PROGRAMS)
def test_what_other_programs_get_wrong_is_one_line(kept: Workspace, case: str) -> None:
    change, says = OF_OTHER_PROGRAMS[case]
    path = kept.root / predictions.FILE
    write(kept, IMAGES, everything(4))
    pq.write_table(change(pq.read_table(path)), path)
    with pytest.raises(UserError, match=f"{says}.*; run 'curate predict' again") as caught:
        read(kept, IMAGES)
    assert "\n" not in str(caught.value)


def test_what_other_programs_write_in_their_way(kept: Workspace) -> None:
    path = kept.root / predictions.FILE
    table = pq.read_table(path).drop_columns("label")
    for name in ("image_id", "content_hash"):
        table = swapped(table, name, table[name].dictionary_encode())
    table = swapped(table, "fold", table["fold"].cast(pa.int8()))
    probs = np.nan_to_num(MADE.pred_probs, nan=0.5).astype(np.float64)
    pq.write_table(swapped(table, "pred_probs", fixed(probs.tolist(), 2, pa.float64())), path)
    back = read(kept, IMAGES)
    assert np.array_equal(back.pred_probs, probs)
    assert back.fold.tolist() == [0, 1, -1, -1]
