"""Which files of a folder or archive are taken for images: their names say it, before anything is read."""

import os

from curate.images import IMAGE_SUFFIXES
from curate.layouts import Why

BESIDE_FILES = frozenset({"__MACOSX", "@eaDir"})
"""Folders of what macOS and Synology keep beside files; thumbnails among it."""
NOT_READ = frozenset(
    {
        *(".heic", ".heif", ".jxl", ".j2k", ".jpx", ".svg", ".psd", ".tga", ".ico", ".exr", ".hdr", ".dcm"),
        *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw"),
    }
)
"""Of images that are not decoded here; in the second line what cameras call their raw files."""


def is_hidden(name: str) -> bool:
    """Whether a file is hidden or lies in a hidden folder, or holds what systems keep beside files."""
    return any(component.startswith(".") or component in BESIDE_FILES for component in name.split("/"))


def why_not(name: str) -> Why | None:
    """Why a file of this name is not taken for an image, None where it is."""
    ending = suffix(name)
    if ending in IMAGE_SUFFIXES:
        return None
    if ending in NOT_READ:
        return "image format that is not read"
    return "not an image" if ending else "name without a suffix"


def suffix(name: str) -> str:
    """What a file's name ends in, in lower case: `.jpg`; "" where there is none."""
    return os.path.splitext(name)[1].lower()
