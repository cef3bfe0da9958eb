"""Files on their way out of an archive into `images/<source>/`: safe names, all of them or none, none overwritten."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from curate.errors import UserError
from curate.files import TEMPORARY_PREFIX
from curate.images import content_hash
from curate.portable import MAX_NAME_BYTES, same


@dataclass
class Unpacking:
    """Where files go, and which names are taken. Paths are strings: a million Path objects cost seconds."""

    final: str
    """Absolute path of `images/<source>`."""
    staging: str
    """A folder beside it, where the files lie until `publish`."""
    grows: bool
    """Whether `final` was there before."""
    taken: dict[str, int] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)


@contextmanager
def unpacking(root: Path, source: str) -> Iterator[Unpacking]:
    """Make the staging folder, and remove it in the end with what was not published.

    Staging folders of a killed command are removed, too: the caller holds the workspace's lock.
    """
    images = os.path.join(os.path.abspath(root), "images")
    if os.path.isdir(images):
        for name in os.listdir(images):
            if name.startswith(TEMPORARY_PREFIX):
                shutil.rmtree(os.path.join(images, name))
    final = os.path.join(images, source)
    staging = os.path.join(images, f"{TEMPORARY_PREFIX}{source}")
    try:
        yield Unpacking(final, staging, os.path.isdir(final))
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if os.path.isdir(images) and not os.listdir(images):
            os.rmdir(images)


def put(to: Unpacking, name: str, data: bytes) -> tuple[str, str]:
    """Keep the bytes of one image under its (made safe) name.

    A file of that name with the same bytes is used as it is; beside one with other bytes the name gets a hash, so that
    earlier versions of the manifest stay true. Returns: (path below `images/<source>`, where the bytes lie now).
    """
    relative = unique(safe_path(name), to.taken, ignore_case=True)  # some file systems take Cat/1.jpg for cat/1.jpg
    if to.grows:
        if _holds(f"{to.final}/{relative}", data):
            return relative, f"{to.final}/{relative}"
        if os.path.lexists(f"{to.final}/{relative}"):
            relative = _with(relative, f"-{content_hash(data)[:12]}")
            if _holds(f"{to.final}/{relative}", data):
                return relative, f"{to.final}/{relative}"
    staged = f"{to.staging}/{relative}"
    folder = os.path.dirname(staged)
    try:
        if folder not in to.folders:
            os.makedirs(folder, exist_ok=True)
            to.folders.add(folder)
        with open(staged, "wb") as file:
            file.write(data)
    except OSError as error:
        place = f"{to.final}/{relative}"
        raise UserError(f"{place} cannot be written: {error.strerror}; nothing was added, mend that first") from None
    return relative, staged


def publish(to: Unpacking, wanted: set[str]) -> set[str]:
    """Move the staged files among `wanted` (paths below `images/<source>`) to their place; on the disk when it ends.

    Returns those that it moved: the others were there already.
    """
    staged = {
        os.path.relpath(os.path.join(folder, name), to.staging)
        for folder, _, names in os.walk(to.staging)
        for name in names
    }
    moved = wanted & staged
    if not moved:
        return moved
    os.sync()  # once for all files: an fsync for each takes minutes for 60,000
    if not to.grows and moved == staged:
        os.rename(to.staging, to.final)
    else:
        for relative in moved:
            os.makedirs(os.path.dirname(f"{to.final}/{relative}"), exist_ok=True)
            os.rename(f"{to.staging}/{relative}", f"{to.final}/{relative}")
    os.sync()
    return moved


def safe_path(name: str) -> str:
    """A relative path whose every component a file system takes, and that leads nowhere else.

    Names that are too long are cut and end in a hash; `..`, `.` and empty components become `_`.
    """
    components = name.replace("\x00", "_").split("/")
    if len(name) >= MAX_NAME_BYTES // 4:  # below that it is short enough even if every letter takes four bytes
        components = [_short(component) for component in components]
    return "/".join("_" if component in ("", ".", "..") else component for component in components)


def unique(name: str, taken: dict[str, int], *, ignore_case: bool = False) -> str:
    """The name itself, or with `~2`, `~3`, … before its suffix where it is taken; notes it in `taken`.

    taken: name -> the last number that was tried with it, 1 for none: of thousands of equal names, none is tried twice.
    ignore_case: names that some system takes for one are one, see `portable.same`.
    """
    key = same if ignore_case else str
    candidate, number = name, taken.get(key(name), 1)
    while key(candidate) in taken:
        number += 1
        candidate = _with(name, f"~{number}")
    taken[key(name)] = number
    taken.setdefault(key(candidate), 1)
    return candidate


def _short(component: str) -> str:
    encoded = component.encode()
    if len(encoded) <= MAX_NAME_BYTES:
        return component
    stem, suffix = os.path.splitext(component)
    kept = stem.encode()[: MAX_NAME_BYTES - 40].decode(errors="ignore")
    return f"{kept}-{content_hash(encoded)[:12]}{suffix if len(suffix) < 10 else ''}"


def _with(name: str, ending: str) -> str:
    stem, suffix = os.path.splitext(name)
    return f"{stem}{ending}{suffix}"


def _holds(path: str, data: bytes) -> bool:
    try:
        if os.path.getsize(path) != len(data):
            return False
        with open(path, "rb") as file:
            return file.read() == data
    except OSError:
        return False
