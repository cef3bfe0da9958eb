"""Image files of every format, given to the decoder. OpenCV itself is not instrumented, what stands around it is."""

import random
import zlib

import numpy as np

from curate.images import ImageError, decode, pixel_hash, thumbnail
from tests.hostile.pictures import SUFFIXES, drawn, encoded

EXIF = b"eXIfII*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
"""The part of a PNG that says: turned by 90 degrees."""


def seeds() -> list[bytes]:
    """A small picture in every format, in grey, with transparency, with 16 bits, and turned."""
    random_ = random.Random(0)
    color = drawn(random_, 32, 33)
    kinds = [color, color[:, :, 0], np.dstack([color, color[:, :, :1]])]
    deep = [kind.astype(np.uint16) * 257 for kind in kinds]
    files = [encoded(suffix, color) for suffix in (*SUFFIXES, ".ppm", ".jp2")]
    files += [encoded(suffix, kind) for suffix in (".png", ".tiff") for kind in (*kinds, *deep)]
    png = encoded(".png", color)
    end = png.rindex(b"IEND") - 4
    return [*files, png[:end] + b"\0\0\0\x1a" + EXIF + zlib.crc32(EXIF).to_bytes(4) + png[end:], b"P2\n2 1\n255\n7 9\n"]


def one(data: bytes) -> None:
    """RGB of 8 bits, or a reason in a few words."""
    try:
        image = decode(data)
    except ImageError as error:
        reason = str(error)
    else:
        _check(image)
        return
    assert 0 < len(reason) < 200, reason
    assert reason.isprintable(), reason


def _check(image: np.ndarray) -> None:
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3
    assert image.flags.c_contiguous
    assert image.size > 0
    assert len(pixel_hash(image)) == 32
    assert max(thumbnail(image, 4).shape[:2]) <= 4
