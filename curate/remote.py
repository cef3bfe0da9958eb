"""Images in object stores: what `fsspec` reads by a URL, `s3://bucket/photos/1.jpg` or `gs://…`."""

import posixpath
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from curate.errors import UserError
from curate.wording import pasted

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

URL = re.compile(r"[a-z][a-z0-9+.-]*://")


def is_url(path: str) -> bool:
    """Whether a path is a URL, and no file of this machine."""
    return not path.startswith("/") and URL.match(path) is not None


def within(root: str, path: str) -> str | None:
    """The URL of a path below `root`; None where it leads out of that."""
    joined = posixpath.normpath(path)
    if not path or joined in (".", "..") or joined.startswith(("/", "../")) or URL.match(path):
        return None
    return f"{root.rstrip('/')}/{joined}"


def reach(root: str) -> None:
    """Raise `UserError` unless there is something at the URL: a store that does not answer is asked once, not a million
    times."""
    files = _files(root.partition("://")[0])
    try:
        there, why = files.exists(root), "nothing is there"
    except Exception as error:  # see `read`
        there, why = False, _said(error)
    if not there:
        raise UserError(f"{pasted(root)} cannot be read: {why}; check the name, and what fsspec is told of the store")


def read(url: str, most: int) -> bytes:
    """A file's bytes, no more than `most` of them.

    Raises `OSError` where it cannot be read, and `UserError` where fsspec, or what it needs for this kind of URL, is
    not installed.
    """
    files = _files(url.partition("://")[0])
    try:
        data: bytes = files.cat_file(files._strip_protocol(url), start=0, end=most)
    except OSError:
        raise
    except Exception as error:  # what stores raise when they refuse is no OSError in every one of fsspec's drivers
        raise OSError(_said(error)) from None
    return data


def _said(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


@lru_cache
def _files(protocol: str) -> "AbstractFileSystem":
    try:
        import fsspec

        return fsspec.filesystem(protocol)
    except ImportError as error:
        raise UserError(
            f"{protocol}:// needs more than is installed: {error}; pip install 'curate-images[remote]'"
        ) from None
    except ValueError as error:
        raise UserError(f"{protocol}:// cannot be read: {error}") from None
