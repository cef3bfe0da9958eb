"""A zip file of class folders; unpacked to the workspace's `images/`."""

import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

from curate.errors import UserError
from curate.images import MAX_BYTES, too_large
from curate.layouts import Options, Sample, Skipped, archives, kinds

PRIORITY = 10
ENTRY = 100
"""Bytes of an empty member, about."""
UTF_8 = 1 << 11
"""The flag of a member whose name is in UTF-8 (APPNOTE.TXT, 4.4.4)."""


def recognises(path: Path) -> bool:
    """A zip file."""
    return archives.is_zip(path)


def read(path: Path, options: Options) -> Iterator[Sample | Skipped]:
    """Every image in the archive, in its order. Raises `UserError` for damage, encryption and unsafe names."""
    with archives.readable(path), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        archives.check_size(path, sum(max(member.file_size, member.compress_size) + ENTRY for member in members))
        if sum(member.compress_size for member in members) > path.stat().st_size:
            raise UserError(f"{path}: members share the same bytes, as in a decompression bomb; nothing was added")
        for member in members:
            name = archives.safe_name(path, _name(member).replace("\\", "/"))
            if not member.filename or member.is_dir() or kinds.is_hidden(name):
                continue
            if member.flag_bits & 1:
                raise UserError(f"{path}: member {name!r} is encrypted; unpack it with its password and add the folder")
            if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
                yield Skipped(name, "link or device")
            elif why := kinds.why_not(name):
                yield Skipped(name, why)
            elif member.file_size > MAX_BYTES:
                yield Sample(name, error=too_large(member.file_size))
            else:
                yield Sample(name, data=archive.read(member))


def _name(member: zipfile.ZipInfo) -> str:
    """A member's name. Without the flag it is in cp437, says the standard; Info-ZIP and others write UTF-8 all the
    same, and what is UTF-8 is hardly ever anything else."""
    if member.flag_bits & UTF_8:
        return member.filename
    try:
        return member.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return member.filename
