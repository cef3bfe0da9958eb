"""Commands in forked processes, where all modules are loaded: `curate.cli.main`, killed or limited as a trial asks.

`python -m tests.crash.server FOLDER [MODULE …]` reads a JSON list of commands a line, runs them at the same time, and
answers with a list of how each ended. Changes below FOLDER are counted, see `moments`.
"""

import contextlib
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, NoReturn

from curate import registry
from tests import forked
from tests.crash.moments import Moments

WALKED = ("curate.finders", "curate.signals", "curate.sources", "curate.jobs")
TRAINING = (
    "train.verbs",
    "train.predict",
    "train.prove",
    "train.plots",
    "matplotlib.pyplot",
    "curate.augment.materialize",
)
TIMES = "1700000000"
"""SOURCE_DATE_EPOCH: the same inputs give the same bytes."""
LONGEST_SECONDS = 600.0


@dataclass(frozen=True)
class Command:
    """A `curate` command, and how it dies; without any of these it does not."""

    arguments: tuple[str, ...]
    kill_at: int | None = None
    """SIGKILL to it and its workers before this change of the file system, 0 for the first."""
    kill_after: float | None = None
    """The same, after so many seconds."""
    dies_beyond: int | None = None
    """The bytes at which it dies in a write: of the first file that grows so large (SIGXFSZ)."""
    refused_beyond: int | None = None
    """The bytes at which a write fails: a file cannot grow larger (EFBIG)."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    """Exit status; the signal's number, negative, where one ended it."""
    stdout: str
    stderr: str
    seconds: float
    moments: int
    """Changes of the file system; 0 where it was killed."""

    @property
    def killed(self) -> bool:
        return self.status in (-signal.SIGKILL, -signal.SIGXFSZ)


class Server:
    """Runs commands."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def run(self, *arguments: str) -> Ended:
        """One command to its end."""
        return self.together(Command(arguments))[0]

    def together(self, *commands: Command) -> list[Ended]:
        """Commands that are started at the same time."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps([asdict(command) for command in commands]) + "\n")
        self.process.stdin.flush()
        return [Ended(**each) for each in json.loads(self.process.stdout.readline())]


@contextlib.contextmanager
def served(folder: Path, *, trains: bool = True, trace: Sequence[str] = ()) -> Iterator[Server]:
    """A server with `folder` as its working folder; temporary files of commands lie beside it. trace: what strace is
    called with, see `order`. trains: whether verbs that train are run, for which more is loaded."""
    temporary = folder.with_name(f"{folder.name}-tmp")
    for each in (folder, temporary):
        each.mkdir(parents=True, exist_ok=True)
    command = [*trace, sys.executable, "-m", "tests.crash.server", str(folder), *(TRAINING if trains else ())]
    variables = environment() | {"TMPDIR": str(temporary)}
    process = subprocess.Popen(
        command, cwd=folder, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        yield Server(process)
        assert process.stdin
        process.stdin.close()


def environment() -> dict[str, str]:
    """Variables for commands whose files are to have the same bytes each time."""
    return os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "SOURCE_DATE_EPOCH": TIMES,
        "OMP_NUM_THREADS": "1",
        "NO_ALBUMENTATIONS_UPDATE": "1",
        "MPLBACKEND": "agg",
        "CURATE_REVIEWER": "ada",
        "COLUMNS": "200",
    }


def real(folder: Path, *arguments: str, kill_after: float | None = None) -> int:
    """The command itself, `python -m curate`, in `folder`: its exit status. It is what a server's fork stands for."""
    command = [sys.executable, "-m", "curate", *arguments]
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(timeout=LONGEST_SECONDS if kill_after is None else kill_after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


def _serve(folder: Path, modules: Sequence[str]) -> None:
    for module in (*forked.MODULES, *modules):
        importlib.import_module(module)
    for package in WALKED:
        registry.modules(importlib.import_module(package))
    for line in sys.stdin:
        began = [_begin(Command(**each), folder) for each in json.loads(line)]
        print(json.dumps([asdict(_end(*each)) for each in began]), flush=True)


def _begin(command: Command, folder: Path) -> tuple[Command, int, float, list[IO[bytes]]]:
    files = [_temporary() for _ in ("stdout", "stderr", "moments")]
    pid = os.fork()
    if pid == 0:
        _child(command, folder, [file.fileno() for file in files])
    with contextlib.suppress(OSError):  # the child does so, too; whoever is first
        os.setpgid(pid, pid)
    return command, pid, time.monotonic(), files


def _temporary() -> IO[bytes]:
    return tempfile.TemporaryFile()


def _end(command: Command, pid: int, began: float, files: list[IO[bytes]]) -> Ended:
    ends = began + (LONGEST_SECONDS if command.kill_after is None else command.kill_after)
    while not (waited := os.waitpid(pid, os.WNOHANG))[0]:
        if time.monotonic() > ends:
            os.kill(-pid, signal.SIGKILL)
        time.sleep(0.002)
    texts = []
    for file in files:
        file.seek(0)
        texts.append(file.read().decode("utf-8", "replace"))
        file.close()
    seconds = time.monotonic() - began
    return Ended(os.waitstatus_to_exitcode(waited[1]), texts[0], texts[1], seconds, int(texts[2] or 0))


def _child(command: Command, folder: Path, files: list[int]) -> NoReturn:
    """The forked process."""
    forked.detach(*files[:2])
    os.chdir(folder)  # a disk may have been mounted there since
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit = command.dies_beyond or command.refused_beyond
    if limit is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL if command.dies_beyond else signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    moments = Moments(folder, command.kill_at)
    forked.run(list(command.arguments), lambda: os.write(files[2], str(moments.seen).encode()))


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), sys.argv[2:])
