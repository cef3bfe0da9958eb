"""Sets too large for memory, or for several processes: decoded once into a file that is mapped; later runs use it."""

import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from curate.errors import UserError
from curate.files import remove_abandoned, replacing
from curate.wording import pasted
from curate.workspace import Workspace
from train.mapped import MappedImages, open_mapped

FOLDER = "signals/decoded"
VERSION = 1
"""Of the pixels: higher when decoding or resizing gives others."""
KEPT = 4
"""Files, the last used: training and test set, raw and curated. Older ones go, and with them what has become stale."""


def key(content_hashes: Iterable[str], size: int) -> str:
    """Names the pixels of these files, in this order, at this size."""
    digest = hashlib.blake2b(f"{VERSION} {size}\n".encode(), digest_size=16)
    for content in content_hashes:
        digest.update(f"{content}\n".encode())
    return digest.hexdigest()


def decoded(root: Path, name: str, batches: Iterable[np.ndarray], *, count: int, size: int) -> MappedImages:
    """The images called `name` (see `key`), from the workspace's file, written first where there is none.

    batches: shape (B, size, size, 3), uint8, `count` images together; read only when the file has to be written.
    Raises `UserError` where the disk has no room for it.
    """
    folder = root / FOLDER
    path = folder / f"{name}.u8"
    if count and not path.exists():
        with Workspace(root).locked(FOLDER):
            if not path.exists():  # nobody else wrote it meanwhile
                _remove_old(folder, KEPT - 1)
                _check_room(folder, count * size * size * 3, f"{count:,} images of {size} x {size} px")
                with replacing(path) as temporary, temporary.open("wb") as file:
                    for batch in batches:
                        file.write(np.ascontiguousarray(batch).data)
    if count:
        os.utime(path)
    return open_mapped(path, count, size)


def _remove_old(folder: Path, keep: int) -> None:
    """All but the files that were used last, and those that trainings at once share. What this process or another has
    open stays readable for it."""
    files = sorted(folder.glob("*.u8"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    remove_abandoned(files[keep:])


def _check_room(folder: Path, need: int, what: str) -> None:
    free = shutil.disk_usage(folder).free
    if need > free:
        raise UserError(
            f"{what} (too many for memory, or for several processes) take {need / 1e9:.1f} GB in {pasted(folder)}, "
            "where "
            f"{free / 1e9:.1f} GB are free; make room, set a smaller image_size, or try --at-once 1"
        )
