"""Predictions come back aligned with the manifest, whatever became of it since."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from curate import predictions
from curate.errors import UserError
from curate.predictions import Predictions, read, write
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
