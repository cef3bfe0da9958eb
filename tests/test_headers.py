"""The size that an image's header claims, in every format, and before anything is decoded."""

import random
import struct

import cv2
import numpy as np
import pytest

from curate import headers, images
from curate.headers import claimed_pixels
from curate.images import ImageError, decode
from tests.conftest import picture
from tests.hostile import pictures

PHOTO = picture(3, 23, 41)
DECODED = (".jpg", ".png", ".webp", ".gif", ".tiff", ".bmp", ".ppm", ".pgm", ".pam")


def encoded(suffix: str) -> bytes:
    return cv2.imencode(suffix, PHOTO[:, :, 0] if suffix == ".pgm" else PHOTO)[1].tobytes()


@pytest.mark.parametrize("suffix", list(DECODED))
def test_the_size_that_is_decoded(suffix: str) -> None:
    assert claimed_pixels(encoded(suffix)) == 23 * 41


@pytest.mark.parametrize("suffix", list(DECODED))
def test_nothing_beyond_the_limit_is_decoded(suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_PIXELS", 23 * 41)
    assert decode(encoded(suffix)).shape == PHOTO.shape
    monkeypatch.setattr(images, "MAX_PIXELS", 23 * 41 - 1)
    with pytest.raises(ImageError, match="million pixels"):
        decode(encoded(suffix))


BOX = struct.pack(">II", 300, 200)
CLAIMS = {
    "png": (pictures.png(300, 200, b"", 8, 2), 60_000),
    "upside down bmp": (pictures.bmp(300, -200, 24), 60_000),
    "os/2 bmp": (b"BM" + bytes(12) + struct.pack("<IHH", 12, 300, 200) + bytes(9), 60_000),
    "gif": (pictures.gif(300, 200), 60_000),
    "tiff": (pictures.tiff(300, 200, 1), 60_000),
    "tiff with a tile larger than itself": (pictures.tiff(3, 2, 1, tile=(300, 200)), 60_000),
    "bigtiff": (
        b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, 2) + struct.pack("<HHQQHHQQ", 256, 4, 1, 300, 257, 3, 1, 200),
        60_000,
    ),
    "lossless webp": (b"RIFF....WEBPVP8L" + struct.pack("<IBI", 9, 0x2F, 299 | 199 << 14), 60_000),
    "animated webp": (pictures.webp(300, 200, animated=True), 60_000),
    "jpeg behind two profiles": (pictures.jpeg(random.Random(0), 300, 200, before=b"\xff\xe2\0\4ab" * 2), 60_000),
    "jpeg behind filling": (b"\xff\xd8\xff\xff\xff\xff\xc0\0\x11\x08" + struct.pack(">HH", 200, 300), 60_000),
    "ppm with remarks": (b"P6 # a\n# b\n300 #c\n200 255\n", 60_000),
    "jpeg 2000": (b"\xff\x4f\xff\x51" + struct.pack(">HHIIII", 47, 0, 310, 205, 10, 5), 60_000),
    "avif": (b"\0\0\0\x1cftypavif" + bytes(99) + b"ispe" + bytes(4) + BOX, 60_000),
    "cut png": (images.PNG_START, 0),
    "cut jpeg": (b"\xff\xd8\xff\xe0\0", 0),
    "cut tiff": (b"II*\0\xff\xff\xff\xff", 0),
    "cut jpeg 2000": (b"\xff\x4f\xff\x51", 0),
    "ppm without a size": (b"P6 a b", 0),
    "radiance, which OpenCV reads by way of a file": (b"#?RADIANCE\n\n-Y 1 +X 1\n", None),
    "sun raster": (b"\x59\xa6\x6a\x95" + bytes(99), None),
    "text": (b"PK, BMP and GIF", None),
    "nothing": (b"", None),
}


@pytest.mark.parametrize("case", list(CLAIMS))
def test_what_a_header_claims(case: str) -> None:
    data, pixels = CLAIMS[case]
    assert claimed_pixels(data) == pixels


def test_a_jpeg_of_segments_without_end_is_no_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headers, "JPEG_SEGMENTS", 3)
    assert claimed_pixels(b"\xff\xd8" + b"\xff\xe2\0\2" * 4) is None


def test_a_jpeg_of_scans_without_end_is_refused() -> None:
    few, many = (pictures.scans(random.Random(0), count, side=32) for count in (3, images.MAX_SCANS + 1))
    assert decode(few).shape == (32, 32, 3)
    with pytest.raises(ImageError, match="scans"):
        decode(many)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_converting_in_parts_changes_no_pixel(channels: int, kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(0, np.iinfo(kind).max, (31, 7, channels), kind, endpoint=True)
    data = cv2.imencode(".png", noise)[1].tobytes()
    whole = decode(data)
    monkeypatch.setattr(images, "PIXELS_AT_ONCE", 50)
    assert np.array_equal(decode(data), whole)
