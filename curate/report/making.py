"""How the workspace came to be: its ledger, and the steps that were not taken yet."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from curate import manifest, predictions, scans
from curate.log import Version, version
from curate.results.runs import Run, untrained
from curate.wording import pasted
from curate.workspace import CURATED, DECIDED_BY, DECISIONS, FINDINGS, Workspace

LISTED = 200
"""Versions that the table lists, the latest ones."""


@dataclass(frozen=True)
class Step:
    """Something that was not done yet, with the command that does it."""

    what: str
    command: str


def versions(workspace: Workspace) -> list[Version]:
    """The ledger, oldest first, without reports: they change nothing, and the same workspace gives the same report."""
    return [version(entry) for entry in workspace.ledger() if entry.command != "report"]


def missing_steps(workspace: Workspace, images: pd.DataFrame, finished: Iterable[Run]) -> list[Step]:
    """The steps of the loop that have left no file yet, in their order. finished: the runs of the workspace."""
    root = pasted(workspace.root)
    tested = len(manifest.tested(images)) > 0
    predict = f"curate predict {root}"
    steps = [
        (predictions.exists(workspace), Step("predictions by networks that had not seen the image", predict)),
        (workspace.has(FINDINGS), Step("findings", f"curate scan {root}")),
        *[
            (False, Step(f"findings that are up to date ({why})", f"curate scan {root}"))
            for why in scans.why_stale(workspace)
        ],
        (workspace.has(DECISIONS), Step("decisions", f"curate decide {root}")),
        (not _found_since(workspace), Step("decisions on what was found since", f"curate decide {root}")),
        (workspace.has(CURATED), Step("the curated set", f"curate apply {root}")),
        (tested, Step("labelled test images to measure on", f"curate add {root} SOURCE --split test")),
        (not untrained(finished), Step("networks trained on both sets alike, to compare", f"curate prove {root}")),
    ]
    return [step for done, step in steps if not done]


def _found_since(workspace: Workspace) -> bool:
    """Whether a scan has left the findings as they are now, and no policy has decided on these."""
    now, entries = workspace.hash(FINDINGS), workspace.ledger()
    scanned = next((entry.command == "scan" for entry in entries if entry.writes.get(FINDINGS) == now), False)
    decided = [entry.reads.get(FINDINGS) for entry in entries if DECIDED_BY in entry.arguments]
    return scanned and workspace.has(DECISIONS) and bool(decided) and now not in decided
