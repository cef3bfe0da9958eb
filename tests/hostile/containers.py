"""Archives that lead out of their folder, hold what is no file, lie about sizes, or grow without end."""

import bz2
import gzip
import io
import lzma
import random
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from tests.hostile.names import NAMES
from tests.hostile.pictures import File, drawn, encoded

GROWN = 120_000_000
"""Bytes that a bomb of this corpus comes to: enough to be seen in memory, little enough to be made in a second."""
OUT = (
    "../out.png",
    "../../../out.png",
    "cat/../../out.png",
    "./.././../out.png",
    "..\\..\\out.png",
    "C:\\out.png",
    "//out.png",
)
KINDS = {
    "symlink": tarfile.SYMTYPE,
    "hardlink": tarfile.LNKTYPE,
    "character": tarfile.CHRTYPE,
    "block": tarfile.BLKTYPE,
    "pipe": tarfile.FIFOTYPE,
    "contiguous": tarfile.CONTTYPE,
    "unknown": b"Z",
}


def tar(members: list[tuple[tarfile.TarInfo | str, bytes]], *, form: int = tarfile.GNU_FORMAT) -> bytes:
    """A tar file of these members; a name stands for a plain file."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form, errors="surrogateescape") as archive:
        for member, data in members:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            info.size = info.size or len(data)
            archive.addfile(info, io.BytesIO(data) if data else None)
    return file.getvalue()


def packed(members: list[tuple[zipfile.ZipInfo | str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip file of these members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of names that come twice
                archive.writestr(name, data, method)
    return file.getvalue()


def _image(rng: random.Random) -> bytes:
    return encoded(".png", drawn(rng))


def _info(name: str, kind: bytes, target: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, size
    return info


def paths(rng: random.Random, canary: Path) -> Iterator[File]:
    """Members whose names lead out of the folder: refused, nothing is written."""
    for number, name in enumerate((*OUT, f"{canary}/absolute.png", "/absolute.png")):
        for at, members in enumerate(([name], ["cat/1.png", name], [name, "cat/1.png"])):
            image = _image(rng)
            yield f"{number}-{at}.tar", tar([(member, image) for member in members])
            yield f"{number}-{at}.zip", packed([(member, image) for member in members])
    yield "wds.tar", tar([("../../a.png", _image(rng)), ("../../a.cls", b"1")])


def links(rng: random.Random, canary: Path) -> Iterator[File]:
    """Links, devices and pipes, and files that would be written through a link."""
    for name, kind in KINDS.items():
        for number, target in enumerate((str(canary), "../../..", "/etc/passwd", "cat/1.png", "cat")):
            yield (
                f"{name}{number}.tar",
                tar([("cat/0.png", _image(rng)), (_info("cat/1.png", kind, target), b""), ("cat/2.png", _image(rng))]),
            )
            yield f"{name}{number}-through.tar", tar([(_info("cat", kind, target), b""), ("cat/1.png", _image(rng))])
        yield f"{name}-first.tar", tar([(_info("cat", kind, str(canary)), b"")])
    link = zipfile.ZipInfo("cat/link.png")
    link.external_attr = 0o120777 << 16
    yield "link.zip", packed([("cat/1.png", _image(rng)), (link, str(canary).encode())])


def same_names(rng: random.Random, canary: Path) -> Iterator[File]:
    """Names that come twice, differ by case alone, or are a file here and a folder there."""
    groups = (
        ["cat/1.png", "cat/1.png"],
        ["cat/1.png", "CAT/1.PNG", "Cat/1.png"],
        ["cat/ß.png", "cat/SS.png", "cat/ẞ.png"],
        ["cat/\u00e9.png", "cat/e\u0301.png"],
        ["cat.png", "cat.png/1.png"],
        ["cat.png/1.png", "cat.png"],
        ["cat/1.png", "cat//1.png", "./cat/./1.png"],
        ["a/" * 60 + "1.png", "a/" * 60 + "1.PNG"],
    )
    for number, group in enumerate(groups):
        yield f"{number}.tar", tar([(name, _image(rng)) for name in group])
        yield f"{number}.zip", packed([(zipfile.ZipInfo(name), _image(rng)) for name in group])


def strange_names(rng: random.Random, canary: Path) -> Iterator[File]:
    """Control characters, line ends, bidirectional marks, markup, formulas and bytes that are no text, as names."""
    members: list[tuple[tarfile.TarInfo | str, bytes]] = []
    for name in NAMES:
        member: tuple[tarfile.TarInfo | str, bytes] = (f"{name}/{name}.png", _image(rng))
        members.append(member)
        yield f"{len(members)}.tar", tar([member], form=tarfile.PAX_FORMAT)
    members += [(f"latin/\udce9{number}.png", _image(rng)) for number in range(3)]
    yield "all.tar", tar(members)
    yield "all.zip", packed([(zipfile.ZipInfo(str(name)), data) for name, data in members[: len(NAMES)]])
    bad = bytearray(packed([(zipfile.ZipInfo("cat/ä1.png"), _image(rng))]))
    yield "not-utf8.zip", bytes(bad).replace("ä".encode(), b"\xff\xff")


def sizes(rng: random.Random, canary: Path) -> Iterator[File]:
    """Headers that claim more than there is, or than fits anywhere; and sparse files."""
    for number, size in enumerate((1, 600, 10**6, 2**29 + 1, 2**33, 2**62, 2**63 + 1)):
        for kind in (
            tarfile.REGTYPE,
            tarfile.GNUTYPE_LONGNAME,
            tarfile.GNUTYPE_LONGLINK,
            tarfile.XHDTYPE,
            tarfile.XGLTYPE,
        ):
            block = _info("cat/1.png", kind, size=size).tobuf(tarfile.GNU_FORMAT)
            yield f"{kind.decode()}{number}.tar", block + _image(rng).ljust(10_240, b"\0")
    for number, real in enumerate((10, 10_000, 2**28, 2**29 + 1, 2**40, 2**62)):
        yield f"sparse{number}.tar", sparse(real)
        yield f"sparse{number}.tar.gz", gzip.compress(sparse(real) * 1)
        note = {
            "GNU.sparse.major": "1",
            "GNU.sparse.minor": "0",
            "GNU.sparse.name": "cat/1.png",
            "GNU.sparse.realsize": str(real),
        }
        info = tarfile.TarInfo("cat/1.png")
        info.pax_headers = note
        yield (
            f"paxsparse{number}.tar",
            tar([(info, b"1\n0\n5\n".ljust(512, b"\0") + b"12345")], form=tarfile.PAX_FORMAT),
        )
    for number, note in enumerate(
        ({"size": "-1"}, {"size": "9" * 30}, {"path": "../../out.png"}, {"mtime": "nan"}, {"path": "a\0b"})
    ):
        info = tarfile.TarInfo("cat/1.png")
        info.pax_headers = note
        yield f"pax{number}.tar", tar([(info, _image(rng))], form=tarfile.PAX_FORMAT)
    whole = packed([("cat/1.png", _image(rng)), ("cat/2.png", _image(rng))])
    at = whole.index(b"PK\x01\x02")
    for number, (offset, value) in enumerate(
        ((20, 2**31), (24, 2**31), (24, 2**32 - 1), (42, 2**31), (24, 3), (20, 3), (16, 7))
    ):
        yield f"{number}.zip", whole[: at + offset] + struct.pack("<I", value) + whole[at + offset + 4 :]


def sparse(real: int) -> bytes:
    """A tar file with an old GNU sparse file of that size, of which five bytes are there."""
    block = bytearray(_info("cat/1.png", tarfile.GNUTYPE_SPARSE, size=5).tobuf(tarfile.GNU_FORMAT))
    number = b"\x80" + real.to_bytes(11, "big")
    block[386:410] = b"%011o\0%011o\0" % (0, 5)
    block[483:495] = number
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + b"12345".ljust(512, b"\0") + bytes(1024)


def bombs(rng: random.Random, canary: Path) -> Iterator[File]:
    """Small archives that come to a hundred megabytes and more, as images or as something else, and nested ones."""
    zeros = bytes(GROWN)
    many = zlib.compress(zeros, 9)
    yield "one.zip", packed([("cat/1.png", zeros)])
    yield "other.zip", packed([("cat/1.txt", zeros), ("cat/1.png", _image(rng))])
    yield "overlapping.zip", overlapping(many, 2000)
    yield "quine.zip", overlapping(_image(rng), 500, method=0)
    yield "one.tar.gz", gzip.compress(tar([("cat/1.png", zeros)]))
    yield "other.tar.gz", gzip.compress(tar([("cat/1.txt", zeros), ("cat/1.png", _image(rng))]))
    for kind in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE):
        block = _info("cat/1.png", kind, size=GROWN).tobuf(tarfile.GNU_FORMAT)
        yield f"header-{kind.decode()}.tar.gz", gzip.compress(block + zeros + tar([("cat/1.png", _image(rng))]))
    half = bytes(2**28)
    several = [(f"cat/a.{number}.png", half[: GROWN // 4]) for number in range(8)]
    yield (
        "one-key.tar.gz",
        gzip.compress(tar([("a.cls", b"1"), *((name.removeprefix("cat/"), data) for name, data in several)]), 1),
    )
    yield "sparse.tar", b"".join(sparse(2**28)[:-1024] for _ in range(8)) + bytes(1024)
    yield "empty-members.tar.gz", gzip.compress(tar([(f"{number}.txt", b"") for number in range(20_000)]))
    nested = _image(rng)
    for level in range(9):
        nested = packed([(f"{level}.zip", nested)] * 1 + [(f"{level}/{at}.png", _image(rng)) for at in range(2)])
        yield f"nested{level}.zip", nested
        yield f"nested{level}.tar", tar([(f"{level}.tar.gz", nested), ("cat/1.png", _image(rng))])
    yield "dictionary.tar.xz", lzma.compress(tar([("cat/1.png", _image(rng))]), preset=9 | lzma.PRESET_EXTREME)
    yield "zip-in-png.png", packed([("cat/1.png", _image(rng))])


def overlapping(content: bytes, count: int, method: int = 8) -> bytes:
    """A zip file of `count` members that all have the same bytes of the file (D. Fifield, "A better zip bomb")."""
    size = len(zlib.decompress(content)) if method else len(content)
    crc = zlib.crc32(zlib.decompress(content) if method else content)
    name = b"cat/0000.png"
    local = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, method, 0, 33, crc, len(content), size, len(name), 0) + name
    central = b""
    for number in range(count):
        own = b"cat/%04d.png" % (number if method == 0 else 0)
        central += struct.pack(
            "<4sHHHHHHIIIHHHHHII",
            b"PK\1\2",
            20,
            20,
            0,
            method,
            0,
            33,
            crc,
            len(content),
            size,
            len(own),
            0,
            0,
            0,
            0,
            0,
            0,
        )
        central += own
    body = local + content
    return body + central + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, count, count, len(central), len(body), 0)


def damaged(rng: random.Random, canary: Path) -> Iterator[File]:
    """Cut off, or with bits turned round, in every compression."""
    import pyarrow as pa

    members: list[tuple[str, bytes]] = [
        (f"{label}/{number}.png", _image(rng)) for label in ("cat", "dog") for number in range(2)
    ]
    plain = tar(list(members))
    forms = {
        ".tar": plain,
        ".tar.gz": gzip.compress(plain),
        ".tar.xz": lzma.compress(plain),
        ".tar.zst": pa.compress(plain, codec="zstd", asbytes=True),
        ".zip": packed(list(members)),
        ".tar.bz2": bz2.compress(plain),
    }
    for suffix, data in forms.items():
        for number in range(20):
            broken = bytearray(data)
            for _ in range(1 + number):
                broken[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            yield f"bits{number}{suffix}", bytes(broken)
        for number in range(8):
            yield f"cut{number}{suffix}", data[: rng.randrange(len(data))]
    for suffix in forms:
        yield f"empty{suffix}", b""
        yield f"text{suffix}", b"this is no archive\n"
        yield f"noise{suffix}", rng.randbytes(2000)
