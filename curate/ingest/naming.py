"""What a source is called in `image_id` and `images/`: a name that can be a folder, and no other source's."""

import os
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from curate.errors import UserError
from curate.images import ImageError, read_unchanged
from curate.layouts import archives, folders
from curate.portable import checked_utf8, is_utf8
from curate.sources import Named
from curate.workspace import Workspace

IMAGES_TO_COMPARE = 100
"""So many of a source are read to tell whether a folder is the same: chosen by eye."""


def checked(name: str) -> str:
    """A source's name as given by the user: one that can be a folder."""
    fits = is_utf8(name) and len(name.encode()) <= 100
    if not name.strip() or name.startswith(".") or set(name) & set("/\\\x00") or not fits:
        raise UserError(f"{name!a} cannot name a source: it must be short, without slashes, and not start with a dot")
    return name


def address(source: Path | Named) -> str:
    """Where a source is: its absolute path, or `fiftyone:pets`. Raises `UserError` for a path that is not UTF-8."""
    return checked_utf8(str(source) if isinstance(source, Named) else os.path.abspath(source))


def _own_name(source: Path | Named) -> str:
    """What a source is called, as a folder may be."""
    if isinstance(source, Named):
        return source.name.replace("/", "-").replace("\\", "-")
    return archives.stem(os.path.basename(os.path.abspath(source)))


def choose(workspace: Workspace, source: Path | Named, before: pd.DataFrame) -> str:
    """The name that the source has, also where its folder was moved or renamed since; else its own name, with a number
    where another source has it."""
    here = address(source)
    owners: dict[str, set[str]] = {str(name): set() for name in before["source"].unique()}
    for name, place in _names(workspace):
        owners.setdefault(name, set()).add(place)
    for name, places in reversed(owners.items()):
        if _is_same(here, places, before[before["source"] == name]):
            return name
    base = _own_name(source).lstrip(".")[:60] or "images"
    taken, name, number = {name.casefold() for name in owners}, base, 2
    while name.casefold() in taken:
        name, number = f"{base}-{number}", number + 1
    return name


def others(workspace: Workspace, name: str, here: str) -> set[str]:
    """Where else sources of that name were."""
    return {place for other, place in _names(workspace) if other == name and place != here}


def folders_of_others(workspace: Workspace, here: str) -> set[str]:
    """Of a folder, the folders that there are of sources that lie elsewhere, and neither around it nor in it; none of
    tables, whose images lie in such by nature."""
    if not os.path.isdir(here):
        return set()
    places = {place for _, place in _names(workspace) if os.path.isdir(place)}
    return {place for place in places if not _is_in(place, here) and not _is_in(here, place)}


def _is_in(path: str, folder: str) -> bool:
    return os.path.join(path, "").startswith(os.path.join(folder, ""))


def _names(workspace: Workspace) -> list[tuple[str, str]]:
    """(name, address) of what was added, oldest first."""
    given = [entry.arguments for entry in workspace.ledger() if entry.command == "add"]
    return [(str(each["name"]), str(each.get("source"))) for each in given if each.get("name")]


def _is_same(here: str, places: set[str], rows: pd.DataFrame) -> bool:
    """Whether a source had a name before: it was at one of the places, and is not now elsewhere; or it is the folder
    that was there. rows: of that name."""
    if here in places:
        away = [os.path.join(place, "") for place in places - {here} if os.path.isdir(place)]
        return not len(rows) or not any(rows["path"].str.startswith(place).all() for place in away)
    return os.path.isdir(here) and not any(map(os.path.exists, places)) and _holds(here, places, rows)


def _holds(here: str, places: Collection[str], rows: pd.DataFrame) -> bool:
    """Whether at least half of the images that were at one of the places are in the folder `here`."""
    rows = rows[(rows["parent_id"] == "") & (rows["content_hash"] != "")]
    rows = rows.iloc[:: max(1, len(rows) // IMAGES_TO_COMPARE)]
    same = 0
    for path, digest in zip(rows["path"], rows["content_hash"], strict=True):
        place = next((place for place in places if path.startswith(os.path.join(place, ""))), None)
        try:
            same += place is not None and read_unchanged(here + path.removeprefix(place), digest) is not None
        except ImageError:
            continue
    return 0 < len(rows) <= 2 * same


def split_of(source: Path | Named) -> str:
    """`test` for a folder, file or set called `test`: what is in it shall not go to `train`."""
    return folders.SPLIT_FOLDERS.get(_own_name(source).lower(), "")
