"""Add images to a workspace: read a source, look at every file once, write the manifest.

* An image that is there already, in the same split with the same label, is skipped and counted. Where nothing says
  which split an image is in, one in any split counts. Copies across splits or labels stay: they are findings. So do
  copies within one source.
* The same `image_id` with another file, label or split replaces the row and is counted as changed; a split that
  nobody said is no reason to.
* A file that has moved, within its folder or with it, keeps its `image_id`, and so what was decided about it; the row
  takes its new place, label and split. One that is gone stays as an image that cannot be decoded.
* A source is named after its folder or file. Another source of the same name gets a number: `photos-2`. A folder that
  was moved keeps its name.
"""

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from curate import manifest, sources
from curate.engine import Local
from curate.errors import UserError
from curate.ingest import archives, split_rule
from curate.ingest import layout as folders
from curate.ingest.examine import Seen, crashed, examine_batch
from curate.ingest.merge import GONE, gone_files, merge
from curate.ingest.unpack import Unpacking, publish, put, unique, unpacking
from curate.sources import Named, Options, Sample, Skipped, Why
from curate.wording import plural
from curate.workspace import MANIFEST, Workspace

NAMES_IN_A_WARNING = 3
NEAR: Why = "near-duplicate of what is there"


@dataclass(frozen=True)
class NearDuplicate:
    """An image that is about to be added, and the one that is there and most probably the same photo."""

    image_id: str
    like: str
    """`image_id` of the image that is there."""
    probability: float
    detail: str


LeaveOut = Callable[[list[NearDuplicate]], Collection[str]]
"""Told which images are near-duplicates of what is there, gives the `image_id` of those that are not to be added."""


@dataclass(frozen=True)
class Added:
    """What one `add` did. `by_split` and `by_class` count the images that were added or changed."""

    source: str
    layout: str
    added: int
    skipped: int
    """There already, in the same split with the same label."""
    changed: int
    undecodable: int
    """Rows with an `error`, among those added or changed."""
    left_out: dict[str, int]
    """Counts of what is no image of this source, by reason (see `sources.Why`)."""
    by_split: dict[str, int]
    by_class: dict[str, int]
    near: list[NearDuplicate]
    """Those of what was there, whether added or left out; empty where they were not looked for."""
    warnings: list[str]


@dataclass
class _Read:
    """Columns of what a source gave, in its order."""

    names: list[str] = field(default_factory=list)
    labels: list[str | None] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    """Where the bytes lie until they are published."""
    skipped: list[Skipped] = field(default_factory=list)


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
    module = sources.pick(layout := sources.choose(source, layout))
    here = _address(source)
    arguments: dict[str, object] = {"source": here, "layout": layout, "split": split, "label": label}
    with workspace.writing("add", arguments) as transaction:
        before = _read_manifest(workspace)
        arguments["name"] = name = _checked(name) if name else _choose_name(workspace, source, before)
        with unpacking(workspace.root, name) as to:
            place = source.name if isinstance(source, Named) else source
            read, seen = _read_all(module.read(place, options), workspace.root, here, to, workers)
            if not read.names:
                raise UserError(
                    f"{source} holds no images{_told(_count(read.skipped))}; it was read as layout {layout!r}"
                )
            rows, said = _rows(read, seen, name, label, options.classes, rule, _split_of_source(source))
            after, fate = merge(before, rows, said)
            alike: list[NearDuplicate] = []
            if leave_out:
                from curate.ingest import near  # what it needs takes longer to import than a small add takes

                places = [place for place, kind in zip(read.places, fate, strict=True) if kind != "skipped"]
                found = near.find(workspace, before, rows[fate != "skipped"], places, workers)
                alike = [NearDuplicate(*each) for each in found]
                if left := leave_out(alike):
                    stays = ~rows["image_id"].isin(left).to_numpy()
                    read.skipped += [Skipped(name, NEAR) for name in rows["image_id"][~stays]]
                    rows, said = rows[stays].reset_index(drop=True), np.array(said, bool)[stays].tolist()
                    after, fate = merge(before, rows, said)
            kept = rows[fate != "skipped"]
            publish(to, {path.removeprefix(f"images/{name}/") for path in kept["path"]})
            gone = gone_files(after, name, read.paths)
            after.loc[gone, "error"] = GONE
            followed = manifest.follow_originals(before, after)
            if len(kept) or gone.any():
                transaction.write_table(MANIFEST, followed)
    added = _summary(name, layout, rows, fate, read.skipped, rule, alike)
    told = _gone(after["path"][gone].to_list()) + _outdated(len(after) - len(followed))
    return replace(added, warnings=added.warnings + told)


def _read_manifest(workspace: Workspace) -> pd.DataFrame:
    if not workspace.has(MANIFEST):
        return manifest.empty()
    return manifest.check(workspace.read_table(MANIFEST, written_by="curate add"), str(workspace.path(MANIFEST)))


def _read_all(
    samples: Iterator[Sample | Skipped], root: Path, source: str, to: Unpacking, workers: int | None
) -> tuple[_Read, list[Seen]]:
    """Read the source to its end, and look at every file while it is read."""
    read = _Read()
    items = _items(_apart(samples, root, source), read, to)
    seen: list[Seen] = []
    for batch in Local(workers).map_batches(examine_batch, items, describe="add", crashed=crashed):
        seen += batch
    return read, seen


def _items(samples: Iterator[Sample | Skipped], read: _Read, to: Unpacking) -> Iterator[tuple[str, str]]:
    """Note every sample in `read`; yield where its bytes lie, and its error."""
    source = os.path.basename(to.final)
    for sample in samples:
        if isinstance(sample, Skipped):
            read.skipped.append(sample)
            continue
        path = location = sample.path
        if sample.data is not None:
            relative, location = put(to, sample.name, sample.data)
            path = f"images/{source}/{relative}"
        read.names.append(sample.name)
        read.labels.append(sample.label)
        read.splits.append(sample.split)
        read.paths.append(path)
        read.places.append(location)
        yield location, sample.error


def _apart(samples: Iterator[Sample | Skipped], root: Path, source: str) -> Iterator[Sample | Skipped]:
    """Leave out what belongs to the workspace itself, where that lies in the source."""
    inside = os.path.join(os.path.abspath(root), "")
    if os.path.join(source, "").startswith(inside) and os.path.join(source, "") != inside:
        yield from samples
        return
    for sample in samples:
        if isinstance(sample, Sample) and sample.path.startswith(inside):
            yield Skipped(sample.name, "in the workspace itself")
        else:
            yield sample


def _rows(
    read: _Read,
    seen: list[Seen],
    source: str,
    label: str | None,
    classes: dict[str, str],
    rule: split_rule.Rule | None,
    fallback: str,
) -> tuple[pd.DataFrame, list[bool]]:
    """Rows of the manifest, and for each whether somebody said its split."""
    places = folders.places(read.names)
    taken: set[str] = set()
    ids, labels, splits, said = [], [], [], []
    for name, given, split, place, file in zip(read.names, read.labels, read.splits, places, seen, strict=True):
        ids.append(f"{source}/{unique(_text(name), taken)}")
        found = place[1] if given is None else given
        labels.append(_text(label if label is not None else classes.get(found, found)))
        split, by_somebody = _split(split or (place[0] if given is None else ""), labels[-1], rule, fallback, file)
        splits.append(split)
        said.append(by_somebody)
    columns: dict[str, list] = {
        "image_id": ids,
        "path": read.paths,
        "split": splits,
        "label": labels,
        "source": [source] * len(ids),
        "width": [file.width for file in seen],
        "height": [file.height for file in seen],
        "content_hash": [file.content_hash for file in seen],
        "pixel_hash": [file.pixel_hash for file in seen],
        "error": [file.error for file in seen],
    }
    return manifest.from_rows(columns), said


def _text(name: str) -> str:
    """A name or label as every table can hold it: without NUL, halves of characters (JSON may hold them), and bytes
    that are no text (of a command line)."""
    text = name if name.isascii() else name.encode("utf-8", "replace").decode()
    return text.replace("\0", "\ufffd") if "\0" in text else text


def _split(split: str, label: str, rule: split_rule.Rule | None, fallback: str, file: Seen) -> tuple[str, bool]:
    """The split of one image, and whether somebody said so: the user, its folders, a column, or the source's name."""
    if isinstance(rule, str):
        return rule, True
    if split:
        return split, True
    if rule and label:
        return split_rule.by_hash(file.content_hash, rule), True
    if fallback:
        return fallback, True
    return "train" if label else "pool", False


def _checked(name: str) -> str:
    """A source's name as given by the user: one that can be a folder."""
    if not name.strip() or name.startswith(".") or set(name) & set("/\\\x00") or len(name.encode()) > 100:
        raise UserError(f"{name!r} cannot name a source: it must be short, without slashes, and not start with a dot")
    return name


def _address(source: Path | Named) -> str:
    """Where a source is: its absolute path, or `fiftyone:pets`."""
    return str(source) if isinstance(source, Named) else os.path.abspath(source)


def _own_name(source: Path | Named) -> str:
    """What a source is called, as a folder may be."""
    if isinstance(source, Named):
        return source.name.replace("/", "-").replace("\\", "-")
    return archives.stem(os.path.basename(os.path.abspath(source)))


def _choose_name(workspace: Workspace, source: Path | Named, before: pd.DataFrame) -> str:
    """The source's own name, with a number where another source has it."""
    here = _address(source)
    base = _own_name(source).lstrip(".")[:60] or "images"
    owners: dict[str, set[str]] = {str(name).casefold(): set() for name in before["source"].unique()}
    for entry in workspace.ledger():
        if entry.command == "add" and entry.arguments.get("name"):
            owners.setdefault(str(entry.arguments["name"]).casefold(), set()).add(str(entry.arguments.get("source")))
    name, number = base, 2
    while name.casefold() in owners and not _is_same(here, owners[name.casefold()]):
        name, number = f"{base}-{number}", number + 1
    return name


def _is_same(here: str, owners: set[str]) -> bool:
    """Whether a source had the name before: itself, or a folder that is where it was no more."""
    return here in owners or (os.path.isdir(here) and bool(owners) and not any(map(os.path.exists, owners)))


def _split_of_source(source: Path | Named) -> str:
    """`test` for a folder, file or set called `test`: what is in it shall not go to `train`."""
    return folders.SPLIT_FOLDERS.get(_own_name(source).lower(), "")


def _summary(
    name: str,
    layout: str,
    rows: pd.DataFrame,
    fate: np.ndarray,
    skipped: list[Skipped],
    rule: split_rule.Rule | None,
    alike: list[NearDuplicate],
) -> Added:
    kept = rows[fate != "skipped"]
    return Added(
        source=name,
        layout=layout,
        added=int((fate == "added").sum()),
        skipped=int((fate == "skipped").sum()),
        changed=int((fate == "changed").sum()),
        undecodable=int((kept["error"] != "").sum()),
        left_out=_count(skipped),
        by_split=dict(sorted(Counter(kept["split"]).items())),
        by_class=dict(sorted(Counter(kept["label"]).items())),
        near=alike,
        warnings=_warnings(rows, skipped, rule),
    )


def _warnings(rows: pd.DataFrame, skipped: list[Skipped], rule: split_rule.Rule | None) -> list[str]:
    """A line for each thing that a user should look at."""
    warnings = []
    for why in ("folder that cannot be read", "name that is not UTF-8", "link to a folder that is read anyway"):
        names = [item.name for item in skipped if item.why == why]
        if names:
            warnings.append(f"left out: {len(names)} x {why}: {_some(names)}")
    if len(rows) and (rows["error"] != "").all():
        all_of_them = f"none of the {len(rows):,} images can be decoded; the first"
        told = all_of_them if len(rows) > 1 else "the only image cannot be decoded"
        warnings.append(f"{told}: {rows['error'].iloc[0]}")
    if len(rows) and isinstance(rule, dict) and not (rows["label"] != "").any():
        warnings.append("the shares of --split were not used: no image has a label")
    return warnings


def _gone(paths: list[str]) -> list[str]:
    """A line on images whose file is neither where it was nor anywhere else in the source."""
    told = plural(len(paths), "image has no file any more", "images have no file any more")
    way_out = "until added again, from where it is, each counts as one that cannot be decoded"
    return [f"{told}: {_some(paths)}; {way_out}"] if paths else []


def _outdated(generated: int) -> list[str]:
    """A line on generated images that were taken out."""
    told = plural(
        generated,
        "augmented image was taken out: its original changed, or is not for training any more",
        "augmented images were taken out: their originals changed, or are not for training any more",
    )
    return [f"{told}; 'curate augment add' makes new ones"] if generated else []


def _count(skipped: list[Skipped]) -> dict[str, int]:
    return dict(Counter(item.why for item in skipped))


def _some(names: list[str]) -> str:
    return ", ".join(names[:NAMES_IN_A_WARNING]) + (", …" if len(names) > NAMES_IN_A_WARNING else "")


def _told(counts: dict[str, int]) -> str:
    return f" ({', '.join(f'{count} x {why}' for why, count in counts.items())})" if counts else ""
