"""What a source is called in `image_id` and `images/`: a name that can be a folder, and no other source's."""

import os
from pathlib import Path

import pandas as pd

from curate.errors import UserError
from curate.ingest import archives
from curate.ingest import layout as folders
from curate.sources import Named
from curate.workspace import Workspace


def checked(name: str) -> str:
    """A source's name as given by the user: one that can be a folder."""
    if not name.strip() or name.startswith(".") or set(name) & set("/\\\x00") or len(name.encode()) > 100:
        raise UserError(f"{name!r} cannot name a source: it must be short, without slashes, and not start with a dot")
    return name


def address(source: Path | Named) -> str:
    """Where a source is: its absolute path, or `fiftyone:pets`."""
    return str(source) if isinstance(source, Named) else os.path.abspath(source)


def _own_name(source: Path | Named) -> str:
    """What a source is called, as a folder may be."""
    if isinstance(source, Named):
        return source.name.replace("/", "-").replace("\\", "-")
    return archives.stem(os.path.basename(os.path.abspath(source)))


def choose(workspace: Workspace, source: Path | Named, before: pd.DataFrame) -> str:
    """The source's own name, with a number where another source has it."""
    here = address(source)
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


def split_of(source: Path | Named) -> str:
    """`test` for a folder, file or set called `test`: what is in it shall not go to `train`."""
    return folders.SPLIT_FOLDERS.get(_own_name(source).lower(), "")
