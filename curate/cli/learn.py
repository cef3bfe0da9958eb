"""Verbs around training and what it was worth: train, onnx, report, demo, reproduce."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curate.cli import app, options, output
from curate.wording import pasted

if TYPE_CHECKING:
    from train.checkpoint import Epoch
    from train.result import RunResult


@app.command(epilog="Example: curate train ws --data curated --seeds 3 --time-budget 16m")
def train(
    ws: options.Workspace,
    data: Annotated[str | None, typer.Option(help="raw or curated; by default raw.")] = None,
    model: Annotated[str | None, typer.Option(help="Network ('curate models' lists them).")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Train this many times; gives a mean with its 95 % interval.")] = 1,
    name: Annotated[str | None, typer.Option(help="Name of the run; by default DATA-MODEL.")] = None,
    recipe: options.TrainingRecipe = None,
    device: options.Device = None,
    compile: Annotated[
        str | None, typer.Option(help="torch.compile: auto (on CUDA alone), on, graphs (CUDA graphs too) or off.")
    ] = None,
    time_budget: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="End each training well after 90s, 16m or 2h; its results do not repeat exactly."
        ),
    ] = None,
    augment: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A pipeline of Albumentations, in place of the recipe's.")
    ] = None,
    changes: options.Set = None,
    processes: Annotated[int, typer.Option(min=1, help="Share every batch among so many, a GPU or a core each.")] = 1,
    at_once: options.AtOnce = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write event files too, for 'tensorboard --logdir WS/runs'.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start anew where a run of that name was interrupted.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Train a network with skip connections and evaluate it on the test images."""
    from curate import versions
    from curate.augment.pipeline import as_dict, read_pipeline
    from curate.errors import UserError
    from curate.workspace import Workspace
    from train import distributed, verbs
    from train.config import configure
    from train.rows import leaks_unknown

    if processes > 1 and (at_once or 1) > 1:
        raise UserError(
            f"--at-once {at_once} --processes {processes}: either several trainings at the same time, or several "
            "processes for each; leave one of them out"
        )
    if processes > 1 and not distributed.launched():
        raise typer.Exit(distributed.launch(processes, sys.argv[1:]))
    settings = options.training_settings(
        recipe, changes, device=device, model=model, compile=compile, time_budget=time_budget
    )
    if augment is not None:
        settings["augment"] = as_dict(read_pipeline(augment))
    workspace = Workspace.open(ws)
    if data is None and distributed.first() and versions.is_current(workspace):
        output.warn(["this trains on the set as it came; '--data curated' takes the curated one"])
    data = data or "raw"
    with distributed.joined(configure(workspace, settings).device):
        if not distributed.first():
            verbs.help_train(workspace, data=data, seeds=seeds, settings=settings, name=name)
            return
        run_dir, result = verbs.train(
            workspace,
            data=data,
            seeds=seeds,
            settings=settings,
            name=name,
            resume=not fresh,
            tensorboard=tensorboard,
            at_once=at_once,
            on_epoch=None if as_json else say_epoch,
        )
    if as_json:
        output.print_json(result)
        return
    output.warn(leaks_unknown(workspace))
    output.say(*describe(result), f"Wrote {pasted(run_dir)}. Next: curate report {pasted(ws)}")


@app.command(epilog="Example: curate onnx ws curated-resnet_fast --out digits.onnx")
def onnx(
    ws: options.Workspace,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Name of a finished run: its folder in runs/.")],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="By default model.onnx in the run's folder.")] = None,
    as_json: options.Json = False,
) -> None:
    """Write a trained network as ONNX, for use without torch: any batch of RGB bytes in, logits out."""
    from curate.workspace import Workspace
    from train import verbs

    exported = verbs.export_onnx(Workspace.open(ws), run, out)
    if as_json:
        output.print_json(exported)
        return
    size = exported.image_size
    output.say(
        f"images (batch, 3, {size}, {size}), uint8, RGB -> logits (batch, {len(exported.classes)}); class names are in "
        "the metadata. It needs no normalisation.",
        f"onnxruntime's logits differ from torch's by {exported.max_difference:.1e} at most.",
        f"Wrote {pasted(exported.written)}. Next: onnxruntime.InferenceSession({exported.written!r})",
    )


@app.command(epilog="Example: curate report ws")
def report(ws: options.Workspace, as_json: options.Json = False) -> None:
    """Write report.html: everything about the workspace for people, in one file."""
    from curate import scans, tables
    from curate.report import write
    from curate.workspace import Workspace

    workspace = Workspace.open(ws)
    path = write(workspace)
    output.warn(scans.warnings(workspace) + tables.files_gone(workspace, tables.read_manifest(workspace)))
    if as_json:
        output.print_json({"written": path})
        return
    output.say(f"Wrote {pasted(path)}. Open it in a browser.")


@app.command(epilog="Example: curate demo")
def demo(
    ws: Annotated[Path, typer.Argument(metavar="[WS]", help="A new folder.")] = Path("demo"),
    seeds: Annotated[int, typer.Option(min=2, help="Trainings of each kind.")] = 5,
    fresh: Annotated[bool, typer.Option("--fresh", help="Make a demo of before anew.")] = False,
    as_json: options.Json = False,
) -> None:
    """Run the whole loop on real handwritten digits with planted defects, in a few minutes on two cores."""
    from curate.demo import run
    from curate.results.conclusions import headline

    result = run(ws, seeds=seeds, say=(lambda line: None) if as_json else output.say, fresh=fresh)
    if as_json:
        output.print_json(result)
        return
    output.print_table(result.found)
    output.say(
        headline(result.proof),
        f"Wrote {pasted(result.report)}. Open it in a browser; 'curate log {pasted(ws)}' lists what was done.",
    )


@app.command(epilog="Example: curate reproduce degradation ws --scale short")
def reproduce(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="The experiment; without it, they are listed.")
    ] = None,
    ws: Annotated[
        Path | None,
        typer.Argument(metavar="[WS]", help="Workspace with the images; by default the embedded handwritten digits."),
    ] = None,
    scale: Annotated[
        str,
        typer.Option(
            help="smoke: seconds, to see it run. short: minutes on two cores. paper: as published, for a GPU."
        ),
    ] = "short",
    out: Annotated[Path | None, typer.Option(help="Folder to write to; by default reproduce/NAME-SCALE.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Trainings of each kind; by default the scale's.")] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="ARM", help="Train this arm alone; may be repeated.")
    ] = None,
    device: options.Device = None,
    changes: options.Set = None,
    at_once: options.AtOnce = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Train anew what was trained in that folder before.")] = False,
    as_json: options.Json = False,
) -> None:
    """Run an experiment of the ResNet papers and set what came out beside the paper's figures."""
    import pandas as pd

    from curate.workspace import Workspace
    from train import reproduce as reproducing

    if name is None:
        known = [{"name": key, "summary": line} for key, line in reproducing.summaries().items()]
        output.print_json(known) if as_json else output.print_table(known)
        return
    reproducing.find(name)
    result = reproducing.reproduce(
        name,
        Workspace.open(ws) if ws else None,
        scale=scale,
        out=out,
        seeds=seeds,
        only=only,
        settings=options.training_settings(None, changes, device=device),
        fresh=fresh,
        at_once=at_once,
        say=(lambda line: None) if as_json else say_on_stderr,
    )
    if as_json:
        output.print_json(result)
        return
    output.print_table(reproducing.for_people(pd.DataFrame(result.table)))
    for claim in result.claims:
        output.say(f"{claim.says}: {claim.ours}. As in the paper: {'yes' if claim.as_in_the_paper else 'no'}.")
    output.say(
        f"Data: {result.data.name}.", f"Wrote {pasted(result.written)}. Next: look at {pasted(result.written)}/table.md"
    )


def say_on_stderr(line: str) -> None:
    """A line of progress."""
    print(line, file=sys.stderr)


def describe(result: "RunResult") -> list[str]:
    """A run's accuracies, a line each, with their interval where there are several seeds; and what limits them."""
    from curate.results.conclusions import ALL_LEAK
    from train.schedule import epochs_in_all

    lines = []
    for what, score in (
        ("single view", result.accuracy),
        ("with mirror image", result.accuracy_flip),
        ("with shifted views", result.accuracy_multi_crop),
        ("without leaked test images", result.accuracy_leak_free),
    ):
        if score:
            interval = f" ± {100 * score.half_width:.2f}" if score.half_width is not None else ""
            lines.append(f"{100 * score.mean:6.2f}{interval} %  accuracy, {what}")
    if result.leak_free_images == 0:
        lines.append(ALL_LEAK)
    if result.cut_short:
        done = ", ".join(f"{epochs:.1f}" for epochs in result.epochs_done)
        planned = epochs_in_all(result.config, result.train_images)
        lines.append(f"The time budget ended training after {done} of {round(planned, 1):g} epochs.")
    where = result.hardware + (f", {result.at_once} at the same time" if result.at_once > 1 else "")
    apart = f", evaluation {result.eval_seconds:.0f} s" + (
        f", compiling {result.compile_seconds:.0f} s" if result.compile_seconds else ""
    )
    lines.append(f"{result.seconds:6.0f} s  {len(result.seeds)} x {result.train_images:,} images on {where}{apart}")
    return lines


def say_epoch(epoch: "Epoch") -> None:
    """One line per epoch on stderr."""
    print(epoch_line(epoch), file=sys.stderr)


def epoch_line(epoch: "Epoch") -> str:
    """What an epoch came to."""
    test = f"  test {100 * epoch.eval_acc:5.1f} %" if epoch.eval_acc is not None else ""
    train = f"loss {epoch.train_loss:.3f}  train {100 * epoch.train_acc:5.1f} %"
    return f"seed {epoch.seed} epoch {epoch.epoch:3d}  {train}{test}  {epoch.seconds:.1f} s"
