"""Augmented images as files: drawn from the training images, written under `images/augmented/`, rows of the manifest.

An augmented image has the split and the label of its original, which is its `parent_id`, and follows it through every
decision. Counts are of the set as the decisions make it: what is dropped is no original, and what is relabelled counts
for its new class.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from curate import apply, manifest, tables
from curate.augment.compiling import compile
from curate.augment.originals import Job, files, shuffled, why_not_in_files
from curate.augment.pipeline import as_dict, read_pipeline
from curate.augment.program import Program
from curate.augment.wanted import ANY, Target, deal, missing
from curate.engine import Local
from curate.errors import UserError
from curate.files import json_hash
from curate.images import content_hash, pixel_hash
from curate.layouts.unpack import Unpacking, publish, put, unpacking
from curate.wording import pasted
from curate.workspace import CURATED, MANIFEST, Workspace

AUGMENTED = "augmented"
"""The source of augmented images, and their folder."""
PIXELS, IMAGES = 1 << 25, 256
"""Of the originals that are in memory at the same time, at most: 100 MB."""
UNDECODABLE, GONE = "cannot be decoded", "missing or changed since 'curate add'"


@dataclass(frozen=True)
class Augmented:
    """What one `augment add` did."""

    written: str
    added: int
    there: int
    """Augmented images that were there already."""
    by_class: dict[str, int]
    """Added images, by the class that they count for."""
    training_images: int
    """Originals and augmented ones, after it."""
    copies: int
    """Added images with the same pixels as their original, or as another one that was added."""
    skipped: dict[str, int]
    """Originals that could not be used, by reason."""
    curated: bool
    """Whether there is a curated set, which `apply` has to renew."""


@dataclass(frozen=True, slots=True)
class _File:
    """An augmented image that was made."""

    job: Job
    path: str
    """Below the workspace."""
    width: int
    height: int
    content_hash: str
    pixel_hash: str


@dataclass
class _Making:
    """Originals in the order in which they are taken, what is missing, and what was made so far."""

    originals: pd.DataFrame
    """Index: rows of the manifest. `taken`: how many augmented images there are of each; `group`: what it can give is
    missing there."""
    missing: dict[str, int]
    files: list[_File] = field(default_factory=list)
    gone: int = 0
    """Originals that could not be read."""


def materialize(
    workspace: Workspace, pipeline: Path, target: Target, *, seed: int = 0, fallback: Literal["cpu"] | None = None
) -> Augmented:
    """Add augmented images until the training images are as many as `target` says; what is there already counts.

    The same pipeline and seed give the same files. Originals take turns, those with the fewest augmented images first.
    Raises `UserError` for a pipeline that leaves no levels from 0 to 255 or mixes images, for a target below what is
    there, and for a class without an original; nothing is added then.
    """
    settings = read_pipeline(pipeline)
    program = _for_files(compile(settings, seed=seed, layout="NHWC", fallback=fallback), pipeline)
    folder = f"{_digest(settings)}-{seed}"
    arguments: dict[str, object] = {"pipeline": str(pipeline.absolute()), "folder": folder, "seed": seed}
    arguments |= {"per_class": target.per_class, "total": target.total, "fallback": fallback}
    with workspace.writing("augment add", arguments) as transaction:
        images = tables.read_manifest(workspace)
        train = _train(workspace, images)
        making = _Making(_originals(workspace, images, train, target, seed), missing(train, target))
        with unpacking(workspace.root, AUGMENTED) as to:
            while jobs := _jobs(making, folder, set(images["image_id"])):
                _make(making, jobs, program, to)
            files = sorted(making.files, key=lambda file: (file.job.parent, file.job.draw))
            publish(to, {file.path.removeprefix(f"images/{AUGMENTED}/") for file in files})
            rows = _rows(images, files)
            if len(rows):
                transaction.write_table(MANIFEST, pd.concat([images, rows], ignore_index=True))
    return _summary(workspace, images, train, making, rows)


def _for_files(program: Program, pipeline: Path) -> Program:
    """The program itself, if what it gives can be kept as images."""
    if why := why_not_in_files(program):
        raise UserError(f"{pasted(pipeline)}{why}")
    return program


def _digest(settings: Any) -> str:
    """Names a pipeline by its settings: the same for the same pipeline in another file, or in another format."""
    return json_hash(as_dict(settings)["transform"], size=4)


def _train(workspace: Workspace, images: pd.DataFrame) -> pd.DataFrame:
    """The labelled training images as the decisions make them."""
    curated = apply.apply(images, tables.read_decisions(workspace, images)).table
    train = manifest.training(curated)
    if not len(train):
        way_out = f"'curate add {pasted(workspace.root)} SOURCE' brings some"
        raise UserError(f"{pasted(workspace.root)} has no labelled training images to augment; {way_out}")
    return train


def _originals(
    workspace: Workspace, images: pd.DataFrame, train: pd.DataFrame, target: Target, seed: int
) -> pd.DataFrame:
    usable = train[manifest.decodable(train)]
    children = usable["parent_id"].value_counts()
    originals = usable[(usable["parent_id"] == "").to_numpy()]
    originals = originals.iloc[shuffled(originals, seed)]
    originals = originals.assign(
        path=manifest.locate(originals, workspace.root),
        taken=originals["image_id"].map(children).fillna(0).astype(np.int64),
        group=ANY if target.total is not None else originals["label"],
    )
    return originals.set_axis(pd.Index(images["image_id"]).get_indexer(pd.Index(originals["image_id"])))


def _jobs(making: _Making, folder: str, there: set[str]) -> list[Job]:
    """What is to be made next, those of one draw together; empty where nothing is missing.

    there: every `image_id` of the manifest. An image that was dropped keeps its number, so that it does not come back.
    """
    jobs = []
    there = there | {file.job.image_id for file in making.files}
    groups = dict(list(making.originals.groupby("group", sort=False)))
    for group, number in making.missing.items():
        if not number:
            continue
        mine = groups.get(group)
        if mine is None:
            what = "training images" if group == ANY else f"class {group!r}"
            raise UserError(f"no original of {what} can be decoded and augmented; add some, or drop what is left")
        more = deal(mine["taken"].to_numpy(), number).tolist()
        columns = (mine[name] for name in ("image_id", "path", "content_hash"))
        for parent, name, path, digest, wanted in zip(mine.index.tolist(), *columns, more, strict=True):
            free = (draw for draw in count() if _image_id(folder, name, draw) not in there)
            jobs += [
                Job(_image_id(folder, name, draw), parent, name, path, digest, draw) for draw in islice(free, wanted)
            ]
    return sorted(jobs, key=lambda job: (job.draw, job.parent))


def _image_id(folder: str, parent_id: str, draw: int) -> str:
    return f"{AUGMENTED}/{folder}/{parent_id}-{draw}.png"


def _make(making: _Making, jobs: list[Job], program: Program, to: Unpacking) -> None:
    """Make the images, and take out the originals that cannot be read: others have to stand in."""
    largest = int((making.originals["width"] * making.originals["height"]).max())
    size = min(max(1, PIXELS // largest), IMAGES)
    work = Local().map_batches(
        partial(files, program), jobs, batch_size=size, describe="augment", total=len(jobs), threaded=True
    )
    done: Counter[int] = Counter()
    for made in work:
        for job, data, image in made:
            path, _ = put(to, _file_name(job.image_id), data)
            sizes = image.shape[1], image.shape[0]
            file = _File(job, f"images/{AUGMENTED}/{path}", *sizes, content_hash(data), pixel_hash(image))
            making.files.append(file)
            done[job.parent] += 1
    gone = {job.parent for job in jobs} - set(done)
    making.gone += len(gone)
    more = pd.Series(done, dtype=np.int64).reindex(making.originals.index, fill_value=0)
    for group, number in more.groupby(making.originals["group"]).sum().items():
        making.missing[str(group)] -= int(number)
    taken = making.originals["taken"] + more
    making.originals = making.originals.assign(taken=taken).drop(index=list(gone))


def _file_name(image_id: str) -> str:
    """Below `images/augmented`, and never outside it."""
    parts = image_id.split("/")[1:]
    return "/".join("_" if part in ("", ".", "..") else part for part in parts)


def _rows(images: pd.DataFrame, files: Sequence[_File]) -> pd.DataFrame:
    """Rows of the manifest. The label is what the manifest says of the original: a decision changes both."""
    parents = images.iloc[[file.job.parent for file in files]]
    columns: dict[str, list] = {
        "image_id": [file.job.image_id for file in files],
        "path": [file.path for file in files],
        "split": parents["split"].to_list(),
        "label": parents["label"].to_list(),
        "source": [AUGMENTED] * len(files),
        "parent_id": parents["image_id"].to_list(),
        "width": [file.width for file in files],
        "height": [file.height for file in files],
        "content_hash": [file.content_hash for file in files],
        "pixel_hash": [file.pixel_hash for file in files],
    }
    return manifest.from_rows(columns)


def _summary(
    workspace: Workspace, images: pd.DataFrame, train: pd.DataFrame, making: _Making, rows: pd.DataFrame
) -> Augmented:
    usable = train[manifest.decodable(train)]
    parents = images.set_index("image_id")["pixel_hash"].reindex(rows["parent_id"]).to_numpy()
    skipped = {UNDECODABLE: len(train) - len(usable), GONE: making.gone}
    return Augmented(
        written=str(workspace.path(MANIFEST)),
        added=len(rows),
        there=int((usable["parent_id"] != "").sum()),
        by_class=dict(sorted(Counter(train.set_index("image_id")["label"][rows["parent_id"]]).items())),
        training_images=len(usable) + len(rows),
        copies=int((rows["pixel_hash"].duplicated() | (rows["pixel_hash"] == parents)).sum()),
        skipped={why: number for why, number in skipped.items() if number},
        curated=workspace.has(CURATED),
    )
