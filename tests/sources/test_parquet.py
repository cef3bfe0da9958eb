"""Parquet: tables of Hugging Face, which hold the images, and tables of paths."""

import json
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.errors import UserError
from curate.layouts import Options, Sample
from curate.sources import parquet
from tests.conftest import png, write_tree
from tests.sources.reading import read


def hugging_face(path: Path, columns: dict[str, list], features: dict) -> Path:
    table = pa.table(columns)
    note = json.dumps({"info": {"features": features}})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata({"huggingface": note}), path)
    return path


def test_parquet_of_hugging_face(tmp_path: Path) -> None:
    features = {"img": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["cat", "a/b"]}}
    struct = [{"bytes": png(1), "path": "1.png"}, {"bytes": png(2), "path": None}, {"bytes": png(3), "path": "1.png"}]
    hugging_face(tmp_path / "hub/data/train-00000-of-00001.parquet", {"img": struct, "label": [0, 1, -1]}, features)
    hugging_face(tmp_path / "hub/data/test-00000-of-00001.parquet", {"img": struct[:1], "label": [0]}, features)
    (tmp_path / "hub/data/._train-00000-of-00001.parquet").write_bytes(b"what macOS keeps beside it")
    samples, _ = read(tmp_path / "hub")
    assert [(sample.split, sample.label, sample.data) for sample in samples] == [
        ("test", "cat", png(1)),
        ("train", "cat", png(1)),
        ("train", "a/b", png(2)),
        ("train", "", png(3)),
    ]
    assert samples[1].name == "train/cat/1.png"


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (pa.array([b"cat", "Bär".encode(), None]), ["cat", "Bär", ""]),
        (pa.array([0.0, 1.0, float("nan")]), ["0", "1", ""]),
        (pa.array([0.0, None, -1.0]), ["0", "", "-1"]),
        (pa.array([True, False, None]), ["True", "False", ""]),
        (pa.array(["nan", "1.0", ""]), ["nan", "1.0", ""]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        (pa.array([b"\xff", b"", b""]), "row 1: label .* is not UTF-8"),
        (pa.array([0.0, 0.5, 1.0]), "row 2: label 0.5; a label is text or a whole number"),
        (pa.array([0.0, 1.0, float("inf")]), "row 3: label inf; a label is"),
        (pa.array([date(2024, 1, 1)] * 3), "column 'label' is of type date32.*, and must hold text or whole numbers"),
    ],
)
def test_labels_of_other_types_than_text(tmp_path: Path, labels: pa.Array, expected: list[str] | str) -> None:
    pq.write_table(pa.table({"path": ["a.png", "b.png", "c.png"], "label": labels}), tmp_path / "t.parquet")
    if isinstance(expected, str):
        with pytest.raises(UserError, match=expected):
            read(tmp_path / "t.parquet")
        return
    assert [sample.label for sample in read(tmp_path / "t.parquet")[0]] == expected


def test_fractions_of_a_class_label_are_its_codes(tmp_path: Path) -> None:
    features = {"label": {"_type": "ClassLabel", "names": ["cat", "dog"]}}
    hugging_face(tmp_path / "t.parquet", {"path": ["a.png", "b.png"], "label": [1.0, float("nan")]}, features)
    assert [sample.label for sample in read(tmp_path / "t.parquet")[0]] == ["dog", ""]


def test_a_path_that_stands_twice_is_refused(tmp_path: Path) -> None:
    for name in ("train-0", "val-0"):
        (tmp_path / "data").mkdir(exist_ok=True)
        pq.write_table(pa.table({"path": ["a.png"], "label": ["cat"]}), tmp_path / "data" / f"{name}.parquet")
    with pytest.raises(UserError, match=r"val-0.parquet, row 1: 'a.png' stands in .*train-0.parquet, row 1 already"):
        read(tmp_path / "data")


def test_parquet_of_paths(tmp_path: Path) -> None:
    write_tree(tmp_path, ["a.png"])
    pq.write_table(pa.table({"path": ["a.png"], "label": [3], "split": ["test"]}), tmp_path / "t.parquet")
    there = [Sample("a.png", "3", "test", str(tmp_path / "a.png"))]
    assert read(tmp_path / "t.parquet")[0] == there
    (tmp_path / "t.pq").write_bytes((tmp_path / "t.parquet").read_bytes())
    assert list(parquet.read(tmp_path / "t.pq", Options())) == there  # as `--as parquet` does, whatever it is called
    pq.write_table(pa.table({"path": ["../a.png"], "label": ["x"]}), tmp_path / "t.parquet")
    with pytest.raises(UserError, match=r"row 1.*--root"):
        read(tmp_path / "t.parquet")
    pq.write_table(pa.table({"file": ["a.png"], "label": ["x"]}), tmp_path / "t.parquet")
    with pytest.raises(UserError, match=r"there are: 'file', 'label'"):
        read(tmp_path / "t.parquet")
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and nothing")
    with pytest.raises(UserError, match="damaged"):
        read(tmp_path / "t.parquet")
