"""Out-of-fold predictions as files: what `predict` writes and finders read, so that neither needs the other's code.

`signals/predictions/predictions.parquet` has one row per image (`image_id`, `content_hash`, `label`, `fold`,
`pred_probs`, `embedding`, and what else is known, see `Predictions`) and, in its metadata, what they are of: classes,
network, accuracy per fold. One file, so that probabilities never stand beside the class names of others.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import UserError, first_line, from_system
from curate.files import replacing
from curate.wording import pasted
from curate.workspace import Workspace

FOLDER = Path("signals") / "predictions"
FILE = FOLDER / "predictions.parquet"
METADATA = b"curate"
OFF = 1e-2
"""By how much the sum of probabilities may differ from 1: float16 of other programs."""
NEIGHBORS = 10
"""Most similar images that are noted of each: Zhu, Dong, Liu 2022, "Detecting Corrupted Labels Without Training a Model
to Predict", who vote among as many."""
OPTIONAL = ("repeats", "neighbors", "margins")
NEEDED = ("image_id", "content_hash", "fold", "pred_probs", "embedding")
LISTS = ("pred_probs", "embedding", *OPTIONAL)


@dataclass(frozen=True)
class Predictions:
    """Aligned with the rows of a manifest.

    pred_probs: shape (N, K), rows sum to 1, out of fold for training images, NaN where there is no prediction.
    embeddings: shape (N, D), all by one network, NaN where there is none.
    fold: shape (N,), -1 for images that were in no fold.

    What predictions of other programs lack is None:
    repeats: shape (R, N, K), the probabilities of each repetition; `pred_probs` is what they say together.
    neighbors: shape (R, N, `NEIGHBORS`), rows of the most similar images held out with it, by a network that saw none
    of them; -1 where there is none.
    margins: shape (N, E), of the given label in each epoch of training on it, see `train.epoch.margin`; NaN where the
    image was not seen, or has had another label since.
    """

    classes: list[str]
    pred_probs: np.ndarray
    embeddings: np.ndarray
    fold: np.ndarray
    summary: dict[str, object]
    repeats: np.ndarray | None = None
    neighbors: np.ndarray | None = None
    margins: np.ndarray | None = None

    @property
    def present(self) -> np.ndarray:
        """Which rows have a prediction: shape (N,), bool."""
        return ~np.isnan(self.pred_probs).any(axis=1)


def exists(workspace: Workspace) -> bool:
    return (workspace.root / FILE).exists()


def write(workspace: Workspace, rows: pd.DataFrame, predictions: Predictions) -> None:
    """Keep the predictions for `rows`; replaces earlier ones."""
    columns = {
        "image_id": rows["image_id"].to_list(),
        "content_hash": rows["content_hash"].to_list(),
        "label": rows["label"].to_list(),
        "fold": pa.array(predictions.fold.astype(np.int32)),
        "pred_probs": _lists(predictions.pred_probs.astype(np.float32)),
        "embedding": _lists(predictions.embeddings.astype(np.float32)),
    }
    for name in ("repeats", "neighbors"):
        if (values := getattr(predictions, name)) is not None:
            columns[name] = _lists(values.transpose(1, 0, 2).reshape(len(rows), values.shape[0] * values.shape[2]))
    if predictions.margins is not None:
        columns["margins"] = _lists(predictions.margins.astype(np.float16))
    table = pa.table(columns)
    about = json.dumps({"classes": predictions.classes, **predictions.summary}, ensure_ascii=False).encode()
    with replacing(workspace.root / FILE) as temporary:
        pq.write_table(table.replace_schema_metadata({METADATA: about}), temporary, compression="zstd")


def by_round(fold_accuracy: Sequence[float], *, folds: int) -> tuple[tuple[float, ...], ...]:
    """What stands one after the other for all rounds, by round: an accuracy for each fold."""
    return tuple(tuple(fold_accuracy[at : at + folds]) for at in range(0, len(fold_accuracy), folds))


def read_summary(workspace: Workspace) -> dict[str, Any]:
    """What the predictions are of: `classes`, and what `predict` noted beside them."""
    path = workspace.root / FILE
    try:
        summary: dict[str, Any] = json.loads((pq.read_schema(path).metadata or {})[METADATA])
        classes = summary.pop("classes")
    except (ValueError, KeyError, AttributeError, TypeError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise _damaged(path, error) from None
    if not (classes and isinstance(classes, list) and all(isinstance(name, str) for name in classes)):
        raise _damaged(path, "its metadata hold no list of class names")
    return {"classes": classes, **summary}


def read_ids(workspace: Workspace) -> pd.DataFrame:
    """`image_id` and `content_hash` of the images that there are predictions of."""
    return _table(workspace.root / FILE, ["image_id", "content_hash"]).to_pandas()


def read(workspace: Workspace, manifest: pd.DataFrame) -> Predictions:
    """The predictions for the rows of `manifest`, found by image id and content.

    Rows that were added, changed or relabelled into a new class since `predict` have none. Raises `UserError` where
    there are no predictions at all, and for a file of another program that is not as the head of this module says.
    """
    if not exists(workspace):
        raise UserError(
            f"{pasted(workspace.root)} has no predictions; 'curate predict {pasted(workspace.root)}' makes them"
        )
    path = workspace.root / FILE
    summary = read_summary(workspace)
    classes = summary.pop("classes")
    table = _table(path)
    _check_columns(path, table, len(classes))
    probs, embeddings = _matrix(table["pred_probs"]), _matrix(table["embedding"])
    if probs.shape[1] != len(classes):
        counts = f"{probs.shape[1]} probabilities for {len(classes)} classes"
        raise UserError(f"{pasted(path)}: {counts}; run 'curate predict' again")
    _check_probs(path, table, probs)
    keys = pd.MultiIndex.from_arrays([table["image_id"].to_pandas(), table["content_hash"].to_pandas()])
    if not keys.is_unique:
        raise _damaged(path, f"{keys[keys.duplicated()][0][0]!r} stands twice")
    at = keys.get_indexer(pd.MultiIndex.from_arrays([manifest["image_id"], manifest["content_hash"]]))
    fold = _rows(table["fold"].to_numpy()[:, None], at, -1)[:, 0]
    found = {name: _optional(name, table, at, len(classes)) for name in OPTIONAL if name in table.column_names}
    if "margins" in found:  # they say nothing about another label
        found["margins"][_relabelled(table, manifest, at)] = np.nan
    return Predictions(classes, _rows(probs, at), _rows(embeddings, at), fold, summary, **found)


def _check_columns(path: Path, table: pa.Table, classes: int) -> None:
    """Raises `UserError` for a column that is missing, or holds what it must not."""
    names = [*NEEDED, *(name for name in OPTIONAL if name in table.column_names)]
    for name in [*names, "label"] if "margins" in names else names:
        if name not in table.column_names:
            raise _damaged(path, f"there is no column {name!r}")
        kind, nulls = table.schema.field(name).type, table[name].null_count
        if not _fits(kind, name):
            raise _damaged(path, f"column {name!r} is of type {kind}, and must hold {_wanted(name)}")
        if nulls:
            raise _damaged(path, f"column {name!r} has rows without a value")
    for name, multiple in (("repeats", classes), ("neighbors", NEIGHBORS)):
        size = table.schema.field(name).type.list_size if name in names else multiple
        if size % multiple:
            raise _damaged(path, f"column {name!r} has {size} values a row, no multiple of {multiple}")
    if "neighbors" in names:
        places = _matrix(table["neighbors"])
        if not ((places >= -1) & (places < len(table))).all():  # nor is NaN, which stands for null
            raise _damaged(path, "column 'neighbors' names rows that are not there")


def _fits(kind: pa.DataType, name: str) -> bool:
    """Whether a column of that name may be of that type."""
    if name in LISTS:
        of_numbers = pa.types.is_integer if name == "neighbors" else pa.types.is_floating
        return bool(pa.types.is_fixed_size_list(kind) and of_numbers(kind.value_type))
    if name == "fold":
        return bool(pa.types.is_integer(kind))
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind))  # no rows


def _wanted(name: str) -> str:
    if name in LISTS:
        return f"lists of one length of {'whole numbers' if name == 'neighbors' else 'floating-point numbers'}"
    return "whole numbers" if name == "fold" else "text"


def are_probabilities(probs: np.ndarray) -> np.ndarray:
    """Which rows are from 0 to 1 with a sum of 1: shape (N, K) -> (N,), bool. `OFF` is allowed for; NaN is none."""
    with np.errstate(invalid="ignore"):
        found: np.ndarray = (probs >= 0).all(axis=1) & (np.abs(probs.sum(axis=1) - 1) < OFF)
    return found


def _check_probs(path: Path, table: pa.Table, probs: np.ndarray) -> None:
    """Raises `UserError` for the first row that holds no probabilities: in part NaN, below 0, or not 1 in sum."""
    fine = np.isnan(probs).all(axis=1) | are_probabilities(probs)
    if not fine.all():
        row = int(np.flatnonzero(~fine)[0])
        said = f"row {row}, {table['image_id'][row].as_py()!r}: {np.array2string(probs[row], precision=3, threshold=6)}"
        raise UserError(
            f"{pasted(path)}, {said} are no probabilities from 0 to 1 with a sum of 1; run 'curate predict' again"
        )


def _optional(name: str, table: pa.Table, at: np.ndarray, classes: int) -> np.ndarray:
    """A column of `OPTIONAL` for the rows `at`, in the shape that `Predictions` says."""
    matrix = _matrix(table[name])
    if name == "neighbors":
        now = np.full(len(table) + 1, -1)  # where each row of the file is in the manifest; the last for "none"
        now[at[at >= 0]] = np.flatnonzero(at >= 0)
        return _repeated(_rows(now[matrix], at, -1), NEIGHBORS)
    matrix = _rows(matrix, at)
    return _repeated(matrix, classes) if name == "repeats" else matrix


def _relabelled(table: pa.Table, manifest: pd.DataFrame, at: np.ndarray) -> np.ndarray:
    """Rows of the manifest that had another label when they were predicted."""
    rows = np.flatnonzero(at >= 0)
    return rows[table["label"].to_numpy()[at[rows]] != manifest["label"].to_numpy(dtype=object)[rows]]


def _repeated(matrix: np.ndarray, columns: int) -> np.ndarray:
    """Repetitions that stand beside each other, one behind the other: shape (N, R * columns) -> (R, N, columns)."""
    return matrix.reshape(len(matrix), matrix.shape[1] // columns, columns).transpose(1, 0, 2)


def _rows(matrix: np.ndarray, at: np.ndarray, missing: float = np.nan) -> np.ndarray:
    """The rows at these places, `missing` for places below 0: shape (len(at), columns)."""
    rows = np.full((len(at), matrix.shape[1]), missing, matrix.dtype)
    rows[at >= 0] = matrix[at[at >= 0]]
    return rows


def _table(path: Path, columns: list[str] | None = None) -> pa.Table:
    try:
        return pq.read_table(path, columns=columns)
    except (ValueError, OSError) as error:
        if from_system(error):  # a file that may not be read is not damaged
            raise
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception | str) -> UserError:
    says = error if isinstance(error, str) else first_line(error)
    return UserError(f"{pasted(path)} is damaged ({says}); run 'curate predict' again")


def _lists(matrix: np.ndarray) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix.shape[1])


def _matrix(column: pa.ChunkedArray) -> np.ndarray:
    combined = column.combine_chunks()
    values = combined.flatten().to_numpy(zero_copy_only=False)
    return values.reshape(len(column), column.type.list_size)
