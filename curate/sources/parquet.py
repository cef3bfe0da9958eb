"""Parquet: a table with paths, or with the images in it as Hugging Face `datasets` has them; a file or its shards."""

import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from curate import leaving, tables
from curate.errors import UserError
from curate.layout import split_of_shard
from curate.sources import Options, Sample

PRIORITY = 20
ROWS_AT_ONCE = 64
"""Rows read, and rows in a row group written: 64 photos of a phone are about 300 MB."""
SHARD_BYTES = 500_000_000
"""Size that shards are cut at: what `datasets` itself writes."""


def recognises(path: Path) -> bool:
    """A .parquet file, or a folder of them, directly or in `data/` as on the Hugging Face Hub."""
    return bool(_shards(path))


def read(path: Path, options: Options) -> Iterator[Sample]:
    """Every row of every shard. The split comes from a column, or from the shard's name (`train-00000-of-00001`)."""
    for shard in _shards(path):
        try:
            yield from _read_shard(shard, options)
        except (pa.ArrowException, OSError) as error:
            raise UserError(
                f"{shard} is damaged or no parquet file ({str(error).splitlines()[0]}); fetch it again"
            ) from None


def write(table: pd.DataFrame, root: Path, dest: Path) -> int:
    """`data/<split>-00000-of-00001.parquet`, which `datasets.load_dataset(dest)` reads; unlabelled is -1."""
    classes = sorted(set(table["label"]) - {""})
    (dest / "data").mkdir()
    return sum(
        _write_split(rows, str(split), classes, root, dest / "data")
        for split, rows in table.groupby("split", sort=True)
    )


def _shards(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix.lower() == ".parquet" else []
    return sorted(path.glob("*.parquet")) or sorted(path.glob("data/*.parquet"))


def _read_shard(shard: Path, options: Options) -> Iterator[Sample]:
    file = pq.ParquetFile(shard)
    schema = file.schema_arrow
    image = _image_column(schema, options)
    label = tables.column(options, "label", schema.names, str(shard))
    split = tables.column(options, "split", schema.names, str(shard), needed=False)
    path = "" if image else tables.column(options, "path", schema.names, str(shard))
    classes = _class_names(schema, label)
    root = tables.root_of(shard, options)
    wanted = [name for name in (image, path, label, split) if name]
    number = 0
    for batch in file.iter_batches(ROWS_AT_ONCE, columns=wanted):
        for row in batch.to_pylist():
            number += 1
            where = f"{shard}, row {number}"
            said = tables.split_cell(str(row[split] or ""), where) if split else ""
            yield _sample(
                row[image or path],
                _label(row.get(label), classes, where),
                said or split_of_shard(shard.name),
                root,
                where,
                number,
            )


def _sample(cell: dict | bytes | str | None, label: str, split: str, root: str, where: str, number: int) -> Sample:
    """A row as a sample: `cell` is a path, bytes, or a struct of both."""
    struct = cell if isinstance(cell, dict) else {}
    data: bytes | None = cell if isinstance(cell, bytes) else struct.get("bytes")
    path: str | None = cell if isinstance(cell, str) else struct.get("path")
    if data is None and path:
        file = tables.path_within(root, path, where)
        return Sample(tables.name_within(root, file), label, split, file)
    name = os.path.basename(path) if path else f"{number:08d}{leaving.suffix_of(data or b'')}"
    name = "/".join(part for part in (split, label.replace("/", "_"), name) if part not in ("", ".", ".."))
    return Sample(name, label, split, data=data, error="" if data is not None else "no image in this row")


def _image_column(schema: pa.Schema, options: Options) -> str:
    """The column that holds images: the one named by the user, `image`, or the only struct with bytes; "" for none."""
    if "image" in options.columns:
        return tables.column(options, "image", schema.names, "the table")
    structs = [
        field.name for field in schema if pa.types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0
    ]
    if "image" in structs or ("image" in schema.names and pa.types.is_binary(schema.field("image").type)):
        return "image"
    return structs[0] if len(structs) == 1 else ""


def _class_names(schema: pa.Schema, label: str) -> list[str] | None:
    """Names of the classes where the column is a `ClassLabel` of `datasets`, none of an unlabelled set; else None."""
    text = (schema.metadata or {}).get(b"huggingface", b"{}")
    try:
        feature = json.loads(text)["info"]["features"][label]
        return list(feature.get("names") or []) if feature["_type"] == "ClassLabel" else None
    except (ValueError, KeyError, TypeError):
        return None


def _label(cell: object, classes: list[str] | None, where: str) -> str:
    """A label as text; None and, of a `ClassLabel`, -1 are unlabelled."""
    if cell is None:
        return ""
    if classes is None or not isinstance(cell, int):
        return str(cell)
    if cell >= len(classes):
        raise UserError(f"{where}: label {cell}, but the file names {len(classes)} classes; fetch it again")
    return classes[cell] if cell >= 0 else ""


def _write_split(rows: pd.DataFrame, split: str, classes: list[str], root: Path, folder: Path) -> int:
    """The shards of one split; their number is part of their names, so they get them in the end."""
    codes = {name: code for code, name in enumerate(classes)}
    schema = _schema(classes)
    names = leaving.Names()
    parts: list[Path] = []
    writer, size, count = None, 0, 0
    for batch in _batches(leaving.images(rows, root)):
        if writer is None or size > SHARD_BYTES:
            if writer:
                writer.close()
            parts.append(folder / f"{split}-{len(parts):05d}.part")
            writer, size = pq.ParquetWriter(parts[-1], schema, compression="none"), 0  # images are compressed already
        columns = {
            "image": [{"bytes": image.data, "path": names.free("", leaving.file_name(image))[1:]} for image in batch],
            "label": [codes.get(image.label, -1) for image in batch],
            "image_id": [image.image_id for image in batch],
        }
        writer.write_table(pa.table(columns, schema=schema))
        size += sum(len(image.data) for image in batch)
        count += len(batch)
    if writer:
        writer.close()
    for number, part in enumerate(parts):
        part.rename(folder / f"{split}-{number:05d}-of-{len(parts):05d}.parquet")
    return count


def _batches(images: Iterator[leaving.Image]) -> Iterator[list[leaving.Image]]:
    while batch := list(islice(images, ROWS_AT_ONCE)):
        yield batch


def _schema(classes: list[str]) -> pa.Schema:
    """The schema with the metadata by which `datasets` knows images and class names."""
    features = {
        "image": {"_type": "Image"},
        "label": {"names": classes, "_type": "ClassLabel"},
        "image_id": {"dtype": "string", "_type": "Value"},
    }
    fields = [
        ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        ("label", pa.int64()),
        ("image_id", pa.string()),
    ]
    return pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": features}})})
