"""Decoding and hashing: any image file to RGB, once, the same way everywhere."""

import hashlib
import os
import re
import stat
import struct
from pathlib import Path

import cv2
import numpy as np

from curate import MAX_PIXELS, remote
from curate.headers import (
    AVIF,
    AVIF_START,
    PNG_END,
    PNG_START,
    claimed_pixels,
    extra_samples,
    highest_level,
    jpeg_scans,
    pam_header,
    png_chunk,
)

MAX_BYTES = 1 << 29
"""Files that are larger are not read: 512 MB, more than any image within `MAX_PIXELS` needs."""

IMAGE_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".jp2", ".avif"),
        *(".pbm", ".pgm", ".ppm", ".pnm", ".pam"),
    }
)
"""Of files that are taken for images; what each is, its bytes say."""

MAX_SCANS = 200
"""Of a progressive JPEG: each goes over the whole picture, so that 100 kB took a minute. Encoders write about 10."""
PIXELS_AT_ONCE = 1 << 20
"""Pixels of 16 bits, or with transparency, that are converted together: what that takes on top is then 30 MB."""
JPEG_START, PAM_START = b"\xff\xd8\xff", b"P7\n"
EXIF_ORIENTATION = 0x0112
AVIF_TURN, AVIF_MIRROR = (re.compile(rb"\0\0\0\x09" + box + rb"(.)", re.DOTALL) for box in (b"irot", b"imir"))
AVIF_ORIENTATIONS = ((1, 4, 2), (8, 5, 7), (3, 2, 4), (6, 7, 5))
"""EXIF's number by quarter turns to the left, and by what follows: nothing, top for bottom, left for right (ISO/IEC
23008-12, 6.5.10 and 6.5.12)."""

NO_IMAGE = "not an image that OpenCV can decode"
TOO_MANY_PIXELS = f"more than {MAX_PIXELS / 1e6:.0f} million pixels (CURATE_MAX_PIXELS sets the limit)"


class ImageError(Exception):
    """Why a file is not an image that can be used, in a few words."""


def decode(data: bytes) -> np.ndarray:
    """Decode an image file's bytes to RGB.

    EXIF orientation is applied, of an AVIF that of its own boxes; transparency is laid over white (that of a grey TIFF
    OpenCV does not tell), 16 bits, or as many as the header says, become 8, of an animation the first picture is taken.
    What lies behind the end of a JPEG or PNG does not count.

    Returns: shape (H, W, 3), uint8, RGB, C-contiguous.
    Raises: `ImageError` for an empty, truncated or oversized file, and for what is no image. What the header claims is
    looked at before memory is taken; while it is decoded an image takes 5 to 20 bytes a pixel, most with 16 bits.
    """
    if not data:
        raise ImageError("empty file")
    is_jpeg = data.startswith(JPEG_START)
    scans, ended = jpeg_scans(data) if is_jpeg else (0, True)
    if scans > MAX_SCANS:
        raise ImageError(f"a JPEG of more than {MAX_SCANS} scans")
    if scans and not ended:
        raise ImageError("truncated JPEG")  # libjpeg would fill the rest with grey and say nothing
    if data.startswith(PNG_START) and png_chunk(data, PNG_END) is None:
        raise ImageError("truncated PNG")
    claimed = claimed_pixels(data)
    if claimed is None:
        raise ImageError(NO_IMAGE)  # OpenCV would try more formats, one of them by way of a temporary file
    if claimed > MAX_PIXELS:
        raise ImageError(TOO_MANY_PIXELS)
    if data.startswith(PAM_START):
        return _to_rgb(_pam(data), data)
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR if is_jpeg else cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise ImageError(_reason(error)) from None
    if pixels is None:
        raise ImageError(NO_IMAGE)
    return pixels[:, :, ::-1].copy() if is_jpeg else _to_rgb(_turned(pixels, _orientation(data)), data)


def read_image(path: str | Path) -> np.ndarray:
    """`decode` of a file, or of what lies behind a URL. Raises `ImageError` also where it cannot be read."""
    return decode(read_bytes(path))


def read_unchanged(path: str | Path, digest: str) -> bytes | None:
    """`read_bytes` of a file that still has that `content_hash`; None for one that was overwritten."""
    data = read_bytes(path)
    return data if content_hash(data) == digest else None


def read_bytes(path: str | Path) -> bytes:
    """The bytes of a file, or of what lies behind a URL (see `curate.remote`).

    Raises `ImageError` with the operating system's reason, or for a pipe or a far too large file.
    """
    try:
        if isinstance(path, str) and remote.is_url(path):
            data = remote.read(path, MAX_BYTES + 1)
            if len(data) > MAX_BYTES:
                raise ImageError(too_large(len(data)))
            return data
        # Not blocking, so that a pipe does not wait for ever. Half the time of Path.read_bytes for small files.
        with open(path, "rb", buffering=0, opener=_open_at_once) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ImageError("not a file")
            if status.st_size > MAX_BYTES:
                raise ImageError(too_large(status.st_size))
            return file.read()
    except OSError as error:
        raise ImageError(error.strerror or str(error)) from None


def too_large(size: int) -> str:
    """The reason for a file of `size` bytes that is not read at all."""
    return f"{size / 1e6:.0f} MB, more than the {MAX_BYTES / 1e6:.0f} MB that are read"


def content_hash(data: bytes) -> str:
    """blake2b-128 of the file's bytes, as hex."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def pixel_hash(image: np.ndarray) -> str:
    """blake2b-128 of shape and pixels, as hex: equal for the same picture in two lossless files."""
    digest = hashlib.blake2b(np.asarray(image.shape, "<u4").tobytes(), digest_size=16)
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


def encode_png(image: np.ndarray) -> bytes:
    """An RGB image, shape (H, W, 3) or (H, W), uint8, as PNG."""
    pixels = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", pixels)[1].tobytes()


def encode_jpeg(image: np.ndarray, *, quality: int = 85) -> bytes:
    """An RGB image, shape (H, W, 3), uint8, as JPEG."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def thumbnail(image: np.ndarray, side: int) -> np.ndarray:
    """The image made to fit into `side` x `side` pixels, aspect kept; never enlarged."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _orientation(data: bytes) -> int:
    """EXIF orientation, 1 to 8, of a PNG, WebP or AVIF: OpenCV applies that of other formats, but of these drops it."""
    if re.match(AVIF, data, re.DOTALL):
        return _avif_orientation(data[:AVIF_START])
    marker = b"eXIf" if data.startswith(PNG_START) else b"EXIF" if data.startswith(b"RIFF") else b""
    at = data.find(marker) if marker else -1
    if at < 0:
        return 1
    start = at + (4 if marker == b"eXIf" else 8)
    tags = data[start : start + 65536].removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tags[:4])
    if not order:
        return 1
    try:
        (first,) = struct.unpack_from(f"{order}I", tags, 4)
        (count,) = struct.unpack_from(f"{order}H", tags, first)
        for entry in range(first + 2, first + 2 + 12 * count, 12):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", tags, entry)
            if tag == EXIF_ORIENTATION:
                return value
    except struct.error:  # tags that are cut short turn nothing
        pass
    return 1


def _avif_orientation(start: bytes) -> int:
    """What the first boxes that turn and mirror come to, as EXIF's number: of an AVIF they count, and EXIF does not."""
    turn, mirror = AVIF_TURN.search(start), AVIF_MIRROR.search(start)
    return AVIF_ORIENTATIONS[turn[1][0] & 3 if turn else 0][1 + (mirror[1][0] & 1) if mirror else 0]


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels, shape (H, W) or (H, W, C), turned and mirrored from an EXIF orientation to the upright."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _pam(data: bytes) -> np.ndarray:
    """The pixels of a PAM as `IMREAD_UNCHANGED` should give them: OpenCV takes red for blue, and bytes for bits."""
    try:
        width, height, channels, top, start = pam_header(data)
        kind = np.dtype(">u2" if top > 255 else "u1")
        flat = np.frombuffer(data, kind, width * height * channels, start)
    except (LookupError, ValueError, OverflowError):
        raise ImageError(NO_IMAGE) from None
    if not flat.size or channels > 4:
        raise ImageError(NO_IMAGE)
    pixels = flat.astype(kind.newbyteorder("=")).reshape(height, width, channels)
    return pixels[:, :, [2, 1, 0, 3][:channels]] if channels > 2 else pixels.squeeze(2) if channels == 1 else pixels


def _to_rgb(pixels: np.ndarray, data: bytes) -> np.ndarray:
    """What `IMREAD_UNCHANGED` gives of a file (grey, BGR or BGRA; 8 or 16 bits, or float) as 8-bit RGB."""
    if pixels.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"pixels of type {pixels.dtype}, which has no known range")
    most = int(np.iinfo(pixels.dtype).max)
    top = min(highest_level(data) or most, most)
    if pixels.ndim == 2 and data.startswith(PNG_START) and (clear := png_chunk(data, b"tRNS")):
        levels = (1 << data[24]) - 1
        pixels[pixels == int.from_bytes(clear[:2]) * (most // levels)] = most
    if top == 255 and pixels.ndim == 2:
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
    if top == 255 and pixels.shape[2] == 3:
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    extra = extra_samples(data)
    multiplied = extra == 1 or (extra == 2 and most == 255)  # OpenCV has libtiff multiply 8 bits by alpha, not 16
    height, width = pixels.shape[:2]
    rows = max(1, PIXELS_AT_ONCE // width)
    rgb = np.empty((height, width, 3), np.uint8)
    for row in range(0, height, rows):
        rgb[row : row + rows] = _few_to_rgb(pixels[row : row + rows], top, multiplied)
    return rgb


def _few_to_rgb(pixels: np.ndarray, top: int, multiplied: bool) -> np.ndarray:
    """top: the level of full light; multiplied: whether colours are multiplied by alpha already."""
    if top != 255:
        pixels = np.round(np.minimum(pixels, top) / (top / 255)).astype(np.uint8)
    if pixels.ndim == 2:
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
    if pixels.shape[2] == 2:  # grey and alpha
        pixels = pixels[:, :, [0, 0, 0, 1]]
    if pixels.shape[2] == 3:
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    alpha = pixels[:, :, 3:].astype(np.float32) / 255
    over_white = pixels[:, :, 2::-1] * (1 if multiplied else alpha) + 255 * (1 - alpha)
    return np.ascontiguousarray(np.round(over_white).clip(0, 255).astype(np.uint8))


def _reason(error: cv2.error) -> str:
    text = str(error)
    return TOO_MANY_PIXELS if "CV_IO_MAX_IMAGE" in text or "validateInputImageSize" in text else NO_IMAGE
