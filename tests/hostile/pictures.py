"""Image files that are damaged, lie, or grow: everything that may arrive under an image's name."""

import random
import struct
import zlib
from collections.abc import Iterator

import cv2
import numpy as np

File = tuple[str, bytes]
"""A relative path and the content."""

SUFFIXES = (".jpg", ".png", ".webp", ".gif", ".tiff", ".bmp")
HUGE = 60_000
"""Pixels of a side that a header claims: 3.6 billion, 11 GB as RGB."""
LONG = 100_000


def drawn(rng: random.Random, height: int = 24, width: int = 31) -> np.ndarray:
    """A smooth picture with some noise and a circle: shape (height, width, 3), uint8."""
    noise = np.random.default_rng(rng.getrandbits(32))
    ramp = np.linspace(0, 1, width)[None, :, None] * noise.integers(40, 200, 3)
    image = np.ascontiguousarray((ramp + noise.integers(0, 40, (height, width, 3))).astype(np.uint8))
    cv2.circle(image, (width // 2, height // 2), min(height, width) // 3, (250, 10, 60), -1)
    return image


def encoded(suffix: str, image: np.ndarray) -> bytes:
    """The picture in the format of the suffix."""
    return cv2.imencode(suffix, image)[1].tobytes()


def sound(rng: random.Random) -> Iterator[File]:
    """Pictures without fault, which must stay decodable among all the others."""
    for suffix in SUFFIXES:
        for number in range(6):
            yield f"{suffix[1:]}{number}{suffix}", encoded(suffix, drawn(rng, 8 + 9 * number, 70 - 11 * number))


def truncated(rng: random.Random) -> Iterator[File]:
    """Cut off anywhere, from the first bytes to the last."""
    for suffix in SUFFIXES:
        for number in range(60):
            data = encoded(suffix, drawn(rng))
            end = number if number < 20 else rng.randrange(len(data)) if number < 50 else len(data) - number + 49
            yield f"{suffix[1:]}{number}{suffix}", data[:end]


def flipped(rng: random.Random) -> Iterator[File]:
    """One to forty bits turned round, half of them in the header."""
    for suffix in SUFFIXES:
        for number in range(130):
            data = bytearray(encoded(suffix, drawn(rng)))
            reach = min(len(data), 64) if number % 2 else len(data)
            for _ in range(1 + number % 40):
                data[rng.randrange(reach)] ^= 1 << rng.randrange(8)
            yield f"{suffix[1:]}{number}{suffix}", bytes(data)


def spliced(rng: random.Random) -> Iterator[File]:
    """A piece overwritten by noise, doubled, taken out, or swapped for one of another format."""
    for suffix in SUFFIXES:
        for number in range(40):
            data, other = encoded(suffix, drawn(rng)), encoded(rng.choice(SUFFIXES), drawn(rng))
            at = rng.randrange(len(data))
            length = rng.randrange(1, 200)
            middle = (rng.randbytes(length), data[at : at + length] * 2, b"", other[at : at + length])[number % 4]
            yield f"{suffix[1:]}{number}{suffix}", data[:at] + middle + data[at + length :]


def no_content(rng: random.Random) -> Iterator[File]:
    """Nothing at all, one byte, a signature alone, zeros, noise, and text."""
    starts = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x1a\0\0\0WEBPVP8 ", b"GIF89a", b"II*\0", b"MM\0*", b"BM")
    starts += (
        b"P6\n",
        b"P5 9 9 255\n",
        b"\0\0\0\x0cjP  \r\n\x87\n",
        b"\x76\x2f\x31\x01",
        b"#?RADIANCE\n",
        b"\x59\xa6\x6a\x95",
    )
    contents = [b"", b"\0", bytes(1000), b"<html><body>404</body></html>", b"%PDF-1.7\n%%EOF", b"MZ\x90\0", *starts]
    contents += [start + rng.randbytes(400) for start in starts] + [start + bytes(400) for start in starts]
    for number, content in enumerate(contents):
        yield f"{number}{SUFFIXES[number % len(SUFFIXES)]}", content


def claimed_sizes(rng: random.Random) -> Iterator[File]:
    """Headers that claim up to the largest size of the format over next to nothing."""
    sides = (
        (HUGE, HUGE),
        (LONG, 1),
        (1, LONG),
        (0, 7),
        (7, 0),
        (2**31 - 1, 2**31 - 1),
        (2**32 - 1, 1),
        (12_000, 12_000),
    )
    for number, (width, height) in enumerate(sides):
        for depth, kind in ((8, 0), (8, 2), (8, 6), (16, 2), (16, 6), (1, 0)):
            yield f"png{number}-{depth}-{kind}.png", png(width, height, zlib.compress(bytes(999)), depth, kind)
        for bits in (1, 8, 24, 32):
            yield f"bmp{number}-{bits}.bmp", bmp(width, height, bits)
            yield f"bmpdown{number}-{bits}.bmp", bmp(width, -height, bits)
        for compression in (1, 5, 7, 8, 32773):
            yield f"tiff{number}-{compression}.tiff", tiff(width, height, compression)
            yield f"tile{number}-{compression}.tiff", tiff(width, height, compression, tile=(width, height))
        yield f"gif{number}.gif", gif(min(width, 65_535), min(height, 65_535))
        yield f"giffew{number}.gif", gif(8, 8, inner=(min(width, 65_535), min(height, 65_535)))
        yield f"webp{number}.webp", webp(width, height)
        yield f"webpanimated{number}.webp", webp(width, height, animated=True)
        yield f"jpeg{number}.jpg", jpeg(rng, min(width, 65_535), min(height, 65_535))
        yield f"progressive{number}.jpg", jpeg(rng, min(width, 65_535), min(height, 65_535), progressive=True)
        for magic in (b"P1", b"P2", b"P4", b"P5", b"P6", b"PF"):
            yield f"{magic.decode()}-{number}.ppm", magic + b"\n%d %d\n255\n" % (width, height) + bytes(99)
        yield f"hdr{number}.jpg", b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y %d +X %d\n" % (height, width) + bytes(99)
        yield f"sun{number}.png", struct.pack(">8I", 0x59A66A95, width, height, 24, 0, 1, 0, 0) + bytes(99)


def bombs(rng: random.Random) -> Iterator[File]:
    """Small files that are true to a large size, and containers that inflate elsewhere than in pixels."""
    for width, height in ((HUGE, HUGE), (LONG, 2000)):
        row = b"\0" * (1 + width // 8)
        squeezer = zlib.compressobj(9)
        squeezed = b"".join(squeezer.compress(row) for _ in range(2000)) + squeezer.flush()
        yield f"png{width}.png", png(width, height, squeezed, 1, 0)
    text = zlib.compress(bytes(40_000_000), 9)
    for kind, head in ((b"zTXt", b"a\0\0"), (b"iTXt", b"a\0\1\0\0\0"), (b"iCCP", b"a\0\0")):
        yield f"{kind.decode()}.png", png(8, 8, zlib.compress(bytes(9 * 8)), 8, 0, before=chunk(kind, head + text) * 3)
    yield "idat.png", png(8, 8, text * 3, 8, 2)
    yield (
        "frames.png",
        png(8, 8, zlib.compress(bytes(200)), 8, 2, before=chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))),
    )
    yield "deflate.tiff", tiff(8, 8, 8, strip=text)
    yield "rows.tiff", tiff(8, 8, 8, strip=text, rows_per_strip=2**32 - 1)
    yield "samples.tiff", tiff(2000, 2000, 8, strip=text, samples=65_535)
    yield "loop.tiff", tiff(8, 8, 1, next_directory=8)
    yield "scans.jpg", scans(rng, 3000)
    yield "metadata.jpg", jpeg(rng, 31, 24, before=(b"\xff\xe1\xff\xff" + bytes(65_533)) * 40)
    yield "many.gif", gif(64, 64, frames=20_000)


def long_and_thin(rng: random.Random) -> Iterator[File]:
    """True pictures of 100,000 x 1 and 1 x 100,000 pixels, or as long as the format allows."""
    longest = {".jpg": 65_500, ".webp": 16_383, ".gif": 65_535}
    for suffix in SUFFIXES:
        side = longest.get(suffix, LONG)
        for thickness in (1, 2, 3):
            yield f"wide{thickness}{suffix}", encoded(suffix, drawn(rng, thickness, side))
            yield (
                f"tall{thickness}{suffix}",
                encoded(suffix, np.ascontiguousarray(drawn(rng, thickness, side).swapaxes(0, 1))),
            )


def other_names(rng: random.Random) -> Iterator[File]:
    """A format under the suffix of another, and files that are two things at once."""
    import io
    import zipfile

    for suffix in SUFFIXES:
        for claimed in (*SUFFIXES, ".jp2", ".ppm"):
            yield f"{suffix[1:]}-as{claimed}", encoded(suffix, drawn(rng))
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w") as archive:
        archive.writestr("../../outside.txt", "out")
    for suffix in SUFFIXES:
        data = encoded(suffix, drawn(rng))
        yield f"{suffix[1:]}-and-zip{suffix}", data + box.getvalue()
        yield f"{suffix[1:]}-and-html{suffix}", data + b"<script>hostile()</script>"
        yield f"{suffix[1:]}-twice{suffix}", data * 2
    for claimed in SUFFIXES:
        yield f"svg-as{claimed}", b'<svg xmlns="http://www.w3.org/2000/svg"><script>hostile()</script></svg>'
        yield f"zip-as{claimed}", box.getvalue()
        yield f"pickle-as{claimed}", b"cos\nsystem\n(S'true'\ntR."


def metadata(rng: random.Random) -> Iterator[File]:
    """EXIF that points beyond its end, counts wrongly, or turns the picture in no known way."""
    for number in range(40):
        count, entry = (
            rng.choice([0, 1, 9, 65_535]),
            struct.pack("<HHII", 0x0112, rng.choice([3, 4, 2]), 1, rng.choice([0, 6, 9, 2**32 - 1])),
        )
        tags = (
            b"II*\0"
            + struct.pack("<I", rng.choice([0, 8, 9, 2**32 - 1]))
            + struct.pack("<H", count)
            + entry * min(count, 9)
        )
        tags = tags[: rng.randrange(1, len(tags) + 1)] if number % 3 else tags
        yield f"exif{number}.png", png(31, 24, zlib.compress(bytes(24 * 94)), 8, 2, before=chunk(b"eXIf", tags))
        head = b"Exif\0\0" + tags
        yield f"exif{number}.jpg", jpeg(rng, 31, 24, before=b"\xff\xe1" + struct.pack(">H", len(head) + 2) + head)


# Containers by hand: what an encoder would refuse to write


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, pixels: bytes, depth: int, kind: int, *, before: bytes = b"") -> bytes:
    """A PNG of that header with these compressed pixels, `before` which come other chunks."""
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def bmp(width: int, height: int, bits: int) -> bytes:
    """A BMP of that header with 999 bytes of pixels."""
    sizes = width & 0xFFFFFFFF, height & 0xFFFFFFFF
    return struct.pack("<2sIHHIIIIHHIIIIII", b"BM", 1100, 0, 0, 54, 40, *sizes, 1, bits, 0, 999, 0, 0, 0, 0) + bytes(
        999
    )


def tiff(
    width: int,
    height: int,
    compression: int,
    *,
    strip: bytes = bytes(999),
    tile: tuple[int, int] | None = None,
    rows_per_strip: int | None = None,
    samples: int = 3,
    next_directory: int = 0,
) -> bytes:
    """A TIFF of one strip or tile, which stands before its directory."""
    tags = {256: width, 257: height, 258: 8, 259: compression, 262: 2, 277: samples, 284: 1}
    if tile:
        tags |= {322: tile[0], 323: tile[1], 324: 8, 325: len(strip)}
    else:
        tags |= {273: 8, 278: height if rows_per_strip is None else rows_per_strip, 279: len(strip)}
    start = 8 + len(strip) + len(strip) % 2
    short = {258, 259, 262, 277, 284}
    lines = b"".join(
        struct.pack("<HHII", tag, 3 if tag in short else 4, 1, value & 0xFFFFFFFF)
        for tag, value in sorted(tags.items())
    )
    directory = struct.pack("<H", len(tags)) + lines + struct.pack("<I", next_directory and start)
    return struct.pack("<2sHI", b"II", 42, start) + strip + bytes(len(strip) % 2) + directory


def gif(width: int, height: int, *, inner: tuple[int, int] | None = None, frames: int = 1) -> bytes:
    """A GIF of that canvas, each frame of which is `inner` pixels large and holds next to nothing."""
    across, down = inner or (width, height)
    frame = b"," + struct.pack("<HHHHB", 0, 0, across, down, 0) + b"\x02\x02\x4c\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + frame * frames + b";"


def webp(width: int, height: int, *, animated: bool = False) -> bytes:
    """A WebP with an extended header of that canvas, and a frame that claims as much."""
    sides = [max(side - 1, 0) & 0xFFFFFF for side in (width, height)]
    size = struct.pack("<I", sides[0])[:3] + struct.pack("<I", sides[1])[:3]
    bits = 0x2F | ((sides[0] & 0x3FFF) << 8) | ((sides[1] & 0x3FFF) << 22)
    lossless = b"VP8L" + struct.pack("<I", 100) + struct.pack("<Q", bits)[:5] + bytes(95)
    body = b"VP8X" + struct.pack("<II", 10, 2 if animated else 0) + size
    if animated:
        body += b"ANIM" + struct.pack("<IIH", 6, 0, 0)
        frame = bytes(6) + size + bytes(4) + lossless
        body += b"ANMF" + struct.pack("<I", len(frame)) + frame
    else:
        body += lossless
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def jpeg(rng: random.Random, width: int, height: int, *, progressive: bool = False, before: bytes = b"") -> bytes:
    """A small JPEG the header of which claims another size; `before` which come other segments."""
    settings = [cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)]
    data = cv2.imencode(".jpg", drawn(rng), settings)[1].tobytes()
    at = data.index(b"\xff\xc2" if progressive else b"\xff\xc0") + 5
    return data[:2] + before + data[2:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def scans(rng: random.Random, count: int, side: int = 8000) -> bytes:
    """A progressive JPEG of `side` x `side` pixels with so many scans: each goes over all of its coefficients."""
    data = jpeg(rng, side, side, progressive=True)
    start = data.index(b"\xff\xda")
    scan = data[start : data.index(b"\xff", start + 2)]
    return data[:start] + scan[:40] * count + b"\xff\xd9"
