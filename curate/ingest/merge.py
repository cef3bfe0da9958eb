"""The rows of a source and those of the manifest: which are new, changed, there already, moved, or gone."""

import os
from collections import defaultdict
from collections.abc import Collection

import numpy as np
import pandas as pd

from curate.errors import UserError
from curate.ingest.split_rule import usual
from curate.layouts.unpack import unique
from curate.manifest import GONE


def merge(
    before: pd.DataFrame,
    rows: pd.DataFrame,
    said: pd.DataFrame,
    source: str,
    *,
    alone: bool = True,
    others: Collection[str] = (),
) -> tuple[pd.DataFrame, np.ndarray]:
    """The manifest with `rows`, and what became of each: added, changed, skipped, or a copy, which is skipped, too, as
    another image has its content, label and split. Compared with `before` alone.

    said: for each row whether somebody said its `split`, and its `label`. source: its name. alone: whether nothing else
    that is there has that name. others: folders of other sources. `rows` is changed: it gets the split that holds, and
    the `image_id` and source that a file had before it was moved, or has in another source, with its label where none
    is said; or another `image_id` where a moved file has kept it; `parent_id` follows that. What has no label goes to
    `pool` instead of `train`.
    """
    at = _known(before, rows, source, others if alone else ())
    elsewhere = _by_path(before["path"].where(before["source"] != source, ""), rows)
    elsewhere[(at >= 0) | (rows["label"] != "")] = -1  # of files with two labels both stay: they are findings
    at = np.maximum(at, elsewhere)
    earlier = _moved_from(before, rows, at, source if alone else "")
    at = np.maximum(at, earlier)
    known, names = at >= 0, ["image_id", "source"]
    given = rows["image_id"].to_list()
    rows.loc[known, names] = before[names].iloc[at[known]].to_numpy()
    keeps = (elsewhere >= 0) | ((earlier >= 0) & ~said["label"] & (rows["label"] == ""))
    rows.loc[keeps, "label"] = before["label"].iloc[at[keeps]].to_numpy()
    rows.loc[(rows["label"] == "") & (rows["split"] == "train"), "split"] = "pool"  # nobody can learn from it yet
    ids = dict.fromkeys(before["image_id"], 1)
    taken = [place < 0 and name in ids for place, name in zip(at, rows["image_id"], strict=True)]
    ids |= dict.fromkeys(rows["image_id"], 1)
    rows.loc[taken, "image_id"] = [unique(name, ids) for name in rows["image_id"][taken]]
    same_content = before[before["content_hash"].isin(rows["content_hash"]) & (before["content_hash"] != "")]
    there = set(zip(same_content["content_hash"], same_content["label"], same_content["split"], strict=True))
    there |= {(digest, label, "") for digest, label, _ in there}
    old = list(zip(before["split"], before["label"], strict=True))
    splits = [
        old[place][0] if place >= 0 and _stays(old[place], split, spoken, keep) else split
        for place, spoken, keep, split in zip(at, said["split"], keeps, rows["split"], strict=True)
    ]
    rows["split"] = pd.Series(splits, dtype="str", index=rows.index)
    fate = np.full(len(rows), "added", dtype=object)
    keys = zip(rows["content_hash"], rows["label"], np.where(said["split"], rows["split"], ""), strict=True)
    fate[[key in there for key in keys]] = "copy"
    called = dict(zip(given, _called(same_content, rows, (fate == "copy") & ~known), strict=True))
    rows["parent_id"] = pd.Series([called.get(name, "") for name in rows["parent_id"]], dtype="str", index=rows.index)
    same = elsewhere >= 0
    rows.loc[same, "parent_id"] = before["parent_id"].iloc[elsewhere[same]].to_numpy()
    fate[known] = _compare(before.iloc[at[known]], rows[known], alone)
    changed, added = fate == "changed", fate == "added"
    order = np.arange(len(before) + changed.sum() + added.sum())
    order[at[changed]] = len(before) + np.arange(changed.sum())  # a changed row takes the place of the old one
    order = np.concatenate([order[: len(before)], order[len(before) + changed.sum() :]])
    after = pd.concat([before, rows[changed], rows[added]], ignore_index=True).iloc[order].reset_index(drop=True)
    return after, fate


def _stays(old: tuple[str, str], split: str, spoken: bool, keeps: bool) -> bool:
    """Whether an image stays in the split that it has. old: split and label. spoken: whether somebody said the new one.
    keeps: whether it keeps a label that nothing says, with which it is nothing for the pool."""
    if keeps:
        return not spoken or split == "pool"
    return not spoken and old[0] != usual(old[1])


def _called(there: pd.DataFrame, rows: pd.DataFrame, as_twin: np.ndarray) -> list[str]:
    """The `image_id` under which each image of a source is in the manifest; "" where none is sure.

    as_twin: shape (N,), bool, which are there as another original of the same content, label and split. there: rows of
    the manifest with that content.
    """
    columns = ["content_hash", "label", "split"]
    originals = there[there["parent_id"] == ""]
    twins = dict(zip(originals[columns].itertuples(index=False, name=None), originals["image_id"], strict=True))
    keys = rows[columns].itertuples(index=False, name=None)
    return [
        twins.get(key, "") if twin else name for key, name, twin in zip(keys, rows["image_id"], as_twin, strict=True)
    ]


def _known(before: pd.DataFrame, rows: pd.DataFrame, source: str, others: Collection[str]) -> np.ndarray:
    """Which row of the manifest each file has, by its path, else by its name; -1 for none: shape (N,). Not by the name
    of an image whose file has moved to one of `others`, the folders of other sources."""
    by_path = _by_path(before["path"].where(before["source"] == source, ""), rows)
    by_name = pd.Index(before["image_id"]).get_indexer(pd.Index(rows["image_id"]))
    there = np.flatnonzero(in_folders(before["path"], others))
    away = [place for place in there[np.isin(there, by_name)] if os.path.exists(before["path"].iloc[place])]
    return np.where(by_path >= 0, by_path, np.where(np.isin(by_name, [*by_path, *away]), -1, by_name))


def in_folders(paths: pd.Series, folders: Collection[str]) -> np.ndarray:
    """Which of the paths lie in one of these folders: shape (N,), bool."""
    if not folders:
        return np.zeros(len(paths), bool)
    return paths.str.startswith(tuple(os.path.join(folder, "") for folder in folders)).to_numpy(bool)


def _by_path(paths: pd.Series, rows: pd.DataFrame) -> np.ndarray:
    """Which row of the manifest has the path of each file, -1 for none or several: shape (N,). paths: of the manifest,
    "" where they do not count."""
    single = np.flatnonzero((paths != "") & ~paths.duplicated(keep=False))
    wanted = rows["path"].mask(rows["path"].duplicated(keep=False), "")
    return np.append(single, -1)[pd.Index(paths.iloc[single]).get_indexer(pd.Index(wanted))]


def _compare(old: pd.DataFrame, new: pd.DataFrame, alone: bool) -> list[str]:
    """For rows of the same `image_id`: skipped, or changed (file, label, split, original, or the place of a file that
    was moved).

    Raises `UserError` where a name that the user gave makes a source replace the files of another.
    """
    compared = ["split", "label", "content_hash", "error", "parent_id"]
    same = (old[compared].to_numpy() == new[compared].to_numpy()).all(axis=1)
    apart = (old["path"].to_numpy() != new["path"].to_numpy()).tolist()
    fates = []
    for at, (is_same, is_apart) in enumerate(zip(same, apart, strict=True)):
        before = old["path"].iloc[at] if is_apart else ""
        there = os.path.isabs(before) and os.path.exists(before)
        others = there or (is_apart and not alone and not os.path.isabs(before))
        if others and old["content_hash"].iloc[at] != new["content_hash"].iloc[at]:
            raise UserError(f"{new['image_id'].iloc[at]!r} is {before} already; give this source another --name")
        fates.append("skipped" if is_same and (there or not is_apart) else "changed")
    return fates


def _moved_from(before: pd.DataFrame, rows: pd.DataFrame, at: np.ndarray, source: str) -> np.ndarray:
    """Which row of the manifest each file had before it was moved, -1 for none: shape (N,).

    Those are rows of other names whose file is not where it was, or not in the archive any more, with the same content;
    of several the one of the same label and split. at: the row of the same name, -1 for none. source: whose images lie
    in one archive; "" where they may lie in several.
    """
    found = np.full(len(rows), -1)
    new = np.flatnonzero((at < 0) & (rows["content_hash"] != "").to_numpy())
    alike = before["content_hash"].isin(rows["content_hash"].iloc[new]).to_numpy(copy=True)
    alike[at[at >= 0]] = False
    here = set(rows["path"])
    free: dict[str, list[int]] = defaultdict(list)
    places = np.flatnonzero(alike).tolist()
    columns = (before[name].iloc[places] for name in ("path", "source", "content_hash"))
    for place, path, owner, digest in zip(places, *columns, strict=True):
        if _is_gone(path, here) or (owner == source and not os.path.isabs(path) and path not in here):
            free[digest].append(place)
    if not free:
        return found
    told, wanted = (list(zip(table["label"], table["split"], strict=True)) for table in (before, rows))
    hashes = rows["content_hash"].to_list()
    for exactly in (True, False):
        for number in new[found[new] < 0]:
            places = free.get(hashes[number], [])
            fits = [place for place in places if not exactly or told[place] == wanted[number]]
            if fits:
                found[number] = fits[0]
                places.remove(fits[0])
    return found


def gone_files(manifest: pd.DataFrame, source: str, folder: str, paths: Collection[str]) -> np.ndarray:
    """Which images of a source that was read again have no file any more, and none says so yet: shape (N,), bool.

    folder: where it lies; what is in it counts whatever source it came with. paths: of the images that it holds now.
    """
    here = set(paths)
    in_it = (manifest["source"] == source) | in_folders(manifest["path"], [folder])
    own = (in_it & (manifest["parent_id"] == "") & (manifest["error"] != GONE)).to_numpy()
    gone = np.zeros(len(manifest), bool)
    gone[own] = [_is_gone(path, here) for path in manifest["path"][own]]
    return gone


def not_in_source(
    manifest: pd.DataFrame, source: str, paths: Collection[str], others: Collection[str] = ()
) -> list[str]:
    """The images of a source that have a file and that it does not name any more. paths: of those that it does. others:
    folders of other sources, to which a file may have moved."""
    here = set(paths)
    manifest = manifest[~in_folders(manifest["path"], others)]
    own = manifest[(manifest["source"] == source) & (manifest["parent_id"] == "") & (manifest["error"] != GONE)]
    return [name for name, path in zip(own["image_id"], own["path"], strict=True) if path not in here]


def _is_gone(path: str, here: Collection[str]) -> bool:
    """Whether a file on this machine is where it was no more. here: paths that are known to be there."""
    return os.path.isabs(path) and path not in here and not os.path.lexists(path)
