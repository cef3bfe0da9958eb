"""What every benchmark writes beside its figures, and where the real data lie."""

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from curate.machine import cores, fast_bf16, memory, processor

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "benchmarks"
DATA = Path(os.environ.get("CURATE_DATA", ROOT.parent / "shared" / "data"))


def data(relative: str) -> Path:
    """A file of the real data, or an exit that says how to name their folder."""
    path = DATA / relative
    if not path.exists():
        sys.exit(f"{path} is missing; set CURATE_DATA to the folder that holds {relative}")
    return path


def record(name: str, what: str, figures: dict[str, object], *, signals: Iterable[str] = ()) -> None:
    """Write `docs/benchmarks/<name>.json` for a benchmark of `python -m tests.benchmarks`, and print the figures."""
    write(name, what, f"python -m tests.benchmarks {name}", figures, signals=signals)
    print(json.dumps(figures, indent=1, default=asdict), flush=True)


def write(name: str, what: str, command: str, figures: Mapping[str, object], *, signals: Iterable[str] = ()) -> None:
    """Write `docs/benchmarks/<name>.json`: the figures, with command and `circumstances`."""
    content = {"what": what, "command": command, **circumstances(signals), "figures": figures}
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=1, ensure_ascii=False, default=asdict)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def earlier(name: str) -> dict[str, Any]:
    """The figures of `docs/benchmarks/<name>.json`; none where there is no such file."""
    path = RESULTS / f"{name}.json"
    figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["figures"] if path.exists() else {}
    return figures


def circumstances(signals: Iterable[str] = ()) -> dict[str, object]:
    """Date, commit and hardware of what is measured now, and the versions of the signals that it depends on."""
    commit = _output("git", "rev-parse", "--short", "HEAD")
    now = {"date": datetime.now(UTC).date().isoformat(), "commit": commit, "hardware": hardware()}
    return {**now, "signals": versions(signals)} if signals else now


def versions(names: Iterable[str]) -> dict[str, int | str]:
    """`VERSION` of signals. The pages mark figures of another one, see `docs/outdated.py`."""
    from curate import registry, signals

    return {name: registry.version(registry.pick("signal", name, signals)) for name in sorted(names)}


def signals_of(*names: str) -> set[str]:
    """The signals that finders ask for, directly or through a signal."""
    from curate import evidence, finders, registry, signals

    return evidence.wanted(registry.pick("finder", name, finders) for name in names) & set(registry.functions(signals))


def spread(values: list[float]) -> dict[str, float]:
    """What repeated measurements came to."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "n": len(values)}


def hardware() -> str:
    """Processor, cores, memory, GPU, Python and torch."""
    import torch

    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    bf16 = " with bf16" if fast_bf16() else ""
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    return f"{cores()} cores {processor()}{bf16}, {memory() / 2**30:.0f} GiB{gpu}, {versions}"


def _output(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
