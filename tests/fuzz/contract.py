"""What a reader promises for any input: a result, or an error that a user understands. And a place for files."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from curate.errors import UserError

IN_MEMORY = Path("/dev/shm")


@contextmanager
def answered() -> Iterator[None]:
    """A `UserError` of one line in the block is an answer; one without words or of several lines is a finding, and so
    is whatever else is raised."""
    try:
        yield
    except UserError as error:
        check_error(error)


def check_error(error: UserError) -> None:
    """Raises `AssertionError` for an error that is empty or not one line."""
    text = str(error)
    assert text.strip(), "an error without words"
    assert not {"\n", "\r"} & set(text), f"an error of several lines: {text!r}"


@cache
def scratch() -> Path:
    """A folder of this process, in memory where there is such a place: files are written by the million."""
    parent = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None
    folder = tempfile.TemporaryDirectory(prefix="curate-fuzz-", dir=parent)
    _kept.append(folder)
    return Path(folder.name)


_kept: list[tempfile.TemporaryDirectory] = []
"""The folder goes when the process ends."""


def file(name: str, data: bytes) -> Path:
    """A file with this content; the next one of that name takes its place."""
    path = scratch() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
