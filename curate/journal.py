"""What people decided in a review, as it came: one line per act in `review.jsonl`, so that each can be undone.

A line holds who (`by`), when (`at`), the rows that the act put into the decisions (`after`), those that it took out
(`before`), and the hash of the decisions that it left (`decisions`), by which the ledger tells a review from an edit by
hand. An undo is a line, too: `undoes` is the number of the line that it takes back.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from curate.errors import UserError
from curate.files import flush
from curate.wording import pasted
from curate.workspace import JOURNAL, Workspace

Row = dict[str, str]
"""A row of the decisions, by column."""


@dataclass(frozen=True)
class Act:
    """A line of the journal."""

    at: str
    by: str
    after: list[Row]
    before: list[Row]
    decisions: str
    undoes: int | None = None
    """The act that this one takes back, counted from 0."""


def read(workspace: Workspace) -> list[Act]:
    """All acts, oldest first. A last line cut short by a power failure is left out."""
    path = workspace.path(JOURNAL)
    lines = path.read_bytes().splitlines() if path.exists() else []
    acts: list[Act] = []
    for number, line in enumerate(lines, 1):
        try:
            acts.append(Act(**json.loads(line)))
        except (ValueError, TypeError):
            if number < len(lines):
                raise UserError(f"{pasted(path)}, line {number} is damaged; remove that line to go on") from None
    return acts


def append(workspace: Workspace, act: Act) -> None:
    """Write a line to the end, on the disk when this returns. Whoever calls it holds the lock of the workspace."""
    path = workspace.path(JOURNAL)
    line = json.dumps(asdict(act)).encode() + b"\n"
    with path.open("a+b") as file:
        file.truncate(_whole_lines(path))
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    flush(path.parent)


def last_standing(acts: list[Act], by: str) -> int | None:
    """The number of this person's last act that was not undone; None where there is none."""
    undone = {act.undoes for act in acts}
    mine = [at for at, act in enumerate(acts) if act.by == by and act.undoes is None and at not in undone]
    return mine[-1] if mine else None


def _whole_lines(path: Path) -> int:
    """Bytes of the file up to its last line end: what comes after was cut short."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - 65536)
            file.seek(start)
            at = file.read(end - start).rfind(b"\n")
            if at >= 0:
                return start + at + 1
            end = start
        return 0
