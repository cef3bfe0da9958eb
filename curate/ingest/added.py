"""What one `add` did, counted, and in the words of its warnings."""

import errno
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from curate.ingest import split_rule
from curate.layouts import Skipped, kinds
from curate.wording import pasted, plural, some
from curate.workspace import DECISIONS

NAMES_IN_A_WARNING = 3
ADDED_OR_CHANGED = ["added", "changed"]
"""What became of the rows that an `add` writes."""
MISSING = os.strerror(errno.ENOENT)
"""Error of an image whose file is not there."""


@dataclass(frozen=True)
class NearDuplicate:
    """An image that is about to be added, and the one that is there and most probably the same photo."""

    image_id: str
    like: str
    """`image_id` of the image that is there."""
    probability: float
    detail: str


@dataclass(frozen=True)
class Added:
    """What one `add` did. `by_split` and `by_class` count the images that were added or changed."""

    source: str
    layout: str
    added: int
    skipped: int
    """There already, in the same split with the same label."""
    copies: int
    """Other files with the content of such images, left out."""
    changed: int
    restored: int
    """Files of `images/` that were lost, and came back out of their archive."""
    gone: int
    """Images that have no file any more, and had one when the source was added before."""
    undecodable: int
    """Rows with an `error`, among those added or changed."""
    missing: int
    """Of these, rows whose file is not there."""
    left_out: dict[str, int]
    """Counts of what is no image of this source, by reason (see `curate.layouts.Why`)."""
    left_out_names: dict[str, list[str]]
    """The first few of these."""
    by_split: dict[str, int]
    by_class: dict[str, int]
    near: list[NearDuplicate]
    """Those of what was there, whether added or left out; empty where they were not looked for."""
    warnings: list[str]


def summary(
    name: str,
    layout: str,
    rows: pd.DataFrame,
    fate: np.ndarray,
    skipped: list[Skipped],
    rule: split_rule.Rule | None,
    alike: list[NearDuplicate],
) -> Added:
    """What was done, counted. fate: of each row, as `merge` gives it; skipped: what was no image of the source; alike:
    near-duplicates of what was there."""
    kept = rows[np.isin(fate, ADDED_OR_CHANGED)]
    return Added(
        source=name,
        layout=layout,
        added=int((fate == "added").sum()),
        skipped=int((fate == "skipped").sum()),
        copies=int((fate == "copy").sum()),
        changed=int((fate == "changed").sum()),
        restored=0,
        gone=0,
        undecodable=int((kept["error"] != "").sum()),
        missing=int((kept["error"] == MISSING).sum()),
        left_out=count(skipped),
        left_out_names={why: _names(skipped, why)[:NAMES_IN_A_WARNING] for why in count(skipped)},
        by_split=dict(sorted(Counter(kept["split"]).items())),
        by_class=dict(sorted(Counter(kept["label"]).items())),
        near=alike,
        warnings=_warnings(rows, kept, skipped, rule),
    )


def _warnings(
    rows: pd.DataFrame, kept: pd.DataFrame, skipped: list[Skipped], rule: split_rule.Rule | None
) -> list[str]:
    """A line for each thing that a user should look at. kept: the rows that were added or changed."""
    warnings = []
    for why in ("folder that cannot be read", "name that is not UTF-8", "link to a folder that is read anyway"):
        if names := _names(skipped, why):
            warnings.append(f"left out: {len(names)} x {why}: {some(names)}")
    warnings += not_read(skipped) + _missing(kept)
    there = rows[rows["error"] != MISSING]
    if len(there) and (there["error"] != "").all():
        first, error = there[["image_id", "error"]].iloc[0]
        all_of_them = f"none of the {len(there):,} images can be decoded; the first, {first}"
        told = all_of_them if len(there) > 1 else f"the only image, {first}, cannot be decoded"
        warnings.append(f"{told}: {error}")
    if len(rows) and isinstance(rule, dict) and not (rows["label"] != "").any():
        warnings.append("the shares of --split were not used: no image has a label")
    return warnings + _not_measured(kept)


def not_read(skipped: list[Skipped]) -> list[str]:
    """A line on images in formats that are not read."""
    names = _names(skipped, "image format that is not read")
    told = plural(len(names), "image was left out", "images were left out")
    formats = ", ".join(sorted({kinds.suffix(name) for name in names}))
    way_out = "convert to JPEG or PNG and add that"
    return [f"{told}, of formats that are not read ({formats}): {some(names)}; {way_out}"] if names else []


def _missing(rows: pd.DataFrame) -> list[str]:
    """A line on files that are named and not there."""
    paths = rows["path"][rows["error"] == MISSING].to_list()
    told = plural(len(paths), "file is not there", "files are not there")
    way_out = "bring them back, or give the folder that paths are relative to with --root, and add again"
    return [f"{told}; looked for {some(paths)}; {way_out}"] if paths else []


def _not_measured(rows: pd.DataFrame) -> list[str]:
    """A line on images of val and test without a label; those of train went to the pool."""
    names = rows[rows["split"].isin(["val", "test"]) & (rows["label"] == "") & (rows["parent_id"] == "")]["image_id"]
    told = plural(len(names), "image of val or test has no label", "images of val or test have no label")
    way_out = "nothing is measured on them until they are added again with one"
    return [f"{told}: {some(names.to_list())}; {way_out}"] if len(names) else []


def unlabelled(names: list[str]) -> list[str]:
    """A line on images whose label the source took away."""
    told = plural(len(names), "image has no label any more", "images have no label any more")
    way_out = "nothing is learned from them until they are added again with one"
    return [f"{told}: {some(names)}; {way_out}"] if names else []


def dim(number: int) -> list[str]:
    """A line on images that hold 12 bits or fewer in 16."""
    told = plural(number, "image of 16 bits a channel uses", "images of 16 bits a channel use")
    way_out = "multiply their values to fill 16 bits, and add them again"
    return [f"{told} a sixteenth of the levels at most, which is nearly black; {way_out}"] if number else []


def gone(paths: list[str]) -> list[str]:
    """A line on images whose file is neither where it was nor anywhere else in the source."""
    told = plural(len(paths), "image has no file any more", "images have no file any more")
    way_out = "until added again, from where it is, each counts as one that cannot be decoded"
    return [f"{told}: {some(paths)}; {way_out}"] if paths else []


def not_in_source(names: list[str], root: Path) -> list[str]:
    """A line on images that the source does not hold any more, and that are there all the same."""
    told = plural(len(names), "image is not in the source any more", "images are not in the source any more")
    way_out = f"until {pasted(root / DECISIONS)} says 'drop' of it, each stays in the set"
    return [f"{told}: {some(names)}; {way_out}"] if names else []


def decided(names: list[str], root: Path) -> list[str]:
    """A line on images that people decided on when they were others."""
    told = plural(len(names), "image that people decided on has", "images that people decided on have")
    way_out = f"what was said of them stands, until its rows are taken out of {pasted(root / DECISIONS)}"
    return [f"{told} another file or label now: {some(names)}; {way_out}"] if names else []


def outdated(generated: int) -> list[str]:
    """A line on generated images that were taken out."""
    told = plural(
        generated,
        "augmented image was taken out: its original changed, or is not for training any more",
        "augmented images were taken out: their originals changed, or are not for training any more",
    )
    return [f"{told}; 'curate augment add' makes new ones"] if generated else []


def _names(skipped: list[Skipped], why: str) -> list[str]:
    return [item.name for item in skipped if item.why == why]


def count(skipped: list[Skipped]) -> dict[str, int]:
    """How many were left out for each reason."""
    return dict(Counter(item.why for item in skipped))


def in_brackets(counts: dict[str, int]) -> str:
    """` (2 x no image, 1 x hidden)`; "" where nothing was left out."""
    return f" ({', '.join(f'{count} x {why}' for why, count in counts.items())})" if counts else ""
