"""Verbs that augment: see what a pipeline does, time it, keep augmented images."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from curate.cli import app, options, output
from curate.errors import UserError
from curate.wording import pasted, percent, plural, signed, spread

if TYPE_CHECKING:
    from curate.augment.bench import Bench
    from curate.augment.materialize import Augmented
    from train.policy_search import Found, Standing, Tried

augment = typer.Typer(
    help="Augment with a pipeline of Albumentations: see it, time it, keep the images.",
    no_args_is_help=True,
)
app.add_typer(augment, name="augment")

Pipeline = Annotated[
    Path, typer.Option(metavar="FILE", help="JSON or YAML that A.save wrote, or a list such as - HorizontalFlip.")
]
Fallback = Annotated[
    str | None,
    typer.Option(
        metavar="cpu", help="cpu: transforms without a version for batches are run by Albumentations, one by one."
    ),
]


@augment.command(epilog="Example: curate augment preview ws --pipeline flips.yaml --draws 8")
def preview(
    ws: options.Workspace,
    pipeline: Pipeline,
    draws: Annotated[int, typer.Option(min=1, help="How many draws of each image.")] = 8,
    images: Annotated[int, typer.Option(min=1, help="How many images, from all classes in turn.")] = 6,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the choice and of the draws.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", help="Of the page and the sheet, which end in .html and .png, or of a folder for both."
        ),
    ] = None,
    fallback: Fallback = None,
    as_json: options.Json = False,
) -> None:
    """Show what a pipeline makes of some images: a page and a sheet of originals and draws."""
    from curate.augment.preview import preview as show
    from curate.workspace import Workspace

    result = show(
        Workspace.open(ws),
        pipeline,
        images=images,
        draws=draws,
        seed=seed,
        fallback=_fallback(fallback),
        out=out,
    )
    output.warn(result.skipped)
    if as_json:
        output.print_json(result)
        return
    if result.left_out:
        output.say(f"Without {', '.join(result.left_out)}: what makes floats of the levels cannot be shown.")
    following = [] if fallback else [f"curate train {pasted(ws)} --augment {pasted(pipeline)}"]
    if result.for_files:
        same = f" --seed {seed}" * bool(seed) + " --fallback cpu" * bool(fallback)
        following.append(f"curate augment add {pasted(ws)} --pipeline {pasted(pipeline)} --balance{same}")
    output.say(
        f"{plural(result.images, 'image', 'images')}, {plural(result.draws, 'draw', 'draws')} of each.",
        f"Wrote {pasted(result.page)} and {pasted(result.sheet)}."
        + f" Next: {', or '.join(following)}" * bool(following),
    )


@augment.command(epilog="Example: curate augment bench --size 224 --rounds 9")
def bench(
    ws: Annotated[
        Path | None, typer.Argument(metavar="[WS]", help="Whose images are augmented; by default noise.")
    ] = None,
    pipeline: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="As for preview; by default: pad, crop, flip, cut out, normalise."),
    ] = None,
    size: Annotated[int, typer.Option(min=1, help="Pixels of the images' sides.")] = 32,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Images a batch; by default 512, above 64 pixels 32.")
    ] = None,
    device: options.Device = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds that count, in alternating order.")] = 5,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes of Albumentations.")] = 2,
    fallback: Fallback = None,
    as_json: options.Json = False,
) -> None:
    """Time a pipeline beside Albumentations itself, and beside Kornia where that is installed."""
    from curate.augment.bench import bench as time
    from curate.workspace import Workspace

    result = time(
        Workspace.open(ws) if ws else None,
        pipeline,
        size=size,
        batch_size=batch_size,
        device=device or "auto",
        rounds=rounds,
        workers=workers,
        fallback=_fallback(fallback),
    )
    if as_json:
        output.print_json(result)
    else:
        _say_rates(result)


@augment.command(epilog="Example: curate augment add ws --pipeline flips.yaml --balance")
def add(
    ws: options.Workspace,
    pipeline: Pipeline,
    balance: Annotated[bool, typer.Option("--balance", help="As many in every class as in the largest.")] = False,
    per_class: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="So many in every class, those that are there included.")
    ] = None,
    total: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="So many in all, those that are there included.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same files.")] = 0,
    fallback: Fallback = None,
    as_json: options.Json = False,
) -> None:
    """Add augmented training images: to balance the classes, or up to a number."""
    from curate.augment.materialize import materialize
    from curate.augment.wanted import Target
    from curate.workspace import Workspace

    if [balance, per_class is not None, total is not None].count(True) != 1:
        raise UserError("how many: say one of --balance, --per-class N and --total N")
    target = Target(per_class, total)
    result = materialize(Workspace.open(ws), pipeline, target, seed=seed, fallback=_fallback(fallback))
    if as_json:
        output.print_json(result)
    else:
        _say_augmented(result, ws)


@augment.command(epilog="Example: curate augment search ws --pipeline strong.yaml --set epochs=8")
def search(
    ws: options.Workspace,
    pipeline: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="One more to try; may be repeated.")
    ] = None,
    data: Annotated[str, typer.Option(help="raw or curated.")] = "raw",
    recipe: options.TrainingRecipe = None,
    device: options.Device = None,
    changes: options.Set = None,
    as_json: options.Json = False,
) -> None:
    """Compare a handful of pipelines by short trainings: the better half of them goes on for longer."""
    from curate.workspace import Workspace
    from train import verbs

    found = verbs.search_policies(
        Workspace.open(ws),
        data=data,
        settings=options.training_settings(recipe, changes, device=device),
        files=pipeline or (),
        say=None if as_json else _say_training,
    )
    if as_json:
        output.print_json(found)
    else:
        _say_found(found, ws, _asked(data, recipe, device, changes))


def _asked(data: str, recipe: str | None, device: str | None, changes: list[str] | None) -> str:
    """The options that a training takes to be as those of the search."""
    options = {"--data": None if data == "raw" else data, "--recipe": recipe, "--device": device}
    pairs = [(name, value) for name, value in options.items() if value] + [("--set", each) for each in changes or []]
    return "".join(f" {name} {pasted(value)}" for name, value in pairs)


def _fallback(name: str | None) -> Literal["cpu"] | None:
    if name not in (None, "cpu"):
        raise UserError(f"--fallback {name!r} must be cpu, or left out")
    return "cpu" if name else None


def _say_rates(result: "Bench") -> None:
    rows = [
        {
            "": rate.name,
            "images/s": f"{rate.images_per_second:,.0f}" if rate.images_per_second else rate.note,
            "lowest": f"{rate.lowest:,.0f}" if rate.lowest else "",
            "highest": f"{rate.highest:,.0f}" if rate.highest else "",
        }
        for rate in result.rates
    ]
    output.print_table(rows)
    output.say(
        f"Median of {result.rounds} rounds of {result.images:,} images of {result.size} px in batches of "
        f"{result.batch_size}; {result.pipeline}.",
        f"On {result.device} ({result.hardware}), "
        + ", ".join(f"{name} {version}" for name, version in result.versions.items())
        + ".",
    )


def _say_training(training: "Tried") -> None:
    epochs = f"{training.epochs} epoch{'s' if training.epochs > 1 else ''}"
    told = f"{training.candidate}: {training.accuracy:.2%} after {epochs}, seed {training.seed}"
    output.say(f"{told} ({training.seconds:.0f} s)")


def _say_found(found: "Found", ws: Path, asked: str) -> None:
    rows = [
        {
            "pipeline": place.candidate,
            "epochs": place.epochs,
            "n": place.n,
            "accuracy, %": percent(place.accuracy, place.half_width),
            "minus recipe, points": _difference(place),
        }
        for place in found.places
    ]
    output.print_table(rows)
    output.say(
        f"On {found.held_out:,} images that none was trained on; 95 % intervals. {found.seconds:.0f} s of training."
    )
    if found.best == "recipe":
        output.say("None is better than what the recipe has: keep that.", f"Wrote {pasted(found.written[1])}.")
    elif found.clear:
        output.say(f"{found.best} is better than what the recipe has.")
    else:
        output.say(
            f"{found.best} is ahead of what the recipe has, by no more than its interval: more epochs would tell."
        )
    if found.best != "recipe":
        best = pasted(found.written[0])
        output.say(f"Wrote {best}. Next: curate train {pasted(ws)} --augment {best}{asked}")


def _difference(place: "Standing") -> str:
    return "" if place.difference is None else spread(signed(place.difference), place.difference_half_width)


def _say_augmented(result: "Augmented", ws: Path) -> None:
    for why, count in result.skipped.items():
        output.say(f"{plural(count, 'original was', 'originals were')} left out: {why}.")
    if not result.added:
        there = f"{plural(result.there, 'augmented image is', 'augmented images are')} there already"
        output.say(f"Nothing to add: {there if result.there else 'there are as many already'}.")
        return
    told = f"{plural(result.added, 'image', 'images')} added ({output.counts(result.by_class)})"
    output.say(f"{told}; {result.there:,} were there already. Training images now: {result.training_images:,}.")
    if result.copies:
        output.say(
            f"{plural(result.copies, 'of them looks', 'of them look')} like the original or another one: the pipeline "
            "changes too little."
        )
    after = f"curate apply {pasted(ws)}" if result.curated else f"curate train {pasted(ws)}"
    output.say(f"Wrote {pasted(result.written)}. Next: {after}")
