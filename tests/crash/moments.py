"""The moments at which a process changes the file system, counted; and its death at one of them, by SIGKILL."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

NAMES = {"os.rename": 2, "os.remove": 1, "os.mkdir": 1, "os.rmdir": 1, "os.chmod": 1, "os.truncate": 1, "os.utime": 1}
"""Audit events that change a file or a folder, and how many of their arguments are paths."""
WRITES = os.O_WRONLY | os.O_RDWR
FLUSHES = ("fsync", "fdatasync", "sync")


class Moments:
    """Counts the changes below a folder that Python makes from here on, each before it happens."""

    def __init__(self, inside: Path, kill_at: int | None) -> None:
        self.inside, self.kill_at, self.seen = f"{os.path.realpath(inside)}/", kill_at, 0
        for name in FLUSHES:
            setattr(os, name, self._counted(getattr(os, name)))
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple) -> None:
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & WRITES:
                self._pass(path)
        elif event in NAMES:
            self._pass(*arguments[: NAMES[event]])

    def _counted(self, flush: Callable) -> Callable:
        def counted(*arguments: object) -> object:
            self.count()
            return flush(*arguments)

        return counted

    def _pass(self, *paths: object) -> None:
        named = [os.fsdecode(path) for path in paths if isinstance(path, str | bytes | os.PathLike)]
        if any(os.path.realpath(path).startswith(self.inside) for path in named):
            self.count()

    def count(self) -> None:
        """One more moment; the last one for this process and its workers where it is the chosen one."""
        if self.seen == self.kill_at:
            os.killpg(0, signal.SIGKILL)
        self.seen += 1
