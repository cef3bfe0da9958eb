"""What comes of a threshold: what was measured, whether that meets it, why, and the way out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal


@dataclass(frozen=True)
class Check:
    """What came of one threshold. `reason`: a sentence without its full stop."""

    name: str
    status: Literal["passed", "failed", "skipped"]
    reason: str
    measured: float | None = None
    bound: Literal["at most", "at least"] | None = None
    threshold: float | None = None
    way_out: str = ""
    """The command that leads on; "" where the check passed."""
    details: Mapping[str, str | float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Judged:
    """What came of all checks."""

    passed: bool
    judged: Literal["curated", "raw"]
    """The curated set, where it is of the images and decisions as they are now; else the manifest."""
    checks: list[Check]


def bounded(check: Check) -> Check:
    """The check as its measured value and threshold have it; the way out is for one that failed."""
    assert check.measured is not None
    assert check.threshold is not None
    over = check.measured > check.threshold if check.bound == "at most" else check.measured < check.threshold
    return replace(check, status="failed") if over else replace(check, status="passed", way_out="")
