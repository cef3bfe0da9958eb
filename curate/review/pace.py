"""How fast a reviewer is, what the next minute is expected to bring, and whether it is time to stop."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from curate.journal import Act
from curate.labels import queue
from curate.wording import plural

BREAK = 120
"""Seconds between two acts from which on they are not one piece of work; chosen by eye."""
LATEST = 50
"""Acts that the pace is measured over, the last ones."""
FEWEST = 5
"""With fewer acts than this no pace is told."""
NEXT = 50
"""Answers that the advice looks ahead."""


@dataclass(frozen=True)
class Pace:
    """Where a review stands."""

    left: int
    """Images that wait for an answer."""
    per_minute: float | None
    """Images that were decided per minute of work; None until there is enough to measure."""
    gain_per_minute: float | None
    """Right labels that the next minute is expected to bring."""
    advice: str


def pace(acts: list[Act], by: str, gains: np.ndarray, *, left: int) -> Pace:
    """Measure this person's acts, and look ahead.

    gains: shape (N,), what the answer to each label that is left is worth, in the order in which they are asked; left:
    all that is left, other questions included.
    """
    mine = [act for act in acts if act.by == by and act.undoes is None][-LATEST:]
    times = [datetime.fromisoformat(act.at).timestamp() for act in mine]
    work = [
        (after - before, len(act.after))
        for before, after, act in zip(times, times[1:], mine[1:], strict=False)
        if after - before <= BREAK
    ]
    seconds, images = sum(took for took, _ in work), sum(count for _, count in work)
    per_minute = 60 * images / max(seconds, 1) if len(work) >= FEWEST else None
    ahead = np.asarray(gains, np.float64)[:NEXT]
    per_answer = float(ahead.mean()) if len(ahead) else 0.0
    return Pace(
        left, per_minute, None if per_minute is None else per_minute * per_answer, _advice(ahead, len(gains), left)
    )


def _advice(ahead: np.ndarray, labels: int, left: int) -> str:
    if not left:
        return "Nothing is left to look at."
    if not labels:
        return f"No label is left; {plural(left, 'other question', 'other questions')}."
    worth = float(ahead.sum())
    told = f"The next {plural(len(ahead), 'label is', 'labels are')} worth about {worth:.1f} right labels"
    return f"{told}: time to stop." if worth < queue.LEAST * len(ahead) else f"{told}."
