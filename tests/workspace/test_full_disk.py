"""A full disk changes nothing, and neither does a limit on the size of files."""

import contextlib
import errno
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from curate.workspace import CURATED, LEDGER, MANIFEST, Workspace
from tests.workspace.contents import contents, leftovers
from tests.workspace.processes import (
    apply,
    decide,
    restore_to_begin,
    take_over,
)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 KB; needs the right to mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("verb", [decide, take_over, apply, restore_to_begin], ids=lambda verb: verb.__name__)
def test_full_disk_changes_nothing(full: Workspace, small_disk: Path, verb: Callable) -> None:
    root = small_disk / "ws"
    shutil.copytree(full.root, root)
    before, ledger = contents(root), (root / LEDGER).read_bytes()
    filler = root / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    with pytest.raises(OSError, match="No space left") as caught:
        verb(root)
    assert caught.value.errno == errno.ENOSPC
    assert contents(root) == before
    assert (root / LEDGER).read_bytes() == ledger
    filler.unlink()
    verb(root)
    assert contents(root) != before
    assert leftovers(root) == []


def test_limit_on_the_size_of_files_is_one_line_and_changes_nothing(full: Workspace) -> None:
    before = contents(full.root)
    limit = len(before[MANIFEST]) // 2
    done = subprocess.run(
        [sys.executable, "-m", "curate", "apply", str(full.root)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"curate: File too large: {full.path(CURATED)}; nothing that was there is lost")
    assert contents(full.root) == before
    assert leftovers(full.root) == []
