"""The manifest: one row per image. A table, and pure functions over it."""

import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd

from curate.errors import UserError
from curate.remote import is_url

Split = Literal["train", "val", "test", "pool"]
SPLITS: tuple[Split, ...] = get_args(Split)

COLUMNS = {
    "image_id": "str",  # `<source>/<relative path>`, unique
    "path": "str",  # absolute, a URL, or relative to the workspace for what lies in images/
    "split": "str",  # train, val, test, or pool for unlabelled images
    "label": "str",  # "" where there is none
    "source": "str",
    "parent_id": "str",  # image_id of the original, for generated images
    "width": "int32",  # pixels, 0 where the image cannot be decoded
    "height": "int32",
    "content_hash": "str",  # of the file
    "pixel_hash": "str",  # of the decoded RGB; "" where it never could be decoded
    "error": "str",  # why it cannot be decoded, or that its file is gone; "" where it can
}

GONE = "the file is gone"
"""`error` of an image that its source does not hold any more."""


def empty() -> pd.DataFrame:
    """A manifest without rows."""
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in COLUMNS.items()})


def from_rows(rows: dict[str, list]) -> pd.DataFrame:
    """A manifest of columns given as lists; `parent_id` and `error` may be left out."""
    length = len(rows["image_id"])
    return pd.DataFrame({name: pd.Series(rows.get(name, [""] * length), dtype=kind) for name, kind in COLUMNS.items()})


def check(manifest: pd.DataFrame, where: str) -> pd.DataFrame:
    """The manifest itself, if its columns, ids and splits are sound. Called once, when a table is read."""
    missing = [name for name in COLUMNS if name not in manifest.columns]
    if missing:
        raise UserError(f"{where}: column {missing[0]!r} is missing; make the workspace anew with 'curate add'")
    repeated = manifest["image_id"][manifest["image_id"].duplicated()]
    if len(repeated):
        raise UserError(f"{where}: image_id {repeated.iloc[0]!r} stands twice; make the workspace anew")
    strange = set(manifest["split"]) - set(SPLITS)
    if strange:
        raise UserError(f"{where}: unknown split {sorted(strange)[0]!r}; there are: {', '.join(SPLITS)}")
    return manifest


def locate(manifest: pd.DataFrame, root: Path) -> list[str]:
    """The absolute path, or the URL, of every row's image; relative paths lie under the workspace `root`."""
    below = f"{root}/"
    return [path if path.startswith("/") or is_url(path) else below + path for path in manifest["path"]]


def classes(manifest: pd.DataFrame) -> list[str]:
    """The label set, sorted: class k of every array of probabilities is the k-th of these."""
    return sorted(set(manifest["label"]) - {""})


def label_codes(manifest: pd.DataFrame, names: list[str]) -> np.ndarray:
    """Labels as positions in `names`: shape (N,), int64, -1 for unlabelled."""
    return pd.Index(names, dtype="str").get_indexer(pd.Index(manifest["label"])).astype(np.int64)


def data_hash(rows: pd.DataFrame) -> str:
    """blake2b-128 over content and label of every row, in order: two runs with the same hash saw the same images."""
    digest = hashlib.blake2b(digest_size=16)
    for content, label in zip(rows["content_hash"], rows["label"], strict=True):
        digest.update(f"{content}\0{label}\n".encode())
    return digest.hexdigest()


def follow_originals(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """The manifest `after` some rows of `before` were replaced, with generated images as their originals are now.

    They take the label of their original. Those whose original went to another split, or shows something else, are left
    out: what is learned from must not show what is measured on.
    """
    parents = pd.Index(after["parent_id"])
    row, earlier = (pd.Index(table["image_id"]).get_indexer(parents) for table in (after, before))
    children = np.flatnonzero((row >= 0) & (earlier >= 0))
    own, now, then = after.iloc[children], after.iloc[row[children]], before.iloc[earlier[children]]
    differs = [
        ours[column].to_numpy() != theirs[column].to_numpy()
        for ours, theirs, column in ((own, now, "split"), (now, then, "pixel_hash"))
    ]
    labels = after["label"].to_numpy(dtype=object, copy=True)
    labels[children] = now["label"].to_numpy()
    table = after.assign(label=pd.Series(labels, index=after.index, dtype="str"))
    return table.drop(index=after.index[children[differs[0] | differs[1]]]).reset_index(drop=True)


def called_now(before: pd.DataFrame, after: pd.DataFrame, labels: Collection[str]) -> dict[str, str]:
    """Of these labels those that images had before -> the one that all of these images which are still there have now,
    "" where they have none or several."""
    had = before[before["label"].isin(labels)]
    now = after.set_index("image_id")["label"].reindex(had["image_id"]).set_axis(had["label"]).dropna()
    found = {str(label): names.unique() for label, names in now.groupby(level=0)}
    return {
        str(label): str(found[label][0]) if len(found.get(label, ())) == 1 else "" for label in had["label"].unique()
    }


def decodable(manifest: pd.DataFrame) -> np.ndarray:
    """Which rows hold an image that can be decoded: shape (N,), bool."""
    return (manifest["error"] == "").to_numpy()


def such_as(manifest: pd.DataFrame) -> str:
    """How images are named here, for an error about a name that there is not."""
    return f"{', '.join(map(repr, manifest['image_id'].iloc[:1])) or 'none'}, …"


def training(manifest: pd.DataFrame) -> pd.DataFrame:
    """The labelled images of the training split, also those that cannot be decoded."""
    return manifest[(manifest["split"] == "train") & (manifest["label"] != "")]


def learned(manifest: pd.DataFrame) -> pd.DataFrame:
    """The images that can be trained on: labelled, decodable, of the training split."""
    return usable(manifest, "train")


def tested(manifest: pd.DataFrame) -> pd.DataFrame:
    """The images that are measured on: labelled, decodable, of the split that `tested_split` names."""
    return usable(manifest, tested_split(manifest))


def tested_split(manifest: pd.DataFrame) -> str:
    """The split that training is measured on: `test`, or `val` where there is no test split."""
    return "test" if (manifest["split"] == "test").any() else "val"


def usable(manifest: pd.DataFrame, split: str) -> pd.DataFrame:
    """The images of a split that have a label and can be decoded."""
    return manifest[(manifest["split"] == split) & (manifest["label"] != "") & decodable(manifest)]
