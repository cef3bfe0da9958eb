"""Names that Windows, macOS and Linux all take, so that what leaves this machine arrives whole on another."""

import os
import re
import unicodedata

from curate.errors import UserError
from curate.images import content_hash

FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
"""What no file name holds on Windows; on macOS alone ":" and "/", on Linux "/" and NUL."""
DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\.|:|$)", re.IGNORECASE)
"""Names that Windows keeps for devices, with any suffix: `aux.png` is one, too.

Both: Microsoft, "Naming Files, Paths, and Namespaces"."""
MAX_NAME_BYTES = 200
"""Longer file and folder names are cut and end in a hash: file systems take 255 bytes, or 255 letters, and a name may
get a number."""
MAX_PATH = 200
"""Letters of a path within what is exported. Windows takes 260 in all, unless it is told otherwise; 60 are left for the
folder that it is unpacked to."""
MIN_NAME = 40
"""Shorter than this no name is cut, however deep its folder is: it would say nothing any more."""


def is_utf8(name: str) -> bool:
    """Whether every table can hold a name: the bytes of a file's name may be none that are text."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def checked_utf8(path: str) -> str:
    """The path itself. Raises `UserError` for one that is not UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError as error:
        folder = path[: path.find(os.sep, error.start)] if os.sep in path[error.start :] else path
        raise UserError(f"the name of {folder!a} is not UTF-8; rename it") from None
    return path


def same(path: str) -> str:
    """What two paths have in common that are one where case is ignored, or how letters are composed, as on macOS."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


def why_not(name: str) -> str:
    """Why some system does not take a file or folder of this name as it is; "" where all do."""
    if found := FORBIDDEN.search(name):
        return f"Windows takes no {found.group()!r} in a name"
    if name.endswith((".", " ")):
        return "Windows drops a dot or space at the end of a name"
    if DEVICE.match(name):
        return "Windows keeps this name for a device"
    if len(name.encode()) > 255:
        return f"it has {len(name.encode())} bytes, and file systems take 255"
    return ""


def portable(name: str, room: int = MAX_PATH) -> str:
    """A file name like `name` that every system takes, of at most `room` letters, if those are `MIN_NAME`.

    What is cut keeps its suffix and ends in a hash of the whole name, so that two names that begin alike stay two.
    """
    clean = re.sub(r"[. ]+$", "_", FORBIDDEN.sub("_", name))
    clean = f"_{clean}" if DEVICE.match(clean) else clean
    room = max(room, MIN_NAME)
    if len(clean) <= room and len(clean.encode()) <= MAX_NAME_BYTES:
        return clean
    stem, dot, suffix = clean.rpartition(".")
    ending = f"-{content_hash(name.encode())[:12]}{dot + suffix if stem and len(suffix) < 9 else ''}"
    kept = (stem or clean).encode()[: MAX_NAME_BYTES - len(ending.encode())].decode(errors="ignore")
    return kept[: room - len(ending)] + ending
