"""Small pictures that lie in the page itself."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass

from curate.engine import CRASHED, Local
from curate.images import ImageError, encode_jpeg, encode_png, read_image, thumbnail

SIDE = 96
"""Pixels; a tile is this wide."""
LOSSLESS = 40
"""Up to this side pictures are kept pixel for pixel (a 32 x 32 PNG is 2 to 3 kB): JPEG's blocks would show enlarged."""
BUDGET = 5_000_000
"""Bytes of all pictures together, so that the page stays below 8 MB; about 900 photos."""


@dataclass(frozen=True)
class Picture:
    """A data URI, or "" with the reason why there is none."""

    uri: str
    reason: str = ""
    enlarge: bool = False
    """Whether it has fewer pixels than the tile."""
    size: tuple[int, int] | None = None
    """Width and height of the image itself, in pixels."""


def pictures(paths: Iterable[str]) -> dict[str, Picture]:
    """Pictures of image files, at most `BUDGET` bytes in all; what does not fit any more says so."""
    wanted = list(dict.fromkeys(paths))
    batches = Local().map_batches(
        _pictures, wanted, batch_size=16, describe="thumbnails", total=len(wanted), crashed=none_of
    )
    made = [picture for batch in batches for picture in batch]
    used, result = 0, {}
    for path, picture in zip(wanted, made, strict=True):
        used += len(picture.uri)
        result[path] = picture if used <= BUDGET else Picture("", "left out to keep this page small")
    return result


def _pictures(paths: list[str]) -> list[Picture]:
    return [_picture(path) for path in paths]


def _picture(path: str) -> Picture:
    return picture(path, SIDE)


def none_of(path: str) -> list[Picture]:
    """What stands for an image whose decoding ended the process."""
    return [Picture("", CRASHED)]


def picture(path: str, side: int, *, quality: int = 82) -> Picture:
    """The picture of an image file, or of what lies behind a URL, made to fit into `side` pixels.

    quality: of a JPEG, 0 to 100.
    """
    try:
        image = read_image(path)
    except ImageError as error:
        return Picture("", str(error))
    small, (height, width) = thumbnail(image, side), image.shape[:2]
    longer = max(small.shape[:2])
    kind, data = ("png", encode_png(small)) if longer <= LOSSLESS else ("jpeg", encode_jpeg(small, quality=quality))
    uri = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return Picture(uri, enlarge=longer < side, size=(width, height))
