"""`python -m tests.crash [--trials N] [--seed N] [--record] [CASE …]`: kill trials, full disks, two writers, order.

So many kill trials in all, spread over the verbs; a third as many on full disks. Prints a line per verb, and what is
wrong below it. Exit status 1 where something is.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

from tests.crash import disk, order, trials, writers
from tests.crash.cases import CASES, Case, make_sources, put_back
from tests.crash.server import served
from tests.crash.trials import Bench

PARTS = ("kills", "disk", "writers", "order")
SHOWN = 5
"""Lines of what is wrong with a verb that are printed."""


@contextmanager
def bench(folder: Path, *, log: Path | None = None, trains: bool = True) -> Iterator[Bench]:
    """A place for trials in an empty folder. log: where the calls of commands are written to."""
    make_sources(folder / "sources")
    with served(folder / "place", trains=trains, trace=order.trace(log) if log else ()) as server:
        yield Bench(server, folder)


def main() -> None:
    """Run the parts, print a table each, and write docs/benchmarks/crash.json with `--record`."""
    asked = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    asked.add_argument("cases", nargs="*", metavar="CASE", help="; ".join(case.name for case in CASES))
    asked.add_argument("--trials", type=int, default=540, help="kill trials in all, 540 by default")
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    asked.add_argument("--record", action="store_true", help="write docs/benchmarks/crash.json")
    given = asked.parse_args()
    if unknown := set(given.cases) - {case.name for case in CASES}:
        sys.exit(f"no case is called {sorted(unknown)[0]!r}; there are: {'; '.join(case.name for case in CASES)}")
    chosen = [case for case in CASES if not given.cases or case.name in given.cases]
    each = -(-given.trials // len(chosen))
    found: dict[str, Any] = {}

    def keep(part: str, figures: dict[str, Any]) -> None:
        found[part] = figures
        if given.record:
            _record({part: figures}, given.trials, given.seed)

    with tempfile.TemporaryDirectory(prefix="curate-crash-") as name:
        folder = Path(name)
        if "kills" in given.parts:
            with bench(folder / "kills") as one:
                runs = chain(
                    trials.run(one, each, seed=given.seed, cases=chosen),
                    trials.run_real(one, each // 3, seed=given.seed, cases=chosen),
                )
                keep("kills", _table("kills", runs, trials.totals))
        if "disk" in given.parts:
            with bench(folder / "disk") as one, disk.small_disk(one.place) as mounted:
                if not mounted:
                    print("no file system can be mounted here: disks are full by a limit on the size of files alone")
                run = disk.run(one, -(-each // 3), mounted=mounted, seed=given.seed, cases=chosen)
                keep("disk", _table("full disk", run, disk.totals) | {"mounted": mounted})
        if "writers" in given.parts and not given.cases:
            with bench(folder / "writers") as one:
                keep("writers", _table("two writers", writers.run(one, 4), writers.totals))
        if "order" in given.parts:
            keep("order", _order(folder / "order", chosen))
    sys.exit(1 if any(part.get("wrong") for part in found.values()) else 0)


def _table(title: str, runs: Iterator[tuple[str, Any]], totals: Any) -> dict[str, Any]:
    """Print a line per verb as it ends; gives totals and rows."""
    began, rows = time.monotonic(), {}
    for name, row in runs:
        counts = {what: value for what, value in asdict(row).items() if isinstance(value, int)}
        if not rows:
            print(f"{title:32}" + "".join(f"{what:>11}" for what in counts), flush=True)
        print(f"{name:32}" + "".join(f"{value:>11,}" for value in counts.values()), flush=True)
        for line in list(dict.fromkeys(row.wrong))[:SHOWN]:
            print(f"    {line}", flush=True)
        rows[name] = row
    summed = totals(rows)
    print(f"{'in all':32}" + "  ".join(f"{what} {value:,}" for what, value in summed.items()))
    print(f"{time.monotonic() - began:,.0f} s", flush=True)
    wrong = [f"{name}: {line}" for name, row in rows.items() for line in row.wrong]
    return {"total": summed, "cases": {name: asdict(row) for name, row in rows.items()}, "wrong": wrong}


def _order(folder: Path, chosen: list) -> dict[str, Any]:
    """The order of calls of every verb."""
    log = folder / "calls.txt"
    if not order.trace(log):
        print("strace is not here, so the order of calls was not looked at: apt-get install strace")
        return {"skipped": "no strace"}
    folder.mkdir(parents=True)
    named, wrong = 0, []
    with bench(folder / "bench", log=log) as one:
        for case in chosen:
            lines, count = traced(one, log, case)
            named += count
            wrong += [f"{case.name}: {line}" for line in lines]
    print(f"order of calls: {len(chosen)} verbs, {named:,} files given their names, {len(wrong)} in a wrong order")
    for line in wrong[: 4 * SHOWN]:
        print(f"    {line}")
    return {"verbs": len(chosen), "named": named, "wrong": wrong}


def traced(one: Bench, log: Path, case: Case) -> tuple[list[str], int]:
    """What is wrong with the order of a verb's calls, and how many names it gave."""
    put_back(one.state(case.state), one.place)
    start = log.stat().st_size if log.exists() else 0
    ended = one.server.run(*case.arguments)
    assert ended.status == 0, ended.stderr
    with log.open("rb") as file:
        file.seek(start)
        return order.violations(file.read().decode("utf-8", "replace"), one.place)


def _record(found: dict[str, Any], count: int, seed: int) -> None:
    """Figures of cases that were not run stay."""
    from tests.benchmarks import record

    figures = record.earlier("crash")
    for part, content in found.items():
        if "cases" in content and part in figures:
            cases = figures[part]["cases"] | content["cases"]
            total = {name: sum(case[name] for case in cases.values()) for name in content["total"]}
            wrong = [f"{name}: {line}" for name, case in cases.items() for line in case["wrong"]]
            figures[part] |= content | {"cases": cases, "total": total, "wrong": wrong}
        else:
            figures[part] = content
    what = "every verb that writes, killed, on a full disk, beside another, and its calls traced: what was lost"
    record.write("crash", what, f"python -m tests.crash --trials {count} --seed {seed} --record", figures)


if __name__ == "__main__":
    main()
