"""Verbs on a disk that is full at some point of them: one line, nothing lost, and with room the same end."""

import os
import random
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.crash import checks
from tests.crash.cases import CASES, Case, put_back
from tests.crash.checks import Found, Reference
from tests.crash.server import Command, Ended
from tests.crash.trials import Bench

SIZE = 64 << 20
"""Bytes of the small disk: room for the largest state, twice."""
FILLER = "filler"
PAGE = 4096
LINES = ("No space left on device", "File too large")
"""What the one line says."""


@dataclass
class Full:
    """What came of a case on full disks."""

    trials: int = 0
    refused: int = 0
    """Ended with one line; the others had room enough."""
    bad_ends: int = 0
    """Ended in another way: several lines, another status."""
    lost: int = 0
    corrupt: int = 0
    different: int = 0
    leftovers: int = 0
    wrong: list[str] = field(default_factory=list)


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A file system of its own at `folder`, and whether there is one: mounting takes the right to."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def leave(folder: Path, room: int) -> None:
    """Fill the disk of `folder` up to so many bytes."""
    free = os.statvfs(folder).f_bavail * PAGE
    with (folder / FILLER).open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, free - room))


def trial(bench: Bench, case: Case, reference: Reference, *, room: int | None = None, limit: int = 0) -> tuple:
    """The verb with so little room, or with a limit on the size of each file; then once more without.

    Returns how it ended and what is wrong.
    """
    put_back(bench.state(case.state), bench.place)
    if room is not None:
        leave(bench.place, room)
    ended = bench.server.together(Command(case.arguments, refused_beyond=limit or None))[0]
    (bench.place / FILLER).unlink(missing_ok=True)
    now = checks.snapshot(bench.place)
    found = checks.after_kill(reference, bench.place, now)
    found.leftovers += [path for path in now if checks.is_temporary(path) and path not in reference.before]
    bench.repeat(case, reference, found)
    return ended, found


def is_one_line(ended: Ended) -> bool:
    """Whether it ended as an error does that the user can mend; what the verb warns of may stand before it."""
    lines = [line for line in ended.stderr.splitlines() if line.startswith("curate: ")]
    told = [line for line in lines if any(each in line for each in LINES)]
    said = told == lines[-1:] and ".partial-" not in "".join(told)
    return ended.status == 1 and bool(told) and said and "Traceback" not in ended.stderr


def run(
    bench: Bench, count: int, *, mounted: bool, seed: int = 0, cases: Sequence[Case] = CASES
) -> Iterator[tuple[str, Full]]:
    """So many trials of each case, spread over what it writes: with a disk that has room for a part of it, where one
    could be mounted; else, and for a third of them, with a limit on the size of files."""
    for case in cases:
        rng = random.Random(f"{seed} {case.name}")
        reference = bench.reference(case)
        sizes = [
            (reference.kept / path).stat().st_size
            for path, digest in reference.after.items()
            if reference.before.get(path) != digest
        ]
        full = Full()
        for number in range(count):
            if mounted and number % 3 != 2:
                room = PAGE * rng.randrange(0, sum(-(-size // PAGE) + 1 for size in sizes))
                what, (ended, found) = f"room for {room} bytes", trial(bench, case, reference, room=room)
            else:
                limit = rng.randint(1, max(sizes))
                what, (ended, found) = f"files of {limit} bytes", trial(bench, case, reference, limit=limit)
            note(full, what, ended, found)
        yield case.name, full


def note(full: Full, what: str, ended: Ended, found: Found) -> None:
    """Count a trial."""
    full.trials += 1
    full.refused += ended.status != 0
    if ended.status != 0 and not is_one_line(ended):
        full.bad_ends += 1
        full.wrong.append(f"{what}: {ended.status}, {ended.stderr[-500:]!r}")
    for name in ("lost", "corrupt", "different", "leftovers"):
        setattr(full, name, getattr(full, name) + bool(getattr(found, name)))
    full.wrong += [f"{what}: {line}" for line in found.lines()]


def totals(found: dict[str, Full]) -> dict[str, int]:
    """Sums over the cases."""
    counted = ("trials", "refused", "bad_ends", "lost", "corrupt", "different", "leftovers")
    return {name: sum(asdict(each)[name] for each in found.values()) for name in counted}
