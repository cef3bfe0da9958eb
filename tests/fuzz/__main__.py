"""`python -m tests.fuzz [--seconds N] [--record] [TARGET …]`: fuzz the named targets, or all, one after the other.

Inputs that break a reader's word are kept in build/fuzz/TARGET/ and tried again by the next run, which forgets those
that are mended; the search goes on from the inputs that earlier runs found worth keeping. Exit status 1 where findings
are open.
"""

import argparse
import os
import pkgutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.fuzz import targets
from tests.fuzz.process import COUNTS

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "build" / "fuzz"
FINDINGS = ("raised-*", "slow-*", "crash-*", "timeout-*", "oom-*", "leak-*")
GRACE_SECONDS = 900
"""More than it was asked for that a process may take to begin and end; then it is killed."""
TRY_SECONDS = 900
LEAST_SECONDS = 2
ENVIRONMENT = {
    "CURATE_MAX_PIXELS": "1000000",
    "OMP_NUM_THREADS": "1",
    "OPENCV_LOG_LEVEL": "SILENT",
    "NO_ALBUMENTATIONS_UPDATE": "1",
}


@dataclass(frozen=True)
class Searched:
    """What came of a target, of this run and of all runs since build/fuzz was made."""

    target: str
    executions: int
    processor_seconds: float
    executions_in_all: int
    kept: int
    """Inputs that each reach something no other does."""
    open: list[str]
    """Findings that still fail."""


def search(name: str, seconds: int) -> Searched:
    """Fuzz one target for so long, however often its process ends before."""
    folder = KEPT / name
    folder.mkdir(parents=True, exist_ok=True)
    forget_mended(name)
    executions, used = 0, 0.0
    end = time.monotonic() + seconds
    with (folder / "log.txt").open("ab") as log:
        while (left := int(end - time.monotonic())) >= LEAST_SECONDS:
            status = _run(name, str(left), str(folder), log=log, seconds=left + GRACE_SECONDS)
            count, processor, _ = COUNTS.unpack((folder / "counts").read_bytes())
            executions, used = executions + count, used + processor
            if status == 0 or not count:  # the time is over, or it does not begin
                break
    total = folder / "total"
    before = int(total.read_text()) if total.exists() else 0
    total.write_text(f"{before + executions}\n")
    kept = sum(1 for _ in (folder / "corpus").iterdir()) if (folder / "corpus").exists() else 0
    return Searched(name, executions, used, before + executions, kept, [path.name for path in findings(name)])


def findings(name: str) -> list[Path]:
    """Inputs that were found to fail."""
    return sorted(path for form in FINDINGS for path in (KEPT / name).glob(form) if path.suffix != ".txt")


def forget_mended(name: str) -> None:
    """Try each finding in a process of its own, and remove those that no longer fail."""
    for path in findings(name):
        if _run(name, "--try", str(path), log=subprocess.DEVNULL, seconds=TRY_SECONDS) == 0:
            path.unlink()
            path.with_name(f"{path.name}.txt").unlink(missing_ok=True)


def _run(name: str, *arguments: str, log: object, seconds: float) -> int:
    command = [sys.executable, "-m", "tests.fuzz.process", name, *arguments]
    try:
        return subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ | ENVIRONMENT,
            stdout=log,  # type: ignore[arg-type]
            stderr=log,  # type: ignore[arg-type]
            timeout=seconds,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        return -1


def main() -> None:
    """Print a line for each target, and write docs/benchmarks/fuzz.json with `--record`."""
    there_are = [module.name for module in pkgutil.iter_modules(targets.__path__)]
    asked = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    asked.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(there_are))
    asked.add_argument("--seconds", type=int, default=60, help="for each target, 60 by default")
    asked.add_argument("--record", action="store_true", help="write docs/benchmarks/fuzz.json")
    given = asked.parse_args()
    if unknown := set(given.targets) - set(there_are):
        sys.exit(f"no target is called {sorted(unknown)[0]!r}; there are: {', '.join(there_are)}")
    print(f"{'target':18}{'executions':>12}{'a second':>10}{'in all':>12}{'kept':>7}{'open':>6}", flush=True)
    found = []
    for name in given.targets or there_are:
        one = search(name, given.seconds)
        rate = one.executions / one.processor_seconds if one.processor_seconds else 0
        print(
            f"{name:18}{one.executions:>12,}{rate:>10,.0f}{one.executions_in_all:>12,}{one.kept:>7,}{len(one.open):>6}",
            flush=True,
        )
        found.append(one)
    for one in found:
        for each in one.open:
            print(f"open: {KEPT / one.target / each}")
    print(f"{sum(one.executions_in_all for one in found):,} executions in all", flush=True)
    if given.record:
        _record(found, given.seconds)
    sys.exit(1 if any(one.open for one in found) else 0)


def _record(found: list[Searched], seconds: int) -> None:
    from tests.benchmarks import record

    what = "coverage-guided fuzzing of every reader: executions since the search began anew, and open findings"
    figures = {
        "executions": sum(one.executions_in_all for one in found),
        "open": sum(len(one.open) for one in found),
        "targets": [asdict(one) for one in found],
    }
    record.write("fuzz", what, f"python -m tests.fuzz --seconds {seconds} --record", figures)


if __name__ == "__main__":
    main()
