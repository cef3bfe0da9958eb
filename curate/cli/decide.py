"""Verbs that decide and carry out: decide, apply."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curate import REVIEWER
from curate.cli import app, options, output
from curate.errors import UserError
from curate.wording import pasted, plural

if TYPE_CHECKING:
    from curate.labels.queue import Worth


@app.command(epilog="Example: curate decide ws; edit ws/review.csv; curate decide ws --import ws/review.csv --by ada")
def decide(
    ws: options.Workspace,
    policy: Annotated[
        str | None, typer.Option(help="Recipe or YAML file with a policy; by default the workspace's recipe.")
    ] = None,
    imported: Annotated[
        Path | None,
        typer.Option("--import", help="Take over decisions from an edited CSV, or the export of a label job."),
    ] = None,
    by: Annotated[
        str | None, typer.Option(envvar=REVIEWER, help="Your name: signs an import, and decisions edited by hand.")
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Ask about so many labels at most, where the answer matters most; what other finders leave to people "
            "is asked in any case.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be decided and asked, and write nothing.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Turn findings into decisions by policy, or take over the decisions of a person."""
    from curate import deciding
    from curate.workspace import Workspace

    for name, given in (("--budget", budget), ("--policy", policy), ("--dry-run", dry_run)):
        if imported and given:
            raise UserError(f"{name} is for decisions by policy, not for --import; leave one of them out")
    workspace = Workspace.open(ws)
    if imported:
        result = deciding.import_decisions(workspace, imported, by)
    else:
        result = deciding.decide(workspace, policy, budget, by, dry_run=dry_run)
    output.warn(result.warnings + result.conflicts)
    if as_json:
        output.print_json(result)
        return
    if imported:
        taken_over = plural(result.taken_over or 0, "answer", "answers")
        output.say(f"{taken_over} taken over from {pasted(imported)}.")
    output.say(f"Decisions: {output.counts(result.actions)}; {result.by_people:,} of them by people.")
    if result.answers.count:
        said = result.answers
        wrong = f"{said.wrong:,} of these labels were wrong (expected {said.expected:,.1f})"
        output.say(f"Answers so far: {said.count:,}; {wrong}.")
        if imported:
            output.say(f"They tell of other labels, too: 'curate decide {pasted(ws)}' decides and asks anew.")
    if result.worth:
        output.say(*worth_line(result.worth, result.answers.count))
    if dry_run:
        waiting = plural(result.for_review, "image", "images")
        output.say(f"{waiting} would be asked about. Nothing was written; without --dry-run it is.")
        return
    if result.for_review:
        filled = pasted(ws / "review.csv")
        waiting = plural(result.for_review, "image waits", "images wait")
        output.say(
            f"{waiting} for a person in {filled}: fill in the column 'action' "
            f"(keep, drop, or relabel with 'label'), then: curate decide {pasted(ws)} --import {filled} --by NAME"
        )
    output.say(f"Wrote {pasted(result.written)}. Next: curate apply {pasted(ws)}")


def worth_line(worth: "Worth", answers: int) -> list[str]:
    """What the labels in the review list are worth, and where to stop; nothing where there never were any."""
    if not worth.labels:
        return ["Review: no label is left whose answer is worth the look."] if answers else []
    labels, right = plural(worth.labels, "label", "labels"), plural(round(worth.gain), "right label", "right labels")
    text = f"Review: {labels}, worth about {right}; "
    if worth.left_out:
        return [f"{text}{worth.left_out:,} more would be worth the look, too."]
    if worth.stop_after == worth.labels:
        return [f"{text}all of them are worth the look."]
    first = f"after the first {worth.stop_after:,} another 50" if worth.stop_after else "50"
    return [f"{text}{first} answers are worth less than 5: stop there."]


@app.command(epilog="Example: curate apply ws")
def apply(
    ws: options.Workspace,
    include_test: Annotated[
        bool, typer.Option("--include-test", help="Carry out decisions on test images, too.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Carry out the decisions: manifest and decisions in, curated.parquet out; no image file is touched."""
    from curate import verbs
    from curate.workspace import FINDINGS, Workspace

    result = verbs.apply(Workspace.open(ws), include_test=include_test)
    output.warn(result.warnings)
    if as_json:
        output.print_json(result)
        return
    if result.test_left_alone:
        left = plural(result.test_left_alone, "decision on test images was", "decisions on test images were")
        output.say(f"{left} left alone; --include-test carries out all.")
    labelled = f", {result.labelled:,} of the pool labelled" if result.labelled else ""
    changed = result.dropped or result.relabelled or result.labelled
    found = "curate findings" if Workspace(ws).has(FINDINGS) else "curate scan"
    next_step = "Next: curate prove" if changed else f"No decision changes the set. Next: {found}"
    output.say(
        f"{result.images:,} images, {result.dropped:,} dropped, {result.relabelled:,} relabelled{labelled}.",
        f"Wrote {pasted(result.written)}. {next_step} {pasted(ws)}",
    )
