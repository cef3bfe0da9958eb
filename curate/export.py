"""Hand a training set on: its files, unchanged, in a layout that other tools read."""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from curate import sources
from curate.errors import UserError, known
from curate.files import TEMPORARY_PREFIX, named_in_errors


@dataclass(frozen=True)
class Exported:
    """What was written where. `left_out` counts rows that never had a file."""

    dest: str
    layout: str
    images: int
    left_out: int


def export(table: pd.DataFrame, root: Path, dest: Path, layout: str) -> Exported:
    """Write the images of `table` (a manifest, curated or not) to `dest`, a new or empty folder: all or nothing.

    root: the workspace, for images that lie in it.
    layout: one of `sources.writable()`. What is written reads back with the same splits, labels and bytes.
    Raises `UserError` where `dest` holds something, a file has gone or changed, or a label does not fit the layout.
    """
    writers = sources.writable()
    if layout not in writers:
        raise known("layout that images can leave in", layout, list(writers))
    if not len(table):
        raise UserError(f"{root} has no images to export")
    _refuse_full(dest)
    dest.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=dest.parent))
    try:
        with named_in_errors(dest):
            count = writers[layout].write(table, root, staging)
        staging.chmod(0o755)
        os.sync()
        staging.replace(dest)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return Exported(str(dest), layout, count, len(table) - count)


def _refuse_full(dest: Path) -> None:
    if dest.is_mount():
        raise UserError(f"{dest} is a mount point; export to a new folder in it")
    if dest.exists() and (not dest.is_dir() or any(dest.iterdir())):
        raise UserError(f"{dest} is not empty; export to a new or empty folder")
