"""A corpus of hostile files, given to the real commands: what was decoded, found, refused, and what went wrong.

Every source, table and recipe is a command of its own (`add`, `decide --policy`, `decide --import`), forked where all
modules are loaded; the images are one set. Then every workspace is scanned, decided on, reported and laid out for
review. A command that ends with more than one line, a traceback, a signal or not within its time counts as crashed. See
`tests/hostile/`.
"""

import tempfile
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks.record import record
from tests.hostile.trial import run as trial
from tests.hostile.trial import totals


def run() -> None:
    """The whole corpus."""
    with tempfile.TemporaryDirectory() as folder:
        result = trial(Path(folder) / "hostile")
    figures: dict[str, object] = {
        "total": totals(result),
        "families": {},
        "outside": result.outside,
        "harm": result.harm,
    }
    figures["families"] = {name: asdict(family) for name, family in result.families.items()}
    record("hostile_input", "hostile files given to add, scan, decide, report and review --sheet", figures)
