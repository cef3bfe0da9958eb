"""What an image file says of itself, before a decoder takes memory for it: how many pixels, how deep, up to where."""

import re
import struct
from collections.abc import Callable, Iterator
from itertools import islice

JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of segments that hold the size: SOF0 to SOF15, without what shares their numbers (ITU T.81, table B.1)."""
JPEG_SCAN, JPEG_END = 0xDA, 0xD9
JPEG_ALONE = frozenset({0xD8, JPEG_END})
"""Markers without a segment behind them, of those that `JPEG_MARKER` finds."""
JPEG_LATER = frozenset({0xC4, 0xCC, *range(0xDA, 0xDE), *range(0xE0, 0xF0), 0xFE})
"""Markers of segments that may stand between scans; at any other, libjpeg gives up the scan."""
JPEG_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])", re.DOTALL)
"""All but those that stand within the pixels."""
JPEG_SEGMENTS = 10_000
"""More than these are no photo; a colour profile takes up to 255, a scan up to 5."""
PNG_START, PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND"
PNG_CHUNKS = 1_000_000
"""More than these are no picture: walking over them takes half a second."""
PNM_FIELD = re.compile(rb"(?:\s|#[^\n]*\n)+(\d{1,20})")
PAM_FIELD = re.compile(rb"^(WIDTH|HEIGHT|DEPTH|MAXVAL)\s+(\d{1,20})\s*$", re.MULTILINE)
PAM_HEADER = 4096
"""Bytes within which it ends; with remarks it takes a few hundred."""
TIFF_TYPES = {1: "B", 3: "H", 4: "I", 16: "Q"}
TIFF_ENTRIES = 0xFFFF
"""libtiff reads no directory that has more."""
TIFF_SIDES = ((256, 257), (322, 323))
"""Tags of width and height of the picture, and of its tiles, which a decoder holds whole."""
TIFF_BITS, TIFF_EXTRA = 258, 338

AVIF_START = 1 << 16
"""Bytes within which the sizes stand."""
JPEG2000_SIZES = b"\xff\x4f\xff\x51"
"""Start of the codestream, then of the segment with the sizes."""

Readers = tuple[tuple[bytes, Callable[[bytes], int | None]], ...]


def claimed_pixels(data: bytes) -> int | None:
    """Pixels of the picture, or of one of its tiles if these are larger; 0 where the header does not say.

    None for what starts like none of the formats that are decoded: JPEG, PNG, WebP, GIF, TIFF, BMP, PNM, JPEG 2000 and
    AVIF.
    """
    return _read(READERS, data, None)


def highest_level(data: bytes) -> int:
    """The level that stands for full light in what OpenCV makes of the file; 0 where the header does not say.

    A PNG's `sBIT` and a TIFF's `MaxSampleValue` are no such level: by their standards the values fill the bits anyway.
    """
    return _read(LEVELS, data, 0) or 0


def extra_samples(data: bytes) -> int:
    """What a TIFF's fourth channel is: 1 alpha that the others are multiplied by, 2 alpha, 0 something else or none."""
    return _read(((TIFF, lambda data: _tiff_tags(data).get(TIFF_EXTRA, 0)),), data, 0) or 0


def jpeg_scans(data: bytes) -> tuple[int, bool]:
    """How many scans a JPEG has, and whether it comes to its end after them; what lies behind the end is not read."""
    scans = 0
    try:
        for marker, _ in islice(_segments(data), JPEG_SEGMENTS):
            if scans and marker not in JPEG_LATER:
                return scans, marker == JPEG_END
            scans += marker == JPEG_SCAN
    except struct.error:  # cut short
        pass
    return scans, False


def png_chunk(data: bytes, kind: bytes) -> bytes | None:
    """Content and check sum of the first chunk of that kind, up to the end of the PNG; None where there is none."""
    at = len(PNG_START)
    for _ in range(PNG_CHUNKS):
        behind = at + 12 + int.from_bytes(data[at : at + 4])
        if data.startswith(kind, at + 4) and behind <= len(data):
            return data[at + 8 : behind]
        if data.startswith(PNG_END, at + 4) or behind > len(data):
            return None
        at = behind
    return None


def pam_header(data: bytes) -> tuple[int, int, int, int, int]:
    """Width, height, channels and highest level of a PAM, and where its pixels begin. Raises `LookupError` or
    `ValueError` where it does not say."""
    end = data.index(b"\nENDHDR\n", 0, PAM_HEADER)
    fields = {name: int(value) for name, value in PAM_FIELD.findall(data[:end])}
    return fields[b"WIDTH"], fields[b"HEIGHT"], fields[b"DEPTH"], fields[b"MAXVAL"], end + len(b"\nENDHDR\n")


def _read(readers: Readers, data: bytes, otherwise: int | None) -> int | None:
    """What the reader of the format says; `otherwise` where it is none of theirs, 0 where the header does not say."""
    reader = next((reader for start, reader in readers if re.match(start, data, re.DOTALL)), None)
    if reader is None:
        return otherwise
    try:
        return reader(data)
    except (struct.error, LookupError, ValueError, OverflowError):  # cut short, or an offset of no file
        return 0  # the decoder says so, too


def _png(data: bytes) -> int:
    width, height = struct.unpack_from(">II", data, 16)
    return int(width * height)


def _jpeg(data: bytes) -> int | None:
    for number, (marker, at) in enumerate(_segments(data)):
        if number == JPEG_SEGMENTS:
            return None
        if marker in JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 3)
            return int(width * height)
    return 0


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Marker of each segment of a JPEG, and where its length stands. Raises `struct.error` where that is cut off."""
    at = 2
    while begins := JPEG_MARKER.search(data, at):
        marker, at = begins[1][0], begins.end()
        yield marker, at
        if marker not in JPEG_ALONE:
            at += struct.unpack_from(">H", data, at)[0]


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
    found = _tiff_tags(data)
    return max(found.get(width, 0) * found.get(height, 0) for width, height in TIFF_SIDES)


def _tiff_tags(data: bytes) -> dict[int, int]:
    """The first value of each tag that has whole numbers."""
    order = "<" if data[:2] == b"II" else ">"
    large = data[2:4] in (b"+\0", b"\0+")  # BigTIFF: 8-byte offsets
    count_of, size, value_at = ("Q", 20, 12) if large else ("H", 12, 8)
    offset = order + ("Q" if large else "I")
    (first,) = struct.unpack_from(offset, data, 8 if large else 4)
    (count,) = struct.unpack_from(order + count_of, data, first)
    found: dict[int, int] = {}
    first += struct.calcsize(order + count_of)
    for entry in range(first, first + min(count, TIFF_ENTRIES) * size, size):
        tag, kind = struct.unpack_from(f"{order}HH", data, entry)
        if kind in TIFF_TYPES and tag not in found:
            (values,) = struct.unpack_from(offset, data, entry + 4)
            at, inside = entry + value_at, values * struct.calcsize(order + TIFF_TYPES[kind]) <= size - value_at
            if tag in (TIFF_BITS, TIFF_EXTRA) and not inside:
                (at,) = struct.unpack_from(offset, data, at)
            (found[tag],) = struct.unpack_from(order + TIFF_TYPES[kind], data, at)
    return found


def _pnm(data: bytes) -> int:
    if data[1:2] == b"7":
        width, height, *_ = pam_header(data)
        return width * height
    fields = _pnm_fields(data)
    return fields[0] * fields[1]


def _pnm_fields(data: bytes) -> list[int]:
    """Width, height and, but for bitmaps, the highest level; fewer where the header is cut off."""
    fields: list[int] = []
    at = 2
    while len(fields) < 3 and (field := PNM_FIELD.match(data, at)):
        fields.append(int(field[1]))
        at = field.end()
    return fields


def _jpeg2000(data: bytes) -> int:
    at = data.find(JPEG2000_SIZES)
    right, bottom, left, top = struct.unpack_from(">4I", data, at + 8 if at >= 0 else len(data))
    return max(0, int(right - left)) * max(0, int(bottom - top))


def _png_level(data: bytes) -> int:
    return 65_535 if data[24] == 16 else 255


def _tiff_level(data: bytes) -> int:
    return 65_535 if _tiff_tags(data).get(TIFF_BITS) == 16 else 0


def _pnm_level(data: bytes) -> int:
    kind = data[1:2]
    level = 255 if kind in b"14" else pam_header(data)[3] if kind == b"7" else _pnm_fields(data)[2]
    return 255 if kind in b"23" and level < 255 else level  # OpenCV fills 8 bits of those that are written as text


def _jpeg2000_level(data: bytes) -> int:
    at = data.index(JPEG2000_SIZES)
    return (2 << (data[at + 42] & 0x7F)) - 1


def _avif_level(data: bytes) -> int:
    flags = data[data.index(b"av1C", 0, AVIF_START) + 6]  # AV1 in ISOBMFF, 2.3.3: high_bitdepth, twelve_bit
    return 255 if not flags & 0x40 else 4095 if flags & 0x20 else 1023


def _avif(data: bytes) -> int:
    sides = [struct.unpack_from(">II", data, found.end() + 4) for found in re.finditer(b"ispe", data[:AVIF_START])]
    return max(int(width * height) for width, height in sides or [(0, 0)])


AVIF, PNM, TIFF = rb"....ftypavi[fs]", rb"P[1-6]\s|P7\n", rb"II[*+]\0|MM\0[*+]"
PNG, JPEG2000 = re.escape(PNG_START), rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"
"""How files of these formats start, as patterns in which a dot is any byte."""
READERS: Readers = (
    (rb"\xff\xd8\xff", _jpeg),
    (PNG, _png),
    (rb"RIFF....WEBP", _webp),
    (rb"GIF8[79]a", _gif),
    (TIFF, _tiff),
    (rb"BM", _bmp),
    (PNM, _pnm),
    (JPEG2000, _jpeg2000),
    (AVIF, _avif),
)
"""How a file of each format starts, and who reads its header."""
LEVELS: Readers = (
    (PNG, _png_level),
    (TIFF, _tiff_level),
    (PNM, _pnm_level),
    (JPEG2000, _jpeg2000_level),
    (AVIF, _avif_level),
)
