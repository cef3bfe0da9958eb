"""Reading archives as a stream: names that are safe, errors that a user understands, one member in memory at a time."""

import bz2
import gzip
import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from curate.errors import UserError

TAR_SUFFIXES = (".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tgz", ".tbz2", ".txz", ".tzst", ".tar")
SUFFIXES = (*TAR_SUFFIXES, ".zip")

LONGEST_REASON = 200
FREE_BYTES, TIMES = 1 << 30, 250
"""What an archive may come to: the larger of so many bytes and so many times its own size. Deflate makes zeros 1,000
times as small, photos not at all, and masks without compression some 100 times."""
MAX_HEADER_BYTES = 1 << 20
"""A member's name and attributes: tarfile takes them into memory whatever size they claim."""

DAMAGE = (
    *(tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, lzma.LZMAError, zlib.error, NotImplementedError),
    *(ValueError, OverflowError, MemoryError, struct.error),
)
"""What the readers raise for an archive that is cut short, damaged or packed by a method they do not know."""


EOFHeaderError: type[Exception] = tarfile.EOFHeaderError  # type: ignore[attr-defined]


LONG_HEADERS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)


class _Member(tarfile.TarInfo):
    """A header that tells the end of an archive from an archive that was cut: tarfile takes both for the end."""

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> "_Member":
        try:
            return super().fromtarfile(tar)
        except EOFHeaderError:
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"no end mark: {error}") from None

    def _proc_member(self, tar: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in LONG_HEADERS and not 0 <= self.size <= MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {self.size:,} bytes")
        member: tarfile.TarInfo = super()._proc_member(tar)  # type: ignore[misc]
        return member


def tar_members(path: Path) -> Generator[tuple[tarfile.TarInfo, IO[bytes] | None], None, None]:
    """Every member of a tar file in any compression, with its content where it is a regular file.

    The content must be read before the next member is asked for, and within `readable`. Raises `UserError` for damage,
    and for members that claim too much, see `check_size`.
    """
    with (
        readable(path),
        _uncompressed(path) as stream,
        tarfile.open(fileobj=stream, mode="r|", tarinfo=_Member, bufsize=1 << 16) as tar,
    ):
        total = 0
        while (member := tar.next()) is not None:
            total += tarfile.BLOCKSIZE + abs(member.size)
            check_size(path, total)
            yield member, tar.extractfile(member) if member.isreg() else None
            tar.members.clear()  # type: ignore[attr-defined]  # else a million members stay in memory


def check_size(path: Path, total: int) -> None:
    """Raise `UserError` where the members of an archive come to `total` bytes, and that is out of all proportion."""
    size = path.stat().st_size
    if total > max(FREE_BYTES, TIMES * size):
        told = f"{total / 1e9:,.0f} GB or more, but has {size / 1e6:,.1f} MB: a decompression bomb, or damaged"
        raise UserError(
            f"{path} says it comes to {told}; nothing was added; if you trust it, unpack it and add the folder"
        )


def is_tar(path: Path) -> bool:
    """Whether a file starts like a tar file, in any compression."""
    if not path.is_file():
        return False
    try:
        with _uncompressed(path) as stream:
            block = stream.read(512)
    except DAMAGE:
        return path.name.lower().endswith(TAR_SUFFIXES)  # damaged or empty: reading it says what is wrong
    return block[257:262] == b"ustar" or path.name.lower().endswith(TAR_SUFFIXES)


def is_zip(path: Path) -> bool:
    """Whether a file starts like a zip file, or is called so."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06") or path.name.lower().endswith(".zip")


def safe_name(archive: Path, name: str) -> str:
    """A member's name without `.` components; `UserError` where it could lead out of the folder it is unpacked to."""
    components = re.split(r"[/\\]", name)
    if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name) or ".." in components:
        raise UserError(f"{archive}: member {name!r} leads out of the archive, so nothing was added; repack it without")
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "/".join(component for component in text.split("/") if component not in ("", "."))


def stem(name: str) -> str:
    """A file's name without the suffix of an archive or table."""
    for suffix in (*SUFFIXES, ".csv", ".tsv", ".parquet"):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what readers raise for a damaged archive into the error a user sees."""
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; is the name right?") from None
    except PermissionError:
        raise UserError(f"{path} may not be read; change its permissions") from None
    except DAMAGE as error:
        reason = str(error)[:LONGEST_REASON] or type(error).__name__  # zipfile's may hold the archive
        raise UserError(f"{path} is damaged or cut short ({reason}), so nothing was added; fetch it again") from None


@contextmanager
def _uncompressed(path: Path) -> Iterator[Any]:
    with path.open("rb") as file:
        start = file.read(6)
        file.seek(0)
        if start.startswith(b"\x1f\x8b"):
            yield gzip.GzipFile(fileobj=file)
        elif start.startswith(b"BZh"):
            yield bz2.BZ2File(file)
        elif start.startswith((b"\xfd7zXZ\x00", b"]\x00\x00")):
            yield lzma.LZMAFile(file)  # noqa: SIM115  (ends with `file`)
        elif start.startswith(b"\x28\xb5\x2f\xfd"):
            yield pa.CompressedInputStream(file, "zstd")
        else:
            yield file
