"""Parquet: tables of Hugging Face, which hold the images, and tables of paths."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.errors import UserError
from curate.sources import Sample
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


def test_parquet_of_paths(tmp_path: Path) -> None:
    write_tree(tmp_path, ["a.png"])
    pq.write_table(pa.table({"path": ["a.png"], "label": [3], "split": ["test"]}), tmp_path / "t.parquet")
    assert read(tmp_path / "t.parquet")[0] == [Sample("a.png", "3", "test", str(tmp_path / "a.png"))]
    pq.write_table(pa.table({"path": ["../a.png"], "label": ["x"]}), tmp_path / "t.parquet")
    with pytest.raises(UserError, match=r"row 1.*--root"):
        read(tmp_path / "t.parquet")
    pq.write_table(pa.table({"file": ["a.png"], "label": ["x"]}), tmp_path / "t.parquet")
    with pytest.raises(UserError, match=r"there are: 'file', 'label'"):
        read(tmp_path / "t.parquet")
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and nothing")
    with pytest.raises(UserError, match="damaged"):
        read(tmp_path / "t.parquet")
