"""How figures and names are written for people."""

import math
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

MIDDLE = 34
"""Characters of a name that fit under a picture in two lines; chosen by eye."""


def count(value: float) -> str:
    """12345 as 12,345."""
    return f"{value:,.0f}"


def plural(value: int, one: str, many: str) -> str:
    """12,345 with the word that fits it."""
    return f"{value:,} {one if value == 1 else many}"


def some(names: Sequence[str], most: int = 3) -> str:
    """The first few names, and that there are more."""
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def printable(name: str) -> str:
    """A name as it stands on one line: in quotes, with escapes, where it holds line ends or other control signs."""
    return name if name.isprintable() else repr(name)


def percent(share: float | None, half_width: float | None = None, digits: int = 2) -> str:
    """A share, 0 to 1, in per cent without the sign: `96.20 ± 0.41`, a dash where there is none."""
    if share is None or math.isnan(share):
        return "–"
    return spread(f"{100 * share:.{digits}f}", half_width, digits)


def spread(text: str, half_width: float | None, digits: int = 2) -> str:
    """A figure in per cent or points with half of its interval, a share, behind it: `+3.40 ± 0.80`."""
    return text if half_width is None else f"{text} ± {100 * half_width:.{digits}f}"


def signed(share: float, digits: int = 2) -> str:
    """A difference of shares in percentage points with its sign; +0.00 is written 0.00."""
    text = f"{100 * share:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def score(value: float) -> str:
    """A finder's score: two digits, more where they would all be zero."""
    return f"{value:.2f}" if value == 0 or value >= 0.01 else f"{value:.1g}"


def middle(name: str, length: int = MIDDLE) -> str:
    """A long name cut in the middle: its start says where an image comes from, its end tells it from its neighbours."""
    if len(name) <= length:
        return name
    head = (length - 1) // 2
    return f"{name[:head]}…{name[head + 1 - length :]}"


def pasted(path: str | Path) -> str:
    """A path as it can be pasted into a shell: in quotes where it holds spaces or what a shell would read otherwise.

    Double quotes where they will do: commands stand in single quotes in messages.
    """
    text = str(path)
    if text and re.fullmatch(r"[\w@%+=:,./-]+", text):
        return text
    return f'"{text}"' if text and not re.search(r'["$`\\!]', text) else shlex.quote(text)


def moment(at: str) -> str:
    """`2026-11-23T22:50:01Z` as `2026-11-23 22:50`."""
    return at[:16].replace("T", " ")


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `3.5 h`: a time that is roughly known."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
