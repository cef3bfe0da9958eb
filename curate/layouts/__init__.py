"""What layouts give, and what they are read and written with: class folders, tables, archives, safe names."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Why = Literal[
    "not an image",
    "image format that is not read",
    "name without a suffix",
    "link or device",
    "folder that cannot be read",
    "link to a folder that is read anyway",
    "link to a folder around one that is read",
    "name that is not UTF-8",
    "in the workspace itself",
    "near-duplicate of what is there",
]


@dataclass(frozen=True, slots=True)
class Sample:
    """One image as a source gives it: a file that stays where it is (`path`), or bytes out of an archive (`data`)."""

    name: str
    """Relative path within the source, with forward slashes; becomes the part of `image_id` after the source's name."""
    label: str | None = None
    """"" for an unlabelled image; None where the folders in `name` say it (see `curate.layouts.folders`)."""
    split: str = ""
    """One of the manifest's splits; "" where the layout says nothing and folders or the split rule of `add` decide."""
    path: str = ""
    """Absolute path; a string, because a million Path objects cost seconds."""
    data: bytes | None = None
    error: str = ""
    """Why there is no image at all, for instance a table's row without bytes."""
    image_id: str = ""
    """What it was called in the workspace that it was exported from."""
    parent_id: str = ""
    """What its original was called there, for a generated image."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something in a source that is left out, and counted."""

    name: str
    why: Why


@dataclass(frozen=True)
class Options:
    """What the command line or a recipe says about how to read a source."""

    columns: dict[str, str] = field(default_factory=dict)
    """For tables: which column holds `path`, `image`, `label`, `split`, where the names differ from these. An empty
    name says that there is no such column: `{"label": ""}` for unlabelled images."""
    root: Path | str | None = None
    """For tables: the folder that paths are relative to and must stay in, or the URL of one in an object store; by
    default the table's own."""
    classes: dict[str, str] = field(default_factory=dict)
    """Label as the source has it -> label to use, where the source's are not readable."""
