"""Verbs, and what else the tests of workspaces run in other processes, which they kill."""

import contextlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

from curate import deciding, finders, registry, verbs, versions
from curate.engine import Local
from curate.errors import UserError
from curate.ingest.add import add
from curate.workspace import Workspace

PROCESSES = multiprocessing.get_context("forkserver")
FINDERS = [f"{finders.__name__}.{name}" for name in registry.modules(finders)]
PROCESSES.set_forkserver_preload(
    ["tests.workspace.processes", "pyarrow.dataset", "faiss", *FINDERS]
)  # a process costs 0.02 s, not 2


def scan(root: Path) -> None:
    verbs.scan(Workspace(root), only=["outlier"], settings={}, engine=Local(1))


def decide(root: Path) -> None:
    deciding.decide(Workspace(root), root / "policy.yaml")


def take_over(root: Path) -> None:
    deciding.import_decisions(Workspace(root), root / "answers.csv", "ada")


def apply(root: Path) -> None:
    verbs.apply(Workspace(root), include_test=False)


def restore_to_begin(root: Path) -> None:
    versions.restore(Workspace(root), 1)


def add_more(root: Path) -> None:
    add(Workspace(root), Path((root / "more.txt").read_text()), workers=1)  # the same place for every copy of `root`


def add_archive(root: Path) -> None:
    add(Workspace(root), root.parent / "packed.tar", workers=1)


def run_and_die(verb: Callable[[Path], None], root: Path, at: int) -> None:
    """Run the verb, and kill this process before its `at`-th change to the names in the workspace."""
    inside, seen = str(root), 0

    def watch(event: str, arguments: tuple) -> None:
        nonlocal seen
        if event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir") and str(arguments[0]).startswith(inside):
            if seen == at:
                os.kill(os.getpid(), signal.SIGKILL)
            seen += 1

    sys.addaudithook(watch)
    verb(root)


def work_on(root: Path, first: int, begun: str) -> None:
    """All verbs in turn, until this process is killed."""
    order = (scan, decide, apply, add_more, add_archive, restore_to_begin)
    Path(begun).touch()
    while True:
        for verb in order[first:] + order[:first]:
            with contextlib.suppress(UserError):  # after going back there are no findings to decide on
                verb(root)


def hold(root: Path, begun: str, seconds: float) -> None:
    with Workspace(root).locked():
        Path(begun).touch()
        time.sleep(seconds)


def start(function: Callable, *arguments: object) -> BaseProcess:
    process = PROCESSES.Process(target=function, args=arguments)
    process.start()
    return process
