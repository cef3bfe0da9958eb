"""The verb that shows training runs side by side: runs."""

from typing import TYPE_CHECKING, Annotated

import typer

from curate.cli import app, options, output
from curate.wording import pasted

if TYPE_CHECKING:
    from pathlib import Path

    from curate.results.flips import Flip, Flips
    from curate.results.run_table import Row
    from curate.results.runs import Runs
    from curate.results.side_by_side import ClassChange, Comparison, RunDifference
    from curate.workspace import Workspace


@app.command(epilog="Example: curate runs ws raw-resnet_fast curated-resnet_fast")
def runs(
    ws: options.Workspace,
    before: Annotated[str | None, typer.Argument(help="A run to compare with; without it, all are listed.")] = None,
    after: Annotated[str | None, typer.Argument(help="The run that is compared with it.")] = None,
    sort: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="By this column or setting, -NAME for descending; by default oldest first."),
    ] = None,
    filter: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="By a column or setting, with = != < <= > or >=; may be repeated."),
    ] = None,
    top: Annotated[
        int, typer.Option(min=0, help="Classes, and flipped images each way, that a comparison lists.")
    ] = 10,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write event files of what is listed, for 'tensorboard --logdir'.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """List training runs, or compare two: settings, accuracy with its interval, classes, images that flipped."""
    from curate.errors import UserError
    from curate.results import proof, run_table
    from curate.results import runs as reading
    from curate.results.side_by_side import compare
    from curate.workspace import Workspace

    workspace = Workspace.open(ws)
    found = reading.read(workspace)
    if before is not None:
        if sort or filter or tensorboard:
            raise UserError("--sort, --filter and --tensorboard go with the list; leave them out, or the runs' names")
        compared = compare(*reading.two(found, before, after), first=top, proof=proof.read(workspace))
        output.print_json(_as_json(compared)) if as_json else _say_comparison(compared, top)
        return
    rows = run_table.rows(found.finished, conditions=filter or [], sort=sort)
    if tensorboard:
        _write_events(workspace, rows, as_json)
    elif as_json:
        output.print_json(rows)
        output.warn([_unfinished(found.unfinished)] if found.unfinished else [])
    else:
        _say_list(ws, rows, found)


def _write_events(workspace: "Workspace", rows: "list[Row]", as_json: bool) -> None:
    """Event files of the runs, each in its run's folder."""
    from train import event_files

    event_files.check_installed()
    written = []
    for row in rows:
        with workspace.locked(f"runs/{row.name}"):
            written.append(event_files.write_finished(workspace.root / "runs" / row.name))
    workspace.note("runs", {"tensorboard": [row.name for row in rows]})
    if as_json:
        output.print_json({"written": written})
        return
    output.say(
        f"Wrote event files of {len(written):,} runs. Next: tensorboard --logdir {pasted(workspace.root / 'runs')}"
    )


def _say_list(ws: "Path", rows: "list[Row]", found: "Runs") -> None:
    from curate import versions
    from curate.results.run_table import for_people
    from curate.results.runs import untrained
    from curate.workspace import Workspace

    if rows:
        output.print_table(for_people(rows))
    if found.unfinished:
        output.say(_unfinished(found.unfinished))
    left = untrained(found.finished)
    following = f"train {pasted(ws)} --data {left[0]} --seeds 3" if left else f"runs {pasted(ws)} BEFORE AFTER"
    if left == ["curated"] and not versions.is_current(Workspace(ws)):
        following = f"apply {pasted(ws)}"
    output.say(f"{len(rows):,} of {len(found.finished):,} runs. Next: curate {following}")


def _unfinished(names: list[str]) -> str:
    return f"Without a result: {', '.join(names)}. The command that began them goes on, if the set is still the same."


def _as_json(compared: "Comparison") -> dict[str, object]:
    """A comparison as one object, its runs as they are listed."""
    from curate.results.run_table import row

    of_runs = {"before": row(compared.before), "after": row(compared.after)}
    rest = ("settings", "differences", "class_changes", "flips", "cautions")
    return of_runs | {name: getattr(compared, name) for name in rest}


def _say_comparison(compared: "Comparison", top: int) -> None:
    from curate.results.run_table import for_people, row
    from curate.results.side_by_side import greatest

    runs = for_people([row(compared.before), row(compared.after)])
    output.print_table([{name: each[name] for name in each if name != "settings"} for each in runs])
    if compared.settings:
        settings = [{"setting": it.name, "before": str(it.before), "after": str(it.after)} for it in compared.settings]
        output.print_table(settings)
    if compared.differences:
        output.print_table([_difference(item) for item in compared.differences])
    changes = sorted(greatest(compared.class_changes, top), key=lambda item: -abs(item.change))
    if changes:
        output.print_table([_change(item) for item in changes])
    if len(changes) < len(compared.class_changes):
        output.say(f"{len(changes)} of {len(compared.class_changes):,} classes, those that changed most.", "")
    if compared.flips:
        _say_flips(compared.flips)
    else:
        output.say("Images that flipped are not known: a run has not kept what it predicted; train it again.")
    output.say(*[f"Caution. {caution}" for caution in compared.cautions])


def _difference(item: "RunDifference") -> dict[str, str]:
    from curate.results.runs import MEASURES
    from curate.wording import percent, signed

    between = ""
    if item.half_width is not None:
        between = f"{signed(item.mean - item.half_width)} to {signed(item.mean + item.half_width)}"
    return {
        "accuracy": MEASURES[item.measure],
        "before": f"{percent(item.before)} %",
        "after": f"{percent(item.after)} %",
        "points": signed(item.mean),
        "it is": item.verdict,
        "95 % interval": between,
        "seeds": f"{item.seeds[0]}, paired" if item.paired else f"{item.seeds[0]} and {item.seeds[1]}",
    }


def _change(item: "ClassChange") -> dict[str, str]:
    from curate.wording import percent, signed

    return {
        "class": item.label,
        "before": f"{percent(item.before, digits=1)} %",
        "after": f"{percent(item.after, digits=1)} %",
        "points": signed(item.change, 1),
    }


def _say_flips(flips: "Flips") -> None:
    undecided = f", {flips.undecided:,} undecided, half of the seeds being right" if flips.undecided else ""
    output.say(
        f"Of {flips.images:,} test images {flips.to_right:,} went from wrong to right and {flips.to_wrong:,} from "
        f"right to wrong, by the majority of the seeds (McNemar's exact p = {flips.p_value:.2g}); "
        f"{flips.both_right:,} are right in both, {flips.both_wrong:,} wrong{undecided}."
    )
    flipped = [("wrong", "right", flip) for flip in flips.now_right]
    flipped += [("right", "wrong", flip) for flip in flips.now_wrong]
    if flipped:
        output.print_table([_flip(*each, flips.seeds) for each in flipped])


def _flip(was: str, became: str, flip: "Flip", seeds: tuple[int, int]) -> dict[str, str]:
    return {
        "image_id": flip.image_id,
        "label": flip.label,
        "before": flip.before,
        "after": flip.after,
        "seeds": f"{was} in {flip.seeds_before} of {seeds[0]}, {became} in {flip.seeds_after} of {seeds[1]}",
    }
