"""The verb that shows people what was found, and writes down what they decide: review."""

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curate import REVIEWER
from curate.cli import app, options, output
from curate.cli.decide import worth_line
from curate.errors import UserError
from curate.wording import pasted, plural

PORT = 5151
"""Of the App, as FiftyOne has it."""

if TYPE_CHECKING:
    import pandas as pd

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
    by: Annotated[str | None, typer.Option(envvar=REVIEWER, help="Your name; by default the account's.")] = None,
    budget: Annotated[
        int | None, typer.Option(min=1, help="Ask about so many labels at most, where the answer matters most.")
    ] = None,
    second: Annotated[
        int,
        typer.Option(min=0, help="Ask about so many images, too, that others decided on, to see how far you agree."),
    ] = 0,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help=f"Port of the App (--fiftyone); by default {PORT}.")
    ] = None,
    browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the App in a browser.")] = True,
    as_json: options.Json = False,
) -> None:
    """Look at what was found, decide, and have it written down: in FiftyOne, on a page, or as a label job."""
    from curate import authorship, scans
    from curate.review import verb as reviews
    from curate.workspace import Workspace

    if fiftyone + sheet + (job is not None) > 1:
        raise UserError("--fiftyone, --sheet and --as are three ways to look; take one of them")
    if to and not (sheet or job):
        raise UserError(f"--to {pasted(to)} goes with --sheet or --as; add one of them")
    if port is not None and not fiftyone:
        raise UserError(f"--port {port} is that of the App; add --fiftyone, or leave it out")
    if job and not to:
        raise UserError(f"--as {job} needs a new folder: add --to FOLDER")
    if sheet and to and to.suffix.lower() not in (".html", ".htm"):
        page = to / "review.html" if to.is_dir() else to.with_name(f"{to.name}.html")
        raise UserError(f"--to {pasted(to)} must name a page: --to {pasted(page)}")
    workspace = Workspace.open(ws)
    name = authorship.reviewer(by)
    output.warn(scans.warnings(workspace) if sheet or job else [])
    if fiftyone:
        _open_app(workspace, name, port=port or PORT, budget=budget, second=second, browser=browser, as_json=as_json)
    elif sheet or job:
        result = reviews.write(workspace, name, to, job=job, budget=budget, second=second)
        output.warn(result.warnings)
        if as_json:
            output.print_json(result)
            return
        output.say(f"Wrote {result.written}: {plural(result.images, 'image', 'images')} to answer.")
        if result.left_out:
            output.say(f"Left out: {plural(result.left_out, 'image that', 'images that')} cannot be shown.")
        output.say(*(worth_line(result.worth, 0)), f"Next: {result.next}")
    else:
        _status(workspace, name, budget=budget, second=second, as_json=as_json)


def _status(workspace: "Workspace", name: str, *, budget: int | None, second: int, as_json: bool) -> None:
    """How the review stands: what waits, who agrees with whom, what people disagree on."""
    from curate import recipe, reviewers, scans, tables
    from curate.decisions import POLICY
    from curate.labels.answers import LABEL_ERROR
    from curate.review import asking
    from curate.versions import just_decided

    images = tables.read_manifest(workspace)
    said = tables.read_answers(workspace, images)
    rule = recipe.in_workspace(workspace).reviewers
    asked = asking.asked(workspace, name, budget=budget, second=second)
    waiting = asked.table[asked.table["asked"]]
    disputed = reviewers.disputed(said, images, rule)
    agreement = reviewers.agreement(said, images)
    output.warn(scans.warnings(workspace))
    if as_json:
        people = said["by"][said["by"] != POLICY].value_counts()
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
    kinds = waiting["kind"].mask(waiting["because"].str.split(";").map(lambda names: LABEL_ERROR in names), "labels")
    output.say(_waits(kinds.value_counts(), waiting["cluster"].nunique(), name))
    output.say(*worth_line(asked.worth, asked.answered))
    output.say(*(_agreed(pair) for pair in agreement))
    for image_id, who in list(disputed.items())[:5]:
        output.say(output.one_line(f"People disagree on {image_id}: {who}"))
    if len(disputed) > 5:
        output.say(f"… and on {len(disputed) - 5:,} more; they are asked first.")
    root = pasted(workspace.root)
    if len(waiting):
        output.say(f"Next: curate review {root} --fiftyone, or --sheet for a page that needs no server")
    else:
        output.say(f"Next: curate {'apply' if just_decided(workspace) else 'decide'} {root}")


def _waits(kinds: "pd.Series", clusters: int, name: str) -> str:
    """What waits: how many images, of which kinds of question."""
    if not kinds.sum():
        return f"Nothing waits for {name}."
    words = {
        "labels": ("label", "labels"),
        "duplicates": ("twin", "twins"),
        "other": ("of another finder", "of other finders"),
    }
    told = ", ".join(plural(int(kinds[kind]), *words[kind]) for kind in words if kind in kinds.index)
    waiting = plural(int(kinds.sum()), "image waits", "images wait")
    return f"{waiting} for {name}, in {plural(clusters, 'group', 'groups')} of alike ones: {told}."


def _agreed(pair: "Agreement") -> str:
    kappa = "no kappa: one label for all" if pair.kappa != pair.kappa else f"Cohen's kappa {pair.kappa:.2f}"
    return f"{pair.a} and {pair.b} agree on {pair.same:,} of {plural(pair.images, 'image', 'images')} ({kappa})."


def _open_app(
    workspace: "Workspace", name: str, *, port: int, budget: int | None, second: int, browser: bool, as_json: bool
) -> None:
    from curate import tables
    from curate.review import app as apps
    from curate.review import serving
    from curate.workspace import DECISIONS

    say = output.warn if as_json else lambda lines: output.say(*lines)
    started = time.monotonic()
    for ending in (signal.SIGTERM, signal.SIGHUP):  # ended by another program, or with its terminal: as by Ctrl-C
        signal.signal(ending, signal.default_int_handler)
    serving.refuse_taken(port)
    apps.connect(workspace)
    opened = None
    refused: list[str] = []
    try:
        with serving.served(workspace, name, port=port, budget=budget, second=second) as server:
            opened = apps.prepare(workspace, name, budget=budget, second=second)
            output.warn(opened.warnings)
            serving.wait_until_it_answers(server)
            address = apps.url(opened, port)
            synced, seconds = opened.synced, time.monotonic() - started
            say(
                [
                    f"{synced.images:,} images, {synced.written:,} written, ready in {seconds:.1f} s.",
                    f"Open {address} as {name}; Ctrl-C ends it. Keys: A accept, R relabel, D drop, K keep this one,",
                    "N not a problem, U undo; with Shift for the whole view.",
                ]
            )
            if browser:
                import webbrowser

                webbrowser.open(address)
            apps.watch(opened, server.process, lambda line: output.warn([line]))
    except KeyboardInterrupt:
        if opened is None:
            raise
    finally:
        refused = apps.close(opened)
    output.warn(refused)
    if as_json:
        said = tables.read_answers(workspace, tables.read_manifest(workspace))
        decided, written = int((said["by"] == name).sum()), workspace.path(DECISIONS)
        output.print_json(
            {"by": name, "dataset": apps.dataset.name_of(workspace, name), "decided": decided, "written": written}
        )
        return
    output.say(f"Decisions are in {workspace.path(DECISIONS)}. Next: curate decide {pasted(workspace.root)}")
