"""The verb that passes a set on or stops it: gate."""

from typing import TYPE_CHECKING, Annotated

import typer

from curate.cli import app, options, output
from curate.wording import pasted

if TYPE_CHECKING:
    from curate.gate.check import Check, Judged

NOT_MET = 3
"""Exit status of a gate that was not met."""
LOOP = ("add", "predict", "scan", "decide", "apply", "findings", "review", "train", "runs", "prove")
"""The verbs that ways out name, in the order in which they are taken."""


@app.command(epilog="Example: curate gate ws --set leaks=2 --set findings.label_error=0.05")
def gate(
    ws: options.Workspace,
    run: Annotated[
        str | None, typer.Option(metavar="NAME", help="The run to judge; by default the newest of the set as it is.")
    ] = None,
    changes: options.Set = None,
    as_json: options.Json = False,
) -> None:
    """Check a set by the thresholds of its recipe; exit status 3 where one is not met."""
    from curate.gate.verb import gate as check
    from curate.workspace import Workspace

    judged = check(Workspace.open(ws), changes=options.parse_settings(changes), run=run)
    if as_json:
        output.print_json(judged)
    else:
        _say(judged, pasted(ws))
    if not judged.passed:
        raise typer.Exit(NOT_MET)


def _say(judged: "Judged", ws: str) -> None:
    """The failures first, then what was skipped, each with its reason and the way out; then what passed."""
    order = ("failed", "skipped", "passed")
    checks = sorted(judged.checks, key=lambda check: order.index(check.status))
    rows = [
        {"check": each.name, "result": each.status, "measured": _figure(each.measured), "threshold": _limit(each)}
        for each in checks
    ]
    output.print_table(rows)
    for check in checks:
        if check.status != "passed":
            way_out = f": {check.way_out}" if check.way_out else ""
            output.say(output.one_line(f"{check.name} {check.status}: {check.reason}{way_out}"))
    count = {status: sum(check.status == status for check in checks) for status in order}
    which = "the curated set" if judged.judged == "curated" else "the manifest"
    verdict = "Passed" if judged.passed else "Not passed"
    output.say(
        f"{verdict}: {count['failed']} failed, {count['skipped']} skipped, {count['passed']} passed, judged on {which}."
    )
    output.say(f"Next: {_next(checks) or f'curate export {ws} FOLDER'}")


def _next(checks: "list[Check]") -> str:
    """What to do first: about a failure, else about what was skipped; the earliest step of the loop."""
    for status in ("failed", "skipped"):
        ways_out = [check.way_out for check in checks if check.status == status and check.way_out]
        if ways_out:
            return min(ways_out, key=lambda command: LOOP.index(command.split()[1]))
    return ""


def _limit(check: "Check") -> str:
    return f"{check.bound} {_figure(check.threshold)}" if check.bound else ""


def _figure(value: float | None) -> str:
    """Counts whole, shares with up to four digits."""
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
