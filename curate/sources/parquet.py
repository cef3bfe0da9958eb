"""Parquet: a table with paths, or with the images in it as Hugging Face `datasets` has them; a file or its shards."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import UserError, first_line
from curate.layouts import Options, Sample, leaving, tables
from curate.layouts.folders import split_of_shard

PRIORITY = 20
ORIGINALS = True
ROWS_AT_ONCE = 64
"""Rows read, and rows in a row group written: 64 photos of a phone are about 300 MB."""
SHRUNK, BYTES_AT_ONCE = 4, 1 << 29
"""Images do not shrink by compression: by more than so many times none does. Rows are read so that no more than so many
bytes are held at a time; a row alone may take more."""
RELATION = ("image_id", "parent_id")
"""Columns that say which image a generated one was made from; read where there are both."""
PAGE_BYTES = 1 << 16
"""Read at once of a file that is only looked into."""


def recognises(path: Path) -> bool:
    """A .parquet file, or a folder of them, directly or in `data/` as on the Hugging Face Hub."""
    return path.suffix.lower() == ".parquet" if path.is_file() else bool(_shards(path))


def read(path: Path, options: Options) -> Iterator[Sample]:
    """Every row of every shard. The split comes from a column, or from the shard's name (`train-00000-of-00001`).

    Raises `UserError` with the row for a path that stands twice or leaves the root, and for a label that is none.
    """
    seen: dict[str, str] = {}
    for shard in _shards(path):
        try:
            yield from _read_shard(shard, options, seen)
        except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
            reason = f"{first_line(error):.200}"
            raise UserError(f"{shard} is damaged or no parquet file ({reason}); fetch it again") from None


def write(table: pd.DataFrame, root: Path, dest: Path) -> int:
    """`data/<split>-00000-of-00001.parquet`, which `datasets.load_dataset(dest)` reads; unlabelled is -1."""
    schema = _schema(sorted(set(table["label"]) - {""}), bool((table["parent_id"] != "").any()))
    (dest / "data").mkdir()
    return sum(
        _write_split(rows, str(split), schema, root, dest / "data") for split, rows in table.groupby("split", sort=True)
    )


def _shards(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(path.glob("[!.]*.parquet")) or sorted(path.glob("data/[!.]*.parquet"))


def _read_shard(shard: Path, options: Options, seen: dict[str, str]) -> Iterator[Sample]:
    """seen: path -> where it stands, of this shard and those before it."""
    file = pq.ParquetFile(shard)
    schema = file.schema_arrow
    image = _image_column(schema, options)
    label = tables.column(options, "label", schema.names, str(shard))
    split = tables.column(options, "split", schema.names, str(shard), needed=False)
    path = "" if image else tables.column(options, "path", schema.names, str(shard))
    told = all(schema.names.count(name) == 1 and _is_text(schema.field(name).type) for name in RELATION)
    wanted = list(dict.fromkeys(name for name in (image, path, label, split, *(RELATION if told else ())) if name))
    _check_types(schema, shard, image, path, label, split)
    classes = _class_names(schema, label, shard)
    root = tables.root_of(shard, options)
    number = 0
    for batch in file.iter_batches(_rows_at_once(shard, image), columns=wanted):
        for row in batch.to_pylist():
            number += 1
            where = f"{shard}, row {number}"
            said = tables.split_cell(str(row[split] or ""), where) if split else ""
            given = _label(row.get(label), classes, where)
            sample = _sample(row[image or path], given, said or split_of_shard(shard.name), root, where, number)
            if sample.path and seen.setdefault(sample.path, where) is not where:
                at = f"{where}: {tables.shown(sample.name)}"
                raise UserError(f"{at} stands in {seen[sample.path]} already; remove one of them")
            yield replace(sample, image_id=row["image_id"] or "", parent_id=row["parent_id"] or "") if told else sample


def _rows_at_once(shard: Path, image: str) -> int:
    """Fewer than `ROWS_AT_ONCE` where few bytes of the file may stand for large images, or one for many rows."""
    if not image:
        return ROWS_AT_ONCE
    file = pq.ParquetFile(shard, buffer_size=PAGE_BYTES)
    columns = [number for number, column in enumerate(file.schema) if column.path.split(".")[0] == image]
    rows = ROWS_AT_ONCE
    for group in range(file.metadata.num_row_groups):
        # what is wrong in a column's metadata ends the process where it is asked for them, and is an error in reading
        next(file.iter_batches(1, row_groups=[group], columns=[image]), None)
        for number in columns:
            column = file.metadata.row_group(group).column(number)
            if column.total_uncompressed_size > SHRUNK * column.total_compressed_size:
                return 1
            if column.has_dictionary_page:  # holds values that rows only point to; writers end it at 1 MB
                largest = SHRUNK * max(1, column.data_page_offset - column.dictionary_page_offset)
                rows = min(rows, max(1, BYTES_AT_ONCE // largest))
    return rows


def _check_types(schema: pa.Schema, shard: Path, image: str, path: str, label: str, split: str) -> None:
    """Raise `UserError` for a column of a type that it cannot have."""
    wanted: list[tuple[str, str, Callable[[pa.DataType], bool]]] = [
        (path, "text", _is_text),
        (split, "text", _is_text),
        (label, "text or whole numbers", _is_label),
        (image, "images as bytes, or 'bytes' and 'path' of each", _is_image),
    ]
    for name, what, fits in wanted:
        if name and not fits(schema.field(name).type):
            raise UserError(f"{shard}: column {name!r} is of type {schema.field(name).type}, and must hold {what}")


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_null(kind))


def _is_label(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    return number or _is_text(kind) or _is_bytes(kind)


def _is_image(kind: pa.DataType) -> bool:
    if not pa.types.is_struct(kind):
        return _is_bytes(kind) or _is_text(kind)
    fields = {field.name: field.type for field in kind}
    return _is_bytes(fields.get("bytes", pa.null())) and _is_text(fields.get("path", pa.null()))


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
    kind = schema.field("image").type if schema.names.count("image") == 1 else pa.null()
    if "image" in structs or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return "image"
    return structs[0] if len(structs) == 1 else ""


def _class_names(schema: pa.Schema, label: str, shard: Path) -> list[str] | None:
    """Names of the classes where the column is a `ClassLabel` of `datasets`, none of an unlabelled set; else None."""
    text = (schema.metadata or {}).get(b"huggingface", b"{}")
    try:
        feature = json.loads(text)["info"]["features"][label]
        names = (feature.get("names") or []) if feature["_type"] == "ClassLabel" else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise UserError(f"{shard}: its metadata hold no list of class names for {label!r}; fetch it again")
    return names


def _label(cell: object, classes: list[str] | None, where: str) -> str:
    """A label as text; None, NaN and, of a `ClassLabel`, -1 are unlabelled. pandas makes fractions of whole numbers
    where one is missing."""
    if cell is None or cell != cell:
        return ""
    if isinstance(cell, bytes):
        try:
            return cell.decode()
        except UnicodeDecodeError:
            raise UserError(f"{where}: label {tables.shown(str(cell))} is not UTF-8; save the table again") from None
    if isinstance(cell, float):
        if not cell.is_integer():
            raise UserError(f"{where}: label {cell}; a label is text or a whole number")
        cell = int(cell)
    if classes is None or not isinstance(cell, int):
        return str(cell)
    if cell >= len(classes):
        raise UserError(f"{where}: label {cell}, but the file names {len(classes)} classes; fetch it again")
    return classes[cell] if cell >= 0 else ""


def _write_split(rows: pd.DataFrame, split: str, schema: pa.Schema, root: Path, folder: Path) -> int:
    """The shards of one split; their number is part of their names, so they get them in the end."""
    codes = {name: code for code, name in enumerate(_class_names(schema, "label", folder) or [])}
    names = leaving.Names()
    parts: list[Path] = []
    writer, size, count = None, 0, 0
    for batch in _batches(leaving.images(rows, root)):
        if writer is None or size > leaving.SHARD_BYTES:
            if writer:
                writer.close()
            parts.append(folder / f"{split}-{len(parts):05d}.part")
            writer, size = pq.ParquetWriter(parts[-1], schema, compression="none"), 0  # images are compressed already
        columns = {
            "image": [{"bytes": image.data, "path": names.free("", leaving.file_name(image))[1:]} for image in batch],
            "label": [codes.get(image.label, -1) for image in batch],
            "image_id": [image.image_id for image in batch],
            "parent_id": [image.parent_id for image in batch],
        }
        columns = {name: columns[name] for name in schema.names}
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


def _schema(classes: list[str], generated: bool) -> pa.Schema:
    """The schema with the metadata by which `datasets` knows images and class names; `parent_id` only if there are
    generated images."""
    ids = RELATION if generated else RELATION[:1]
    features = {
        "image": {"_type": "Image"},
        "label": {"names": classes, "_type": "ClassLabel"},
        **{name: {"dtype": "string", "_type": "Value"} for name in ids},
    }
    fields = [
        ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        ("label", pa.int64()),
        *((name, pa.string()) for name in ids),
    ]
    return pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": features}})})
