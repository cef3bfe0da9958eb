"""Parquet tables of labels, with paths or with images in them."""

import io

import pyarrow as pa
import pyarrow.parquet as pq

from curate.layouts import Options, Sample
from curate.sources import parquet
from tests.fuzz.contract import answered, file


def seeds() -> list[bytes]:
    """Tables with paths, with images as `datasets` has them, with labels as numbers, nothing, dates and lists."""
    info = b'{"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}'
    image = pa.array([{"bytes": b"png", "path": "a.png"}, {"bytes": None, "path": "b.png"}])
    tables = [
        pa.table({"path": ["a.png", "b/c.png"], "label": ["cat", None], "split": ["train", "test"]}),
        pa.table({"image": image, "label": pa.array([0, -1])}).replace_schema_metadata({b"huggingface": info}),
        pa.table({"image": pa.array([b"png"]), "label": pa.array([[1, 2]])}),
        pa.table({"path": ["a.png"], "label": pa.array([0], pa.timestamp("ns"))}),
    ]
    return [written(table) for table in tables]


def one(data: bytes) -> None:
    """Every row is a sample with a name and a label that are text, and bytes or a path."""
    path = file("train-0.parquet", data)
    with answered():
        for sample in parquet.read(path, Options()):
            assert isinstance(sample, Sample)
            assert isinstance(sample.name, str)
            assert isinstance(sample.label, str), sample.label
            assert sample.data is None or isinstance(sample.data, bytes), sample.data


def written(table: pa.Table) -> bytes:
    """The table as a small file: without compression and statistics, so that more of it has a meaning."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="none", write_statistics=False, store_schema=False)
    return buffer.getvalue()
