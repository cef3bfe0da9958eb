"""What `curate review` does without an App: the questions as a page, or as a job of another labelling tool."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from curate import jobs, tables
from curate.labels import queue
from curate.review import asking, sheet
from curate.wording import pasted
from curate.workspace import Workspace

SHEET = "review.html"


@dataclass(frozen=True)
class Written:
    """What was written, and what comes next."""

    written: str
    images: int
    """Images that an answer is wanted for."""
    left_out: int
    """Images that cannot be shown, and are not in a job for that."""
    worth: queue.Worth
    next: str
    warnings: list[str]
    """On files that are gone."""


def write(
    workspace: Workspace, by: str, to: Path | None, *, job: str | None, budget: int | None, second: int
) -> Written:
    """Write what `by` is asked: as the page `review.html`, or `to`; or, with `job`, the name of a tool, as its job.

    Raises `UserError` where a job's folder holds something, or nothing is asked.
    """
    asked = asking.asked(workspace, by, budget=budget, second=second)
    root = pasted(workspace.root)
    if job:
        assert to
        count = jobs.write(job, asked.table, to, asked.classes)
        comes_back = f"the export comes back by: curate decide {root} --import EXPORT"
        told = f"load it as {pasted(to / 'README.txt')} says; {comes_back}"
        return Written(str(to), count, int(asked.table["asked"].sum()) - count, asked.worth, told, [])
    command = f"curate decide {root} --import answers.csv --by {pasted(by)}"
    page = to or workspace.path(SHEET)
    warnings = tables.files_gone(workspace, asked.table, needed=True)
    made = sheet.write(
        asked.table,
        page,
        name=workspace.root.resolve().name,
        workspace_id=identity(workspace),
        classes=asked.classes,
        by=by,
        command=command,
    )
    return Written(
        made.written,
        made.asked,
        0,
        asked.worth,
        f"open it in a browser; its answers come back by: {command}",
        warnings,
    )


def identity(workspace: Workspace) -> str:
    """What tells this workspace from another one in a browser: answers to one page come back in a newer one."""
    return hashlib.blake2b(str(workspace.root.resolve()).encode(errors="surrogateescape"), digest_size=8).hexdigest()
