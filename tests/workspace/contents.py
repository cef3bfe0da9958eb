"""What lies in a workspace."""

from pathlib import Path

from curate import deciding
from curate.files import TEMPORARY_PREFIX
from curate.workspace import VERSIONED


def contents(root: Path) -> dict[str, bytes]:
    """The tables, and the review list, as bytes."""
    names = (*VERSIONED, deciding.REVIEW)
    return {name: (root / name).read_bytes() for name in names if (root / name).exists()}


def leftovers(root: Path) -> list[Path]:
    return list(root.rglob(f"{TEMPORARY_PREFIX}*"))
