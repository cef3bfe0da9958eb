"""Label jobs: the questions of a review as a project of another labelling tool, and its answers back; a tool each file.

A module here has

* `write(asked: pd.DataFrame, dest: Path, *, classes: list[str]) -> int`: the job in the empty folder `dest`, with a
  `README.txt` that says how to load it; returns how many images are in it. `pictures` gives them.
* `recognises(path: Path) -> bool`: whether a file or folder looks like what the tool exports; cheap.
* `read(path: Path, images: pd.DataFrame) -> list[Said]`: what people answered, in the order of the export, without what
  they skipped. `images` is the manifest. Raises `UserError` for what is no export of such a job.

The docstring's first line is its line in lists. Annotators see classes as `shown` gives them.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pandas as pd

from curate import manifest, registry
from curate.errors import UserError, known
from curate.export import new_folder
from curate.images import ImageError, content_hash, decode, encode_png, read_bytes
from curate.layouts.leaving import SUFFIX_BY_START, suffix_of
from curate.wording import pasted

COLUMNS = ("image_id", "action", "label", "by", "note", "at")
LONGEST = 64
"""So many letters of a class are shown at most: the `max_length` of a label's name in CVAT's API."""
UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML cannot hold, and those that break a line."""
OWN = "curate_"
"""How the labels begin that a job adds to the classes."""
ABOUT = ("image_id", "given_label", "suggested_label", "suggested_prob", "because", "detail")
"""What a `Picture` has of what is asked: the last of its fields."""
AT_FIRST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that is asked about, as a tool can show it."""

    name: str
    """File name: the place in the queue, and a hash by which the image is found again. ASCII, so that it stays."""
    data: bytes
    width: int
    height: int
    image_id: str
    given_label: str
    suggested_label: str
    suggested_prob: float
    because: str
    detail: str


@dataclass(frozen=True, slots=True)
class Said:
    """An answer of one person about one image."""

    image_id: str
    choice: str | None
    """The class as it was shown; None for "drop"."""
    by: str
    """Who; "" where the export does not say."""
    note: str
    at: datetime | None


def tools() -> dict[str, ModuleType]:
    """Every tool's module by its name."""
    return registry.modules(sys.modules[__name__])


def write(tool: str, asked: pd.DataFrame, dest: Path, classes: list[str]) -> int:
    """Write what is asked as a job for `tool` into `dest`, a new or empty folder: all or nothing.

    Returns how many images are in it. Those that cannot be decoded are not: tools refuse the whole job for one of them.
    Raises `UserError` where `dest` holds something, or where nothing is left to ask about.
    """
    found = tools()
    if tool not in found:
        raise known("labelling tool", tool, list(found))
    wanted = asked[asked["asked"]]
    if not len(wanted):
        raise UserError(
            f"nothing is asked, so there is no job to write to {pasted(dest)}; 'curate scan' and 'curate decide' first"
        )
    with new_folder(dest) as staging:
        count = found[tool].write(wanted, staging, classes=classes)
        if not count:
            raise UserError(
                f"none of {len(wanted):,} images can be shown, {wanted['path'].iloc[0]} for one; bring them back"
            )
    return count


def recognise(path: Path) -> str | None:
    """Name of the tool whose export `path` looks like; None for another file, such as a CSV table."""
    return next((name for name, module in tools().items() if module.recognises(path)), None)


def read(path: Path, images: pd.DataFrame) -> pd.DataFrame:
    """The answers of an export as decisions with `COLUMNS`, numbered from 1, for `curate.decisions.check`.

    images: the manifest. The label that an image has is `keep`, another one `relabel`. Where a person answered on an
    image several times, the last answer counts. `by` and `at` are "" where the export does not say. Raises `UserError`
    for what is no export of a job, or holds no answer.
    """
    tool = recognise(path)
    if tool is None:
        raise UserError(f"{pasted(path)} is no export that is read here; there are: {', '.join(tools())}")
    said = tools()[tool].read(path, images)
    if not said:
        raise UserError(f"{pasted(path)} holds no answer; answer in {tool}, submit or save there, and export again")
    last = {(one.image_id, one.by): one for one in sorted(said, key=lambda one: one.at or AT_FIRST)}
    given = dict(zip(images["image_id"], images["label"], strict=True))
    names = {shown(name): name for name in manifest.classes(images)}
    rows = []
    for one in said:
        if last[one.image_id, one.by] is one:
            label = "" if one.choice is None else names.get(one.choice, one.choice)
            action = "drop" if one.choice is None else "keep" if label == given.get(one.image_id) else "relabel"
            label = label if action == "relabel" else ""
            rows.append((one.image_id, action, label, plain(one.by), plain(one.note), _text(one.at)))
    return pd.DataFrame(rows, columns=list(COLUMNS), index=range(1, len(rows) + 1), dtype="str")


def pictures(asked: pd.DataFrame) -> Iterator[Picture]:
    """Every image that is asked about and can be decoded, in order. What browsers do not show becomes PNG."""
    about = zip(*(asked[name] for name in ("path", *ABOUT)), strict=True)
    for number, (path, *values) in enumerate(about, 1):
        try:
            data = read_bytes(path)
            pixels = decode(data)
        except ImageError:
            continue
        data = data if data.startswith(tuple(SUFFIX_BY_START)) else encode_png(pixels)
        name = f"{number:06d}-{key(values[0])}{suffix_of(data)}"
        yield Picture(name, data, pixels.shape[1], pixels.shape[0], *values)


def key(image_id: str) -> str:
    """What stands for an image in file names: 64 bits as hex; two of a million are alike once in 37 million sets."""
    return content_hash(image_id.encode("utf-8", "surrogatepass"))[:16]


def shown(name: str) -> str:
    """A class as tools can show it and give it back: where they would change it, changed here, and ending in a hash.

    Tools strip blanks, cut long names, and take a "$" in front for a variable. What begins like the labels that a job
    adds is changed, too.
    """
    fit = plain(name).strip(" $\u00a0")
    same = fit == name and len(name) <= LONGEST and not name.startswith(OWN)
    return name if same else f"{fit[: LONGEST - 20]}~{key(name)[:8]}"


def plain(text: str) -> str:
    """The text on one line, with a blank for what XML cannot hold."""
    return UNSHOWABLE.sub(" ", text)


def moment(text: object) -> datetime | None:
    """The time that ISO 8601 says, in UTC, which holds where it says no zone; None for anything else."""
    try:
        at = datetime.fromisoformat(str(text))
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # OverflowError: in UTC it is before the year 1, or after 9999
        return None


def one_choice(choices: set[str | None], image_id: str, path: Path) -> str | None:
    """The only choice of a person. Raises `UserError` where there are several."""
    if len(choices) > 1:
        named = ", ".join(sorted("drop" if choice is None else repr(choice) for choice in choices))
        raise UserError(
            f"{pasted(path)}: {image_id} is answered in several ways: {named}; leave one of them and export again"
        )
    return next(iter(choices))


def _text(at: datetime | None) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z") if at else ""
