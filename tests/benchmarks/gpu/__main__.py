"""Every check that needs a GPU, most important first: `python -m tests.benchmarks.gpu`, or `make bench-gpu`.

Each runs in a process of its own with a time limit and writes `gpu-<name>.json` after each of its parts, so a machine
that is taken away keeps what was measured. What a check lacks is said in one line, and the next one runs. Without a GPU
this ends with status 1; `--device cpu` tries the checks out on a few images and writes only where `--out` says.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

try:
    from tests.benchmarks.gpu.checks import CHECKS
    from tests.benchmarks.gpu.one import MISSING
    from tests.benchmarks.record import RESULTS, ROOT
except ModuleNotFoundError as missing:  # a rented machine costs by the second: no traceback to read
    sys.exit(f"{missing.name} is not installed here; docs/gpu.md says what to bring")

LEAST_SECONDS = 20
"""With less left of the budget no check is started: torch and the images take half of it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 1 where a check failed, 0 otherwise, also where one was stopped or lacked something."""
    wanted = parsed(arguments)
    if wanted.device == "cuda" and not torch.cuda.is_available():
        print("no CUDA device here; '--device cpu' tries the checks out on a few images", file=sys.stderr)
        return 1
    names = chosen(wanted.only, wanted.skip)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the running check is ended, too
    ends = time.monotonic() + wanted.budget
    outcomes: dict[str, str] = {}
    with folder(wanted.work) as work:
        out = wanted.out or (work / "results" if wanted.device == "cpu" else RESULTS)
        for name in names:
            left = ends - time.monotonic()
            if left < LEAST_SECONDS:
                outcomes[name] = f"not started: the budget of {wanted.budget:g} s is used up"
                continue
            limit = min(CHECKS[name].limit, wanted.limit, left)
            print(f"== {name}, at most {limit:.0f} s: {CHECKS[name].question}", flush=True)
            outcomes[name] = run(name, limit, wanted.device, work, out)
    print("\n".join(["==", *(f"{name}: {outcome}" for name, outcome in outcomes.items())]), flush=True)
    return int(any(outcome.startswith("failed") for outcome in outcomes.values()))


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAME[,NAME]", help=f"of: {', '.join(CHECKS)}")
    parser.add_argument("--skip", metavar="NAME[,NAME]")
    parser.add_argument("--budget", type=float, metavar="SECONDS", default=float("inf"), help="for all together")
    parser.add_argument("--limit", type=float, metavar="SECONDS", default=float("inf"), help="for each, at most")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--out", type=Path, help="folder for the JSON files (docs/benchmarks)")
    parser.add_argument("--work", type=Path, help="folder for decoded images, kept for the next run (a temporary one)")
    return parser.parse_args(arguments)


def chosen(only: str | None, skip: str | None) -> list[str]:
    """The checks to run, in the order of the table."""
    asked, left_out = (set(filter(None, (text or "").split(","))) for text in (only, skip))
    if unknown := sorted((asked | left_out) - set(CHECKS)):
        sys.exit(f"no check is called {unknown[0]!r}; there are: {', '.join(CHECKS)}")
    return [name for name in CHECKS if name not in left_out and (not asked or name in asked)]


@contextmanager
def folder(named: Path | None) -> Iterator[Path]:
    """The working folder: the one that was named, or a temporary one."""
    if named:
        named.mkdir(parents=True, exist_ok=True)
        yield named.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="curate-gpu-") as temporary:
        yield Path(temporary)


def run(name: str, limit: float, device: str, work: Path, out: Path) -> str:
    """One check in its own process; in words what became of it."""
    command = [sys.executable, "-m", "tests.benchmarks.gpu.one", name, "--device", device, "--seconds", f"{limit:.1f}"]
    started = time.monotonic()
    process = subprocess.Popen(
        [*command, "--work", str(work), "--out", str(out.resolve())],
        cwd=ROOT,
        process_group=0,  # a group that can be ended whole: compilers, peers and folds are processes, too
    )
    try:
        status = process.wait(timeout=limit)
    except subprocess.TimeoutExpired:
        return f"stopped after {limit:.0f} s; what it measured until then is kept"
    finally:
        end(process)
    took = f"{time.monotonic() - started:.0f} s"
    return {0: f"done in {took}", MISSING: "left out, see above"}.get(status, f"failed with status {status} in {took}")


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


if __name__ == "__main__":
    sys.exit(main())
