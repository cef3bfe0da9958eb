"""One decoding pass for everything that is measured per image, and the store that makes it pay once.

The store is `signals/<name>/<version>/*.parquet`: parts with the columns `content_hash` and `value`. A part is written
whole, so a killed run loses at most the images of the part it was writing.
"""

import hashlib
import inspect
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate import manifest, registry
from curate.engine import Engine, Local
from curate.errors import UserError, from_system
from curate.files import replacing
from curate.images import ImageError, decode, read_unchanged
from curate.wording import pasted
from curate.workspace import Workspace

NUMBERS = "biuf"
"""Kinds of NumPy's types that are kept."""
A_SCORE = "one number, from 1 for fine to 0 for certainly bad, or NaN for nothing to say"
ROUNDING = 1e-6
"""By how much a score may be out of its range: ten times the step of float32 at 1."""
IMAGES_PER_PART = 100_000
"""A part is published after this many images: what a killed run has to measure again at most."""


@dataclass(frozen=True)
class Measure:
    """A function with its settings, the values of which are kept; importable by name, so that workers can run it."""

    function: Callable
    settings: tuple[tuple[str, object], ...] = ()
    is_score: bool = False
    """Whether its values are a finder's scores."""

    @property
    def name(self) -> str:
        return self.function.__name__

    @property
    def version(self) -> str:
        """`VERSION` of the function's module, and a hash of the settings where they are not the defaults."""
        number = registry.version(self.function)
        if not self.settings:
            return f"v{number}"
        text = json.dumps(self.settings, sort_keys=True, default=str)
        return f"v{number}-{hashlib.blake2b(text.encode(), digest_size=4).hexdigest()}"


def measure(
    workspace: Workspace, rows: pd.DataFrame, measures: list[Measure], *, engine: Engine = Local()
) -> dict[str, np.ndarray]:
    """Values of each measure for each row: shape (N,) or (N, D), NaN (0 for whole numbers) where there are none.

    Only images that the store lacks are decoded, all measures in one pass. Rows that cannot be decoded, and files that
    are no longer what was added and have no copy that is, get no value.
    """
    wanted = rows[manifest.decodable(rows)]
    missing = [~_among(wanted["content_hash"], _hashes(workspace.root, item)) for item in measures]
    todo = [item for item, lacks in zip(measures, missing, strict=True) if lacks.any()]
    if todo:
        _measure_all(workspace.root, wanted[np.logical_or.reduce(missing)], todo, engine)
    return {item.name: _align(workspace.root, item, rows["content_hash"]) for item in measures}


def unmeasured(workspace: Workspace, rows: pd.DataFrame, item: Measure) -> np.ndarray:
    """Decodable rows without a value in the store: their files changed or vanished since `add`. Shape (N,), bool."""
    return manifest.decodable(rows) & ~_among(rows["content_hash"], _hashes(workspace.root, item))


def _among(hashes: pd.Series, others: pa.ChunkedArray) -> np.ndarray:
    """Which of `hashes` stand in `others` too: shape (N,), bool. pandas' own `isin` takes eight times as long."""
    there: np.ndarray = pc.is_in(pa.array(hashes, others.type), value_set=others).to_numpy(zero_copy_only=False)
    return there


def _measure_all(root: Path, rows: pd.DataFrame, measures: list[Measure], engine: Engine) -> None:
    """Measure, and write parts as they fill."""
    copies: dict[str, list[str]] = {}
    for digest, path in zip(rows["content_hash"], manifest.locate(rows, root), strict=True):
        copies.setdefault(digest, [digest]).append(path)
    batches = engine.map_batches(
        partial(measure_batch, measures=measures),
        map(tuple, copies.values()),
        describe="measure",
        total=len(copies),
        crashed=partial(without_value, measures=measures),
    )
    hashes: list[str] = []
    values: dict[str, list] = {item.name: [] for item in measures}

    def publish() -> None:
        for item in measures:
            _write_part(root, item, hashes, values[item.name])
            values[item.name] = []
        hashes.clear()

    for measured, batch_values in batches:
        hashes += measured
        for name, column in batch_values.items():
            values[name] += column
        if len(hashes) >= IMAGES_PER_PART:
            publish()
    if hashes:
        publish()


def measure_batch(batch: list[tuple[str, ...]], *, measures: list[Measure]) -> tuple[list[str], dict[str, list]]:
    """Decode a batch of (content hash, path, paths of copies) and measure each image: the unit of work of `engine`."""
    calls = [
        (
            item,
            [name == "gray" for name in inspect.signature(item.function).parameters if name in registry.PER_IMAGE],
            dict(item.settings),
            registry.Blaming(_kind(item), item.name, item.function),
        )
        for item in measures
    ]
    hashes: list[str] = []
    values: dict[str, list] = {item.name: [] for item in measures}
    for digest, *paths in batch:
        image = _first_intact(digest, paths)
        if image is None:
            continue  # missing, or changed since it was added: `unmeasured` says so
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        image.flags.writeable = gray.flags.writeable = False  # all measures are given the same
        hashes.append(digest)
        for item, wants_gray, settings, blaming in calls:
            with blaming:
                value = item.function(*[gray if wants else image for wants in wants_gray], **settings)
            values[item.name].append(_checked(item, value))
    return hashes, values


def _kind(item: Measure) -> str:
    return "finder" if item.is_score else "signal"


def _called(item: Measure) -> str:
    return registry.called(_kind(item), item.name, item.function)


def _checked(item: Measure, value: Any) -> Any:
    """The value itself. Raises `UserError` for one that cannot be kept."""
    try:
        found = np.asarray(value)
    except ValueError:
        found = np.asarray(None)  # lists of different lengths
    if item.is_score and not (found.ndim == 0 and found.dtype.kind in NUMBERS and are_scores(found).all()):
        raise UserError(f"{_called(item)} gave {value!r:.80} of an image; a score is {A_SCORE}")
    if found.ndim > 1 or not found.size or found.dtype.kind not in NUMBERS:
        raise UserError(f"{_called(item)} gave {value!r:.80} of an image; it has to be a number, or a vector of them")
    return float(value) if item.is_score else value  # of whole numbers none says "not known"


def are_scores(values: np.ndarray) -> np.ndarray:
    """Which are from 0 to 1, but for rounding, or NaN: bool, of the same shape."""
    found: np.ndarray = ~((values < -ROUNDING) | (values > 1 + ROUNDING))
    return found


def _first_intact(digest: str, paths: list[str]) -> np.ndarray | None:
    """The image of the first of these files that still has that content; None where none has."""
    for path in paths:
        with suppress(ImageError):
            if (data := read_unchanged(path, digest)) is not None:
                return decode(data)
    return None


def without_value(item: tuple[str, ...], *, measures: list[Measure]) -> tuple[list[str], dict[str, list]]:
    """What `measure_batch` gives of an image that has no value: one that ended the process, for instance."""
    return [], {measure.name: [] for measure in measures}


def folder(root: Path, item: Measure) -> Path:
    """Where the workspace `root` keeps what the measure gave."""
    return root / "signals" / item.name / item.version


def _parts(root: Path, item: Measure) -> list[Path]:
    return sorted(folder(root, item).glob("part-*.parquet"))


def _hashes(root: Path, item: Measure) -> pa.ChunkedArray:
    """The images that have a value."""
    columns = [_read_part(path, ["content_hash"])["content_hash"].cast(pa.string()) for path in _parts(root, item)]
    return pa.chunked_array([chunk for column in columns for chunk in column.chunks], pa.string())


def _read_part(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Raises `UserError` for a damaged one."""
    try:
        return pq.read_table(path, columns=columns)
    except (pa.ArrowException, OSError) as error:
        if from_system(error):
            raise
        raise UserError(f"{pasted(path)} is damaged; delete it, what it held is measured again") from None


def _write_part(root: Path, item: Measure, hashes: list[str], values: list) -> None:
    """Raises `UserError` for arrays of different lengths."""
    if len(lengths := {np.shape(value) for value in values}) > 1:
        told = " and ".join(map(str, sorted(lengths)[:2]))
        raise UserError(f"{_called(item)} gave arrays of shapes {told}; of every image it has to be the same")
    stacked = np.stack(values)  # of the type that holds them all
    if stacked.ndim == 1:
        column = pa.array(stacked)
    elif stacked.dtype == np.uint8:  # as a list of numbers, parquet would take a second for 60,000 thumbnails
        column = pa.Array.from_buffers(pa.binary(stacked.shape[1]), len(stacked), [None, pa.py_buffer(stacked)])
    else:
        column = pa.FixedSizeListArray.from_arrays(pa.array(stacked.ravel()), stacked.shape[1])
    table = pa.table({"content_hash": hashes, "value": column})
    last = max((int(path.stem.removeprefix("part-")) for path in _parts(root, item)), default=0)
    with replacing(folder(root, item) / f"part-{last + 1:05d}.parquet") as temporary:
        pq.write_table(table, temporary, compression="zstd")


def _align(root: Path, item: Measure, hashes: pd.Series) -> np.ndarray:
    """Values in the order of `hashes`; NaN, or 0 for whole numbers, where there are none. Read part by part: values of
    a million images are held in memory once."""
    wanted = pa.array(hashes, pa.string())
    aligned, there = None, np.zeros(len(hashes), bool)
    for path in _parts(root, item):
        part = _read_part(path)
        at = pc.index_in(wanted, value_set=part["content_hash"].cast(pa.string())).to_numpy(zero_copy_only=False)
        rows = np.flatnonzero(~np.isnan(at))
        values = _stacked(part["value"])
        if aligned is None:
            aligned = np.zeros((len(hashes), *values.shape[1:]), values.dtype)
        # a measure may give whole numbers for one part and fractions for the next
        aligned = aligned.astype(np.result_type(aligned, values), copy=False)
        aligned[rows] = values[at[rows].astype(np.int64)]
        there[rows] = True
    if aligned is None:
        return _absent(item, len(hashes))
    if np.issubdtype(aligned.dtype, np.floating):
        aligned[~there] = np.nan
    return aligned


def _stacked(column: pa.ChunkedArray) -> np.ndarray:
    """A column as it was measured: shape (N,) or (N, D)."""
    values = column.combine_chunks()
    if pa.types.is_fixed_size_binary(values.type):
        width = values.type.byte_width
        bytes_of = np.frombuffer(values.buffers()[1], np.uint8, len(values) * width, values.offset * width)
        return bytes_of.reshape(len(values), width)
    if pa.types.is_fixed_size_list(values.type):
        return values.flatten().to_numpy(zero_copy_only=False).reshape(len(values), values.type.list_size)
    numbers: np.ndarray = values.to_numpy(zero_copy_only=False)
    return numbers


def _absent(item: Measure, count: int) -> np.ndarray:
    """What `_align` gives where no image has a value; the value of a black image tells the shape and the type."""
    black = np.zeros((8, 8, 3), np.uint8)
    with registry.Blaming(_kind(item), item.name, item.function):
        value = np.asarray(
            item.function(*[black[:, :, 0] if need == "gray" else black for need in registry.needs(item.function)])
        )
    kind = np.dtype(np.float64) if item.is_score else value.dtype
    return np.full((count, *value.shape), np.nan if np.issubdtype(kind, np.floating) else 0, kind)
