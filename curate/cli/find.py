"""Verbs that find what is wrong: predict, scan, findings."""

import itertools
import sys
import time
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated

import typer

from curate.cli import app, options, output
from curate.errors import UserError
from curate.wording import duration, pasted, percent, plural

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from curate.labels.threshold import Cut
    from curate.workspace import Workspace
    from train.checkpoint import Epoch
    from train.rounds import Place

QUICK = "quick"
"""The profile of `predict` where none is asked for."""
LONG_SECONDS = 3600.0
LONG = (
    "that takes long; smaller images (--set image_size=64) or one round (--profile plain) take less. Ctrl-C loses the "
    "epoch alone: the same command goes on"
)
"""What `predict` says after the first epoch where the rest takes more than `LONG_SECONDS`."""
WEAK = 0.8
"""Share of the labels below which networks' own mistakes are many enough to pass for wrong labels: chosen by eye. Of
1,255 photos, 8.0 % of them wrong, networks that agreed with 58 % in one round had 13.9 % pass for wrong."""


@app.command(epilog="Example: curate predict ws --profile quick --set image_size=64")
def predict(
    ws: options.Workspace,
    profile: Annotated[
        str,
        typer.Option(
            help="plain: one cross-validation with the workspace's settings. quick: two of the recipe 'fast', the "
            "second on soft labels; for a CPU. best: five longer ones, for a GPU."
        ),
    ] = QUICK,
    folds: options.Folds = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the folds and the training; by default 0.")] = None,
    recipe: options.TrainingRecipe = None,
    device: options.Device = None,
    changes: options.Set = None,
    workers: options.Workers = None,
    at_once: options.AtOnce = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Train nothing: take the probabilities of your own model from a CSV or Parquet file, with the column "
            "image_id and one per class; of training images they have to be out of fold.",
        ),
    ] = None,
    embeddings: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --from: what your model saw, as .npy with a row for each of its rows."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Train on k-1 of k folds in turn: predictions for each image by networks that have not seen it."""
    from curate.workspace import Workspace

    workspace = Workspace.open(ws)
    if source is not None:
        asked: dict[str, object] = {
            "--profile": None if profile == QUICK else profile,
            "--recipe": recipe,
            "--folds": folds,
            "--device": device,
            "--seed": seed,
            "--set": changes,
            "--workers": workers,
            "--at-once": at_once,
        }
        if given := [name for name, value in asked.items() if value is not None]:
            raise UserError(f"--from {pasted(source)} trains nothing; leave {', '.join(given)} out")
        replaced = _replaced(workspace, None)
        _bring(workspace, source, embeddings, as_json)
        output.warn([f"{each} were replaced" for each in replaced])
        return
    if embeddings is not None:
        raise UserError("--embeddings belongs to predictions that come --from a file; 'curate predict' makes its own")
    from curate.predictions import by_round
    from train.predict import predict as cross_validate

    output.warn([f"{each} will be replaced; Ctrl-C keeps them" for each in _replaced(workspace, profile)])
    result = cross_validate(
        workspace,
        profile=profile,
        recipe=recipe,
        folds=folds,
        settings=options.training_settings(None, changes, device=device, seed=seed),
        workers=workers,
        at_once=at_once,
        on_epoch=None if as_json else _saying_folds(),
    )
    if as_json:
        output.print_json(result)
        return
    rounds = by_round(result.fold_accuracy, folds=result.folds)
    agreement = "; ".join(
        (f"round {number} " if result.repeats > 1 else "") + _agreement(folds) for number, folds in enumerate(rounds, 1)
    )
    if result.thin_classes:
        output.warn([f"classes with fewer images than folds, predicted poorly: {', '.join(result.thin_classes)}"])
    output.warn(_one_round(result.fold_accuracy, result.repeats))
    output.say(
        f"Agreement with the given labels: {agreement}.",
        f"Wrote {pasted(result.written)} for {result.images:,} images after {result.seconds:,.0f} s of training. "
        f"Next: curate scan {pasted(ws)}",
    )


@app.command(epilog="Example: curate scan ws --only dark --only blurry --set dark.limit=0.2")
def scan(
    ws: options.Workspace,
    only: Annotated[list[str] | None, typer.Option(help="Run this finder alone; may be repeated.")] = None,
    at: Annotated[
        str | None,
        typer.Option(help="Which labels label_error flags: f1, precision=0.9, recall=0.8, budget=500; by default f1."),
    ] = None,
    changes: options.Set = None,
    engine: options.Engine = "local",
    ray_address: options.RayAddress = None,
    workers: options.Workers = None,
    as_json: options.Json = False,
) -> None:
    """Run the finders: what looks wrong, how sure, for which image."""
    from curate import verbs
    from curate.labels import threshold
    from curate.workspace import Workspace

    settings = options.parse_finder_settings(changes)
    if at:
        if only and "label_error" not in only:
            raise UserError(f"--at {at} cuts label_error, which --only leaves out; leave one of them out")
        threshold.parse(at, "--at")
        settings.setdefault("label_error", {})["at"] = at
    if only and (others := [name for name in settings if name not in only]):
        raise UserError(f"--set {others[0]}.… changes a finder that --only leaves out; leave one of them out")
    chosen = options.choose_engine(engine, ray_address, workers)
    result = verbs.scan(Workspace.open(ws), only=only, settings=settings, engine=chosen)
    output.warn(result.warnings)
    if as_json:
        output.print_json({"findings": result.written, "flagged": result.flagged, "not_run": result.not_run})
        return
    _say_counts(result.flagged)
    if result.not_run:
        output.say(f"Not run, they need predictions ('curate predict {pasted(ws)}'): {', '.join(result.not_run)}.")
    output.say(f"Wrote {pasted(result.written)}. Next: curate findings {pasted(ws)}, curate decide {pasted(ws)}")


@app.command(epilog="Example: curate findings ws --finder label_error --at precision=0.9")
def findings(
    ws: options.Workspace,
    finder: Annotated[str | None, typer.Option(help="Of this finder alone.")] = None,
    top: Annotated[int, typer.Option(min=1, help="How many, worst first.")] = 20,
    at: Annotated[
        str | None,
        typer.Option(help="Cut label_error at f1, precision=0.9, recall=0.8, probability=0.5 or budget=500."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what is scored but not flagged.")] = False,
    image: Annotated[
        list[str] | None,
        typer.Option(metavar="IMAGE_ID", help="All about this image, and what was decided; may be repeated."),
    ] = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="How many each finder flags, and what to expect of wrong labels.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """List findings, worst first; of wrong labels, say what to expect of the list."""
    from curate import scans, verbs
    from curate.workspace import Workspace

    workspace = Workspace.open(ws)
    if summary:
        if image or everything:
            raise UserError(f"--summary counts; leave {'--image' if image else '--all'} out")
        _summarise(workspace, finder, at, as_json)
        return
    listed = verbs.list_findings(
        workspace, finder=finder, flagged_only=not (everything or image), at=at, image_ids=image
    )
    unseen = [finder] if finder and listed.table.empty else []
    not_run = scans.not_run(workspace, pasted(ws), unseen, scans.of(workspace))
    output.warn(scans.warnings(workspace) + [f"{name} has not looked at this set" for name in not_run])
    table = listed.table.head(top)
    if as_json:
        about = {"findings": table, "decisions": listed.decisions, "disagreements": listed.disagreements}
        output.print_json(about if image else table)
        return
    columns = ["image_id", "finder", "score", "given_label", "suggested_label", "related_id", "detail"]
    if listed.expected:
        table = table.assign(p_wrong=1 - table["score"], p_suggested=table["suggested_prob"])
        columns = ["image_id", "given_label", "suggested_label", "p_wrong", "p_suggested", "detail"]
    output.print_table(table, columns)
    for said in listed.decisions.to_dict("records"):
        what = f"relabel to {said['label']}" if said["action"] == "relabel" else said["action"]
        because = f" because of {said['because'].replace(';', ', ')}" if said["because"] else ""
        output.say(output.one_line(f"{said['image_id']}: {what}, decided by {said['by']}{because}"))
    output.say(*map(output.one_line, listed.disagreements))
    if listed.expected:
        output.say(*expectation(listed.expected, listed.answers))
    next_step = next(iter(not_run.values()), f"curate decide {pasted(ws)}")
    output.say(f"{len(table):,} of {len(listed.table):,}. Next: {next_step}")


def _summarise(workspace: "Workspace", finder: str | None, at: str | None, as_json: bool) -> None:
    """`curate findings --summary`."""
    from curate import scans, verbs

    summary = verbs.summarise(workspace, finder=finder, at=at)
    output.warn(scans.warnings(workspace))
    if as_json:
        output.print_json(summary)
        return
    _say_counts(summary.flagged)
    if summary.expected:
        output.say(*expectation(summary.expected, summary.answers))
    output.say(f"Next: curate findings {pasted(workspace.root)}, curate decide {pasted(workspace.root)}")


def _say_counts(flagged: "Mapping[str, int]") -> None:
    output.say(*[f"{count:8,}  {name}" for name, count in flagged.items()])


def expectation(cut: "Cut", answers: int) -> list[str]:
    """What is expected of a cut through the probabilities of wrong labels, in lines."""
    from curate.labels.threshold import moved

    said = plural(answers, "answer", "answers")
    basis = f"after {said} of people" if answers else "without any answer of people yet"
    labels = plural(cut.flagged, "label", "labels")
    which = "that the scan flagged" if moved(cut, answers) else f"with a probability of {cut.probability:.2f} or more"
    return [
        f"{labels} in training {which}. Expected, {basis}, and in 95 of 100 cases:",
        f"  precision   {cut.precision}, how many of these are wrong",
        f"  recall      {cut.recall}, how many of the wrong ones these are",
        f"  noise rate  {cut.noise_rate}, how many of all that were judged are wrong",
    ]


def _agreement(folds: "Sequence[float]") -> str:
    """`90.3 % (89.4 to 91.2 by fold)`."""
    mean, low, high = (percent(value, digits=1) for value in (fmean(folds), min(folds), max(folds)))
    return f"{mean} % ({low} to {high} by fold)"


def _one_round(agreement: "Sequence[float]", rounds: int) -> list[str]:
    """A line on networks that know little, and had no other round that tells how little."""
    if rounds > 1 or fmean(agreement) >= WEAK:
        return []
    told = "the networks disagree with many labels, and one round cannot tell their mistakes from wrong labels"
    way_out = "--profile quick has a second round, and answers in 'curate review' set it right"
    return [f"{told}: more may pass for wrong than are; {way_out}"]


def _bring(workspace: "Workspace", source: Path, embeddings: Path | None, as_json: bool) -> None:
    """`curate predict --from`."""
    from curate.brought import bring

    brought = bring(workspace, source, embeddings)
    output.warn(brought.warnings)
    if as_json:
        output.print_json(brought)
        return
    output.say(
        f"{plural(brought.images, 'image has', 'images have')} predictions for {brought.classes:,} classes.",
        f"Wrote {pasted(brought.written)}. Next: curate scan {pasted(workspace.root)}",
    )


def _replaced(workspace: "Workspace", profile: str | None) -> list[str]:
    """The predictions that are there, where they took more rounds than this profile has; None: none is trained."""
    from curate import predictions
    from train import profiles

    try:
        there = predictions.read_summary(workspace) if predictions.exists(workspace) else {}
    except UserError:  # damaged ones are no loss
        return []
    if not {"profile", "repeats", "seconds"} <= set(there):  # another program made them
        return []
    rounds = there["repeats"]
    if profile is not None and rounds <= 1 + profiles.find(profile).corrected:
        return []
    took = f"{plural(rounds, 'round', 'rounds')}, {duration(there['seconds'])} of training"
    return [f"the predictions of --profile {there['profile']} ({took})"]


def _saying_folds() -> "Callable[[Place, Epoch], None]":
    """A line on stderr for each epoch: which network it is of, what it came to, how long the rest will take."""
    from curate.cli.learn import epoch_line

    started, heard, lines = time.monotonic(), dict["Place", int](), itertools.count(1)

    def say(place: "Place", epoch: "Epoch") -> None:
        heard[place] = epoch.epoch
        last = min(heard, key=lambda each: each.after)
        left = last.after + sum(each.epochs - done for each, done in heard.items())
        line = next(lines)
        seconds = (time.monotonic() - started) / line * left
        rest = f"  about {duration(seconds)} left" if left else ""
        print(f"{place}  {epoch_line(epoch)}{rest}", file=sys.stderr)
        if line == 1 and seconds > LONG_SECONDS:
            output.warn([LONG])

    return say
