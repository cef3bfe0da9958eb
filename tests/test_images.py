"""Decoding: what must be read, and how; what must be refused, and why."""

import contextlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from curate import images
from curate.images import ImageError, decode, encode_jpeg, encode_png, pixel_hash, read_image
from tests.conftest import picture

PHOTO = picture(3, 40, 30)


def pillow(name: str, mode: str, **settings: object) -> bytes:
    """The photo as Pillow writes it in that mode."""
    module = pytest.importorskip("PIL.Image")
    file = io.BytesIO()
    module.fromarray(PHOTO).convert(mode).save(file, name, **settings)
    return file.getvalue()


def by_pillow(data: bytes) -> np.ndarray:
    module, ops = pytest.importorskip("PIL.Image"), pytest.importorskip("PIL.ImageOps")
    return np.asarray(ops.exif_transpose(module.open(io.BytesIO(data))).convert("RGB"))


def exif(orientation: int) -> bytes:
    module = pytest.importorskip("PIL.Image")
    tags = module.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


SAME_AS_PILLOW = {
    "jpeg": ("JPEG", "RGB", {}),
    "progressive jpeg": ("JPEG", "RGB", {"progressive": True}),
    "grey jpeg": ("JPEG", "L", {}),
    "cmyk jpeg": ("JPEG", "CMYK", {}),
    "cmyk tiff": ("TIFF", "CMYK", {}),
    "png": ("PNG", "RGB", {}),
    "grey png": ("PNG", "L", {}),
    "palette png": ("PNG", "P", {}),
    "1-bit png": ("PNG", "1", {}),
    "gif": ("GIF", "P", {}),
    "bmp": ("BMP", "RGB", {}),
    "webp": ("WEBP", "RGB", {"lossless": True}),
    "tiff": ("TIFF", "RGB", {}),
    "lzw tiff": ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    "1-bit tiff": ("TIFF", "1", {}),
    "ppm": ("PPM", "RGB", {}),
}


@pytest.mark.parametrize("case", SAME_AS_PILLOW)
def test_decodes_as_pillow_does(case: str) -> None:
    name, mode, settings = SAME_AS_PILLOW[case]
    data = pillow(name, mode, **settings)
    decoded = decode(data)
    assert decoded.shape == PHOTO.shape
    assert decoded.flags.c_contiguous
    assert np.abs(decoded.astype(int) - by_pillow(data)).mean() < 2


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_turns_as_exif_says(name: str, orientation: int) -> None:
    settings = {"lossless": True} if name == "WEBP" else {}
    data = pillow(name, "RGB", exif=exif(orientation), **settings)
    expected = by_pillow(data)
    decoded = decode(data)
    assert decoded.shape == expected.shape
    assert np.abs(decoded.astype(int) - expected).mean() < 3


def avif(orientation: int = 1) -> bytes:
    if not pytest.importorskip("PIL.features").check("avif"):
        pytest.skip("this Pillow writes no AVIF")
    return pillow("AVIF", "RGB", exif=exif(orientation), quality=90, speed=10)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turns_an_avif_as_its_boxes_say(orientation: int) -> None:
    data = avif(orientation)
    decoded, expected = decode(data), by_pillow(data)
    assert decoded.shape == expected.shape
    assert np.abs(decoded.astype(int) - expected).mean() < 3


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("quarters", range(4))
def test_turns_an_avif_by_both_of_its_boxes(quarters: int, axis: int) -> None:
    data = avif(5)
    for box, value in ((b"irot", quarters), (b"imir", axis)):
        at = data.index(box) + 4
        data = data[:at] + bytes([value]) + data[at + 1 :]
    decoded, expected = decode(data), by_pillow(data)
    assert decoded.shape == expected.shape
    assert np.abs(decoded.astype(int) - expected).mean() < 3


def test_a_damaged_avif_is_refused_or_read() -> None:
    """Cut anywhere, and with other bits in the boxes that turn it."""
    data = avif(7)
    ends = range(0, len(data), 7)
    at = data.index(b"irot")
    changed = [bytearray(data) for _ in range(80)]
    for number, damaged in enumerate(changed):
        damaged[at - 4 + number // 8] ^= 1 << number % 8
    for damaged in [*(data[:end] for end in ends), *map(bytes, changed)]:
        with contextlib.suppress(ImageError):
            assert decode(damaged).shape in (PHOTO.shape, PHOTO.swapaxes(0, 1).shape)


@pytest.mark.parametrize("order", [b"", b"ab", b"\0\0\0\x09irot", b"\0\0\0\x09imir\x02" * 9, b"irot\x01imir\1"])
def test_boxes_that_are_cut_or_none_turn_nothing_wrongly(order: bytes) -> None:
    assert images._avif_orientation(order) in range(1, 9)


def test_sixteen_bits_become_eight() -> None:
    import cv2

    deep = PHOTO.astype(np.uint16) * 257
    assert np.array_equal(decode(cv2.imencode(".png", deep[:, :, ::-1])[1].tobytes()), PHOTO)
    assert np.array_equal(decode(cv2.imencode(".png", deep[:, :, 0])[1].tobytes())[:, :, 0], PHOTO[:, :, 0])


def test_transparency_is_laid_over_white() -> None:
    module = pytest.importorskip("PIL.Image")
    clear = np.dstack([PHOTO, np.zeros(PHOTO.shape[:2], np.uint8)])
    file = io.BytesIO()
    module.fromarray(clear).save(file, "PNG")
    assert (decode(file.getvalue()) == 255).all()


def test_of_an_animation_the_first_picture_counts() -> None:
    module = pytest.importorskip("PIL.Image")
    first, second = module.new("RGB", (8, 8), (255, 0, 0)), module.new("RGB", (8, 8), (0, 0, 255))
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=[second])
    assert (decode(file.getvalue()) == [255, 0, 0]).all()


def test_one_pixel() -> None:
    assert decode(encode_png(np.full((1, 1, 3), 7, np.uint8))).tolist() == [[[7, 7, 7]]]


def test_pixel_hash_is_of_shape_and_pixels() -> None:
    assert pixel_hash(PHOTO) == pixel_hash(decode(encode_png(PHOTO)))
    assert pixel_hash(np.zeros((2, 8, 3), np.uint8)) != pixel_hash(np.zeros((8, 2, 3), np.uint8))


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return images.PNG_START + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")


REFUSED = {
    "empty": (b"", "empty"),
    "text": (b"this is no image", "not an image"),
    "html with a jpg's name": (b"<html><body>404</body></html>", "not an image"),
    "half a jpeg": (encode_jpeg(PHOTO)[:-20], "truncated"),
    "half a png": (encode_png(PHOTO)[:900], "truncated"),
    "only a jpeg's start": (b"\xff\xd8\xff", "not an image"),
    "png of 3.6 billion pixels": (png_header(60_000, 60_000), "million pixels"),
    "png with no width": (png_header(0, 5), "not an image"),
    "png without its pixels": (png_header(400, 400), "not an image"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses(case: str) -> None:
    data, reason = REFUSED[case]
    with pytest.raises(ImageError, match=reason):
        decode(data)


@pytest.mark.parametrize("name", ["GIF", "BMP", "WEBP", "TIFF", "PPM"])
def test_refuses_half_a_file(name: str) -> None:
    data = pillow(name, "RGB")
    with pytest.raises(ImageError):
        decode(data[: len(data) // 2])


def test_refuses_what_is_no_file(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.jpg")
    for path in (tmp_path / "missing.jpg", tmp_path, tmp_path / "pipe.jpg"):
        with pytest.raises(ImageError):
            read_image(path)


def test_refuses_a_huge_file_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_BYTES", 100)
    (tmp_path / "large.png").write_bytes(bytes(101))
    with pytest.raises(ImageError, match="are read"):
        read_image(tmp_path / "large.png")
