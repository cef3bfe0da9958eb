"""Add images to a workspace: read a source, look at every file once, write the manifest.

* An image that is there already, in the same split with the same label, is skipped and counted. Where nothing says
  which split an image is in, one in any split counts. Copies across splits or labels stay: they are findings. So do
  copies within one source.
* The same `image_id` with another file, label or split replaces the row and is counted as changed; a split that
  nobody said is no reason to.
* A file that has moved, within its folder, with it or within its archive, keeps its `image_id`, and so what was decided
  about it; the row takes its new place, label and split. Where nothing says a label, as in a folder without class
  folders, it keeps the one that it has: the folder `unlabelled/` takes it away. One that is gone stays as an image that
  cannot be decoded.
* A file that is there with another source, and comes without a label, is the same image.
* A split that nobody said follows the label: an image of the pool that has one now is for training, and the other way
  round.
* A source is named after its folder or file. Another source of the same name gets a number: `photos-2`. A source that
  was added keeps its name, and so does a folder that was moved or renamed, if at least half of its images are in it.
* A file of `images/` that was lost comes back with its archive.
"""

import os
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from curate import decisions, manifest, sources, tables
from curate.errors import UserError
from curate.ingest import added, classes, naming, reading, split_rule
from curate.ingest.added import ADDED_OR_CHANGED, Added, NearDuplicate
from curate.ingest.merge import gone_files, merge, not_in_source
from curate.layouts import Options, Skipped, Why
from curate.layouts.unpack import publish, unpacking
from curate.sources import Named
from curate.workspace import MANIFEST, Workspace

NEAR: Why = "near-duplicate of what is there"
LeaveOut = Callable[[list[NearDuplicate]], Collection[str]]
"""Told which images are near-duplicates of what is there, gives the `image_id` of those that are not to be added."""


def add(
    workspace: Workspace,
    source: Path | Named,
    *,
    layout: str | None = None,
    name: str | None = None,
    split: str | None = None,
    label: str | None = None,
    options: Options | None = None,
    leave_out: LeaveOut | None = None,
    workers: int | None = None,
) -> Added:
    """Add the images of `source`, and make the workspace where there is none.

    source: a folder, archive or table, or a set in a database.

    layout: a name of `sources.layouts()`; by default the one that recognises the source.
    name: what the source is called in `image_id`.
    split: a split for all images, whatever their folders say; or shares (`train=0.8,val=0.2`) for labelled images
        whose split nothing says. Without either they go to `train`, or to the split the source is called after, and
        unlabelled ones to `pool`.
    label: a label for all images.
    leave_out: which near-duplicates of what is there are not to be added; they are not looked for without it.

    Raises `UserError` where there is nothing to add or the source is unsafe or damaged; nothing is added then.
    """
    options = options or Options()
    rule = split_rule.parse(split) if split else None
    sources.pick(layout := sources.choose(source, layout))
    here = naming.address(source)
    arguments: dict[str, object] = {"source": here, "layout": layout, "split": split, "label": label}
    with workspace.writing("add", arguments) as transaction:
        before = tables.read_manifest(workspace) if workspace.has(MANIFEST) else manifest.empty()
        arguments["name"] = name = naming.checked(name) if name else naming.choose(workspace, source, before)
        with unpacking(workspace.root, name) as to:
            place = source.name if isinstance(source, Named) else source
            read, seen = reading.read_all(sources.read(layout, place, options), workspace.root, here, to, workers)
            if not read.names:
                left_out = added.in_brackets(added.count(read.skipped))
                told = [f"{source} holds no images{left_out}; it was read as layout {layout!r}"]
                raise UserError("; ".join(told + added.not_read(read.skipped)))
            rows, said = reading.rows(read, seen, name, label, options.classes, rule, naming.split_of(source))
            elsewhere = naming.others(workspace, name, here)
            alone, others = not any(map(os.path.exists, elsewhere)), naming.folders_of_others(workspace, here)
            after, fate = merge(before, rows, said, name, alone=alone, others=others)
            alike: list[NearDuplicate] = []
            if leave_out:
                from curate.ingest import near  # what it needs takes longer to import than a small add takes

                places = [place for place, kind in zip(read.places, fate, strict=True) if kind == "added"]
                alike = near.find(workspace, after[: len(before)], rows[fate == "added"], places, workers)
                left = rows["image_id"].isin(leave_out(alike)).to_numpy() & (fate == "added")
                left |= rows["parent_id"].isin(rows["image_id"][left]).to_numpy() & (fate == "added")
                read.skipped += [Skipped(name, NEAR) for name in rows["image_id"][left]]
                after = after[~after["image_id"].isin(rows["image_id"][left])].reset_index(drop=True)
                rows, fate = rows[~left], fate[~left]
            kept = rows[np.isin(fate, ADDED_OR_CHANGED)]
            known = set(rows["path"][fate == "skipped"]) & set(before["path"])
            new, back = ({path.removeprefix(f"images/{name}/") for path in paths} for paths in (kept["path"], known))
            back &= publish(to, new | back)
            gone = gone_files(after, name, here, read.paths)
            after.loc[gone, "error"] = manifest.GONE
            by_people = _by_people(workspace, before)
            followed = manifest.follow_originals(before, after)
            if len(kept) or gone.any():
                transaction.write_table(MANIFEST, followed)
    done = added.summary(name, layout, rows, fate, read.skipped, rule, alike)
    told = added.gone(after["path"][gone].to_list()) + added.outdated(len(after) - len(followed))
    if label is None:
        told += classes.doubtful([name for name, given in zip(read.names, read.labels, strict=True) if given is None])
    told += added.dim(sum(file.dim for file in seen))
    told += split_rule.without_images(rule, set(rows["label"][fate == "added"]), after)
    told += classes.alike(set(after["label"]), set(rows["label"]))
    if not elsewhere:
        told += added.not_in_source(not_in_source(after, name, read.paths, others), workspace.root)
    told += added.unlabelled(_unlabelled(before, after))
    told += added.decided(_decided(by_people, before, after), workspace.root)
    told += _of_renamed_classes(by_people, before, after)
    return replace(done, restored=len(back), gone=int(gone.sum()), warnings=done.warnings + told)


def _by_people(workspace: Workspace, before: pd.DataFrame) -> pd.DataFrame:
    """What people had decided on these images."""
    said = decisions.complete(tables.decisions_file(workspace), before)
    return said[said["by"] != decisions.POLICY]


def _decided(by_people: pd.DataFrame, before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    """The images with another file or label than before, on which people had decided."""
    there = after.merge(before[["image_id", "content_hash", "label"]], on="image_id", suffixes=("", "_before"))
    other = (there["content_hash"] != there["content_hash_before"]) | (there["label"] != there["label_before"])
    return there["image_id"][other & there["image_id"].isin(by_people["image_id"])].to_list()


def _unlabelled(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    """The images that had a label before; those of val and test are told of anyway."""
    measured_on = after["split"].isin(["val", "test"])
    bare = after[(after["label"] == "") & (after["parent_id"] == "") & ~measured_on]["image_id"]
    return bare[bare.isin(before["image_id"][before["label"] != ""])].to_list()


def _of_renamed_classes(by_people: pd.DataFrame, before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    """Lines on what people had decided for classes that have no image any more."""
    gone = set(before["label"]) - set(after["label"])
    rows = by_people[(by_people["action"] == "relabel") & by_people["label"].isin(gone)]
    return decisions.of_renamed_classes(rows, manifest.called_now(before, after, set(rows["label"])))
