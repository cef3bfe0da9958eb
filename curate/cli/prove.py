"""The verb that says what curating was worth."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curate.cli import app, options, output
from curate.cli.learn import epoch_line, say_on_stderr
from curate.errors import UserError
from curate.wording import pasted, percent

if TYPE_CHECKING:
    from curate.results.proof import Proof


@app.command(epilog="Example: curate prove ws --ablate --budget 2h")
def prove(
    ws: options.Workspace,
    seeds: Annotated[
        int | None,
        typer.Option(min=2, help="So many trainings of each set; by default 3 and more, until the answer is clear."),
    ] = None,
    at_most: Annotated[
        int | None,
        typer.Option(min=3, metavar="N", help="Without --seeds: so many of each set at most; by default 10."),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option("--budget", "--time-budget", metavar="TIME", help="Begin no more trainings after 90s, 16m or 2h."),
    ] = None,
    since: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="VERSION",
            help="Take the set of that version ('curate log') for raw, so that images that came later count, too.",
        ),
    ] = None,
    ablate: Annotated[
        bool, typer.Option("--ablate", help="Also leave out one step of curating at a time: which one did it?")
    ] = False,
    take_in: Annotated[
        bool, typer.Option("--take-in", help="Also do one step at a time to the set as it came.")
    ] = False,
    controls: Annotated[
        bool, typer.Option("--controls", help="Also drop as many images at random: is it more than their number?")
    ] = False,
    truth: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CSV of image_id and true label: what could be reached, and what was."),
    ] = None,
    precision: Annotated[
        float | None,
        typer.Option(min=0.01, max=50, metavar="POINTS", help="Differences within so many points count as none."),
    ] = None,
    recipe: options.TrainingRecipe = None,
    device: options.Device = None,
    changes: options.Set = None,
    at_once: options.AtOnce = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write event files too, for 'tensorboard --logdir WS/runs'.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the trainings of an earlier proof.")] = False,
    as_json: options.Json = False,
) -> None:
    """Train on the set as it came and as curated, alike, and say what curating was worth, step by step."""
    from curate.results.conclusions import conclusions
    from curate.workspace import Workspace
    from train import prove as proving
    from train.budget import parse_seconds

    if seeds is not None and at_most is not None:
        raise UserError(f"--seeds {seeds} trains so many, and --at-most {at_most} as few as will do; take one of them")
    found = proving.prove(
        Workspace.open(ws),
        settings=options.training_settings(recipe, changes, device=device),
        seeds=seeds,
        at_most=at_most or proving.SEEDS_AT_MOST,
        budget=None if budget is None else parse_seconds(budget, "--budget"),
        since=since,
        ablate=ablate,
        take_in=take_in,
        controls=controls,
        truth=truth,
        precision=None if precision is None else precision / 100,
        fresh=fresh,
        tensorboard=tensorboard,
        at_once=at_once,
        on_epoch=None if as_json else lambda arm, epoch: say_on_stderr(f"{arm:12} {epoch_line(epoch)}"),
    )
    if as_json:
        output.print_json(found)
        return
    output.print_table(_arms(found))
    if len(found.compared) > 1:
        output.print_table(_questions(found))
    output.warn(list(found.notes))
    output.say(*conclusions(found), f"Wrote {pasted(ws / 'proof.json')}. Next: curate report {pasted(ws)}")


def _arms(found: "Proof") -> list[dict[str, object]]:
    """A row per training set."""
    return [
        {
            "set": arm.name,
            "images": f"{arm.images:,}",
            "seeds": len(arm.seeds),
            "accuracy %": percent(arm.accuracy.mean, arm.accuracy.half_width),
            "leak-free %": percent(arm.leak_free.mean, arm.leak_free.half_width) if arm.leak_free else "",
            "right %": "" if arm.right_labels is None else percent(arm.right_labels, digits=1),
        }
        for arm in found.arms
    ]


def _questions(found: "Proof") -> list[dict[str, object]]:
    """A row per comparison."""
    from curate.results.conclusions import answer, chance, points

    return [
        {
            "what": one.name,
            "images": f"{one.images:,}",
            "worth in points": points(one.accuracy).removesuffix(" points"),
            "seeds": len(one.accuracy.values),
            "better with": "" if one.accuracy.probability is None else chance(one.accuracy.probability),
            "": answer(one),
        }
        for one in found.compared
    ]
