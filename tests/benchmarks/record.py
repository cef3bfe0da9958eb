"""What every benchmark writes beside its figures, and where the real data lie."""

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "benchmarks"
DATA = Path(os.environ.get("CURATE_DATA", ROOT.parent / "shared" / "data"))


def data(relative: str) -> Path:
    """A file of the real data, or an exit that says how to name their folder."""
    path = DATA / relative
    if not path.exists():
        sys.exit(f"{path} is missing; set CURATE_DATA to the folder that holds {relative}")
    return path


def record(name: str, what: str, figures: dict[str, object]) -> None:
    """Write `docs/benchmarks/<name>.json` for a benchmark of `python -m tests.benchmarks`, and print the figures."""
    write(name, what, f"python -m tests.benchmarks {name}", figures)
    print(json.dumps(figures, indent=1, default=asdict), flush=True)


def write(name: str, what: str, command: str, figures: Mapping[str, object]) -> None:
    """Write `docs/benchmarks/<name>.json`: the figures, with command, commit, date and hardware."""
    content = {"what": what, "command": command, **circumstances(), "figures": figures}
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=1, ensure_ascii=False, default=asdict)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def earlier(name: str) -> dict[str, Any]:
    """The figures of `docs/benchmarks/<name>.json`; none where there is no such file."""
    path = RESULTS / f"{name}.json"
    figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["figures"] if path.exists() else {}
    return figures


def circumstances() -> dict[str, str]:
    """Date, commit and hardware of what is measured now."""
    commit = _output("git", "rev-parse", "--short", "HEAD")
    return {"date": datetime.now(UTC).date().isoformat(), "commit": commit, "hardware": hardware()}


def spread(values: list[float]) -> dict[str, float]:
    """What repeated measurements came to."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "n": len(values)}


def hardware() -> str:
    """Processor, cores, memory, GPU, Python and torch."""
    import torch

    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = next(
        (line.split(":")[1].strip() for line in _cpu_info() if line.startswith("model name")), platform.machine()
    )
    bf16 = " with bf16" if torch.ops.mkldnn._is_mkldnn_bf16_supported() else ""
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    return f"{os.cpu_count()} cores {model}{bf16}, {memory:.0f} GiB{gpu}, {versions}"


def _cpu_info() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def _output(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
