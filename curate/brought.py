"""Predictions of your own model, brought in from a table: checked, and kept as those of `curate predict` are."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from curate import manifest, predictions, tables
from curate.csv_text import read_csv
from curate.errors import UserError, first_line
from curate.predictions import Predictions
from curate.wording import pasted, plural, some
from curate.workspace import Workspace

IMAGE_ID = "image_id"
FROM = "from"
"""What stands in the place of a profile; and the name of the table's argument in the ledger."""


@dataclass(frozen=True)
class Brought:
    """What was brought in."""

    written: str
    images: int
    classes: int
    warnings: list[str]


def bring(workspace: Workspace, table: Path, embeddings: Path | None = None) -> Brought:
    """Keep the predictions of another program, in place of those that are there.

    table: CSV or Parquet with the column `image_id` and one of probabilities for each class, under its name. Those of
    training images have to be out of fold: by a model that has not seen the image. embeddings: `.npy`, shape (rows of
    the table, D), floating-point numbers, rows of NaN for images that have none; None: finders that go by them have
    nothing to say.
    Raises `UserError` with the row for what is no table of probabilities, and where none is of an image that is there.
    """
    read = _read(table)
    classes = sorted(name for name in read.columns if name != IMAGE_ID)
    with workspace.writing("predict", {FROM: str(table)}):
        images = tables.read_manifest(workspace)
        there = manifest.classes(images)
        unknown = [name for name in classes if name not in set(there)]
        _check(read, table, there, unknown)
        features = _embeddings(embeddings, len(read))
        at = pd.Index(read[IMAGE_ID]).get_indexer(pd.Index(images[IMAGE_ID]))
        known = (at >= 0) & np.asarray(manifest.decodable(images))
        if not known.any():
            such = manifest.such_as(images)
            raise UserError(f"{pasted(table)}: no {IMAGE_ID} is one of {pasted(workspace.root)}; there are: {such}")
        rows, place = images[known].reset_index(drop=True), at[known]
        probs = _probabilities(read[classes]).astype(np.float32)[place]
        fold = np.where(rows["split"] == "train", 0, -1)
        summary: dict[str, object] = {"profile": FROM, FROM: str(table)}
        predictions.write(workspace, rows, Predictions(classes, probs, features[place], fold, summary))
    strange = len(read) - len(np.unique(place))
    told = plural(strange, "row is of no image", "rows are of no image")
    warnings = [f"{told} of {pasted(workspace.root)} that can be decoded"] if strange else []
    if unknown:
        told = plural(len(unknown), "column is a class", "columns are classes")
        warnings.append(f"{told} that no image has ({some([*map(repr, unknown)])}); take out what is no class")
    return Brought(str(workspace.root / predictions.FILE), len(rows), len(classes), warnings)


def _read(path: Path) -> pd.DataFrame:
    """The table as it is, probabilities as numbers; its index tells the line or row in the file."""
    if not path.is_file():
        raise UserError(f"{pasted(path)} is no file; name a CSV or Parquet file")
    if path.suffix.lower() == ".parquet":
        try:
            table = pq.read_table(path).to_pandas()
        except (ValueError, OSError) as error:  # Arrow raises either where a file is damaged
            raise UserError(f"{pasted(path)} cannot be read as Parquet: {first_line(error)}") from None
        table = table.reset_index(drop=IMAGE_ID in table.columns or IMAGE_ID not in table.index.names)
        table.columns = table.columns.astype("str")
    else:
        table = read_csv(path)
    if IMAGE_ID not in table:
        raise UserError(f"{pasted(path)}: column {IMAGE_ID!r} is missing; the others are the classes")
    table[IMAGE_ID] = table[IMAGE_ID].astype("str")
    for name in table.columns.drop(IMAGE_ID):
        numbers = pd.to_numeric(table[name], errors="coerce").astype("float64")
        if (bad := numbers.isna()).any():
            line, cell = table.index[bad][0], table[name][bad].iloc[0]
            raise UserError(f"{pasted(path)}, line {line}: {name!r} is {cell!r}, which is no number")
        table[name] = numbers
    return table


def _probabilities(table: pd.DataFrame) -> np.ndarray:
    """Shape (N, K), float64; what rounding put below 0 is 0."""
    probs = table.to_numpy(np.float64)
    return np.where((probs < 0) & (probs > -predictions.OFF), 0, probs)


def _check(table: pd.DataFrame, path: Path, there: list[str], unknown: list[str]) -> None:
    """Raises `UserError` for what are no probabilities, for an image twice, and for classes of another set.

    there: the classes of the set. unknown: columns that are none of them.
    """
    classes = [*there, *unknown]
    if missing := sorted(set(there) - set(table.columns)):
        lacking = plural(len(missing), "class", "classes")
        raise UserError(f"{pasted(path)} has no column for {lacking}: {some([*map(repr, missing)])}")
    if (twice := table[IMAGE_ID].duplicated()).any():
        raise UserError(
            f"{pasted(path)}, line {table.index[twice][0]}: {table[IMAGE_ID][twice].iloc[0]!r} stands twice"
        )
    probs = _probabilities(table[classes])
    fine = predictions.are_probabilities(probs)
    if not fine.all():
        line, row = table.index[~fine][0], probs[~fine][0]
        outside = [f"{name!r} is {value:.3g}" for name, value in zip(classes, row, strict=True) if not 0 <= value <= 1]
        told = outside[0] if outside else f"the sum is {row.sum():.3g}"
        aside = f"; {some([*map(repr, unknown)])} of its columns {'is' if len(unknown) == 1 else 'are'} no class here"
        raise UserError(
            f"{pasted(path)}, line {line}: {told}; probabilities are from 0 to 1 with a sum of 1 (softmax makes them "
            f"of logits){aside if unknown else ''}"
        )


def _embeddings(path: Path | None, rows: int) -> np.ndarray:
    """Shape (rows, D), float32; NaN where there are none."""
    if path is None:
        return np.full((rows, 1), np.nan, np.float32)
    try:
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{pasted(path)} cannot be read as .npy: {first_line(error)}") from None
    if (
        not isinstance(found, np.ndarray)
        or found.ndim != 2
        or len(found) != rows
        or not found.shape[1]
        or found.dtype.kind != "f"
    ):
        shape = getattr(found, "shape", "several arrays")
        raise UserError(f"{pasted(path)} holds {shape}; embeddings are floating-point numbers of shape ({rows}, D)")
    with np.errstate(over="ignore"):
        found = found.astype(np.float32)
    fine = np.isfinite(found).all(axis=1) | np.isnan(found).all(axis=1)
    if not fine.all():
        row = int(np.flatnonzero(~fine)[0])
        value = found[row][~np.isfinite(found[row])][0]
        raise UserError(
            f"{pasted(path)}, row {row}: {value} among the numbers; give finite ones of float32, or a row of NaN alone "
            "for an image that has none"
        )
    return found
