"""Is this machine ready: versions, what other packages add, devices, disk, FiftyOne's database."""

import importlib
import importlib.metadata
import itertools
import os
import platform
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from curate import __version__, registry
from curate.errors import UserError
from curate.machine import cores, fast_bf16, memory
from curate.wording import pasted

PACKAGES = {
    "albumentations": "albumentations",
    "cleanlab": "cleanlab.filter",
    "faiss-cpu": "faiss",
    "fiftyone": "",  # importing it starts its database
    "opencv-python-headless": "cv2",
    "pandas": "pandas",
    "pyarrow": "pyarrow.parquet",
    "torch": "torch",
}
"""What has to be there, and the module that is tried."""
TORCH = "torch==2.13.0"
"""Where pip has a CPU build at hand, this takes it; a range takes the newest build with gigabytes of CUDA."""
RIVALS = ("opencv-python", "opencv-contrib-python")
"""Other builds of OpenCV write over the headless one's files."""
FEW_GB = 2.0
"""Below this much free disk the verbs still run, but a set of photos from an archive may not fit."""

ANSWER_SECONDS = 2
"""How long a database that is named by its address may take to answer."""


@dataclass(frozen=True)
class Check:
    """One thing looked at. `mend` is what to type where it is not right; only `required` ones fail the verb."""

    name: str
    found: str
    ok: bool = True
    required: bool = True
    mend: str = ""


def examine(folder: str) -> list[Check]:
    """Look at everything a verb may need."""
    return [
        Check("curate", __version__),
        Check("python", platform.python_version()),
        *itertools.starmap(_package, PACKAGES.items()),
        *itertools.chain.from_iterable(map(_brought, registry.GROUPS)),
        _opencv_alone(),
        _cores(),
        _gpu(),
        _disk(folder),
        _database(),
    ]


def _package(name: str, module: str) -> Check:
    wanted = TORCH if name == "torch" else _wanted(name)
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Check(name, "missing", ok=False, mend=f"pip install {wanted}")
    try:
        os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would ask the network
        if module:
            importlib.import_module(module)
    except Exception as error:  # a library that lacks another raises what it likes
        said = " ".join(f"{type(error).__name__}: {error}".split())
        return Check(name, f"{found} does not load: {said}", ok=False, mend=f"pip install --force-reinstall {wanted}")
    return Check(name, found)


def _brought(group: str) -> list[Check]:
    """What installed packages add to curate, and whether verbs take it."""
    brought, checks = registry.installed(group), list[Check]()
    if not brought:
        return []
    try:
        faults = registry.faults(importlib.import_module(group))
    except Exception as error:  # what ours need does not load, which the checks of packages say
        return [Check(group, f"cannot be looked at: {type(error).__name__}", ok=False)]
    for entry in brought:
        name = f"{entry.kind} {entry.name}"
        if entry not in faults:
            checks.append(Check(name, f"{entry.module} of the package {entry.package}"))
            continue
        found, _, mend = " ".join(str(faults[entry]).split()).rpartition("; ")
        checks.append(Check(name, found, ok=False, mend=mend))
    return checks


def requirements() -> dict[str, str]:
    """What this package asks for, its extras too: name -> name with versions; empty where it is not installed."""
    try:
        lines = importlib.metadata.requires("curate-images") or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    asked = [line.partition(";")[0].replace(" ", "") for line in lines]
    return {re.split(r"[^\w.-]", line, maxsplit=1)[0]: line for line in asked}


def _wanted(name: str) -> str:
    """A package in the versions that this one asks for, as a word of a shell; its name where that is not known."""
    return shlex.quote(requirements().get(name, name))


def _opencv_alone() -> Check:
    rivals = [name for name in RIVALS if _installed(name)]
    if not rivals:
        return Check("opencv", "the headless build alone")
    wanted = _wanted("opencv-python-headless")
    mend = f"pip uninstall -y {' '.join(rivals)} opencv-python-headless && pip install {wanted}"
    return Check("opencv", f"{', '.join(rivals)} beside the headless build", ok=False, mend=mend)


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _cores() -> Check:
    there, usable = os.cpu_count() or 1, cores()
    told = f"{usable} cores" if usable == there else f"{usable} of {there} cores"
    return Check("processor", f"{told}, {memory() / 1e9:.0f} GB memory")


def _gpu() -> Check:
    try:
        import torch
    except Exception:  # said above
        return Check(
            "device", "unknown, as torch does not load", ok=False, mend=f"pip install --force-reinstall {TORCH}"
        )
    if torch.cuda.is_available():
        return Check("device", torch.cuda.get_device_name())
    return Check("device", f"cpu, {'bf16' if fast_bf16() else 'fp32'}; no CUDA device")


def _disk(folder: str) -> Check:
    place = Path(folder).absolute()
    while not place.exists():
        place = place.parent
    if not place.is_dir():
        raise UserError(f"{pasted(folder)} is no folder; give the workspace, or leave it out")
    free = shutil.disk_usage(place).free / 1e9
    mend = "" if free >= FEW_GB else f"make room on the disk of {place}"
    return Check("disk", f"{free:,.1f} GB free at {place}", ok=free >= FEW_GB, required=False, mend=mend)


def _database() -> Check:
    """FiftyOne's mongod: given by address, or in FiftyOne's own package. One on the PATH is of no use to it."""
    from curate.mongo import database, mongod

    if uri := database.address():
        why = database.silence(uri, ANSWER_SECONDS)
        mend = "mend FIFTYONE_DATABASE_URI, or unset it for a database of your own" if why else ""
        return _optional(f"{database.named(uri)} {why or 'answers'}", mend)
    found = mongod.find()
    if not found:
        return _optional("no mongod", f"{mongod.BRINGS}, or set FIFTYONE_DATABASE_URI; FiftyOne alone needs it")
    if why := mongod.ails(found):
        return _optional(f"{found} does not run: {why}", "install what is missing, or set FIFTYONE_DATABASE_URI")
    return _optional(f"mongod at {found}", "")


def _optional(found: str, mend: str) -> Check:
    return Check("fiftyone database", found, ok=not mend, required=False, mend=mend)
