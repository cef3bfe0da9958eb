"""Hand a training set on: its files, unchanged, in a layout that other tools read, or as a dataset of FiftyOne."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from curate import sources
from curate.errors import UserError, known
from curate.files import replacing_folder
from curate.sources import Named
from curate.wording import pasted, plural


@dataclass(frozen=True)
class Exported:
    """What was written where: a folder, or `fiftyone:NAME`. `left_out` counts rows without a file, `generated` those
    that were made from others."""

    dest: str
    layout: str
    images: int
    left_out: int
    generated: int
    warnings: list[str]


def export(table: pd.DataFrame, root: Path, dest: Path | str, layout: str) -> Exported:
    """Write the images of `table` (a manifest, curated or not) to `dest`: all or nothing.

    root: the workspace, for images that lie in it.
    dest: a new or empty folder; for a layout that is a database, the name of a new set in it.
    layout: one of `sources.writable()`. What is written reads back with the same splits, labels and bytes.
    Raises `UserError` where `dest` holds something or is taken, a file has gone or changed, or a label does not fit
    the layout.
    """
    writers = sources.writable()
    if layout not in writers:
        raise known("layout that images can leave in", layout, list(writers))
    if not len(table):
        raise UserError(f"{pasted(root)} has no images to export; 'curate log {pasted(root)}' says what became of them")
    if layout in sources.databases():
        place: Named | Path = Named(layout, str(dest).removeprefix(f"{layout}:"))
        count = sources.write(layout, table, root, place.name)
    else:
        place = Path(dest)
        with new_folder(place) as staging:
            count = sources.write(layout, table, root, staging)
    generated = int((table["parent_id"] != "").sum())
    warnings = [] if hasattr(writers[layout], "ORIGINALS") else _become_originals(generated, layout)
    return Exported(str(place), layout, count, len(table) - count, generated, warnings)


def _become_originals(generated: int, layout: str) -> list[str]:
    """A line on generated images in a layout that does not say so."""
    told = plural(generated, "image is a generated one, which", "images are generated ones, which")
    keep = ", ".join(name for name, module in sources.writable().items() if hasattr(module, "ORIGINALS"))
    way_out = f"added again each counts as an original; these layouts keep it: {keep}"
    return [f"{told} {layout} does not say: {way_out}"] if generated else []


@contextmanager
def new_folder(dest: Path) -> Iterator[Path]:
    """A folder that becomes `dest`, or what that links to, when the block ends well, and is removed when it does not.

    Raises `UserError` where `dest` holds something.
    """
    dest = dest.resolve()
    _refuse_full(dest)
    try:
        with replacing_folder(dest) as staging:
            yield staging
    except OSError:
        _refuse_full(dest)  # another command was faster
        raise


def _refuse_full(dest: Path) -> None:
    if dest == Path.cwd():  # its place would be taken under the shell that stands in it
        raise UserError(f"{dest} is the folder that you are in; export to a new folder in it")
    if dest.is_mount():
        raise UserError(f"{dest} is a mount point; export to a new folder in it")
    if dest.exists() and (not dest.is_dir() or any(dest.iterdir())):
        raise UserError(f"{dest} is not empty; export to a new or empty folder")
