"""A source read to its end: every file looked at once while it is read, then a row of the manifest for each."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from curate import manifest
from curate.engine import Local
from curate.ingest import split_rule
from curate.ingest.examine import Seen, crashed, examine_batch
from curate.layouts import Sample, Skipped, folders
from curate.layouts.unpack import Unpacking, put, unique


@dataclass
class Read:
    """Columns of what a source gave, in its order."""

    names: list[str] = field(default_factory=list)
    labels: list[str | None] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    """Where the bytes lie until they are published."""
    image_ids: list[str] = field(default_factory=list)
    parent_ids: list[str] = field(default_factory=list)
    """Names of images and their originals in the workspace that they were exported from; "" for none."""
    skipped: list[Skipped] = field(default_factory=list)


def read_all(
    samples: Iterator[Sample | Skipped], root: Path, source: str, to: Unpacking, workers: int | None
) -> tuple[Read, list[Seen]]:
    """Read the source to its end, and look at every file while it is read."""
    read = Read()
    items = _items(_apart(samples, root, source), read, to)
    seen: list[Seen] = []
    for batch in Local(workers).map_batches(examine_batch, items, describe="add", crashed=crashed):
        seen += batch
    return read, seen


def _items(samples: Iterator[Sample | Skipped], read: Read, to: Unpacking) -> Iterator[tuple[str, str]]:
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
        read.image_ids.append(sample.image_id)
        read.parent_ids.append(sample.parent_id)
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


def rows(
    read: Read,
    seen: list[Seen],
    source: str,
    label: str | None,
    classes: dict[str, str],
    rule: split_rule.Rule | None,
    fallback: str,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of the manifest, and for each whether somebody said its `split`, and its `label`: shape (N, 2), bool.

    source: its name. label: for all images; None: what the source, else the folders, say. classes: label as the source
    has it -> label to use. rule: a split for all, or shares for labelled images whose split nothing says. fallback: the
    split of those after that, "" for `train`, or for `pool` without a label. That an image has no label is said by a
    column, or a folder for unlabelled images.
    """
    places = folders.places(read.names)
    taken: dict[str, int] = {}
    ids, labels, splits, said, labelled = [], [], [], [], []
    for name, given, split, place, file in zip(read.names, read.labels, read.splits, places, seen, strict=True):
        ids.append(f"{source}/{unique(_text(name), taken)}")
        found = place[1] if given is None else given
        by_folder = "" if given and folders.split_of(given) == place[0] else place[0]  # a class may be called `train`
        found = found.strip()
        labels.append(_text(label if label is not None else classes.get(found, found)).strip())
        split, by_somebody = _split(split or by_folder, labels[-1], rule, fallback, file)
        splits.append(split)
        said.append(by_somebody)
        labelled.append(label is not None or given is not None or bool(found) or by_folder == "pool")
    at = {name: number for number, name in enumerate(read.image_ids) if name and not read.parent_ids[number]}
    parents = [at.get(name, -1) for name in read.parent_ids]
    columns: dict[str, list] = {
        "image_id": ids,
        "parent_id": [  # what is learned from must not show what is measured on
            ids[parent] if parent >= 0 and (splits[parent], labels[parent]) == (splits[own], labels[own]) else ""
            for own, parent in enumerate(parents)
        ],
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
    return manifest.from_rows(columns), pd.DataFrame({"split": said, "label": labelled}, dtype=bool)


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
    return split_rule.usual(label), False
