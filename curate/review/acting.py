"""What the App's keys and buttons do: a verdict on samples is written down, shown on them, and counted."""

import os
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from curate import authorship, journal, recipe, reviewers, tables
from curate.errors import UserError
from curate.review import asking, dataset, samples, twins, verdicts
from curate.review.desk import Answer, Desk, Taken, signature
from curate.review.pace import Pace, pace
from curate.wording import plural
from curate.workspace import FINDINGS, MANIFEST, Workspace

if TYPE_CHECKING:
    import fiftyone as fo

BUDGET, SECOND = "CURATE_REVIEW_BUDGET", "CURATE_REVIEW_SECOND"
"""Variables by which `curate review` tells the App's server who looks, and what is asked."""
CHANGED = (
    "Images or findings have changed since this was opened: decisions count, what is new shows when it is opened again."
)
PAST = {"accept": "accepted", "relabel": "relabelled", "drop": "dropped", "keep_this": "decided", "fine": "kept"}


@dataclass
class Session:
    """A reviewer at a dataset of a workspace, with what is asked and proposed."""

    desk: Desk
    asked: asking.Asked
    proposed: pd.DataFrame
    group: pd.Series
    queued: dict[str, samples.Document]
    seen: tuple[object, ...]
    """The images and findings that this was made of."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def workspace(self) -> Workspace:
        return self.desk.workspace

    @property
    def waiting(self) -> pd.DataFrame:
        """What this person has not answered yet, in the order in which to look."""
        table, said = self.asked.table, self.desk.decisions()
        mine = said["image_id"][said["by"] == self.desk.by]
        return table[table["asked"] & ~table["image_id"].isin(mine)]


_sessions: dict[tuple[str, str], Session] = {}
_opening = threading.Lock()


def begin(workspace: Workspace, by: str, asked: asking.Asked) -> Session:
    """A session for what was asked."""
    images, findings = tables.read_manifest(workspace), tables.read_findings(workspace)
    return Session(
        Desk(workspace, by),
        asked,
        verdicts.proposals(findings, asked),
        twins.groups(findings, images),
        samples.queued(asked),
        _of(workspace),
    )


def _of(workspace: Workspace) -> tuple[object, ...]:
    return tuple(signature(workspace.path(name)) for name in (MANIFEST, FINDINGS))


def session(data: "fo.Dataset") -> Session:
    """The session of the dataset that is open in the App. Raises `UserError` for one that is not of a workspace."""
    root = (data.info.get(dataset.MARK) or {}).get("workspace")
    if not root:
        raise UserError(
            f"dataset {data.name!r} is not of a workspace of curate; open one with 'curate review WS --fiftyone'"
        )
    by = authorship.reviewer(None)
    with _opening:
        if (root, by) not in _sessions:
            workspace = Workspace.open(Path(root))
            budget, second = (int(os.environ.get(name) or 0) for name in (BUDGET, SECOND))
            asked = asking.asked(workspace, by, budget=budget or None, second=second)
            _sessions[root, by] = begin(workspace, by, asked)
        return _sessions[root, by]


def act(
    at: Session, data: "fo.Dataset", verdict: verdicts.Verdict, image_ids: list[str], *, label: str = "", note: str = ""
) -> str:
    """Write a verdict on these images down, show it, and say what was done."""
    with at.lock:
        splits = at.desk.images().set_index("image_id")["split"]
        answers = verdicts.answers(
            verdict, image_ids, proposed=at.proposed, group=at.group, splits=splits, label=label, note=note
        )
        taken = at.desk.take(answers)
        show(at, data, [answer.image_id for answer in answers])
    of_test = sum(answer.action != "keep" and splits.get(answer.image_id) == "test" for answer in answers)
    return _told(taken, _what(verdict, answers), of_test)


def undo(at: Session, data: "fo.Dataset") -> str:
    """Take back this person's last act, show that, and say so."""
    with at.lock:
        taken = at.desk.undo()
        if taken is None:
            raise UserError(f"there is nothing that {at.desk.by} could undo; what others decided is theirs to undo")
        show(at, data, list(taken.undone))
    return _told(taken, "undone", of_test=0)


def show(at: Session, data: "fo.Dataset", image_ids: list[str]) -> None:
    """Bring samples in line with the decisions: what counts, or, where nothing does, who says what."""
    images, said = at.desk.images(), at.desk.decisions()
    said = said[said["image_id"].isin(image_ids)]
    rule = recipe.in_workspace(at.workspace).reviewers
    decided = samples.decided(reviewers.settle(said, images, rule))
    for image_id, who in reviewers.disputed(said, images, rule).items():
        decided[str(image_id)] = samples.written(asking.DISPUTED, note=who)
    mine = set(said["image_id"][said["by"] == at.desk.by])
    dataset.decide(
        data,
        {
            image_id: (decided.get(image_id), None if image_id in mine else at.queued.get(image_id))
            for image_id in image_ids
        },
    )


def standing(at: Session) -> Pace:
    """Where the review stands."""
    with at.lock:
        waiting = at.waiting
        gains = waiting["gain"][waiting["kind"] == "labels"].to_numpy()
        found = pace(journal.read(at.workspace), at.desk.by, gains, left=len(waiting))
        return found if at.seen == _of(at.workspace) else replace(found, advice=f"{found.advice} {CHANGED}")


def _what(verdict: verdicts.Verdict, answers: list[Answer]) -> str:
    if verdict != "keep_this":
        labels = {answer.label for answer in answers if answer.action == "relabel"}
        return PAST[verdict] + (f" ({next(iter(labels))})" if len(labels) == 1 else "")
    dropped = sum(answer.action == "drop" for answer in answers)
    return f"decided: {len(answers) - dropped} kept, {dropped} dropped"


def _told(taken: Taken, what: str, of_test: int) -> str:
    parts = [f"{plural(taken.images, 'image', 'images')} {what}"]
    if of_test:
        parts.append(f"{of_test:,} of the test split, which 'curate apply' leaves alone without --include-test")
    if taken.gone:
        parts.append(f"{plural(len(taken.gone), 'image is', 'images are')} no longer in the workspace: {taken.gone[0]}")
    if taken.stayed:
        parts.append(f"decided anew since, and left as they are: {', '.join(taken.stayed[:3])}")
    return "; ".join([*parts, *taken.conflicts[:3]])
