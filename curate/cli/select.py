"""Verbs that add labels: select, pseudo."""

from pathlib import Path
from typing import Annotated

import typer

from curate.cli import app, options, output
from curate.errors import UserError
from curate.wording import pasted, percent, plural


@app.command(epilog="Example: curate select ws --budget 200; fill in ws/selected.csv; curate decide ws --import …")
def select(
    ws: options.Workspace,
    budget: Annotated[
        int | None, typer.Option(min=1, help="How many images to label next; by default the recipe's, or 500.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The table to fill in; by default WS/selected.csv.")
    ] = None,
    workers: options.Workers = None,
    as_json: options.Json = False,
) -> None:
    """Choose which images without a label to label next: what networks are unsure of, and what is unlike the rest."""
    from curate import adding
    from curate.engine import Local
    from curate.workspace import Workspace

    result = adding.select(Workspace.open(ws), budget=budget, out=out, engine=Local(workers))
    output.warn(result.warnings)
    if as_json:
        output.print_json(result)
        return
    images = plural(result.images, "image", "images")
    output.say(f"{images} to label next, the first ones first, of {result.waiting:,} in the pool without a label.")
    if budget and result.images < min(budget, result.waiting):
        output.say("There are no more: the others show photos that are there, or have no prediction.")
    output.say(
        f"Wrote {pasted(result.written)}. Next: fill in its column 'label', then curate decide {pasted(ws)} "
        f"--import {pasted(result.written)} --by NAME; or curate decide {pasted(ws)} and "
        f"curate review {pasted(ws)} --fiftyone"
    )


@app.command(epilog="Example: curate pseudo ws --sure 0.98")
def pseudo(
    ws: options.Workspace,
    sure: Annotated[
        float | None,
        typer.Option(help="Least probability that a label is right, 0 to 1; by default the recipe's, or 0.95."),
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take these labels back.")] = False,
    workers: options.Workers = None,
    as_json: options.Json = False,
) -> None:
    """Label the images without a label that networks are sure of, as decisions that can be taken back."""
    from curate import adding
    from curate.engine import Local
    from curate.workspace import CURATED, Workspace

    workspace = Workspace.open(ws)
    if undo and sure is not None:
        raise UserError("--sure is for new labels, not for --undo; leave one of them out")
    if undo:
        count, told = adding.undo_pseudo(workspace)
        output.warn(told)
        if as_json:
            output.print_json({"taken_back": count})
        else:
            next_step = f"Next: curate apply {pasted(ws)}" if count else "No label of 'curate pseudo' stands."
            output.say(f"Took back {plural(count, 'label', 'labels')}. {next_step}")
        return
    result = adding.pseudo(workspace, sure=sure, engine=Local(workers))
    output.warn(result.warnings)
    if as_json:
        output.print_json(result)
        return
    count = sum(result.labels.values())
    output.say(f"Labelled {count:,} of {result.waiting:,} images of the pool: {output.counts(result.labels)}.")
    if not count:
        more = f"curate select {pasted(ws)} says which images to label by hand"
        applied = f"; curate apply {pasted(ws)} renews the curated set" if workspace.has(CURATED) else ""
        output.say(f"No label of 'curate pseudo' stands now. Next: a lower --sure gives more; {more}{applied}")
        return
    wrong = result.expected_wrong
    output.say(f"Expected wrong: {percent(wrong, digits=1)} % of them, about {round(wrong * count):,}.")
    output.say(
        f"Wrote {pasted(result.written)}. Next: curate apply {pasted(ws)}; "
        f"curate pseudo {pasted(ws)} --undo takes them back"
    )
