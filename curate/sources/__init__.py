"""Sources: the layouts that images arrive and leave in, one file each.

A source module has

* `recognises(path: Path) -> bool`: whether a file or folder looks like this layout; cheap, reads a few names at most.
* `read(path: Path, options: Options) -> Iterator[Sample | Skipped]`: the images, in a stable order, not decoded. What
  it takes and gives is in `curate.layouts`.
* `write(table, root: Path, dest: Path) -> int`, where images can leave in this layout: copy the rows' files into the
  empty folder `dest`, return how many. What it writes, `read` gives back with the same splits, labels and bytes.
* `PRIORITY`, an int: of several that recognise a path, the highest is taken (a CIFAR archive is a tar file, too).
* `DATABASE = True`, where images lie in sets that have a name and no path. `read` and `write` are given that name, and
  recognise no path: `fiftyone:pets` is the set `pets` of `fiftyone.py`. `write` makes a new set, whole or not at all.
* `ORIGINALS = True`, where `write` says which image a generated one was made from, and `read` gives that back.

The docstring's first line is its line in `curate sources`.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pandas as pd

from curate import registry
from curate.errors import UserError
from curate.layouts import Options, Sample, Skipped
from curate.manifest import SPLITS
from curate.remote import is_url


@dataclass(frozen=True)
class Named:
    """A set in a database, where other sources are a path."""

    layout: str
    name: str

    def __str__(self) -> str:
        return f"{self.layout}:{self.name}"


def layouts() -> dict[str, ModuleType]:
    """Every layout's module by its name. Raises `UserError` for one that lacks what a layout has to have."""
    found = registry.modules(sys.modules[__name__])
    for name, module in found.items():
        check_module(name, module)
    return found


def check_module(name: str, module: ModuleType) -> None:
    """Raises `UserError` for a module that lacks what a layout has to have."""
    if lacking := [each for each in ("recognises", "read", "PRIORITY") if not hasattr(module, each)]:
        raise registry.faulty(f"layout {name!r}", module, f"has no {lacking[0]}, see 'curate.sources'")
    if not isinstance(module.PRIORITY, int | float):
        raise registry.faulty(f"layout {name!r}", module, f"has the PRIORITY {module.PRIORITY!r}, which is no number")


def writable() -> dict[str, ModuleType]:
    """The layouts that images can leave in."""
    return {name: module for name, module in layouts().items() if hasattr(module, "write")}


def databases() -> list[str]:
    """The layouts whose sets have a name and no path."""
    return [name for name, module in layouts().items() if hasattr(module, "DATABASE")]


def named(text: str) -> Named | None:
    """The set in a database that `fiftyone:pets` means, None for any other text."""
    layout, colon, name = text.partition(":")
    return Named(layout, name) if colon and name and layout in databases() else None


@dataclass(frozen=True)
class Layout:
    """A layout's line in `curate sources`."""

    name: str
    summary: str
    can_write: bool


def describe() -> list[Layout]:
    """Every layout, by name."""
    return [
        Layout(name, (module.__doc__ or "").strip().partition("\n")[0], hasattr(module, "write"))
        for name, module in layouts().items()
    ]


def pick(name: str) -> ModuleType:
    """The layout called `name`, or an error that lists what there is."""
    found = layouts()
    if name not in found:
        raise registry.missing("layout", name, sys.modules[__name__], list(found))
    return found[name]


def choose(source: Path | Named, layout: str | None) -> str:
    """The layout to read `source` in: the one asked for, or the one it is in. Raises `UserError` where that is none."""
    if isinstance(source, Named):
        if layout not in (None, source.layout):
            raise UserError(f"{source} is read as {source.layout}, not as {layout}; leave out --as")
        return source.layout
    if layout in databases():
        raise UserError(f"{layout} reads no file or folder; give the name of a dataset: {layout}:NAME")
    return layout or recognise(source)


def recognise(path: Path) -> str:
    """Name of the layout that `path` is in. Raises `UserError` where it is missing or nothing recognises it."""
    if not path.exists():
        raise UserError(
            f"{path} does not exist; a source is a folder, an archive (tar, zip), a .csv or a .parquet file"
        )
    found = {name: module for name, module in layouts().items() if name not in databases()}
    try:
        names = [name for name, module in found.items() if _recognises(name, module, path)]
    except PermissionError as error:
        raise UserError(f"{error.filename or path} may not be read; change its permissions") from None
    if not names:
        raise UserError(f"{path} is in no known layout; name one with --as: {', '.join(found)}")
    return max(names, key=lambda name: found[name].PRIORITY)


def _recognises(name: str, module: ModuleType, path: Path) -> bool:
    with registry.Blaming("layout", name, module):
        return bool(module.recognises(path))


def read(layout: str, place: Path | str, options: Options) -> Iterator[Sample | Skipped]:
    """What the layout gives of a place. Raises `UserError` for a sample that no manifest can hold."""
    module = pick(layout)
    blaming = registry.Blaming("layout", layout, module)  # not while this one waits: it redirects what is printed
    with blaming:
        items = iter(module.read(place, options))
    while True:
        with blaming:
            try:
                item = next(items)
            except StopIteration:
                return
        if not isinstance(item, Skipped) and (fault := _fault(item)):
            raise UserError(f"{registry.called('layout', layout, module)} gave {fault}; nothing was added")
        yield item


def _fault(sample: Sample) -> str:
    """What is wrong with a sample; "" where nothing is."""
    if not isinstance(sample, Sample):
        return f"{sample!r:.80}, which is no Sample"
    name, label = sample.name, sample.label
    if not (isinstance(name, str) and name and not name.startswith("/") and ".." not in name.split("/")):
        return f"the name {name!r:.80}; it has to be a path within the source"
    if not isinstance(label, str | None):
        return f"{name!r} the label {label!r:.80}; it has to be a text, or None"
    if sample.split not in ("", *SPLITS):
        return f"{name!r} the split {sample.split!r:.80}; there are: {', '.join(SPLITS)}"
    if not isinstance(sample.data, bytes | None):
        return f"{name!r} the data {sample.data!r:.80}; they have to be bytes, or None"
    if sample.data is None and not sample.error and not (sample.path.startswith("/") or is_url(sample.path)):
        return f"{name!r} the path {sample.path!r:.80}; it has to be absolute, or a URL"
    return ""


def write(layout: str, table: pd.DataFrame, root: Path, dest: Path | str) -> int:
    """Write the images of a manifest in the layout, and say how many there are."""
    module = pick(layout)
    with registry.Blaming("layout", layout, module):
        count = module.write(table, root, dest)
    if not isinstance(count, int):
        told = registry.called("layout", layout, module)
        raise UserError(f"{told} gave {count!r:.80}; it has to be the number of images that it wrote")
    return count
