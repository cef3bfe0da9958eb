"""Errors that are bugs: the traceback is kept in a file, and its frames, without what it says, are ready for a report.

A traceback tells names of images and classes, and where the user's files lie. What may be handed on is therefore made
when the error is there, from its frames, and stands above what may not.
"""

import os
import platform
import re
import sys
import sysconfig
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from curate import __version__
from curate.wording import pasted

FOLDER = "crashes"
"""In the workspace; where there is none, or it cannot be written to, the files go to the system's temporary folder."""
PREFIX = "curate-crash-"
KEPT = 5
"""Files that stay in a workspace, the newest; an error that comes again and again must not fill the disk."""
IN_FULL = "In full. This part stays here: a bundle takes what stands above."
OURS = ("curate", "train")
FRAME = re.compile(r'File "([^"\n]+)", line (\d+), in (\w+|<\w+>)')
"""A frame in the text of a traceback, as it comes from worker processes."""


def keep(error: BaseException, arguments: Sequence[str]) -> Path | None:
    """Write the traceback to a file, and say to which; None where no folder takes it."""
    full = "".join(traceback.format_exception(error))
    about = f"curate {__version__}, Python {platform.python_version()}, {sys.platform}"
    text = "\n".join([about, *frames(error), "", IN_FULL, " ".join(["curate", *map(pasted, arguments)]), full])
    data = text.encode(errors="backslashreplace")
    try:
        if root := workspace_in(arguments):
            return _in_workspace(root / FOLDER, data)
    except OSError:
        pass  # it is read-only, or the disk is full
    try:
        number, path = tempfile.mkstemp(prefix=PREFIX, suffix=".log")
        with open(number, "wb") as file:
            file.write(data)
        return Path(path)
    except OSError:
        return None


def frames(error: BaseException) -> Iterator[str]:
    """The types of the error and of those that led to it, and a line per frame; nothing of what they say."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield type(cause).__name__
        for frame in traceback.extract_tb(cause.__traceback__):
            yield f"  {place(frame.filename)}:{frame.lineno} in {frame.name}"
        for said in [*getattr(cause, "__notes__", []), getattr(cause, "tb", "")]:  # of a worker process
            for path, line, name in FRAME.findall(str(said)):
                if Path(path).is_file():
                    yield f"  {place(path)}:{line} in {name} (worker)"
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def place(path: str) -> str:
    """A file of curate, of a package or of Python, from the folder on that is the same everywhere; else `elsewhere`."""
    code = Path(__file__).parents[2]
    roots = [(code, ""), *[(Path(sysconfig.get_path(name)), f"{name}/") for name in ("purelib", "stdlib")]]
    for number, (root, name) in enumerate(roots):
        try:
            relative = Path(path).resolve().relative_to(root.resolve())
        except ValueError:
            continue
        if number or relative.parts[0] in OURS:
            return f"{name}{relative.as_posix()}"
    return "elsewhere"


def where(error: BaseException) -> str:
    """The last place in curate's own code that the error came through: `curate/verbs.py, line 12`."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if place(frame.filename).startswith(tuple(f"{name}/" for name in OURS)):
            return f"{place(frame.filename)}, line {frame.lineno}"
    return "outside its code"


def recent(root: Path | None) -> list[str]:
    """What may be handed on of the last errors, the newest first: of the workspace and of the temporary folder."""
    temporary = [path for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*.log") if _is_own(path)]
    paths = [*temporary, *((root / FOLDER).glob("*.log") if root else [])]
    newest = sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)[:KEPT]
    return [text.split(f"\n{IN_FULL}\n")[0] for path in newest if IN_FULL in (text := path.read_text(errors="replace"))]


def workspace_in(arguments: Sequence[str]) -> Path | None:
    """The workspace that a command line names, if it names one."""
    for argument in arguments:
        if any(os.path.isfile(os.path.join(argument, name)) for name in ("manifest.parquet", "ledger.jsonl")):  # noqa: PTH113, PTH118
            return Path(argument)
    return None


def _in_workspace(folder: Path, data: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}.log"
    path.write_bytes(data)
    for old in sorted(folder.glob("*.log"))[:-KEPT]:
        old.unlink(missing_ok=True)
    return path


def _is_own(path: Path) -> bool:
    status = path.lstat()
    return os.path.isfile(path) and not path.is_symlink() and status.st_uid == os.getuid()  # noqa: PTH113
