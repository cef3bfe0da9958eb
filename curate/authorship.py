"""Whose decisions are: the policy's as a verb wrote them, or a person's who took them or edited the file by hand."""

import getpass
import os
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from curate import REVIEWER, decisions, journal, reviewers, tables, versions
from curate.errors import UserError
from curate.wording import pasted, plural
from curate.workspace import DECISIONS, EDIT, HISTORY, Workspace, read_table, timestamp


class Signed(NamedTuple):
    """The decisions, each under the name of whose it is."""

    table: pd.DataFrame
    """As `read_answers` gives them."""
    told: list[str]
    """A line on whatever of the file does not stand in them, or is not plain from an edit."""


def signed(workspace: Workspace, images: pd.DataFrame, by: str | None = None) -> Signed:
    """The decisions, those that were edited in the file by hand under the name of who edited, see `reviewer`, with the
    time of the edit: a person's word holds. It is that of rows without a name, and of rows of the policy that were
    edited. One that was taken out is that person's `keep`, so that it stays undone.
    """
    said = versions.renamed(workspace, tables.decisions_file(workspace), images)
    table, told = tables.checked(said, workspace, images), list(said.told)
    edited, keeps = table["by"] == "", decisions.empty()
    if edit := _edit(workspace):
        if edit.made_of and not workspace.keeps(DECISIONS, edit.made_of):
            told.append(_untold(workspace))
        else:
            before = read_table(workspace.version_file(DECISIONS, edit.made_of)) if edit.made_of else decisions.empty()
            before = versions.renamed(workspace, before, images).table
            by_policy = rows_by_policy(workspace, table)
            edited |= (table["by"] == decisions.POLICY) & ~by_policy.own & ~by_policy.foreign
            table = decisions.timed(table, before, at=edit.at)
            told += foreign_rows(int(by_policy.foreign.sum()))
            table, edited = table[~by_policy.foreign], edited[~by_policy.foreign]
            if not by_policy.foreign.any():  # else the file is no edit of the one before
                keeps = _taken_out(said.table, before, images).assign(action="keep", label="", note="", at=edit.at)
    if not edited.any() and keeps.empty:
        return Signed(table, told)
    name = reviewer(by)
    said_before = (table["by"] == name) & table["image_id"].isin(table["image_id"][edited])
    table = table.assign(by=table["by"].where(~edited, name))[~said_before]
    table = pd.concat([table, keeps.assign(by=name)], ignore_index=True).astype("str")
    table = table.drop_duplicates(["image_id", "by"], keep="last", ignore_index=True)  # a row added to one edited
    return Signed(table, told + _kept(keeps, name))


class ByPolicy(NamedTuple):
    """Which rows of decisions stand in the policy's name, and what they are. A row that is neither was edited."""

    own: pd.Series
    """As a verb wrote them here, in this version or an earlier one."""
    foreign: pd.Series
    """Of an image and a time of which no version here has a decision of the policy."""


def rows_by_policy(workspace: Workspace, table: pd.DataFrame) -> ByPolicy:
    """What becomes of rows of the policy.

    A row that a person edited is not the policy's own, also where the policy once said the same of the image: its time
    is that of another decision. A time as a spreadsheet writes it says nothing.
    """
    rows = table.reindex(columns=list(decisions.COLUMNS), fill_value="")
    rows = rows.assign(by=rows["by"].str.strip())
    rows = rows[rows["by"] == decisions.POLICY]
    same, said, timed, about = (np.zeros(len(rows), bool) for _ in range(4))
    for version in as_written(workspace):
        if same.all():
            break
        before = version[version["by"] == decisions.POLICY]
        same |= decisions.is_in(rows, before, [*decisions.SAID, "at"])
        said |= decisions.is_in(rows, before, decisions.SAID)
        timed |= decisions.is_in(rows, before, ["image_id", "at"])
        about |= decisions.is_in(rows, before, ["image_id"])
    own = same | (said & ~timed)
    known = timed | (about & ~rows["at"].str.fullmatch(decisions.TIME).to_numpy())
    is_own, is_foreign = (table.index.isin(rows.index[which]) for which in (own, ~own & ~known))
    return ByPolicy(pd.Series(is_own, index=table.index), pd.Series(is_foreign, index=table.index))


def foreign_rows(count: int) -> list[str]:
    """A line on rows of a policy that never decided here."""
    told = plural(count, "row of another workspace's policy was", "rows of another workspace's policy were")
    return [f"{told} left out; put a name under 'by' where a person stands for what it says"] if count else []


def _taken_out(file: pd.DataFrame, before: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """Rows of the policy of the version before, of images that are there and of which the file says nothing now."""
    now = file.reindex(columns=list(decisions.COLUMNS), fill_value="")
    said = now["image_id"][(now["action"] != "") | (now["label"] != "")]
    out = before[(before["by"] == decisions.POLICY) & ~before["image_id"].isin(said)]
    return out[out["image_id"].isin(images["image_id"])]


def _kept(keeps: pd.DataFrame, name: str) -> list[str]:
    """A line on images whose rows were taken out."""
    one, many = "row of the policy was taken out, and is", "rows of the policy were taken out, and are"
    told = f"{plural(len(keeps), one, many)} 'keep' by {name} now: {decisions.some(keeps['image_id'])}"
    return [f"{told}; take it out again for the policy to decide anew"] if len(keeps) else []


def _untold(workspace: Workspace) -> str:
    """A line on edits that cannot be told from what the policy said."""
    missing = f"{DECISIONS} was edited, and the version before is not in {pasted(workspace.path(HISTORY))}"
    way_out = "put your name under 'by' in those that you edited ('curate restore' brings the edit back)"
    return f"{missing}: rows of the policy stay the policy's; {way_out}"


def as_written(workspace: Workspace) -> Iterator[pd.DataFrame]:
    """The decisions as verbs wrote them, newest first, as far as the history has them: a repository may hold the ledger
    alone."""
    for digest, version in reversed(_versions(workspace).items()):
        if digest == version.made_of and workspace.keeps(DECISIONS, digest):
            yield read_table(workspace.version_file(DECISIONS, digest))


class _Version(NamedTuple):
    """Decisions as they were."""

    made_of: str
    """The hash of the version that this is an edit of, by hand; its own where a verb or a review has left it so, and ""
    for no decisions at all."""
    at: str


def _versions(workspace: Workspace) -> dict[str, _Version]:
    """The versions of the decisions by their hash, as the ledger has them, and then as they are now. What `restore`
    brought back is what it was before."""
    written = [
        (entry.command, entry.writes[DECISIONS], entry.at) for entry in workspace.ledger() if DECISIONS in entry.writes
    ]
    written.append((EDIT, workspace.hash(DECISIONS), timestamp()))
    versions, before = {"": _Version("", "")}, ""
    for command, digest, at in written:
        is_new = digest not in versions or versions[digest].made_of != digest
        if command == EDIT and is_new and digest != before:
            versions[digest] = _Version(versions[before].made_of, at)
        elif command != EDIT and (command != "restore" or digest not in versions):
            versions[digest] = _Version(digest, at)
        before = digest
    return versions


def _edit(workspace: Workspace) -> _Version | None:
    """The decisions as they are now, where somebody edited them by hand; None where a verb or a review has left them
    so."""
    now = workspace.hash(DECISIONS)
    edit = _versions(workspace)[now]
    left_so = edit.made_of == now or any(now == act.decisions for act in journal.read(workspace))
    return None if left_so else edit


def reviewer(by: str | None) -> str:
    """The name under which decisions are taken: the one given, that of the environment, or that of the account."""
    if by is not None:
        return reviewers.checked_name(by, "--by")
    if named := os.environ.get(REVIEWER):
        return reviewers.checked_name(named, REVIEWER)
    try:
        return reviewers.checked_name(getpass.getuser(), "the account's name")
    except (KeyError, OSError):
        raise UserError(f"this account has no name; give yours in the variable {REVIEWER}") from None
