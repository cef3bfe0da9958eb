"""A workspace in FiftyOne's App: the dataset brought up to date, and hand edits read back while it is open."""

import importlib.util
import os
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from curate import manifest, predictions, scans, tables
from curate.errors import UserError
from curate.files import file_hash
from curate.mongo.database import fiftyone, leave, reachable
from curate.review import acting, asking, dataset, hand_edits, samples, views
from curate.review.desk import Desk
from curate.review.server import HOST
from curate.review.thumbnails import give_thumbnails
from curate.wording import pasted
from curate.workspace import FINDINGS, MANIFEST, Workspace

if TYPE_CHECKING:
    import fiftyone as fo

LOOK_SECONDS = 2.0
"""How often edits by hand are read back."""


@dataclass(frozen=True)
class Opened:
    """A workspace in FiftyOne."""

    data: "fo.Dataset"
    session: acting.Session
    synced: dataset.Synced
    warnings: list[str]


def connect(workspace: Workspace) -> None:
    """FiftyOne with its database. Raises `UserError` where there is none, or nothing to look at: that is told first."""
    for name, read in ((MANIFEST, tables.read_manifest), (FINDINGS, tables.read_findings)):
        if not workspace.has(name):
            read(workspace)
    if not os.access(workspace.root, os.W_OK):
        raise UserError(f"{pasted(workspace.root)} cannot be written to, so nothing can be decided; mend that first")
    fiftyone()


def prepare(workspace: Workspace, by: str, *, budget: int | None, second: int) -> Opened:
    """Bring the workspace's dataset up to date: edits by hand are taken over first, then what changed is written.

    Raises `UserError` where there is no database, or a dataset of that name is not ours.
    """
    connect(workspace)
    images, findings = tables.read_manifest(workspace), tables.read_findings(workspace)
    found = predictions.read(workspace, images) if predictions.exists(workspace) else None
    with reachable():
        data = dataset.open_dataset(workspace, by)
        warnings = take_by_hand(Desk(workspace, by), data) if len(data) else []
        asked = asking.asked(workspace, by, budget=budget, second=second, predicted=found)
        paths = manifest.locate(images, workspace.root)
        predicted, embeddings = _predicted(found, images)
        documents = samples.documents(
            images, paths, findings, tables.read_decisions(workspace, images), asked, predicted
        )
        small = give_thumbnails(workspace, images, paths, documents)
        synced = dataset.sync(data, documents)
        views.show_fields(data, thumbnails=small)
        views.save_views(data)
        if embeddings:
            views.embed(data, embeddings, file_hash(workspace.root / predictions.FILE))
    warnings += tables.files_gone(workspace, images) + scans.warnings(workspace)
    return Opened(data, acting.begin(workspace, by, asked), synced, warnings)


def take_by_hand(desk: Desk, data: "fo.Dataset", shown: Callable[[list[str]], None] | None = None) -> list[str]:
    """Take over what was decided in the App by tags and edited labels; a line for each that cannot be."""
    images = desk.images()
    found = hand_edits.by_hand(data, images["image_id"], manifest.classes(images))
    if found.answers:
        desk.take(found.answers)
        decided = [answer.image_id for answer in found.answers]
        hand_edits.taken_over(data, decided)
        if shown:
            shown(decided)
    return found.refused


def _by_hand(opened: Opened) -> list[str]:
    """Take over edits by hand since the last look; a line for each that cannot be.

    What keeps all of them from it, such as another verb that writes just now, is no reason to end: they stay where they
    are until the next look. Raises `UserError` where the dataset has gone.
    """
    import fiftyone as fo

    try:
        opened.data.reload()
    except fo.DatasetNotFoundError:
        raise UserError(
            f"dataset {opened.data.name} was deleted in FiftyOne; no decision is lost, run the command again"
        ) from None
    try:
        return take_by_hand(opened.session.desk, opened.data, lambda ids: acting.show(opened.session, opened.data, ids))
    except UserError as error:
        return [f"what was tagged or edited by hand in FiftyOne is not taken over yet: {error}"]


def watch(opened: Opened, process: subprocess.Popen, say: Callable[[str], None]) -> None:
    """Read edits by hand back until the server ends or the user interrupts; say once what cannot be taken over."""
    told: set[str] = set()
    _map_in_background(opened)
    while process.poll() is None:
        with reachable():
            refused = _by_hand(opened)
        for line in refused:
            if line not in told:
                say(line)
                told.add(line)
        time.sleep(LOOK_SECONDS)
    raise UserError("the App's server has ended; no decision is lost, run the command again to go on")


def close(opened: Opened | None) -> list[str]:
    """The end of a review: the last edits by hand, and the decisions as a version of the workspace. None: of one that
    never began."""
    if opened is None:
        leave()
        return []
    try:
        with reachable():
            refused = _by_hand(opened)
    except UserError as error:
        refused = [str(error)]
    try:
        opened.session.desk.keep_version()
    except (UserError, OSError) as error:  # the decisions are there all the same; the next verb keeps their version
        refused.append(str(error))
    leave()
    return refused


def url(opened: Opened, port: int) -> str:
    """Where the App shows what waits for an answer, or, where nothing does, the dataset."""
    view = "?view=needs-a-person" if len(opened.session.waiting) else ""
    return f"http://{HOST}:{port}/datasets/{opened.data.name}{view}"


def _predicted(
    found: predictions.Predictions | None, images: pd.DataFrame
) -> tuple[tuple[np.ndarray, np.ndarray, list[str]] | None, dict[str, np.ndarray]]:
    """The class that each image is predicted to be, with its probability and the class names; and embeddings."""
    if found is None:
        return None, {}
    probs = np.nan_to_num(found.pred_probs, nan=-1.0)
    codes = np.where(found.present, probs.argmax(axis=1), -1)
    known = ~np.isnan(found.embeddings).any(axis=1)
    embeddings = dict(zip(images["image_id"][known], found.embeddings[known], strict=True))
    return (codes, probs.max(axis=1), found.classes), embeddings


def _map_in_background(opened: Opened) -> None:
    """The map by UMAP, where that is installed: it takes minutes for a large set, and nobody has to wait for it."""
    if importlib.util.find_spec("umap") is not None:
        threading.Thread(target=views.embed_by_umap, args=(opened.data,), daemon=True).start()
