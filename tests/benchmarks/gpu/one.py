"""One check, in a process of its own: the runner starts `python -m tests.benchmarks.gpu.one`."""

import argparse
import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import torch

from curate.files import write_bytes_atomic
from tests.benchmarks.gpu.checks import CHECKS
from tests.benchmarks.gpu.job import Figures, Job, Missing
from tests.benchmarks.record import ROOT, hardware, versions

MISSING = 3
"""Exit status where the check could not be made for lack of something."""


def main() -> None:
    """Run the check, and write its file after each part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=list(CHECKS))
    parser.add_argument("--device", choices=["cuda", "cpu"], required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, required=True, help="until it is stopped")
    wanted = parser.parse_args()
    started = time.monotonic()
    job = Job(wanted.device, wanted.work, ends=started + wanted.seconds)
    parts: dict[str, Figures] = {}
    try:
        for part, figures in CHECKS[wanted.name].function(job):
            parts[part] = figures
            write(wanted.out, wanted.name, job, parts, time.monotonic() - started, complete=False)
            print(f"{part}: {json.dumps(figures)}", flush=True)
    except Missing as missing:
        print(missing, flush=True)
        sys.exit(MISSING)
    write(wanted.out, wanted.name, job, parts, time.monotonic() - started, complete=True)


def write(out: Path, name: str, job: Job, parts: dict[str, Figures], seconds: float, *, complete: bool) -> None:
    """`<out>/gpu-<name>.json`: what was measured so far, and on what. `complete` is false until all parts are there."""
    content = {
        "what": CHECKS[name].data,
        "command": f"python -m tests.benchmarks.gpu --only {name}",
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "device": torch.cuda.get_device_name() if job.device == "cuda" else "cpu",
        "torch": torch.__version__,
        "hardware": hardware(),
        "signals": versions(CHECKS[name].signals),
        "trial": job.small,
        "complete": complete,
        "seconds": seconds,
        "figures": parts,
    }
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    write_bytes_atomic(out / f"gpu-{name}.json", text.encode())


def commit() -> str:
    """The commit in short; empty where this is no repository."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:  # no git on the machine
        return ""


if __name__ == "__main__":
    main()
