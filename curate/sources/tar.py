"""A tar file of class folders, in any compression (gz, bz2, xz, zst); unpacked to the workspace's `images/`."""

from collections.abc import Iterator
from pathlib import Path

from curate.images import MAX_BYTES, too_large
from curate.layouts import Options, Sample, Skipped, archives, kinds

PRIORITY = 10


def recognises(path: Path) -> bool:
    """A tar file."""
    return archives.is_tar(path)


def read(path: Path, options: Options) -> Iterator[Sample | Skipped]:
    """Every image in the archive, in its order. Raises `UserError` for damage and for names that lead out of it."""
    with archives.readable(path):
        for member, content in archives.tar_members(path):
            name = archives.safe_name(path, member.name)
            if member.isdir() or kinds.is_hidden(name):
                continue
            if content is None:
                yield Skipped(name, "link or device")
            elif why := kinds.why_not(name):
                yield Skipped(name, why)
            elif member.size > MAX_BYTES:
                yield Sample(name, error=too_large(member.size))
            else:
                yield Sample(name, data=content.read())
