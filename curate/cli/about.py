"""Verbs that say what there is: finders, models, transforms, sources, doctor."""

import contextlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

import typer

from curate.cli import app, options, output
from curate.errors import UserError
from curate.wording import pasted

if TYPE_CHECKING:
    from curate.support.doctor import Check


@app.command(epilog="Example: curate finders")
def finders(as_json: options.Json = False) -> None:
    """List the finders and their settings."""
    from curate import finders as package
    from curate import registry

    rows = [
        {
            "name": name,
            "summary": registry.summary(function) + " Runs on request." * registry.on_request(function),
            "needs": ", ".join(registry.needs(function)),
            "settings": ", ".join(f"{setting}={value}" for setting, value in registry.settings(function).items()),
        }
        for name, function in registry.functions(package).items()
    ]
    _warn_of_unusable(package)
    _list(rows, as_json)


@app.command(epilog="Example: curate models")
def models(as_json: options.Json = False) -> None:
    """List the networks."""
    from train import models as networks

    _warn_of_unusable(networks)
    _list([{"name": name, "summary": summary} for name, summary in networks.summaries().items()], as_json)


@app.command(epilog="Example: curate transforms")
def transforms(as_json: options.Json = False) -> None:
    """List the transforms that a pipeline may hold: on whole batches, or only with --fallback cpu."""
    from curate.augment import listing

    rows = [{"name": item.name, "runs": item.runs, "summary": item.summary} for item in listing.transforms()]
    _list(rows, as_json)


@app.command(epilog="Example: curate sources")
def sources(as_json: options.Json = False) -> None:
    """List the layouts that images can arrive and leave in, and the recipes."""
    from curate import recipe
    from curate import sources as layouts

    _warn_of_unusable(layouts)
    rows = [
        {"name": item.name, "kind": "layout", "summary": item.summary, "export": item.can_write}
        for item in layouts.describe()
    ]
    rows += [
        {"name": name, "kind": "recipe", "summary": recipe.load(name).summary, "export": False}
        for name in recipe.names()
    ]
    _list(rows, as_json)


@app.command(epilog="Example: curate doctor ws --bundle")
def doctor(
    ws: Annotated[str, typer.Argument(metavar="[WS]", help="Where the disk is looked at; what --bundle is of.")] = ".",
    bundle: Annotated[
        bool, typer.Option("--bundle", help="Write a zip for a bug report: no images, labels, names or paths in it.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="For --bundle; by default curate-bundle-TIME.zip in this folder."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Say whether this machine is ready: versions, devices, disk, FiftyOne's database."""
    from curate.support.doctor import examine

    if out and not bundle:
        raise UserError(f"--out {pasted(out)} goes with --bundle; add that, or leave it out")
    checks = examine(ws)
    if bundle:
        _bundle(ws, out, checks, as_json)
        return
    if as_json:
        output.print_json(checks)
    else:
        output.print_table([{"": "ok" if item.ok else "!!", "what": item.name, "found": item.found} for item in checks])
        for item in checks:
            if item.mend:
                output.say(f"{item.name}: {item.mend}")
    if any(not item.ok and item.required for item in checks):
        raise typer.Exit(1)


def _bundle(ws: str, out: Path | None, checks: "list[Check]", as_json: bool) -> None:
    from curate.support import bundle, crash

    dest = out or Path(f"curate-bundle-{datetime.now(UTC):%Y%m%d-%H%M%S}.zip")
    workspace = crash.workspace_in([ws])
    if workspace is None and ws != ".":
        raise UserError(f"{pasted(ws)} is no workspace; name one, or none for a bundle about this machine alone")
    inside = bundle.write(dest, workspace, checks, _words())
    if as_json:
        output.print_json({"written": dest, "files": inside})
        return
    output.say(*(f"{size:9,}  {name}" for name, size in inside.items()))
    output.say(
        f"Wrote {pasted(dest)}: no images, labels, names or paths. Look at it before you send it; README.txt in it "
        "says what is what."
    )


def _words() -> set[str]:
    """Verbs, their options, and the names of training, where torch loads."""
    found: set[str] = set()
    with contextlib.suppress(ImportError, OSError):
        from train import config, models, profiles, recipes

        found = {*config.TrainConfig.__dataclass_fields__, *models.summaries(), *profiles.PROFILES, *recipes.names()}
    command = typer.main.get_command(app)
    waiting = [command]
    while waiting:
        one = waiting.pop()
        found |= {str(one.name)}
        for parameter in one.params:
            found |= {str(parameter.name), *(name.lstrip("-") for name in parameter.opts)}
        waiting += getattr(one, "commands", {}).values()
    return found


def _warn_of_unusable(package: ModuleType) -> None:
    """A line on each part that an installed package brings for it and that cannot be used."""
    from curate import registry

    output.warn([str(error) for error in registry.faults(package).values()])


def _list(rows: Sequence[Mapping[str, object]], as_json: bool) -> None:
    if as_json:
        output.print_json(rows)
    else:
        output.print_table(rows)
