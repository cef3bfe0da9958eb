"""The verb that shows people what was found, and writes down what they decide: review."""

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curate.cli import app, options, output
from curate.cli.decide import worth_line
from curate.errors import UserError
from curate.wording import plural

if TYPE_CHECKING:
    from curate.reviewers import Agreement
    from curate.workspace import Workspace


@app.command(
    epilog="Example: curate review ws --fiftyone --by ada; or: curate review ws --sheet; or, alone: how it stands"
)
def review(
    ws: options.Workspace,
    fiftyone: Annotated[
        bool, typer.Option("--fiftyone", help="Open FiftyOne's App on 127.0.0.1; decisions are written at once.")
    ] = False,
    sheet: Annotated[
        bool, typer.Option("--sheet", help="Write one page to look at without any server: WS/review.html, or --to.")
    ] = False,
    job: Annotated[
        str | None, typer.Option("--as", help="Write a label job into a new folder, --to: label_studio or cvat.")
    ] = None,
    to: Annotated[Path | None, typer.Option(help="Where --sheet or --as writes.")] = None,
    by: Annotated[
        str | None, typer.Option(envvar="CURATE_REVIEWER", help="Your name; by default the account's.")
    ] = None,
    budget: Annotated[
        int | None, typer.Option(min=1, help="Ask about so many labels at most, where the answer matters most.")
    ] = None,
    second: Annotated[
        int,
        typer.Option(min=0, help="Ask about so many images, too, that others decided on, to see how far you agree."),
    ] = 0,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the App.")] = 5151,
    browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the App in a browser.")] = True,
    as_json: options.Json = False,
) -> None:
    """Look at what was found, decide, and have it written down: in FiftyOne, on a page, or as a label job."""
    from curate import verbs
    from curate.review import verb as reviews
    from curate.workspace import Workspace

    if fiftyone + sheet + (job is not None) > 1:
        raise UserError("--fiftyone, --sheet and --as are three ways to look; take one of them")
    if to and not (sheet or job):
        raise UserError(f"--to {to} goes with --sheet or --as; add one of them")
    if job and not to:
        raise UserError(f"--as {job} needs a new folder: --to FOLDER")
    workspace = Workspace.open(ws)
    name = verbs.reviewer(by)
    if fiftyone:
        _open_app(workspace, name, port=port, budget=budget, second=second, browser=browser)
    elif sheet or job:
        result = reviews.write(workspace, name, to, job=job, budget=budget, second=second)
        if as_json:
            output.print_json(result)
            return
        output.say(f"Wrote {result.written}: {plural(result.images, 'image', 'images')} to answer.")
        if result.left_out:
            output.say(f"{plural(result.left_out, 'image', 'images')} cannot be shown, and are left out.")
        output.say(*(worth_line(result.worth, 0)), f"Next: {result.next}")
    else:
        _status(workspace, name, budget=budget, second=second, as_json=as_json)


def _status(workspace: "Workspace", name: str, *, budget: int | None, second: int, as_json: bool) -> None:
    """How the review stands: what waits, who agrees with whom, what people disagree on."""
    from curate import recipe, reviewers, verbs
    from curate.review import asking

    images = verbs.read_manifest(workspace)
    said = verbs.read_answers(workspace, images)
    rule = recipe.in_workspace(workspace).reviewers
    asked = asking.asked(workspace, name, budget=budget, second=second)
    waiting = asked.table[asked.table["asked"]]
    disputed = reviewers.disputed(said, images, rule)
    agreement = reviewers.agreement(said, images)
    output.warn(verbs.stale(workspace))
    if as_json:
        people = said["by"][said["by"] != "policy"].value_counts()
        output.print_json(
            {
                "by": name,
                "waiting": len(waiting),
                "clusters": waiting["cluster"].nunique(),
                "worth": asked.worth,
                "decided": {str(who): int(count) for who, count in people.items()},
                "agreement": agreement,
                "disputed": disputed.to_dict(),
            }
        )
        return
    clusters = plural(waiting["cluster"].nunique(), "group", "groups")
    output.say(f"{plural(len(waiting), 'image waits', 'images wait')} for {name}, in {clusters} of alike ones.")
    output.say(*worth_line(asked.worth, asked.answered))
    output.say(*(_agreed(pair) for pair in agreement))
    for image_id, who in list(disputed.items())[:5]:
        output.say(f"People disagree on {image_id}: {who}")
    if len(disputed) > 5:
        output.say(f"… and on {len(disputed) - 5:,} more; they are asked first.")
    output.say(f"Next: curate review {workspace.root} --fiftyone, or --sheet for a page that needs no server")


def _agreed(pair: "Agreement") -> str:
    kappa = "no kappa: one label for all" if pair.kappa != pair.kappa else f"Cohen's kappa {pair.kappa:.2f}"
    return f"{pair.a} and {pair.b} agree on {pair.same:,} of {plural(pair.images, 'image', 'images')} ({kappa})."


def _open_app(workspace: "Workspace", name: str, *, port: int, budget: int | None, second: int, browser: bool) -> None:
    from curate.review import app as apps

    started = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended by another program: as by Ctrl-C
    opened = apps.prepare(workspace, name, budget=budget, second=second)
    output.warn(opened.warnings)
    refused: list[str] = []
    try:
        with apps.served(opened, port=port, budget=budget, second=second) as process:
            address = apps.url(opened, port)
            synced = opened.synced
            output.say(
                f"{synced.images:,} images, {synced.written:,} written, ready in {time.monotonic() - started:.1f} s.",
                f"Open {address} as {name}; Ctrl-C ends it. Keys: A accept, R relabel, D drop, K keep this one,",
                "N not a problem, U undo; with Shift for the whole view.",
            )
            if browser:
                import webbrowser

                webbrowser.open(address)
            apps.watch(opened, process, lambda line: output.warn([line]))
    except KeyboardInterrupt:
        pass
    finally:
        refused = apps.close(opened)
    output.warn(refused)
    output.say(f"Decisions are in {workspace.root}/decisions.csv. Next: curate decide {workspace.root}")
