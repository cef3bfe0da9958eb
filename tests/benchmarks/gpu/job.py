"""What a check is, what it is given, and how it says what it measured."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Figures = Mapping[str, object]
"""What was measured, ready for JSON."""
Parts = Iterator[tuple[str, Figures]]
"""What a check yields: a part's name, and its figures. The file is written after each, so that a check which is stopped
keeps what it measured. A name that comes again replaces the earlier one."""


@dataclass(frozen=True)
class Job:
    """What a check is given."""

    device: Literal["cuda", "cpu"]
    work: Path
    """Folder for decoded images and for what a check has to put somewhere; shared by all checks of a run."""
    ends: float
    """When the check is stopped, on the clock of `time.monotonic`."""

    @property
    def small(self) -> bool:
        """Whether this is a trial on a CPU: few images, one epoch; its figures mean nothing."""
        return self.device == "cpu"

    def left(self) -> float:
        """Seconds until the check is stopped."""
        return self.ends - time.monotonic()


@dataclass(frozen=True)
class Check:
    """One more check is one more function, and one line in `checks.CHECKS`."""

    function: Callable[[Job], Parts]
    limit: int
    """Seconds, at most."""
    data: str
    """What it is measured on."""
    question: str
    to_reach: str
    """The figure that would do, and where it comes from."""
    signals: tuple[str, ...] = ()
    """Those that it computes: their versions go beside the figures."""


class Missing(Exception):
    """Something that a check needs and this machine has not: one line, with the way to it. The next check runs."""
