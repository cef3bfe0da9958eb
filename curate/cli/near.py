"""New images that show a photo which is there already: told, and asked about."""

import sys
from collections.abc import Collection
from dataclasses import asdict

import typer

from curate.cli import output
from curate.errors import UserError
from curate.ingest.add import LeaveOut
from curate.ingest.added import NearDuplicate
from curate.workspace import Workspace

SHOWN = 10


def leave_out(workspace: Workspace, choice: str | None) -> LeaveOut | None:
    """What `--near` says; None where near-duplicates are not to be looked for."""
    if choice is None:
        return _keep if _searched(workspace) else None
    if choice == "ask" and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UserError("--near ask needs a terminal to ask in; say --near skip or --near keep")
    choices: dict[str, LeaveOut] = {"skip": _skip, "keep": _keep, "ask": _ask}
    if choice not in choices:
        raise UserError(f"--near {choice!r} must be {', '.join(choices)}")
    return choices[choice]


def _searched(workspace: Workspace) -> bool:
    if not (workspace.root / "signals").is_dir():
        return False  # nothing was measured; the import takes longer than a small add
    from curate.ingest import near

    return near.searched(workspace)


def near_duplicates(found: list[NearDuplicate]) -> None:
    """List the first, most probable ones first."""
    if not found:
        return
    ordered = sorted(found, key=lambda one: -one.probability)
    output.say(f"Near-duplicates of what was there, {len(found):,}:")
    output.print_table([asdict(one) for one in ordered[:SHOWN]], ["image_id", "like", "detail"])
    if len(found) > SHOWN:
        output.say(f"… and {len(found) - SHOWN:,} more; --json lists all.")


def _skip(found: list[NearDuplicate]) -> Collection[str]:
    return [one.image_id for one in found]


def _keep(found: list[NearDuplicate]) -> Collection[str]:
    return []


def _ask(found: list[NearDuplicate]) -> Collection[str]:
    if not found:
        return []
    near_duplicates(found)
    said = ""
    while said not in ("a", "l", "e"):
        said = typer.prompt("(a)dd them all, (l)eave them all out, or ask for (e)ach?", default="l", err=True)[
            :1
        ].lower()
    if said == "a":
        return []
    if said == "l":
        return _skip(found)
    return [
        one.image_id
        for one in found
        if not typer.confirm(f"{output.one_line(one.image_id)}: {one.detail}, like {one.like}. Add it?", err=True)
    ]
