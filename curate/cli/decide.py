"""Verbs that decide and carry out: decide, apply."""

from pathlib import Path
from typing import Annotated

import typer

from curate.cli import app, options, output


@app.command(epilog="Example: curate decide ws; edit ws/review.csv; curate decide ws --import ws/review.csv --by ada")
def decide(
    ws: options.Workspace,
    policy: Annotated[
        Path | None, typer.Option(help="Recipe or YAML file with a policy; by default the workspace's recipe.")
    ] = None,
    imported: Annotated[Path | None, typer.Option("--import", help="Take over decisions from an edited CSV.")] = None,
    by: Annotated[str | None, typer.Option(envvar="CURATE_REVIEWER", help="Your name, for --import.")] = None,
    as_json: options.Json = False,
) -> None:
    """Turn findings into decisions by policy, or take over the decisions of a person."""
    from curate import verbs
    from curate.workspace import Workspace

    workspace = Workspace.open(ws)
    result = verbs.import_decisions(workspace, imported, by) if imported else verbs.decide(workspace, policy)
    output.warn(result.warnings + result.conflicts)
    if as_json:
        output.print_json(result)
        return
    output.say(f"Decisions: {output.counts(result.actions)}; {result.by_people:,} of them by people.")
    if result.for_review:
        output.say(
            f"{result.for_review:,} images wait for a person in {ws}/review.csv: fill in the column 'action' "
            f"(keep, drop, or relabel with 'label'), then: curate decide {ws} --import {ws}/review.csv --by NAME"
        )
    output.say(f"Wrote {result.written}. Next: curate apply {ws}")


@app.command(epilog="Example: curate apply ws")
def apply(
    ws: options.Workspace,
    include_test: Annotated[bool, typer.Option(help="Carry out decisions on test images, too.")] = False,
    as_json: options.Json = False,
) -> None:
    """Carry out the decisions: manifest and decisions in, curated.parquet out; no image file is touched."""
    from curate import verbs
    from curate.workspace import Workspace

    result = verbs.apply(Workspace.open(ws), include_test=include_test)
    if as_json:
        output.print_json(result)
        return
    if result.test_left_alone:
        output.say(
            f"{result.test_left_alone:,} decisions on test images were left alone; --include-test carries them out."
        )
    output.say(
        f"{result.images:,} images, {result.dropped:,} dropped, {result.relabelled:,} relabelled.",
        f"Wrote {result.written}. Next: curate train {ws} --data curated",
    )
