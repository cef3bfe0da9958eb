"""Class folders on disk, with or without split folders: `train/cat/1.jpg`, `cat/1.jpg`; files stay where they are."""

import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from curate import portable
from curate.errors import UserError
from curate.layouts import Options, Sample, Skipped, Why, kinds, leaving
from curate.layouts.folders import UNLABELLED_FOLDER

PRIORITY = 0


def recognises(path: Path) -> bool:
    """Every folder that no other layout takes."""
    return path.is_dir()


def read(path: Path, options: Options) -> Iterator[Sample | Skipped]:
    """Every image file below a folder, sorted within each folder; links to folders outside are followed once.

    Raises `UserError` where the folder itself cannot be read; one below it is skipped.
    """
    root = os.path.abspath(path)
    try:
        os.scandir(root).close()
    except OSError as error:
        raise UserError(f"folder {path} cannot be read: {error.strerror}") from None
    yield from _walk(root, "", [os.path.realpath(root)])


def _walk(folder: str, prefix: str, followed: list[str]) -> Iterator[Sample | Skipped]:
    """Samples of a folder, then of its folders. `followed`: real paths of the root and of folders linked to."""
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError:
        yield Skipped(prefix, "folder that cannot be read")
        return
    folders = []
    for entry in entries:
        if kinds.is_hidden(entry.name):
            continue
        if not entry.name.isascii() and not portable.is_utf8(entry.name):
            yield Skipped(prefix + ascii(entry.name), "name that is not UTF-8")
        elif _is_folder(entry):
            folders.append(entry)
        elif why := kinds.why_not(entry.name):
            yield Skipped(prefix + entry.name, why)
        elif entry.is_symlink() or entry.is_file():  # a link to nothing is a missing image, and its row says so
            yield Sample(prefix + entry.name, path=entry.path)
        else:
            yield Skipped(prefix + entry.name, "link or device")
    for entry in folders:
        if entry.is_symlink() and (why := _why_not_follow(entry.path, followed)):
            yield Skipped(prefix + entry.name, why)
        else:
            yield from _walk(entry.path, f"{prefix}{entry.name}/", followed)


def _why_not_follow(link: str, followed: list[str]) -> Why | None:
    """None for a linked folder that lies apart from all that is read already; it is noted. This is what ends loops."""
    target = os.path.join(os.path.realpath(link), "")
    within = [target.removeprefix(real) for each in followed if target.startswith(real := os.path.join(each, ""))]
    if not all(map(kinds.is_hidden, within)):
        return "link to a folder that is read anyway"
    if any(real.startswith(target) for real in followed):
        return "link to a folder around one that is read"
    followed.append(os.path.realpath(link))
    return None


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def write(table: pd.DataFrame, root: Path, dest: Path) -> int:
    """`<split>/<label>/<file>`; `pool` leaves as `unlabelled`. Raises `UserError` for a label no folder can have."""
    _refuse_labels(table)
    names = leaving.Names()
    count = 0
    for image in leaving.images(table, root):
        split = UNLABELLED_FOLDER if image.split == "pool" else image.split
        folder = f"{split}/{image.label}" if image.label else split
        leaving.save(image, dest / names.free(folder, leaving.file_name(image)))
        count += 1
    return count


def _refuse_labels(table: pd.DataFrame) -> None:
    """Raise `UserError` for a label that some system takes for no folder, or for another's: it would not come back."""
    way_out = "rename it, or export as csv, parquet or webdataset"
    folders: dict[str, str] = {}
    for split, label in table[["split", "label"]].drop_duplicates().itertuples(index=False, name=None):
        if why := "a dot at its start hides it" if label.startswith(".") else portable.why_not(label):
            raise UserError(f"label {label!r} cannot be a folder: {why}; {way_out}")
        other = folders.setdefault(portable.same(f"{split}/{label}"), label)
        if other != label:
            raise UserError(f"labels {other!r} and {label!r} are one folder on macOS and Windows; {way_out}")
