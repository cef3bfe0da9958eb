"""`curate review WS --fiftyone` as a process of its own, on a database of its own, and Chromium before it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.review.conftest import CHROMIUM, OFFLINE

REVIEWER = "ada"
SECONDS = 120
"""Patience with a machine that has much else to do."""


@dataclass(frozen=True)
class Review:
    """The command, running, with its App open."""

    process: subprocess.Popen
    url: str
    """Where the App shows the dataset."""
    seconds: float
    """From its start to the line that says where the App is."""
    said: list[str]
    """What it said until then."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(database: Path) -> dict[str, str]:
    """That of this process, with a database in that folder and without FiftyOne's settings of this user."""
    settings = {
        f"FIFTYONE_{name}_CONFIG_PATH": str(database / "none.json") for name in ("APP", "ANNOTATION", "EVALUATION")
    }
    mine = {name: value for name, value in os.environ.items() if not name.startswith("FIFTYONE_")}
    return mine | settings | {
        "FIFTYONE_CONFIG_PATH": str(database / "none.json"),
        "FIFTYONE_DATABASE_DIR": str(database),
        "FIFTYONE_DO_NOT_TRACK": "true",
    }  # fmt: skip


def launch(ws: Path, database: Path, port: int) -> subprocess.Popen:
    """The command, just started, as the leader of a group of processes."""
    command = [sys.executable, "-m", "curate", "review", str(ws), "--fiftyone", "--no-open", "--by", REVIEWER]
    return subprocess.Popen(
        [*command, "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(database),
    )


def opened(ws: Path, database: Path, port: int) -> Review:
    """The command once its App is open. Raises `RuntimeError`, with what it said, where it ends instead."""
    started = time.perf_counter()
    process = launch(ws, database, port)
    assert process.stdout
    said: list[str] = []
    for line in process.stdout:
        said.append(line.rstrip())
        if line.startswith("Open http"):
            return Review(process, line.split()[1].partition("?")[0], time.perf_counter() - started, said)
    process.stdout.close()
    raise RuntimeError(f"status {process.wait()}: {' / '.join(said) or 'it said nothing'}")


def end(process: subprocess.Popen) -> list[str]:
    """End the command as Ctrl-C does, if it still runs; the last that it said."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    return ended(process)


def ended(process: subprocess.Popen) -> list[str]:
    """Wait until the command has ended by itself; the last that it said."""
    assert process.stdout
    said = process.stdout.read().splitlines()
    process.wait(SECONDS)
    process.stdout.close()
    return said


def server(process: subprocess.Popen) -> psutil.Process:
    """The App's server of the command."""
    (found,) = [
        child for child in psutil.Process(process.pid).children() if "curate.review.server" in " ".join(child.cmdline())
    ]
    return found


def mongod(database: Path) -> psutil.Process | None:
    """The mongod that works on that folder."""
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or [""]
        if words[0].endswith("mongod") and str(database) in words:
            return process
    return None


@contextmanager
def chromium() -> Iterator[Any]:
    """Chromium, headless, driven by Playwright."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as running:
        found = next(filter(None, map(shutil.which, CHROMIUM)), running.chromium.executable_path)
        browser = running.chromium.launch(executable_path=found, args=OFFLINE)
        yield browser
        browser.close()
