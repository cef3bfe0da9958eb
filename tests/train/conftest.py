"""Small work on shared cores: one thread does not wait for another that is not running."""

from collections.abc import Iterator

import pytest
import torch

from train import budget


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by one second whenever it is looked at."""
    seconds = iter(range(10_000))

    class Time:
        @staticmethod
        def perf_counter() -> float:
            return float(next(seconds))

    monkeypatch.setattr(budget, "time", Time)
