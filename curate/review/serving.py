"""The server of FiftyOne's App as a process of its own: begun, asked whether it answers, ended."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from curate import REVIEWER, manifest, remote, tables
from curate.errors import UserError
from curate.mongo.database import gone
from curate.review import acting, dataset
from curate.review.server import HOST, packed
from curate.review.thumbnails import THUMBNAILS
from curate.workspace import Workspace

START_SECONDS = 60
"""How long the server may take until it answers; four, mostly."""
END_SECONDS, END_SECONDS_ALONE = 10, 1
"""How long the server may take to end, and how long without a database, for which it would wait in vain."""
PORT_SECONDS = 5.0
"""How long a port may stay taken: the server of a command that was killed ends within these."""
PLUGIN = Path(__file__).parent / "plugin"


@dataclass(frozen=True)
class Server:
    """The App's server, which may still be starting."""

    process: subprocess.Popen
    port: int
    errors: Path
    """What it says when it does not start."""


@contextmanager
def served(workspace: Workspace, by: str, *, port: int, budget: int | None, second: int) -> Iterator[Server]:
    """The App's server, as long as the block lasts; it starts while the block goes on. The database is there by then.

    Raises `UserError` where the port is taken.
    """
    refuse_taken(port)
    seen = _visible(tables.read_manifest(workspace), workspace)
    with tempfile.TemporaryDirectory(prefix="curate-plugins-") as folder, open(os.devnull, "wb") as nothing:
        _link_plugins(Path(folder))
        environment = os.environ | {
            "FIFTYONE_PLUGINS_DIR": folder,
            "FIFTYONE_DO_NOT_TRACK": "true",
            REVIEWER: by,
            acting.BUDGET: str(budget or 0),
            acting.SECOND: str(second),
        }
        errors, told = Path(folder) / ".errors", Path(folder) / ".seen"
        told.write_bytes(packed(seen))
        name = dataset.name_of(workspace, by)
        command = [sys.executable, "-m", "curate.review.server", str(port), name, str(told)]
        with errors.open("wb") as log:
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=nothing, stderr=log, start_new_session=True
            )
        try:
            yield Server(process, port, errors)
        finally:
            process.terminate()
            try:
                process.wait(END_SECONDS_ALONE if gone() else END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdin:
                process.stdin.close()


def _visible(images: pd.DataFrame, workspace: Workspace) -> set[str]:
    """The folders that the images and their small copies lie in, and files elsewhere that images are links to."""
    paths = [path for path in manifest.locate(images, workspace.root) if not remote.is_url(path)]
    folders = {os.path.abspath(folder) for folder in {os.path.dirname(path) for path in paths}}  # noqa: PTH100, PTH120
    linked = {os.path.realpath(path) for path in paths if os.path.islink(path)}  # noqa: PTH114
    return folders | linked | {str((workspace.root / THUMBNAILS).resolve())}


def _link_plugins(folder: Path) -> None:
    """Our plugin beside those that the user has."""
    import fiftyone as fo

    (folder / "curate-review").symlink_to(PLUGIN, target_is_directory=True)
    own = Path(fo.config.plugins_dir or "")
    if fo.config.plugins_dir and own.is_dir():
        for each in own.iterdir():
            if each.is_dir() and each.name != "curate-review":
                (folder / each.name).symlink_to(each.resolve(), target_is_directory=True)


def refuse_taken(port: int) -> None:
    """Raise `UserError`, with a free port in it, where another program listens on this one and does not end."""
    until = time.monotonic() + PORT_SECONDS
    while not _is_free(port):
        if time.monotonic() > until:
            with socket.socket() as free:
                free.bind((HOST, 0))
                other = free.getsockname()[1]
            raise UserError(f"port {port} is taken, perhaps by another App; take another: --port {other}")
        time.sleep(0.1)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def wait_until_it_answers(server: Server) -> None:
    """Raises `UserError` where it does not start."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if server.process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://{HOST}:{server.port}/fiftyone", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    lines = server.errors.read_text(errors="replace").strip().splitlines()
    raise UserError(
        f"the App's server does not start: {lines[-1] if lines else 'it says nothing'}; try 'curate doctor'"
    )
