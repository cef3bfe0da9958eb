"""A reviewer's place at a workspace: decisions go into `decisions.csv` at once, one act after another, until undone.

A verb keeps each version of the decisions in the history; a review writes hundreds, and keeps the one before it and the
one after it. Between them the journal holds each act.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from curate import authorship, decisions, journal, manifest, tables
from curate.csv_text import write_csv
from curate.decisions import ACTIONS, COLUMNS, POLICY, Action
from curate.errors import known
from curate.files import file_hash, replacing
from curate.workspace import DECIDED_BY, DECISIONS, MANIFEST, Workspace, timestamp


@dataclass(frozen=True)
class Answer:
    """What a person says of an image."""

    image_id: str
    action: Action
    label: str = ""
    because: str = ""
    note: str = ""


@dataclass(frozen=True)
class Taken:
    """What an act did."""

    images: int
    gone: tuple[str, ...] = ()
    """Images that are no longer in the workspace: nothing was written of them."""
    stayed: tuple[str, ...] = ()
    """Of an undo: images that were decided on anew since, which stay as they are."""
    conflicts: tuple[str, ...] = ()
    """A line for each decision of this person that was changed in the file by hand since the act before."""
    undone: tuple[str, ...] = ()
    """Images that an act was about which was taken back."""


@dataclass
class Desk:
    """The decisions of a workspace, open for one reviewer. What others write meanwhile is read before each act."""

    workspace: Workspace
    by: str
    _read: dict[str, tuple[object, pd.DataFrame]] = field(default_factory=dict)
    _taken_in: tuple[object, pd.DataFrame | None] = (None, None)
    """The decisions as of the last act: `_read` may hold an edit that came since, as it was looked at meanwhile."""
    _made: dict[str, tuple[pd.DataFrame, Any]] = field(default_factory=dict)

    def images(self) -> pd.DataFrame:
        """The manifest as it is now."""
        return self._fresh(MANIFEST, lambda: tables.read_manifest(self.workspace))

    def decisions(self) -> pd.DataFrame:
        """The decisions as they are now: a row per image and person."""
        images = self.images()
        return self._fresh(DECISIONS, lambda: tables.read_answers(self.workspace, images))

    def take(self, answers: Sequence[Answer]) -> Taken:
        """Write the answers down: on the disk when this returns.

        They replace what this person, or the policy, said of these images. What this person has said before, and nobody
        else has spoken of, is not written again: a key that was pressed twice is one act to undo. Raises `UserError`
        for an unknown action or class, and where another verb writes meanwhile and does not end; then nothing is
        written.
        """
        self._check(answers)
        with self.workspace.locked():
            conflicts = self._take_in_edits()
            there = self._of_images("ids", lambda images: pd.Index(images["image_id"]))
            known_ = there.get_indexer(pd.Index([answer.image_id for answer in answers])) >= 0
            gone = tuple(answer.image_id for answer, is_there in zip(answers, known_, strict=True) if not is_there)
            at = timestamp()
            rows = {
                answer.image_id: _row(answer, self.by, at)
                for answer, is_there in zip(answers, known_, strict=True)
                if is_there
            }
            table = self.decisions()
            about = table[table["image_id"].isin(rows)]
            own, others = about[about["by"] == self.by], about["image_id"][about["by"] != self.by]
            again = {row["image_id"] for row in _rows(own) if row | {"at": at} == rows[row["image_id"]]} - set(others)
            if new := [row for image_id, row in rows.items() if image_id not in again]:
                replaced = table["image_id"].isin(rows.keys() - again) & table["by"].isin([self.by, POLICY])
                self._write(table[~replaced], new, _rows(table[replaced]))
        return Taken(len(rows), gone, conflicts=conflicts)

    def undo(self) -> Taken | None:
        """Take back this person's last act that stands; None where there is none.

        Images that were decided on anew since stay as they are, and are named. The policy's decisions come back where
        nothing has taken their place: no other person's word, and no policy that has decided since.
        """
        with self.workspace.locked():
            conflicts = self._take_in_edits()
            acts = journal.read(self.workspace)
            number = journal.last_standing(acts, self.by)
            if number is None:
                return None
            act, table = acts[number], self.decisions()
            mine = {row["image_id"]: _said(row) for row in _rows(table[table["by"] == self.by])}
            standing = {row["image_id"] for row in act.after if mine.get(row["image_id"]) == _said(row)}
            stayed = tuple(row["image_id"] for row in act.after if row["image_id"] not in standing)
            back = standing & set(self.images()["image_id"])
            others = set(table["image_id"][~table["by"].isin([self.by, POLICY])])
            silent = back if self._policy_decided_since(act) else others
            before = [
                row
                for row in act.before
                if row["image_id"] in back and not (row["by"] == POLICY and row["image_id"] in silent)
            ]
            replaced = table["image_id"].isin(standing) & (table["by"] == self.by)
            self._write(table[~replaced], before, _rows(table[replaced]), undoes=number)
        undone = tuple(row["image_id"] for row in act.after)
        return Taken(len(standing), stayed=stayed, conflicts=conflicts, undone=undone)

    def keep_version(self) -> None:
        """Put the decisions as they are into history and ledger; for the end of a review."""
        with self.workspace.locked():
            self.workspace.note_edits()

    def _policy_decided_since(self, act: journal.Act) -> bool:
        """Whether a policy has decided after the act, to the second: it may be another one, of other findings."""
        entries = self.workspace.ledger()
        return any(entry.at > act.at and DECIDED_BY in entry.arguments for entry in entries)

    def _take_in_edits(self) -> tuple[str, ...]:
        """What others wrote since the last act goes into history and ledger, and counts from here on.

        Returns a line for each decision of this person that it changed.
        """
        path = self.workspace.path(DECISIONS)
        known_, before = self._taken_in
        if known_ == signature(path):
            return ()
        self.workspace.note_edits()
        table = authorship.signed(self.workspace, self.images(), self.by).table
        self._taken_in = self._read[DECISIONS] = (signature(path), table)
        by_review = self.workspace.reviewed() == self.workspace.hash(DECISIONS)  # at another desk, say
        return () if before is None or by_review else _changes(before, table, self.by)

    def _write(self, left: pd.DataFrame, rows: list[journal.Row], before: list[journal.Row], **more: int) -> None:
        """The decisions first, then the journal: what was cut short between is kept, and cannot be undone by key."""
        path = self.workspace.path(DECISIONS)
        fresh = pd.DataFrame(rows, columns=list(COLUMNS), dtype="str")
        table = decisions.in_order(pd.concat([left, fresh], ignore_index=True).astype("str"), self.images())
        with replacing(path) as temporary:
            write_csv(temporary, table)
        journal.append(
            self.workspace, journal.Act(timestamp(), self.by, rows, before, decisions=file_hash(path), **more)
        )
        self._taken_in = self._read[DECISIONS] = (signature(path), table)

    def _check(self, answers: Sequence[Answer]) -> None:
        classes = self._of_images("classes", manifest.classes)
        for answer in answers:
            if answer.action not in ACTIONS:
                raise known("action", answer.action, list(ACTIONS))
            if answer.action == "relabel" and answer.label not in classes:
                raise known("class", answer.label, classes)

    def _of_images(self, what: str, make: Callable[[pd.DataFrame], Any]) -> Any:
        """What is made of the manifest, once for each version of it: no act waits for 60,000 names to be sorted."""
        images = self.images()
        if what not in self._made or self._made[what][0] is not images:
            self._made[what] = (images, make(images))
        return self._made[what][1]

    def _fresh(self, name: str, read: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """A table of the workspace, read again where the file is another than before."""
        now = signature(self.workspace.path(name))
        if name not in self._read or self._read[name][0] != now:
            self._read[name] = (now, read())
        return self._read[name][1]


def _row(answer: Answer, by: str, at: str) -> journal.Row:
    label = answer.label if answer.action == "relabel" else ""
    return dict(zip(COLUMNS, (answer.image_id, answer.action, label, by, answer.because, answer.note, at), strict=True))


def _rows(table: pd.DataFrame) -> list[journal.Row]:
    columns = [table[name].to_list() for name in COLUMNS]
    return [dict(zip(COLUMNS, row, strict=True)) for row in zip(*columns, strict=True)]


def _said(row: journal.Row) -> tuple[str, ...]:
    return row["action"], row["label"], row["note"]


def _changes(before: pd.DataFrame, after: pd.DataFrame, by: str) -> tuple[str, ...]:
    """A line for each decision of this person that differs between two versions of the decisions."""
    then, now = ({row["image_id"]: _said(row) for row in _rows(table[table["by"] == by])} for table in (before, after))
    return tuple(
        f"{image_id}: {by} said {_words(said)}, {DECISIONS} now says {_words(now.get(image_id, ()))}"
        for image_id, said in then.items()
        if now.get(image_id) != said
    )


def _words(said: tuple[str, ...]) -> str:
    return " ".join(filter(None, said[:2])) or "nothing"


def signature(path: Path) -> object:
    """What tells one version of a file from another without reading it."""
    try:
        about = os.stat(path)  # noqa: PTH116
    except FileNotFoundError:
        return None
    return (about.st_mtime_ns, about.st_size, about.st_ino)
