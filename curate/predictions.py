"""Out-of-fold predictions as files: what `predict` writes and finders read, so that neither needs the other's code.

`signals/predictions/predictions.parquet` has one row per image (`image_id`, `content_hash`, `label`, `fold`,
`pred_probs`, `embedding`) and, in its metadata, what they are of: classes, network, accuracy per fold. One file, so
that probabilities never stand beside the class names of others.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import UserError
from curate.files import replacing
from curate.workspace import Workspace

FOLDER = Path("signals") / "predictions"
FILE = FOLDER / "predictions.parquet"
METADATA = b"curate"


@dataclass(frozen=True)
class Predictions:
    """Aligned with the rows of a manifest.

    pred_probs: shape (N, K), rows sum to 1, out of fold for training images, NaN where there is no prediction.
    embeddings: shape (N, D), all by one network, NaN where there is none.
    fold: shape (N,), -1 for images that were in no fold.
    """

    classes: list[str]
    pred_probs: np.ndarray
    embeddings: np.ndarray
    fold: np.ndarray
    summary: dict[str, object]

    @property
    def present(self) -> np.ndarray:
        """Which rows have a prediction: shape (N,), bool."""
        return ~np.isnan(self.pred_probs).any(axis=1)


def exists(workspace: Workspace) -> bool:
    return (workspace.root / FILE).exists()


def write(workspace: Workspace, rows: pd.DataFrame, predictions: Predictions) -> None:
    """Keep the predictions for `rows`; replaces earlier ones."""
    table = pa.table(
        {
            "image_id": rows["image_id"].to_list(),
            "content_hash": rows["content_hash"].to_list(),
            "label": rows["label"].to_list(),
            "fold": pa.array(predictions.fold.astype(np.int32)),
            "pred_probs": _lists(predictions.pred_probs),
            "embedding": _lists(predictions.embeddings),
        }
    )
    about = json.dumps({"classes": predictions.classes, **predictions.summary}, ensure_ascii=False).encode()
    with replacing(workspace.root / FILE) as temporary:
        pq.write_table(table.replace_schema_metadata({METADATA: about}), temporary, compression="zstd")


def read_summary(workspace: Workspace) -> dict[str, Any]:
    """What the predictions are of: `classes`, and what `predict` noted beside them."""
    path = workspace.root / FILE
    try:
        summary: dict[str, Any] = json.loads((pq.read_schema(path).metadata or {})[METADATA])
        return {"classes": summary.pop("classes"), **summary}
    except (ValueError, KeyError, AttributeError, TypeError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise _damaged(path, error) from None


def read(workspace: Workspace, manifest: pd.DataFrame) -> Predictions:
    """The predictions for the rows of `manifest`, found by image id and content.

    Rows that were added, changed or relabelled into a new class since `predict` have none. Raises `UserError` where
    there are no predictions at all.
    """
    if not exists(workspace):
        raise UserError(f"{workspace.root} has no predictions; 'curate predict {workspace.root}' makes them")
    path = workspace.root / FILE
    summary = read_summary(workspace)
    classes = summary.pop("classes")
    try:
        table = pq.read_table(path)
    except ValueError as error:
        raise _damaged(path, error) from None
    probs, embeddings = _matrix(table["pred_probs"]), _matrix(table["embedding"])
    if probs.shape[1] != len(classes):
        counts = f"{probs.shape[1]} probabilities for {len(classes)} classes"
        raise UserError(f"{path}: {counts}; run 'curate predict' again")
    keys = pd.MultiIndex.from_arrays([table["image_id"].to_pandas(), table["content_hash"].to_pandas()])
    at = keys.get_indexer(pd.MultiIndex.from_arrays([manifest["image_id"], manifest["content_hash"]]))
    probs, embeddings = _rows(probs, at), _rows(embeddings, at)
    fold = np.full(len(at), -1)
    fold[at >= 0] = table["fold"].to_numpy()[at[at >= 0]]
    return Predictions(classes, probs, embeddings, fold, summary)


def _rows(matrix: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The rows at these places, NaN for places below 0: shape (len(at), columns)."""
    rows = np.full((len(at), matrix.shape[1]), np.nan, np.float32)
    rows[at >= 0] = matrix[at[at >= 0]]
    return rows


def _damaged(path: Path, error: Exception) -> UserError:
    first_line = (str(error).splitlines() or [type(error).__name__])[0]
    return UserError(f"{path} is damaged ({first_line}); run 'curate predict' again")


def _lists(matrix: np.ndarray) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.astype(np.float32).ravel()), matrix.shape[1])


def _matrix(column: pa.ChunkedArray) -> np.ndarray:
    combined = column.combine_chunks()
    values = combined.flatten().to_numpy(zero_copy_only=False)
    return values.reshape(len(column), column.type.list_size).astype(np.float32)
