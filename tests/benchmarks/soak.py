"""An hour of add, scan, decide, apply, report and restore in one process: do memory and open files stay as they were?

`python -m tests.benchmarks.soak [--minutes N]`. 1,797 handwritten digits, and an archive of copies of 200 of them. That
is added, scanned, decided on, applied, reported and taken back, in one workspace, whose ledger alone grows. Worker
processes come and go with every scan.
"""

import argparse
import gc
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import pandas as pd

from curate import deciding, report, verbs, versions
from curate.engine import Local
from curate.ingest.add import add
from curate.workspace import Workspace
from tests.benchmarks import label_sets
from tests.benchmarks.record import record

COPIES = 200
WARM_UP = 0.2
"""Share of the rounds that is not looked at, and of those at the beginning and the end that are compared."""


def run(arguments: list[str] | None = None) -> None:
    """Rounds until the time is over; what a process holds, after each."""
    asked = argparse.ArgumentParser(prog="python -m tests.benchmarks.soak", description=__doc__)
    asked.add_argument("--minutes", type=float, default=60)
    ends = time.monotonic() + 60 * asked.parse_args(arguments or []).minutes
    root, table = label_sets.files("digits")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        more = folder / "more"
        for number, path in enumerate(table["path"].iloc[:COPIES]):
            place = more / f"train/{number % 10}/{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / path, place)
        packed = Path(shutil.make_archive(str(folder / "packed"), "tar", more))
        ws = Workspace(folder / "ws")
        add(ws, root)
        rounds = []
        while time.monotonic() < ends:
            rounds.append(_round(ws, packed))
            if len(rounds) % 20 == 0:
                print(len(rounds), rounds[-1], file=sys.stderr, flush=True)
        kept = _kilobytes(ws.root)
    record("soak", "handwritten digits, one process, one workspace", summed_up(pd.DataFrame(rounds), kept))


def _round(ws: Workspace, packed: Path) -> dict[str, float]:
    """All verbs once; the workspace is as it was, and its ledger longer."""
    began = time.perf_counter()
    add(ws, packed)
    verbs.scan(ws, only=None, settings={}, engine=Local(2))
    deciding.decide(ws, policy=None)
    verbs.apply(ws, include_test=False)
    report.write(ws)
    verbs.list_findings(ws, finder=None, flagged_only=True)
    versions.restore(ws, 1)
    return {"seconds": time.perf_counter() - began, **_held()}


def _held() -> dict[str, float]:
    """What this process holds: resident memory, open files, threads, child processes."""
    gc.collect()
    own = Path("/proc/self")
    pages = int((own / "statm").read_text().split()[1])
    return {
        "megabytes": pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        "files": len(list((own / "fd").iterdir())) - 1,
        "threads": len(list((own / "task").iterdir())),
        "processes": len((own / f"task/{os.getpid()}/children").read_text().split()),
    }


def _kilobytes(root: Path) -> float:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file()) / 1e3


def summed_up(rounds: pd.DataFrame, kept: float) -> dict[str, object]:
    """Medians of the first rounds after the warm-up, and of the last ones."""
    share = max(1, int(len(rounds) * WARM_UP))
    first, last = rounds.iloc[share : 2 * share], rounds.iloc[-share:]
    figures = {
        name: {"first": median(first[name]), "last": median(last[name]), "max": float(rounds[name].max())}
        for name in rounds.columns
    }
    growth = figures["megabytes"]["last"] / figures["megabytes"]["first"] - 1
    return {"rounds": len(rounds), "growth": growth, **figures, "workspace_megabytes": kept / 1e3}


if __name__ == "__main__":
    run(sys.argv[1:])
