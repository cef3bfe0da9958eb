"""The rows of a source and those of the manifest: which are new, changed, there already, moved, or gone."""

import os
from collections import defaultdict
from collections.abc import Collection

import numpy as np
import pandas as pd

from curate.errors import UserError

GONE = "the file is gone"
"""Error of an image that a source does not hold any more."""


def merge(before: pd.DataFrame, rows: pd.DataFrame, said: list[bool]) -> tuple[pd.DataFrame, np.ndarray]:
    """The manifest with `rows`, and what became of each: added, changed or skipped. Compared with `before` alone.

    said: for each row whether somebody said its split. `rows` is changed: it gets the split that holds, and the
    `image_id` and source that a file had before it was moved.
    """
    at = pd.Index(before["image_id"]).get_indexer(pd.Index(rows["image_id"]))
    earlier = _moved_from(before, rows, at)
    moved = np.flatnonzero(earlier >= 0)
    at[moved] = earlier[moved]
    rows.loc[rows.index[moved], ["image_id", "source"]] = before[["image_id", "source"]].iloc[at[moved]].to_numpy()
    same_content = before[before["content_hash"].isin(rows["content_hash"]) & (before["content_hash"] != "")]
    there = set(zip(same_content["content_hash"], same_content["label"], same_content["split"], strict=True))
    there |= {(digest, label, "") for digest, label, _ in there}
    old_splits = before["split"].to_numpy()
    splits = [
        old_splits[place] if place >= 0 and not spoken else split
        for place, spoken, split in zip(at, said, rows["split"], strict=True)
    ]
    rows["split"] = pd.Series(splits, dtype="str", index=rows.index)
    fate = np.full(len(rows), "added", dtype=object)
    keys = zip(rows["content_hash"], rows["label"], np.where(said, rows["split"], ""), strict=True)
    fate[[key in there for key in keys]] = "skipped"
    here = at >= 0
    fate[here] = _compare(before.iloc[at[here]], rows[here])
    changed, added = fate == "changed", fate == "added"
    order = np.arange(len(before) + changed.sum() + added.sum())
    order[at[changed]] = len(before) + np.arange(changed.sum())  # a changed row takes the place of the old one
    order = np.concatenate([order[: len(before)], order[len(before) + changed.sum() :]])
    after = pd.concat([before, rows[changed], rows[added]], ignore_index=True).iloc[order].reset_index(drop=True)
    return after, fate


def _compare(old: pd.DataFrame, new: pd.DataFrame) -> list[str]:
    """For rows of the same `image_id`: skipped, or changed (file, label, split, or the place of a file that was moved).

    Raises `UserError` where a name that the user gave makes a source replace the files of another.
    """
    compared = ["split", "label", "content_hash", "error"]
    same = (old[compared].to_numpy() == new[compared].to_numpy()).all(axis=1)
    apart = (old["path"].to_numpy() != new["path"].to_numpy()).tolist()
    fates = []
    for at, (is_same, is_apart) in enumerate(zip(same, apart, strict=True)):
        before = old["path"].iloc[at] if is_apart else ""
        there = os.path.isabs(before) and os.path.exists(before)
        if there and old["content_hash"].iloc[at] != new["content_hash"].iloc[at]:
            raise UserError(f"{new['image_id'].iloc[at]!r} is {before} already; give this source another --name")
        fates.append("skipped" if is_same and (there or not is_apart) else "changed")
    return fates


def _moved_from(before: pd.DataFrame, rows: pd.DataFrame, at: np.ndarray) -> np.ndarray:
    """Which row of the manifest each file had before it was moved, -1 for none: shape (N,).

    Those are rows of other names whose file is not where it was, with the same content; of several the one of the same
    label and split. at: the row of the same name, -1 for none.
    """
    found = np.full(len(rows), -1)
    new = np.flatnonzero((at < 0) & (rows["content_hash"] != "").to_numpy())
    alike = before["content_hash"].isin(rows["content_hash"].iloc[new]).to_numpy(copy=True)
    alike[at[at >= 0]] = False
    here = set(rows["path"])
    free: dict[str, list[int]] = defaultdict(list)
    for place in np.flatnonzero(alike):
        if _is_gone(before["path"].iloc[place], here):
            free[before["content_hash"].iloc[place]].append(int(place))
    if not free:
        return found
    told = list(zip(before["label"], before["split"], strict=True))
    for exactly in (True, False):
        for number in new[found[new] < 0]:
            row = rows.iloc[number]
            wanted = (row["label"], row["split"])
            fits = [place for place in free[row["content_hash"]] if not exactly or told[place] == wanted]
            if fits:
                found[number] = fits[0]
                free[row["content_hash"]].remove(fits[0])
    return found


def gone_files(manifest: pd.DataFrame, source: str, paths: Collection[str]) -> np.ndarray:
    """Which images of a source that was read again have no file any more, and none says so yet: shape (N,), bool.

    paths: of the images that it holds now.
    """
    here = set(paths)
    own = ((manifest["source"] == source) & (manifest["parent_id"] == "") & (manifest["error"] != GONE)).to_numpy()
    gone = np.zeros(len(manifest), bool)
    gone[own] = [_is_gone(path, here) for path in manifest["path"][own]]
    return gone


def _is_gone(path: str, here: Collection[str]) -> bool:
    """Whether a file on this machine is where it was no more. here: paths that are known to be there."""
    return os.path.isabs(path) and path not in here and not os.path.lexists(path)
