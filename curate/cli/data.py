"""Verbs through which images come in and go out: add, export."""

from pathlib import Path
from typing import Annotated

import typer

from curate.cli import app, options, output
from curate.wording import pasted, plural


@app.command(epilog="Example: curate add ws photos/ --split train=0.9,test=0.1")
def add(
    ws: options.Workspace,
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE…", help="Recipe name, folder, archive, table, or fiftyone:DATASET."),
    ],
    local: Annotated[
        Path | None, typer.Option("--from", metavar="PATH", help="Local copy of what a recipe would download.")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="A split for all (train, val, test, pool), or shares for images without one: train=0.9,test=0.1."
        ),
    ] = None,
    layout: Annotated[
        str | None, typer.Option("--as", metavar="LAYOUT", help="How the source is laid out; by default recognised.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the source; by default that of the folder or file.")] = None,
    root: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="For tables and FiftyOne: the folder that paths are relative to and must stay in; for tables also "
            "a URL, s3://bucket/photos.",
        ),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--column", metavar="WHAT=NAME", help="For tables and FiftyOne: path=file, label=class, split=set."
        ),
    ] = None,
    near: Annotated[
        str | None,
        typer.Option(
            help="New images that show a photo which is there already: skip, keep, or ask. By default they are kept, "
            "and told where 'curate scan' has looked for duplicates before."
        ),
    ] = None,
    workers: options.Workers = None,
    as_json: options.Json = False,
) -> None:
    """Make a workspace, or add images to one; what is there already is skipped."""
    from curate.cli.near import leave_out, near_duplicates
    from curate.ingest import incoming
    from curate.workspace import Workspace

    leaves_out = leave_out(Workspace(ws), near)
    request = incoming.Request(local, split, layout, name, root, options.parse_columns(columns), leaves_out)
    results = []
    for source in sources:  # told one by one: where a later one is refused, the earlier ones stay added
        results.append(result := incoming.add_source(Workspace(ws), source, request, workers=workers))
        output.warn(result.warnings)
        if not as_json:
            output.say(f"{source}: {incoming.told(result)}")
            if near != "ask":  # told when asked
                near_duplicates(result.near)
    if as_json:
        output.print_json(results)
        return
    manifest = pasted(ws / "manifest.parquet")
    wrote = any(result.added or result.changed or result.gone for result in results)
    output.say(
        f"{f'Wrote {manifest}.' if wrote else f'Nothing is new: {manifest} is as it was.'} "
        f"Next: curate predict {pasted(ws)} (trains; finds wrong labels) or curate scan {pasted(ws)}"
    )


@app.command(epilog="Example: curate export ws clean/ --as folder")
def export(
    ws: options.Workspace,
    dest: Annotated[str, typer.Argument(help="A new or empty folder; with --as fiftyone the name of a new dataset.")],
    layout: Annotated[
        str, typer.Option("--as", metavar="LAYOUT", help="folder, csv, parquet, webdataset or fiftyone.")
    ] = "folder",
    data: Annotated[str, typer.Option(help="curated or raw.")] = "curated",
    as_json: options.Json = False,
) -> None:
    """Hand the set on in another layout."""
    from curate import tables
    from curate.export import export as write
    from curate.workspace import Workspace

    workspace = Workspace.open(ws)
    result = write(tables.read_images(workspace, data), workspace.root, dest, layout)
    output.warn(result.warnings)
    if as_json:
        output.print_json(result)
        return
    left_out = plural(result.left_out, "without a file is left out", "without a file are left out")
    output.say(
        f"Wrote {plural(result.images, 'image', 'images')} to {pasted(result.dest)} as {layout}"
        f"{f'; {left_out}' if result.left_out else ''}. "
        f"Next: curate add NEW_WS {pasted(result.dest)}"
    )
