"""Kill trials: a verb is killed, what is there is checked, the verb is called once more, and that is checked."""

import random
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from curate.workspace import LEDGER
from tests.crash import checks, server
from tests.crash.cases import CASES, Case, prepare, put_back
from tests.crash.checks import Found, Reference
from tests.crash.server import Command, Ended, Server

How = Literal["change", "write", "time"]
BUNDLE = ".zip"
"""Says how much room is left on the disk."""
HOWS: tuple[How, ...] = ("change", "write", "change", "time", "change")
"""How trials take turns: before a change of the file system, within a write, at a random moment."""


@dataclass
class Trials:
    """What a case's trials came to. A trial counts once under each of lost, corrupt, different and leftovers."""

    trials: int = 0
    killed: int = 0
    """Before the verb had ended."""
    lost: int = 0
    """Something that was there before is gone, or changed and not in the history."""
    corrupt: int = 0
    """A file is not whole, or the workspace does not open."""
    different: int = 0
    """The same command once more fails, or ends with other bytes than without a kill."""
    leftovers: int = 0
    """Files that the same command once more leaves beside what it makes."""
    seconds: float = 0
    """Of the verb alone, without a kill."""
    moments: int = 0
    """Changes of the file system that it makes: each is a moment to be killed at."""
    wrong: list[str] = field(default_factory=list)

    def note(self, what: str, found: Found) -> None:
        """Count what is wrong after a trial."""
        for name in ("lost", "corrupt", "different", "leftovers"):
            setattr(self, name, getattr(self, name) + bool(getattr(found, name)))
        self.wrong += [f"{what}: {line}" for line in found.lines()]


@dataclass(frozen=True)
class Bench:
    """Where trials are made: one place for all, so that paths in files are the same."""

    server: Server
    folder: Path

    @property
    def place(self) -> Path:
        """The working folder of the commands."""
        return self.folder / "place"

    def state(self, name: str) -> Path:
        """A folder with what `place` is to hold before."""
        return prepare(self.server, self.place, self.folder / "states", name)

    def reference(self, case: Case) -> Reference:
        """What the case comes to without a kill; it runs twice, to see which files hold times."""
        state = self.state(case.state)
        ended, snapshots = [], []
        kept = self.folder / "references" / case.name
        for _ in range(2):
            put_back(state, self.place)
            before = checks.snapshot(self.place)
            ended.append(self.server.run(*case.arguments))
            assert ended[-1].status == 0, (case, ended[-1].stderr)
            snapshots.append(checks.snapshot(self.place))
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(self.place, kept)
        first, after = snapshots
        assert after != before, f"{case.name}: changes nothing, so there is nothing to see"
        assert first.keys() == after.keys(), f"{case.name}: other files each time"
        timed = frozenset(path for path in after if first[path] != after[path] or path.endswith(BUNDLE))
        ledger = state / checks.WS / LEDGER
        return Reference(
            before,
            after,
            timed,
            kept,
            seconds=min(each.seconds for each in ended),
            moments=ended[-1].moments,
            ledger=ledger.read_bytes() if ledger.exists() else b"",
        )

    def trial(self, case: Case, reference: Reference, command: Command) -> tuple[Ended, Found]:
        """One trial: killed as the command says, looked at, called once more, looked at."""
        put_back(self.state(case.state), self.place)
        ended = self.server.together(command)[0]
        found = checks.after_kill(reference, self.place, checks.snapshot(self.place))
        if not ended.killed and not self._well(case, ended):
            found.different.append(f"it was not killed, and ended with {ended.status}: {ended.stderr[-300:]!r}")
        self.repeat(case, reference, found)
        return ended, found

    def repeat(self, case: Case, reference: Reference, found: Found) -> None:
        """The same command once more, and what it came to."""
        again = self.server.run(*case.arguments)
        if not self._well(case, again):
            found.different.append(f"once more it ends with {again.status}: {again.stderr[-300:]!r}")
        checks.after_repeat(reference, self.place, checks.snapshot(self.place), found)

    def _well(self, case: Case, ended: Ended) -> bool:
        return ended.status == 0 or (ended.status == 1 and bool(case.refused) and case.refused in ended.stderr)


def kills(case: Case, reference: Reference, count: int, rng: random.Random) -> Iterator[tuple[str, Command]]:
    """How the trials of a case are killed, in words and as commands. The changes are spread evenly over all that there
    are; a write is one of the files that the verb makes, cut at a random byte."""
    hows = [HOWS[number % len(HOWS)] for number in range(count)]
    changes = hows.count("change")
    start, at = rng.random(), 0
    made = [path for path, digest in reference.after.items() if reference.before.get(path) != digest]
    for how in hows:
        if how == "change":
            kill_at = int((start + at) * reference.moments / changes) % reference.moments
            at += 1
            yield f"before change {kill_at}", Command(case.arguments, kill_at=kill_at)
        elif how == "write":
            size = (reference.kept / rng.choice(made)).stat().st_size
            limit = rng.randint(1, max(1, size - 1))
            yield f"beyond byte {limit}", Command(case.arguments, dies_beyond=limit)
        else:
            seconds = rng.uniform(0, reference.seconds)
            yield f"after {seconds:.3f} s", Command(case.arguments, kill_after=seconds)


def run(bench: Bench, count: int, *, seed: int = 0, cases: Sequence[Case] = CASES) -> Iterator[tuple[str, Trials]]:
    """So many trials of each case, case by case."""
    for case in cases:
        rng = random.Random(f"{seed} {case.name}")
        reference = bench.reference(case)
        trials = Trials(seconds=reference.seconds, moments=reference.moments)
        for what, command in kills(case, reference, count, rng):
            ended, found = bench.trial(case, reference, command)
            trials.trials += 1
            trials.killed += ended.killed
            trials.note(what, found)
        yield case.name, trials


REAL = ("apply", "decide --import", "add, an archive", "restore")
"""Cases that the command itself goes through, too."""


def run_real(bench: Bench, count: int, *, seed: int = 0, cases: Sequence[Case] = CASES) -> Iterator[tuple[str, Trials]]:
    """The same with `python -m curate` in place of a fork: first without a kill, then so many at random moments."""
    for case in (case for case in cases if case.name in REAL):
        rng = random.Random(f"{seed} {case.name}")
        reference = bench.reference(case)
        put_back(bench.state(case.state), bench.place)
        began = time.monotonic()
        status = server.real(bench.place, *case.arguments)
        trials = Trials(seconds=time.monotonic() - began)
        found = Found() if status == 0 else Found(different=[f"the command ends with {status}"])
        checks.after_repeat(reference, bench.place, checks.snapshot(bench.place), found)
        trials.note("not killed", found)
        for _ in range(count):
            seconds = rng.uniform(0, trials.seconds)
            put_back(bench.state(case.state), bench.place)
            trials.killed += server.real(bench.place, *case.arguments, kill_after=seconds) != 0
            found = checks.after_kill(reference, bench.place, checks.snapshot(bench.place))
            bench.repeat(case, reference, found)
            trials.trials += 1
            trials.note(f"after {seconds:.3f} s", found)
        yield f"{case.name}, the command itself", trials


def totals(found: dict[str, Trials]) -> dict[str, int]:
    """Sums over the cases."""
    counted = ("trials", "killed", "lost", "corrupt", "different", "leftovers")
    return {name: sum(asdict(each)[name] for each in found.values()) for name in counted}
