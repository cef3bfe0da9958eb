"""How fast a reviewer is, and what is said of the next minute."""

import numpy as np
import pytest

from curate.journal import Act
from curate.review.pace import pace


def acts(*seconds: float, by: str = "ada", images: int = 1, undoes: int | None = None) -> list[Act]:
    rows = [{"image_id": str(number)} for number in range(images)]
    return [Act(f"2026-01-01T12:{int(at // 60):02}:{int(at % 60):02}Z", by, rows, [], "", undoes) for at in seconds]


@pytest.mark.parametrize(
    ("done", "per_minute"),
    [
        (acts(0, 2, 4, 6, 8, 10), 30.0),
        (acts(0, 2, 4, 6, 8), None),  # four gaps: too few to tell
        (acts(0, 2, 4, 6, 8, 10, 1000, 1002), 30.0),  # a break is no work
        (acts(0, 6, 12, 18, 24, 30, images=10), 100.0),
        (acts(0, 2, 4, 6, 8, 10) + acts(11, 12, 13, by="bob"), 30.0),
        (acts(0, 2, 4, 6, 8, 10) + acts(11, undoes=3), 30.0),
        ([], None),
    ],
)
def test_pace(done: list[Act], per_minute: float | None) -> None:
    found = pace(done, "ada", np.full(100, 0.5), left=100)
    assert found.per_minute == per_minute
    assert found.gain_per_minute == (None if per_minute is None else per_minute / 2)


@pytest.mark.parametrize(
    ("gains", "left", "advice"),
    [
        (np.full(100, 0.5), 100, "The next 50 labels are worth about 25.0 right labels."),
        (np.full(60, 0.05), 60, "The next 50 labels are worth about 2.5 right labels: time to stop."),
        (np.array([0.4]), 9, "The next 1 label is worth about 0.4 right labels."),
        (np.array([]), 9, "No label is left; 9 other questions."),
        (np.array([]), 0, "Nothing is left to look at."),
    ],
)
def test_advice(gains: np.ndarray, left: int, advice: str) -> None:
    assert pace([], "ada", gains, left=left).advice == advice
