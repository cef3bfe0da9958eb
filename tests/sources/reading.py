"""All that a layout reads of a path, and archives to read."""

import io
import tarfile
import zipfile
from pathlib import Path

from curate import sources
from curate.layouts import Options, Sample, Skipped


def read(path: Path, name: str = "", **options: object) -> tuple[list[Sample], list[Skipped]]:
    """All samples, then all that was skipped, of the layout that recognises the path."""
    found = list(sources.pick(name or sources.recognise(path)).read(path, Options(**options)))
    return [item for item in found if isinstance(item, Sample)], [item for item in found if isinstance(item, Skipped)]


def make_tar(path: Path, members: dict[str, bytes | tarfile.TarInfo], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def make_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return path


EVIL_NAMES = ["../1.png", "cat/../../1.png", "/etc/1.png", "C:\\1.png", "c:1.png", "..\\1.png", "\\\\host\\1.png"]
