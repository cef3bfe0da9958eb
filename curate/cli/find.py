"""Verbs that find what is wrong: predict, scan, findings."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from curate.cli import app, options, output

if TYPE_CHECKING:
    from train.checkpoint import Epoch


@app.command(epilog="Example: curate predict ws --folds 5 --set epochs=8")
def predict(
    ws: options.Workspace,
    folds: options.Folds = 5,
    seed: Annotated[int, typer.Option(help="Seed of the folds and the training.")] = 0,
    recipe: options.TrainingRecipe = None,
    device: options.Device = "auto",
    changes: options.Set = None,
    workers: options.Workers = None,
    at_once: options.AtOnce = None,
    as_json: options.Json = False,
) -> None:
    """Train on k-1 of k folds in turn: a prediction for each image by a network that has not seen it."""
    from curate.workspace import Workspace
    from train import verbs

    settings = options.training_settings(recipe, changes) | {"device": device, "seed": seed}
    say = None if as_json else _say_fold
    result = verbs.predict(
        Workspace.open(ws), folds=folds, settings=settings, workers=workers, at_once=at_once, on_epoch=say
    )
    if as_json:
        output.print_json(result)
        return
    accuracy = ", ".join(f"{100 * value:.1f}" for value in result.fold_accuracy)
    if result.thin_classes:
        output.warn([f"classes with fewer images than folds, predicted poorly: {', '.join(result.thin_classes)}"])
    output.say(
        f"Agreement with the given labels per fold: {accuracy} %.",
        f"Wrote {result.written} for {result.images:,} images after {result.seconds:,.0f} s of training. "
        f"Next: curate scan {ws}",
    )


@app.command(epilog="Example: curate scan ws --only dark --only blurry --set dark.limit=0.2")
def scan(
    ws: options.Workspace,
    only: Annotated[list[str] | None, typer.Option(help="Run this finder alone; may be repeated.")] = None,
    changes: options.Set = None,
    workers: options.Workers = None,
    as_json: options.Json = False,
) -> None:
    """Run the finders: what looks wrong, how sure, for which image."""
    from curate import verbs
    from curate.workspace import Workspace

    result = verbs.scan(Workspace.open(ws), only=only, settings=options.parse_finder_settings(changes), workers=workers)
    output.warn(result.warnings)
    if as_json:
        output.print_json({"findings": result.written, "flagged": result.flagged, "not_run": result.not_run})
        return
    for name, count in result.flagged.items():
        output.say(f"{count:8,}  {name}")
    if result.not_run:
        output.say(f"Not run, they need predictions ('curate predict {ws}'): {', '.join(result.not_run)}.")
    output.say(f"Wrote {result.written}. Next: curate findings {ws}, curate decide {ws}")


@app.command(epilog="Example: curate findings ws --finder label_error --top 50")
def findings(
    ws: options.Workspace,
    finder: Annotated[str | None, typer.Option(help="Of this finder alone.")] = None,
    top: Annotated[int, typer.Option(min=1, help="How many, worst first.")] = 20,
    everything: Annotated[bool, typer.Option("--all", help="Also what is scored but not flagged.")] = False,
    as_json: options.Json = False,
) -> None:
    """List findings, worst first."""
    from curate import verbs
    from curate.workspace import Workspace

    workspace = Workspace.open(ws)
    table = verbs.list_findings(workspace, finder=finder, flagged_only=not everything)
    output.warn(verbs.stale(workspace))
    if as_json:
        output.print_json(table.head(top))
        return
    output.print_table(
        table.head(top), ["image_id", "finder", "score", "given_label", "suggested_label", "related_id", "detail"]
    )
    output.say(f"{min(top, len(table)):,} of {len(table):,}. Next: curate decide {ws}")


def _say_fold(fold: int, epoch: "Epoch") -> None:
    from curate.cli.learn import epoch_line

    print(f"fold {fold + 1} {epoch_line(epoch)}", file=sys.stderr)
