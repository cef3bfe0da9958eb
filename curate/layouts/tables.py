"""What the layouts with a table share: which column holds what, and paths that stay in their folder."""

import os
from collections.abc import Sequence
from pathlib import Path

from curate import remote
from curate.errors import UserError
from curate.layouts import Options
from curate.layouts.folders import split_of
from curate.manifest import SPLITS
from curate.portable import checked_utf8
from curate.wording import middle, some

COLUMNS_IN_AN_ERROR, LONGEST_CELL = 20, 100


def column(options: Options, what: str, there: Sequence[str], where: str, *, needed: bool = True) -> str:
    """Name of the column that holds `what`; "" where there is none and none is needed.

    Raises `UserError` naming the columns there are, or a column that stands twice.
    """
    name = options.columns.get(what, what)
    if list(there).count(name) > 1:
        raise UserError(f"{where}: column {name!r} stands twice; keep one of them")
    if name in there or not name:
        return name
    if not needed and what not in options.columns:
        return ""
    if not any(there):
        raise UserError(f"{where} is empty; its first line must name the columns, for instance: path,label,split")
    none = f", or --column {what}= if there is none" if what == "label" else ""
    listed = some([*map(shown, there)], COLUMNS_IN_AN_ERROR)
    raise UserError(f"{where} has no column {name!r}; there are: {listed} (--column {what}=NAME{none})")


def shown(cell: str) -> str:
    """A cell in an error: in quotes, and cut where it is no word but half of a file."""
    return repr(middle(cell, LONGEST_CELL))


def path_within(root: str, cell: str, where: str) -> str:
    """Absolute path, or URL, of a table's cell. A path of Windows, `cats\\1.jpg`, is read as what there is: a name of
    Unix may hold a backslash, too. Raises `UserError` where it is empty or leads out of `root`; `where` says which
    line."""
    if not cell.strip():
        raise UserError(f"{where} has no path; fill it in, or remove the row")
    path = remote.within(root, cell) if remote.is_url(root) else _local(root, cell)
    if "\x00" in cell or path is None or not path.startswith(os.path.join(root, "")):
        raise UserError(
            f"{where}: path {shown(cell)} does not lie in {root}; name the folder that holds all with --root"
        )
    return path


def _local(root: str, cell: str) -> str:
    """Where the file is that a cell names; with slashes for backslashes only if one is there, and none as named."""
    path = os.path.normpath(os.path.join(root, cell))
    if "\\" in cell and "\0" not in cell and not os.path.lexists(path):
        with_slashes = os.path.normpath(os.path.join(root, cell.replace("\\", "/")))
        return with_slashes if os.path.lexists(with_slashes) else path
    return path


def name_within(root: str, path: str) -> str:
    """The name of what `path_within` gave, relative to the root."""
    return path.removeprefix(os.path.join(root, ""))


def root_of(path: Path, options: Options) -> str:
    """The folder that a table's paths are relative to, or the URL of one in an object store.

    Raises `UserError` for a store that does not answer, or has no such folder.
    """
    given = str(options.root or path.parent)
    if not remote.is_url(given):
        return checked_utf8(os.path.abspath(given))
    remote.reach(given)
    return given.rstrip("/")


def split_cell(cell: str, where: str) -> str:
    """The split that a cell means. Raises `UserError` for a word that is none."""
    split = split_of(cell)
    if cell.strip() and not split:
        raise UserError(f"{where}: no split is called {shown(cell)}; there are: {', '.join(SPLITS)}")
    return split
