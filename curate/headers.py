"""How many pixels an image file claims to have, read from its header before any decoder takes memory for them."""

import re
import struct

JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of segments that hold the size: SOF0 to SOF15, without what shares their numbers (ITU T.81, table B.1)."""
JPEG_ALONE = frozenset({0x00, 0x01, *range(0xD0, 0xDA)})
"""Markers without a segment behind them."""
JPEG_MARKER = re.compile(rb"\xff+([^\xff])", re.DOTALL)
JPEG_SEGMENTS = 10_000
"""More than these before the size are no photo; a colour profile takes up to 255."""
PNM_FIELD = re.compile(rb"(?:\s|#[^\n]*\n)+(\d{1,20})")
PAM_SIDE = re.compile(rb"\b(?:WIDTH|HEIGHT)\s+(\d{1,20})")
TIFF_TYPES = {1: "B", 3: "H", 4: "I", 16: "Q"}
TIFF_ENTRIES = 0xFFFF
"""libtiff reads no directory that has more."""
TIFF_SIDES = ((256, 257), (322, 323))
"""Tags of width and height of the picture, and of its tiles, which a decoder holds whole."""

AVIF_START = 1 << 16
"""Bytes within which the sizes stand."""


def claimed_pixels(data: bytes) -> int | None:
    """Pixels of the picture, or of one of its tiles if these are larger; 0 where the header does not say.

    None for what starts like none of the formats that are decoded: JPEG, PNG, WebP, GIF, TIFF, BMP, PNM, JPEG 2000 and
    AVIF.
    """
    reader = next((reader for start, reader in READERS if re.match(start, data, re.DOTALL)), None)
    if reader is None:
        return None
    try:
        return reader(data)
    except (struct.error, IndexError, OverflowError):  # cut short, or an offset of no file; the decoder says so, too
        return 0


def _png(data: bytes) -> int:
    width, height = struct.unpack_from(">II", data, 16)
    return int(width * height)


def _jpeg(data: bytes) -> int | None:
    at = 2
    for _ in range(JPEG_SEGMENTS):
        begins = JPEG_MARKER.search(data, at)
        if not begins:
            return 0
        marker, at = begins[1][0], begins.end()
        if marker in JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 3)
            return int(width * height)
        if marker not in JPEG_ALONE:
            at += struct.unpack_from(">H", data, at)[0]
    return None


def _gif(data: bytes) -> int:
    width, height = struct.unpack_from("<HH", data, 6)
    return int(width * height)


def _bmp(data: bytes) -> int:
    old = struct.unpack_from("<I", data, 14)[0] < 36
    width, height = struct.unpack_from("<HH" if old else "<ii", data, 18)
    return abs(int(width * height))


def _webp(data: bytes) -> int:
    kind = data[12:16]
    if kind == b"VP8X":
        return (1 + int.from_bytes(data[24:27], "little")) * (1 + int.from_bytes(data[27:30], "little"))
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (1 + (bits & 0x3FFF)) * (1 + (bits >> 14 & 0x3FFF))
    width, height = struct.unpack_from("<HH", data, 26)
    return (width & 0x3FFF) * (height & 0x3FFF)


def _tiff(data: bytes) -> int:
    order = "<" if data[:2] == b"II" else ">"
    large = data[2:4] in (b"+\0", b"\0+")  # BigTIFF: 8-byte offsets
    count_of, size, value_at = ("Q", 20, 12) if large else ("H", 12, 8)
    (first,) = struct.unpack_from(f"{order}Q", data, 8) if large else struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(order + count_of, data, first)
    found: dict[int, int] = {}
    first += struct.calcsize(order + count_of)
    for entry in range(first, first + min(count, TIFF_ENTRIES) * size, size):
        tag, kind = struct.unpack_from(f"{order}HH", data, entry)
        if kind in TIFF_TYPES and tag not in found:
            (found[tag],) = struct.unpack_from(order + TIFF_TYPES[kind], data, entry + value_at)
    return max(found.get(width, 0) * found.get(height, 0) for width, height in TIFF_SIDES)


def _pnm(data: bytes) -> int:
    if data[1:2] == b"7":
        sides = [int(side) for side in PAM_SIDE.findall(data[:1024])[:2]]
        return sides[0] * sides[1]
    width = PNM_FIELD.match(data, 2)
    height = PNM_FIELD.match(data, width.end()) if width else None
    return int(width[1]) * int(height[1]) if width and height else 0


def _jpeg2000(data: bytes) -> int:
    at = data.find(b"\xff\x4f\xff\x51")  # start of the codestream, then the segment with the sizes
    right, bottom, left, top = struct.unpack_from(">4I", data, at + 8 if at >= 0 else len(data))
    return max(0, int(right - left)) * max(0, int(bottom - top))


def _avif(data: bytes) -> int:
    sides = [struct.unpack_from(">II", data, found.end() + 4) for found in re.finditer(b"ispe", data[:AVIF_START])]
    return max(int(width * height) for width, height in sides or [(0, 0)])


AVIF, PNM, TIFF = rb"....ftypavi[fs]", rb"P[1-7]\s", rb"II[*+]\0|MM\0[*+]"
"""How files of these formats start, as patterns in which a dot is any byte."""
READERS = (
    (rb"\xff\xd8\xff", _jpeg),
    (rb"\x89PNG\r\n\x1a\n", _png),
    (rb"RIFF....WEBP", _webp),
    (rb"GIF8[79]a", _gif),
    (TIFF, _tiff),
    (rb"BM", _bmp),
    (PNM, _pnm),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", _jpeg2000),
    (AVIF, _avif),
)
"""How a file of each format starts, and who reads its header."""
