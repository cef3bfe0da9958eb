"""What a report about a bug needs, in one zip: versions, the machine, the shape of the workspace, the last tracebacks.

No image, no label, no name of a class, a file, a folder, a person or a machine, no value of a variable of the
environment. Names stand in it only where they are curate's own: of its files, columns, finders, settings and verbs.
"""

import contextlib
import getpass
import importlib.metadata
import io
import json
import os
import platform
import re
import shutil
import sys
import zipfile
from collections.abc import Collection, Iterable
from pathlib import Path

from curate import REVIEWER, __version__
from curate.errors import UserError
from curate.files import write_bytes_atomic
from curate.machine import cores, memory
from curate.support import crash, shape
from curate.support.doctor import Check, requirements
from curate.support.shape import told
from curate.wording import pasted

ABOUT = """\
What a report about a bug in curate needs. Look at it before you send it.

machine.json    versions of curate, Python and packages, processor, memory, free disk, checks of 'curate doctor'
builds.txt      how torch and OpenCV were built
workspace.json  rows, columns and types of the tables, rows and classes of each split, sizes of the files
recipe.json     the recipe; texts that are not words of curate are left out
ledger.json     which verbs were run, with which options, without what was given to them
tracebacks.txt  where the last errors happened, without what they say

There are no images, labels, names of classes, files, folders, people or machines in it, and no variables of the
environment. What an error said is left out, too: add it by hand where it gives nothing away.
"""
VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "CURATE_MAX_PIXELS", "RAY_ADDRESS")
"""What changes how curate runs: whether it is set, never to what."""
PATH = re.compile(r"(?:(?<=[\s=:(\"'])|(?<=-[LI]))(?:/|~|[A-Za-z]:[\\/])[^\n,;]*?(?=  |[\n,;\"']|$)")
"""A path in the text of a build, up to what cannot be part of it: folders may have spaces in their names."""
SECRET_LENGTH = 8
"""Below this it is a switch such as `true`, and no secret."""
SECRET = re.compile(r"KEY|TOKEN|SECRET|PASS|CREDENTIAL|URI", re.I)


def write(dest: Path, workspace: Path | None, checks: Iterable[Check], words: Collection[str]) -> dict[str, int]:
    """Write the zip; the names of the files in it with their bytes. words: what may be named in it, beside `own_words`.

    A part that cannot be told, because a table is damaged for instance, says so: that is what the report is about.
    Raises `UserError` where `dest` is there already.
    """
    if dest.exists():
        raise UserError(f"{pasted(dest)} is there already; name another file with --out")
    known = set(words)
    with contextlib.suppress(ImportError, OSError):  # a library that does not load may be why this is written
        known |= shape.own_words()
    content = {
        "README.txt": ABOUT,
        "machine.json": _json(told(lambda: _machine(workspace or Path(), checks))),
        "builds.txt": _builds(),
        "tracebacks.txt": _tracebacks(workspace),
    }
    if workspace:
        content |= {
            "workspace.json": _json(told(lambda: shape.workspace(workspace, known))),
            "recipe.json": _json(told(lambda: shape.recipe(workspace, known))),
            "ledger.json": _json(told(lambda: shape.ledger(workspace, known))),
        }
    private = _private(workspace) - known  # a user or a folder may be called as one of our words
    texts = {name: without(text, private) for name, text in content.items()}
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in texts.items():
            file.writestr(name, text)
    write_bytes_atomic(dest, data.getvalue())
    return {name: len(text.encode()) for name, text in texts.items()}


def without(text: str, private: Collection[str]) -> str:
    """The text without these words: what should not have come this far does not go further, either."""
    for word in sorted(private, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", "…", text)
    return text


def _private(workspace: Path | None) -> set[str]:
    """Who and where this is: user, host, folders, and what looks like a secret among the variables."""
    found = {platform.node(), platform.node().split(".")[0], str(Path.home()), str(Path.cwd())}
    found |= {value for name, value in os.environ.items() if SECRET.search(name) and len(value) >= SECRET_LENGTH}
    found |= {os.environ.get(name, "") for name in ("USER", "LOGNAME", "HOSTNAME", REVIEWER)}
    if workspace:
        found |= {str(workspace), str(workspace.resolve()), workspace.resolve().name}
    with contextlib.suppress(OSError, KeyError):  # an account without a name
        found.add(getpass.getuser())
    return {word for word in found if len(word) > 3}


def _json(content: object) -> str:
    return json.dumps(content, indent=1) + "\n"


def _machine(place: Path, checks: Iterable[Check]) -> dict[str, object]:
    return {
        "curate": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": " ".join((platform.system(), platform.release(), platform.machine(), *platform.libc_ver())),
        "encodings": [sys.getfilesystemencoding(), sys.stdout.encoding],
        "cores": os.cpu_count(),
        "cores_allowed": cores(),
        "memory_bytes": memory(),
        "disk_free_bytes": shutil.disk_usage(place).free,
        "packages": {name: _version(name) for name in sorted(requirements())},
        "checks": {check.name: "ok" if check.ok else "not ok" for check in checks},
        "variables_set": [name for name in VARIABLES if name in os.environ],
    }


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _builds() -> str:
    """How the two libraries were built that most depends on, without the folders that this was done in."""

    def torch() -> str:
        import torch

        device = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
        return f"torch {torch.__version__}, {torch.get_num_threads()} threads, CUDA device: {device}\n" + str(
            torch.__config__.show()
        )

    def opencv() -> str:
        import cv2

        return f"OpenCV {cv2.__version__}, {cv2.getNumThreads()} threads\n{cv2.getBuildInformation()}"

    return "\n".join(PATH.sub("PATH", str(told(part))) for part in (torch, opencv)) + "\n"


def _tracebacks(workspace: Path | None) -> str:
    found = told(lambda: "\n\n".join(crash.recent(workspace)))
    return f"{found or 'none'}\n"
