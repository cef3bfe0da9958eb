"""What the tests of `train.parallel` run in other processes: a module that imports little."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import torch

Tell = Callable[[object], None]


def begin(job: Path, tell: Tell) -> tuple[str, bool]:
    """Its name, and whether the listener made the file while it waited."""
    tell(job)
    patience = time.monotonic() + 30
    while not job.exists() and time.monotonic() < patience:
        time.sleep(0.01)
    return job.name, job.exists()


def place(job: int, tell: Tell) -> tuple[int, int]:
    """Process and threads."""
    return os.getpid(), torch.get_num_threads()


def fail(job: Exception | int, tell: Tell) -> None:
    """Raise it; or end by that signal; or, for 0, go on for minutes."""
    if isinstance(job, Exception):
        raise job
    if job:
        os.kill(os.getpid(), job)
    time.sleep(300)


class Odd(Exception):
    """Cannot be read back from a pickle."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(one + two)


def odd(job: int, tell: Tell) -> None:
    """Raise what cannot be sent."""
    raise Odd(job, job)
