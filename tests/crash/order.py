"""What a power cut could take: the system calls of a verb, as strace writes them down, and whether their order is safe.

A file has its name only when its content is on the disk (fsync, then rename); the folder follows; a table is put in its
place when its version is in the history, and the ledger's line comes after the tables.
"""

# ruff: noqa: PTH118, PTH119, PTH120

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from curate.files import TEMPORARY_PREFIX
from curate.workspace import HISTORY, LEDGER, LOCK, VERSIONED

CALLS = (
    *("openat", "open", "creat", "write", "pwrite64", "writev", "pwritev", "ftruncate", "truncate", "copy_file_range"),
    *("sendfile", "fsync", "fdatasync", "sync", "syncfs", "rename", "renameat", "renameat2", "unlink", "unlinkat"),
    *("mkdir", "mkdirat", "rmdir"),
)
DERIVED = ("/tensorboard",)
"""Parts of paths of what can be made again from other files at any time, and is written by others' code."""
LINE = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\)\s+= (-?\d+|\?)(?:<(.*?)>)?")
HANDLE = re.compile(r"^(?:AT_FDCWD|-?\d+)<(.*?)>")
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


def trace(log: Path) -> tuple[str, ...]:
    """The beginning of a command line that has its calls written to `log`; empty where there is no strace."""
    if not shutil.which("strace"):
        return ()
    return ("strace", "-f", "-y", "-s", "0", "--seccomp-bpf", "-e", f"trace={','.join(CALLS)}", "-o", str(log))


@dataclass(frozen=True)
class Call:
    """A call that did not fail, with what it is about."""

    name: str
    paths: tuple[str, ...]
    writes: bool = False
    """Of an open: whether the file may be written to."""
    creates: bool = False


def read(text: str) -> Iterator[Call]:
    """The calls in strace's output."""
    begun: dict[str, str] = {}
    for line in text.splitlines():
        number = line.split(" ", 1)[0]
        if line.endswith("<unfinished ...>"):
            begun[number] = line.removesuffix("<unfinished ...>").rstrip()
            continue
        if " resumed>" in line and number in begun:
            line = begun.pop(number) + line.split(" resumed>", 1)[1]
        if (match := LINE.match(line)) and not match[3].startswith("-"):
            yield _call(match[1], match[2], match[4])


def _call(name: str, arguments: str, result: str | None) -> Call:
    if name in ("open", "openat", "creat"):
        writes = name == "creat" or "O_WRONLY" in arguments or "O_RDWR" in arguments
        return Call("open", (result or "",), writes, "O_CREAT" in arguments or name == "creat")
    if name.startswith(("rename", "unlink", "mkdir", "rmdir", "truncate")):
        folders = [match[1] for part in arguments.split(", ") if (match := HANDLE.match(part))]
        named = QUOTED.findall(arguments)
        paths = [os.path.join(folder, path) for folder, path in zip([*folders, ""] + [""] * 2, named, strict=False)]
        return Call(re.sub(r"at2?$", "", name), tuple(paths))
    match = HANDLE.match(arguments)
    path = match[1] if match else ""  # of a pipe it is no path
    return Call({"fdatasync": "fsync", "syncfs": "sync"}.get(name, name), (path,) if path.startswith("/") else ())


@dataclass
class Disk:
    """What is not on the disk yet, call by call."""

    inside: str
    """The folder that is looked at."""
    dirty: set[str] = field(default_factory=set)
    """Files with content that is not there."""
    names: dict[str, set[str]] = field(default_factory=dict)
    """Folder -> names in it that were made, changed or removed."""
    wrong: list[str] = field(default_factory=list)
    renamed: int = 0

    def take(self, call: Call) -> None:
        """One more call."""
        if call.name == "sync":
            self.dirty.clear()
            self.names.clear()
        paths = [path for path in (os.path.join(self.inside, path) for path in call.paths) if self._is_inside(path)]
        if not paths:
            return
        if call.name == "fsync":
            self.dirty.discard(paths[0])
            self.names.pop(paths[0], None)
        elif call.name == "open":
            if call.creates and os.path.basename(paths[0]) != LOCK:
                self._name(paths[0])
        elif call.name == "rename":
            self._rename(*paths)
        elif call.name in ("unlink", "rmdir"):
            self.dirty.discard(paths[0])
            self._forget(paths[0])
        elif call.name == "mkdir":
            self._name(paths[0])
        else:
            self.dirty.add(paths[0])

    def _is_inside(self, path: str) -> bool:
        return f"{path}/".startswith(self.inside) and not any(part in path for part in DERIVED)

    def _rename(self, source: str, to: str) -> None:
        self.renamed += 1
        moved = [path for path in (*self.dirty, *self.names) if f"{path}/".startswith(f"{source}/")]
        if _is_final(to):  # within a temporary folder names may change as they like
            self.wrong += [f"{path} gets the name {to} before its content is on the disk" for path in moved]
        name, folder = os.path.split(to)[1], os.path.dirname(to)
        kept = self.names.get(os.path.join(folder, HISTORY), set())
        if name in VERSIONED and kept:
            self.wrong.append(f"{name} is put in its place before its version is in the history for sure")
        if name == LEDGER and (tables := self.names.get(folder, set()) & set(VERSIONED)):
            self.wrong.append(f"the ledger speaks of {', '.join(sorted(tables))} before that is in its place for sure")
        self._forget(source)
        self._name(to)

    def _name(self, path: str) -> None:
        folder, name = os.path.split(path)
        self.names.setdefault(folder, set()).add(name)

    def _forget(self, path: str) -> None:
        """A name that is gone; only the tables' absence has to come to the disk."""
        folder, name = os.path.split(path)
        if name in VERSIONED:
            self._name(path)
        else:
            self.names.get(folder, set()).discard(name)

    def end(self) -> list[str]:
        """What is wrong, when the verb has ended: all that has its own name has to be there to stay."""
        self.wrong += [f"the content of {path} is not on the disk" for path in sorted(self.dirty) if _is_final(path)]
        self.wrong += [
            f"the name {os.path.join(folder, name)} is not on the disk"
            for folder, names in sorted(self.names.items())
            for name in sorted(names)
            if _is_final(os.path.join(folder, name)) and os.path.lexists(os.path.join(folder, name))
        ]
        return self.wrong


def _is_final(path: str) -> bool:
    return f"/{TEMPORARY_PREFIX}" not in path


def violations(text: str, inside: Path) -> tuple[list[str], int]:
    """What is wrong with the order of calls, and how many files were given their names."""
    disk = Disk(os.path.join(os.path.realpath(inside), ""))
    for call in read(text):
        disk.take(call)
    return disk.end(), disk.renamed
