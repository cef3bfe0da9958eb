"""What can be said of dependencies without a network: whether locks fit pyproject.toml and licences fit ours."""

import importlib.metadata
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).parent
PYPROJECT, LOCK, BUILD_LOCK = HERE.parent / "pyproject.toml", HERE / "linux-py311.txt", HERE / "build.txt"
PINNED = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>[a-z0-9.+!]+) --hash=sha256:[0-9a-f]{64}(  # source)?")
MACHINE = {
    "python_version": "3.11",
    "python_full_version": "3.11.0",
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_system": "Linux",
    "sys_platform": "linux",
    "platform_machine": "x86_64",
    "extra": "",
}
"""What the lock is made for, as markers of requirements see it."""

ALLOWED = re.compile(
    r"apache|bsd|\bmit\b|mit-|\bisc\b|iscl|psf|python software foundation|mpl|mozilla public license 2|zlib|cc0|0bsd"
    r"|bsl-1|unlicense|public domain|cnri",
    re.IGNORECASE,
)
"""Licences under which Apache-2.0 code may depend on a package and be handed on beside it, modified or not."""
AS_A_LIBRARY = re.compile(r"lgpl|lesser general public", re.IGNORECASE)
"""Allowed for a library that is imported and can be exchanged, which every Python package is."""
REFUSED = re.compile(
    r"\b(a?gpl|sspl)|(?<!lesser )general public license|server side public|non-?commercial|proprietary", re.I
)


@dataclass(frozen=True)
class Licence:
    """What a package says of its licence: an SPDX expression, else classifiers, else the first line of its text."""

    package: str
    text: str

    @property
    def fits(self) -> bool:
        """Whether every part of an "AND", or one of an "OR", may stand beside Apache-2.0."""
        return any(
            all(_fits(part) for part in re.split(r"\bAND\b", choice)) for choice in re.split(r"\bOR\b", self.text)
        )


def mistakes(pyproject: Path = PYPROJECT) -> list[str]:
    """A line for each thing that is wrong with a lock or with what is asked for: what, and the way out."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    return [
        *lock_mistakes(LOCK, project["project"]["dependencies"]),
        *lock_mistakes(BUILD_LOCK, project["build-system"]["requires"]),
        *(f"{pyproject.name}: {each!r} names a place, not a package; name a release of it" for each in by_url(project)),
        *(
            f"{each.package}: its licence {each.text!r} does not fit Apache-2.0; do without it"
            for each in licences([*pinned(LOCK), *pinned(BUILD_LOCK)])
            if not each.fits
        ),
    ]


def lock_mistakes(lock: Path, asked: list[str]) -> list[str]:
    """A line for each line that pins nothing, and each requirement that the lock does not meet."""
    lines = [line for line in lock.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    found = [f"{lock.name}: {line!r} is not pinned by version and hash" for line in lines if not PINNED.fullmatch(line)]
    pins = pinned(lock)
    for requirement in map(Requirement, asked):
        version = pins.get(canonicalize_name(requirement.name))
        if requirement.marker and not requirement.marker.evaluate(MACHINE):
            continue
        if version is None:
            found.append(f"{lock.name} lacks {requirement.name}, which is asked for")
        elif not requirement.specifier.contains(version, prereleases=True):
            found.append(f"{lock.name} has {requirement.name} {version}, asked for is {requirement}")
    return [f"{each}; renew it: python requirements/lock.py" for each in found]


def pinned(lock: Path) -> dict[str, str]:
    """Version by package."""
    found = (PINNED.fullmatch(line) for line in lock.read_text(encoding="utf-8").splitlines())
    return {match["name"]: match["version"] for match in found if match}


def by_url(project: dict) -> list[str]:
    """Requirements, of extras too, that name a place instead of a package: no index answers for what lies there."""
    every = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    every += [each for extra in project["project"].get("optional-dependencies", {}).values() for each in extra]
    return [each for each in every if Requirement(each).url]


def licences(packages: list[str]) -> list[Licence]:
    """The licences of those packages that are installed here."""
    found = []
    for package in packages:
        try:
            about = importlib.metadata.metadata(package)
        except importlib.metadata.PackageNotFoundError:
            continue
        classifiers = [each for each in about.get_all("Classifier") or [] if each.startswith("License ::")]
        said = [
            *(about.get_all("License-Expression") or []),
            "; ".join(each.rpartition("::")[2].strip() for each in classifiers if not each.endswith("OSI Approved")),
            *(text.strip().partition("\n")[0] for text in about.get_all("License") or []),
        ]
        found.append(Licence(package, next(filter(None, said), "")))
    return found


def _fits(part: str) -> bool:
    if AS_A_LIBRARY.search(part):
        return True
    return ALLOWED.search(part) is not None and not REFUSED.search(part)
