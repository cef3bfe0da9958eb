"""Commands in processes of their own, with limits, at a tenth of a second each: forked where all modules are loaded.

`python -m tests.hostile.forks` reads one request a line, `[arguments, seconds]`, and answers with one `Ended` a line.
"""

import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

from tests import forked

ADDRESS_SPACE = 8 << 30
"""Bytes that a command may map; what it really took is measured."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    """Exit status; the signal's number, negative, where one ended it."""
    stdout: str
    stderr: str
    seconds: float
    peak_mb: float
    """Most memory of the command, or of one of its workers."""
    hung: bool
    """Whether it was killed because its time was up."""


class Forks:
    """Runs commands, one after the other."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def run(self, *arguments: str, seconds: float = 120) -> Ended:
        """`curate` with these arguments."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([arguments, seconds]) + "\n")
        self.process.stdin.flush()
        return Ended(**json.loads(self.process.stdout.readline()))


@contextmanager
def forks(folder: Path) -> Iterator[Forks]:
    """Commands with `folder` as the working folder; their temporary files lie in `folder/tmp`."""
    (folder / "tmp").mkdir(parents=True)
    here = str(Path(__file__).parents[2])
    environment = os.environ | {"TMPDIR": str(folder / "tmp"), "PYTHONPATH": here, "COLUMNS": "200"}
    command = [sys.executable, "-m", "tests.hostile.forks"]
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        yield Forks(process)


def _serve() -> None:
    for module in forked.MODULES:
        importlib.import_module(module)
    for line in sys.stdin:
        arguments, seconds = json.loads(line)
        print(json.dumps(asdict(_ended(arguments, seconds))), flush=True)


def _ended(arguments: list[str], seconds: float) -> Ended:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.monotonic()
        pid = os.fork()
        if pid == 0:
            _command(arguments, out.fileno(), err.fileno())
        hung, taken = False, (0, 0, None)
        while not (taken := os.wait4(pid, os.WNOHANG))[0]:
            if time.monotonic() - began > seconds:
                hung = True
                os.killpg(pid, signal.SIGKILL)
            time.sleep(0.005)
        status = os.waitstatus_to_exitcode(taken[1])
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
        return Ended(status, texts[0], texts[1], time.monotonic() - began, taken[2].ru_maxrss / 1024, hung)


def _command(arguments: list[str], out: int, err: int) -> NoReturn:
    """The forked process."""
    forked.detach(out, err)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    forked.run(arguments)


if __name__ == "__main__":
    _serve()
