"""A clock for tests."""

import pytest

from train import budget


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by one second whenever it is looked at."""
    seconds = iter(range(10_000))

    class Time:
        @staticmethod
        def perf_counter() -> float:
            return float(next(seconds))

    monkeypatch.setattr(budget, "time", Time)
