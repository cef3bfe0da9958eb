"""What `add` finds out about each image file: its hashes, its size, and why it cannot be decoded.

A module of its own, so that worker processes import no more than decoding needs.
"""

from dataclasses import dataclass

from curate.engine import CRASHED
from curate.headers import highest_level
from curate.images import ImageError, content_hash, decode, pixel_hash, read_bytes

DIM = 16
"""What 4,095, the most that 12 bits hold, comes to of 255 where the file has 16."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Columns of the manifest that come from the file; 0 and "" where there is no such thing."""

    width: int = 0
    height: int = 0
    content_hash: str = ""
    pixel_hash: str = ""
    error: str = ""
    dim: bool = False
    """Whether it has 16 bits a channel and uses 12 at most."""


def examine_batch(batch: list[tuple[str, str]]) -> list[Seen]:
    """`examine` for a batch of (path, error)."""
    return [Seen(error=error) if error else examine(path) for path, error in batch]


def crashed(item: tuple[str, str]) -> list[Seen]:
    """What stands for an image whose decoding ended the process."""
    try:
        return [Seen(content_hash=content_hash(read_bytes(item[0])), error=CRASHED)]
    except ImageError:
        return [Seen(error=CRASHED)]


def examine(path: str) -> Seen:
    """Read, hash and decode one file. Never raises for what is wrong with the file: `error` says it."""
    try:
        data = read_bytes(path)
    except ImageError as error:
        return Seen(error=str(error))
    digest = content_hash(data)
    try:
        image = decode(data)
    except ImageError as error:
        return Seen(content_hash=digest, error=str(error))
    dim = highest_level(data) == 65_535 and int(image.max()) <= DIM
    return Seen(image.shape[1], image.shape[0], digest, pixel_hash(image), dim=dim)
