"""Verbs that look back and go back: log, diff, restore."""

from typing import Annotated

import typer

from curate.cli import app, options, output
from curate.wording import moment, pasted


@app.command(epilog="Example: curate log ws")
def log(ws: options.Workspace, as_json: options.Json = False) -> None:
    """List the versions of a workspace: which command wrote what, and when."""
    from curate.log import version
    from curate.workspace import Workspace

    entries = Workspace.open(ws).ledger()
    if as_json:
        output.print_json(entries)
        return
    rows = [
        {
            "version": line.number,
            "at": moment(line.at),
            "command": line.command,
            "arguments": line.arguments,
            "wrote": line.wrote or "-",
        }
        for line in map(version, entries)
    ]
    output.print_table(rows)
    output.say(
        f"Next: 'curate diff {pasted(ws)} A B' shows what changed, 'curate restore {pasted(ws)} VERSION' goes back."
    )


@app.command(epilog="Example: curate diff ws 3 7")
def diff(
    ws: options.Workspace,
    before: Annotated[
        int | None, typer.Argument(help="Version to start from; by default the manifest as it is.")
    ] = None,
    after: Annotated[
        int | None, typer.Argument(help="Version to compare with; by default the curated set as it is.")
    ] = None,
    top: Annotated[int, typer.Option(min=0, help="How many images to list.")] = 20,
    as_json: options.Json = False,
) -> None:
    """Show what was added, dropped and relabelled between two versions, by finder."""
    from curate.versions import compare, is_current
    from curate.workspace import CURATED, Workspace

    workspace = Workspace.open(ws)
    changes = compare(workspace, before, after)
    if after is None and workspace.has(CURATED) and not is_current(workspace):
        output.warn([f"{CURATED} is out of date: this is the set that 'curate apply {pasted(ws)}' would make"])
    if as_json:
        output.print_json(changes)
        return
    if not len(changes):
        output.say("No difference.")
        return
    by_finder = changes.groupby(["change", "because"]).size().rename("images").reset_index()
    output.print_table(by_finder.sort_values("images", ascending=False))
    if top:
        output.print_table(changes.head(top))
        if len(changes) > top:
            output.say(f"{len(changes) - top:,} more; --top {len(changes)} lists all.")


@app.command(epilog="Example: curate restore ws 3")
def restore(
    ws: options.Workspace,
    version: Annotated[int, typer.Argument(help="Version to go back to ('curate log' lists them).")],
    as_json: options.Json = False,
) -> None:
    """Go back to an earlier version of the tables; what is there now stays in the history."""
    from curate import tables, versions
    from curate.workspace import MANIFEST, Workspace

    workspace = Workspace.open(ws)
    restored = versions.restore(workspace, version)
    if MANIFEST in restored and workspace.has(MANIFEST):
        output.warn(tables.files_gone(workspace, tables.read_manifest(workspace)))
    if as_json:
        output.print_json({"version": version, "restored": restored})
        return
    there = [name for name in restored if workspace.has(name)]
    gone = [name for name in restored if name not in there]
    what = ", ".join(there) or ("the tables" if gone else "nothing: it was as it is")
    away = f"Took away {', '.join(gone)}, which it does not have. " if gone else ""
    output.say(f"Restored {what} of version {version}. {away}Next: 'curate log {pasted(ws)}'.")
