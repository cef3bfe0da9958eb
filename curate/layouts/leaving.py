"""Images on their way out: their bytes, checked against the manifest, and names that are free."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import pandas as pd

from curate import manifest
from curate.errors import UserError
from curate.headers import AVIF, PNM, TIFF
from curate.images import IMAGE_SUFFIXES, ImageError, read_unchanged
from curate.layouts.unpack import safe_path, unique
from curate.portable import MAX_PATH, portable
from curate.wording import pasted

SHARD_BYTES = 500_000_000
"""Size that shards are cut at: what `datasets` itself writes."""
SUFFIX_BY_START = {b"\xff\xd8\xff": ".jpg", b"\x89PNG": ".png", b"GIF8": ".gif", b"BM": ".bmp", b"RIFF": ".webp"}
"""What browsers show, and labelling tools are given as it is."""
OTHER_STARTS = ((AVIF, ".avif"), (PNM, ".pnm"), (TIFF, ".tiff"), (rb"\0\0\0\x0cjP  ", ".jp2"))
"""How other formats start, as patterns."""


@dataclass(frozen=True, slots=True)
class Image:
    """A row of the manifest with its file's bytes."""

    image_id: str
    split: str
    label: str
    data: bytes
    parent_id: str = ""


@dataclass
class Names:
    """Which file names are taken in which folder."""

    taken: dict[str, int] = field(default_factory=dict)

    def free(self, folder: str, name: str) -> str:
        """`folder/name` as every system takes it, with a number in it where that is taken."""
        room = MAX_PATH - len(f"{folder}/~999")
        return unique(f"{folder}/{portable(name, room)}", self.taken, ignore_case=True)


def images(table: pd.DataFrame, root: Path) -> Iterator[Image]:
    """Every row that has a file, with its bytes, in order.

    Rows without a content hash never had one and are left out, as are those whose file is known to be gone. Raises
    `UserError` where a file has gone or changed since it was added.
    """
    table = table[table["error"] != manifest.GONE]
    paths = manifest.locate(table, root)
    names = ["image_id", "split", "label", "parent_id", "content_hash"]
    for image_id, split, label, parent_id, digest, path in zip(*(table[name] for name in names), paths, strict=True):
        if not digest:
            continue
        try:
            data = read_unchanged(path, digest)
        except ImageError as error:
            raise UserError(
                f"{pasted(path)} ({image_id}) cannot be read any more: {error}; bring it back, or 'curate add' its "
                "source again"
            ) from None
        if data is None:
            raise UserError(
                f"{pasted(path)} ({image_id}) has changed since it was added; 'curate add' its source again"
            )
        yield Image(image_id, split, label, data, parent_id)


def file_name(image: Image) -> str:
    """The image's own file name, made so that it reads as an image: not hidden, and with a suffix."""
    name = portable(safe_path(image.image_id).rpartition("/")[2])
    name = f"_{name}" if name.startswith(".") else name
    return name if os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES else name + suffix(image)


def suffix(image: Image) -> str:
    """The file name's suffix in lower case, or the one that its first bytes call for."""
    given = os.path.splitext(image.image_id)[1].lower()
    return given if given in IMAGE_SUFFIXES else suffix_of(image.data)


def suffix_of(data: bytes) -> str:
    """The suffix that an image's first bytes call for; `.jpg` where they say nothing."""
    shown = (ending for start, ending in SUFFIX_BY_START.items() if data.startswith(start))
    others = (ending for start, ending in OTHER_STARTS if re.match(start, data, re.DOTALL))
    return next(chain(shown, others), ".jpg")


def save(image: Image, path: Path) -> None:
    """Write the bytes unchanged."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(image.data)
