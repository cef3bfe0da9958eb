"""Decoding: what must be read, and how; what must be refused, and why."""

import contextlib
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from curate import images
from curate.images import ImageError, decode, encode_jpeg, encode_png, pixel_hash, read_image
from tests.conftest import picture
from tests.hostile import pictures

PHOTO = picture(3, 40, 30)
TWICE = np.tile(PHOTO, (2, 3, 1))
"""As large as OpenCV's writer of JPEG 2000 wants it."""


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


def pnm(kind: bytes, top: int, *, plain: bool = False) -> bytes:
    """The photo's red, or all of it (P6), with levels from 0 to `top`."""
    levels = leveled(PHOTO if kind in b"P3 P6" else PHOTO[:, :, 0], top)
    content = levels.astype("u1" if top < 256 else ">u2").tobytes()
    return b"%s\n30 40\n%d\n" % (kind, top) + (b"".join(b"%d\n" % level for level in levels.flat) if plain else content)


def pam(channels: int, top: int) -> bytes:
    """Grey, grey and alpha, RGB, or RGBA, opaque."""
    opaque = np.full((40, 30, 1), 255, np.uint8)
    levels = leveled(np.dstack([PHOTO[:, :, : (channels - 1) // 2 * 2 + 1], opaque])[:, :, :channels], top)
    head = b"P7\n# a photo\nWIDTH 30\nHEIGHT 40\nDEPTH %d\nMAXVAL %d\nENDHDR\n" % (channels, top)
    return head + levels.astype("u1" if top < 256 else ">u2").tobytes()


def leveled(pixels: np.ndarray, top: int) -> np.ndarray:
    return np.round(pixels / 255 * top).astype(int)


def avif_of(bits: int) -> bytes:
    import cv2

    settings = [cv2.IMWRITE_AVIF_DEPTH, bits, cv2.IMWRITE_AVIF_QUALITY, 100, cv2.IMWRITE_AVIF_SPEED, 10]
    return cv2.imencode(".avif", leveled(PHOTO[:, :, ::-1], 2**bits - 1).astype(np.uint16), settings)[1].tobytes()


def jpeg2000_of(bits: int) -> bytes:
    """Written as 16 bits, lossless; the header then says `bits`, and a level is counted from half of the range."""
    import cv2

    levels = leveled(TWICE[:, :, 0], 2**bits - 1) - (1 << bits - 1) + (1 << 15)
    settings = [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000]
    data = bytearray(cv2.imencode(".jp2", levels.astype(np.uint16), settings)[1].tobytes())
    data[data.index(b"\xff\x4f\xff\x51") + 42] = bits - 1
    return bytes(data)


DEPTHS = {
    **{f"pgm, {top}": (pnm(b"P5", top), top) for top in (1, 15, 100, 1023, 4095, 65_535)},
    **{f"ppm, {top}": (pnm(b"P6", top), top) for top in (1, 15, 4095)},
    **{f"plain pgm, {top}": (pnm(b"P2", top, plain=True), top) for top in (1, 15, 4095)},
    **{f"pam of {channels}, {top}": (pam(channels, top), top) for channels in (1, 2, 3, 4) for top in (1, 255, 4095)},
}


@pytest.mark.parametrize("case", DEPTHS)
def test_levels_are_those_of_the_header(case: str) -> None:
    data, top = DEPTHS[case]
    decoded, expected = decode(data), np.round(leveled(PHOTO, top) * (255 / top))
    if (decoded == decoded[:, :, :1]).all():  # grey
        expected = expected[:, :, :1]
    assert np.abs(decoded - expected).max() <= 1


@pytest.mark.parametrize("bits", [10, 12])
def test_levels_of_an_avif_and_a_jpeg_2000_fill_their_bits(bits: int) -> None:
    assert np.abs(decode(jpeg2000_of(bits))[:, :, 0].astype(int) - TWICE[:, :, 0]).max() <= 2
    avif()  # skips where there is none
    assert np.abs(decode(avif_of(bits)).astype(int) - PHOTO).mean() < 12  # colour has half of the resolution


@pytest.mark.parametrize("alpha", [0, 128, 255])
@pytest.mark.parametrize(("name", "mode"), [("PNG", "RGBA"), ("PNG", "LA"), ("TIFF", "RGBA"), ("WEBP", "RGBA")])
def test_transparency_is_laid_over_white(name: str, mode: str, alpha: int) -> None:
    module = pytest.importorskip("PIL.Image")
    clear = module.new(mode, (3, 2), (100,) * (len(mode) - 1) + (alpha,))
    file = io.BytesIO()
    clear.save(file, name, lossless=True)
    assert np.abs(decode(file.getvalue()).astype(int) - round(255 + (100 - 255) * alpha / 255)).max() <= 1


@pytest.mark.parametrize("kind", ["u1", "u2"])
@pytest.mark.parametrize(("extra", "grey"), [("unassalpha", 100), ("assocalpha", 50)])
def test_a_tiff_is_multiplied_by_alpha_once(extra: str, grey: int, kind: str) -> None:
    """What is said to be multiplied by alpha (associated) is not multiplied again."""
    tifffile, file = pytest.importorskip("tifffile"), io.BytesIO()
    pixels = np.full((2, 3, 4), grey, kind)
    pixels[:, :, 3] = 128
    tifffile.imwrite(file, pixels * (257 if kind == "u2" else 1), photometric="rgb", extrasamples=[extra])
    assert np.abs(decode(file.getvalue()).astype(int) - 177).max() <= 1


@pytest.mark.parametrize(("bits", "levels"), [(1, 1), (4, 15), (8, 255), (16, 65_535)])
def test_a_level_of_grey_that_is_transparent_is_white(bits: int, levels: int) -> None:
    rows = zlib.compress(b"\0" + bytes(2 * bits // 8 or 1))
    png = pictures.png(2, 1, rows, bits, 0, before=pictures.chunk(b"tRNS", b"\0\0"))
    other = pictures.png(2, 1, rows, bits, 0, before=pictures.chunk(b"tRNS", levels.to_bytes(2)))
    assert (decode(png) == 255).all()
    assert (decode(other) == 0).all()


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
    "half a jpeg, and more": (encode_jpeg(PHOTO)[:-20] + b"more" * 999, "truncated"),
    "half a jpeg, and another": (encode_jpeg(PHOTO)[:-20] + encode_jpeg(PHOTO), "truncated"),
    "half a png": (encode_png(PHOTO)[:900], "truncated"),
    "half a png, and another": (encode_png(PHOTO)[:900] + encode_png(PHOTO), "truncated"),
    "half a pam": (pam(3, 255)[:900], "not an image"),
    "pam of five channels": (b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 5\nMAXVAL 255\nENDHDR\nabcde", "not an image"),
    "pam of no pixels": (b"P7\nWIDTH 0\nHEIGHT 1\nDEPTH 3\nMAXVAL 255\nENDHDR\n", "not an image"),
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


@pytest.mark.parametrize("encode", [encode_jpeg, encode_png])
def test_what_lies_behind_the_end_does_not_count(encode: Callable[[np.ndarray], bytes]) -> None:
    """A video, as in a motion photo: with what starts a scan, and none that ends one."""
    data = encode(PHOTO)
    assert np.array_equal(decode(data + b"\0\0\0\x18ftypmp42" + b"\xff\xda\xff" * 3000), decode(data))


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
