"""Deciding, as functions: what the policy and people say of findings, who is asked, whose answers come back."""

import getpass
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from curate import REVIEWER, decisions, findings, recipe, reviewers
from curate.csv_text import read_csv
from curate.errors import UserError
from curate.labels import answers, queue
from curate.review import jobs, journal
from curate.tables import read_answers, read_findings, read_manifest
from curate.verbs import stale
from curate.wording import middle, pasted, plural
from curate.workspace import DECIDED_BY, DECISIONS, EDIT, FINDINGS, RECIPE, Workspace, read_table, timestamp

REVIEW = "review.csv"
ANSWER = ["action", "label", "note"]
"""The columns that a person fills in."""
MOST_DROPPED, FEWEST_IMAGES = 0.5, 10
"""A policy that drops a larger share of a class with so many training images is warned of; chosen by eye."""


@dataclass(frozen=True)
class Decided:
    """What `decide` did, or would do. `actions` counts decisions per action."""

    written: str
    """The path of the decisions; "" where nothing was written."""
    actions: dict[str, int]
    by_people: int
    for_review: int
    conflicts: list[str]
    warnings: list[str]
    answers: answers.Answers
    """People's decisions on labels, which have set the probabilities of wrong labels right."""
    worth: queue.Worth | None
    """What answers to the labels in `review.csv` are worth; None where answers were taken over: `decide` tells then."""


@dataclass(frozen=True)
class Asking:
    """What a policy makes of the findings as they are now, and what is left to ask people."""

    findings: pd.DataFrame
    """As people's answers have set them right."""
    decided: decisions.Decided
    review: pd.DataFrame
    worth: queue.Worth
    answers: answers.Answers


def ask(
    workspace: Workspace,
    images: pd.DataFrame,
    rules: list[recipe.Rule],
    budget: int | None,
    by: str | None = None,
    *,
    where: str = "",
) -> Asking:
    """Read findings and answers, and what the rules make of them; nothing is written. by: who edited the decisions by
    hand, see `signed`. where: the rules stand; "" for the workspace's recipe."""
    _check_rules(rules, where or pasted(workspace.path(RECIPE)))
    scanned = read_findings(workspace)
    earlier = signed(workspace, read_answers(workspace, images), by)
    settled = reviewers.settle(earlier, images, recipe.in_workspace(workspace).reviewers)
    found, _ = answers.calibrate(scanned, settled, images)
    decided = decisions.decide(found, images, rules, earlier, at=timestamp())
    review, worth = queue.review(decided, found, images, rules, budget=budget)
    return Asking(found, decided, review, worth, answers.counted(answers.answered(settled, scanned, images)))


def decide(
    workspace: Workspace,
    policy: str | Path | None,
    budget: int | None = None,
    by: str | None = None,
    *,
    dry_run: bool = False,
) -> Decided:
    """Write decisions by policy, and `review.csv` for what a person is asked; with `dry_run` tell of them alone.

    People's earlier answers set the probabilities of `label_error` right before the rules are read. budget: so many
    labels are asked about at most, those that matter most; what other finders leave to people is asked in any case.
    by: whose are the decisions of the policy that were edited by hand, see `reviewer`.
    """
    rules = (recipe.load(policy) if policy else recipe.in_workspace(workspace)).policy
    where = str(policy or pasted(workspace.path(RECIPE)))
    if dry_run:
        images = read_manifest(workspace)
        asking = ask(workspace, images, rules, budget, by, where=where)
    else:
        asked: dict[str, object] = {"policy": str(policy) if policy else None, "budget": budget}
        with workspace.writing("decide", {**asked, DECIDED_BY: recipe.rules_hash(rules)}) as transaction:
            images = read_manifest(workspace)
            _refuse_to_lose_answers(workspace)
            asking = ask(workspace, images, rules, budget, by, where=where)
            transaction.write_table(DECISIONS, asking.decided.decisions)
            transaction.write_table(REVIEW, asking.review)
    table, conflicts = asking.decided.decisions, asking.decided.conflicts
    result = _decided(workspace, table, len(asking.review), conflicts, asking.answers, asking.worth)
    warnings = result.warnings + _without_probabilities(workspace, asking.findings, rules)
    warnings += _mostly_dropped(images, table, where)
    return replace(result, warnings=warnings, written="" if dry_run else result.written)


def _check_rules(rules: list[recipe.Rule], where: str) -> None:
    """Raise `UserError` for a rule of a finder that does not exist."""
    for number, rule in enumerate(rules):
        try:
            findings.select([rule.finder], True)
        except UserError as error:
            raise UserError(f"{where}: policy[{number}].finder: {error}") from None


def import_decisions(workspace: Workspace, path: Path, by: str | None) -> Decided:
    """Take over people's decisions: from a CSV, or the export of a label job, see `curate.review.jobs`.

    Rows of the policy stand in a copy of the decisions: they are nobody's word, but for those that somebody edited.
    """
    if not path.is_file() and not jobs.recognise(path):
        way_out = f"'curate decide {pasted(workspace.root)}' writes {pasted(workspace.path(REVIEW))} to fill in"
        raise UserError(f"{pasted(path)} is no file; {way_out}")
    name = reviewer(by)
    rule = recipe.in_workspace(workspace).reviewers
    left = 0
    with workspace.writing("decide", {"import": str(path), "by": name}) as transaction:
        images = read_manifest(workspace)
        table = _imported(path, images)
        imported = decisions.check(table[~_by_policy(workspace, table)], images, str(path))
        decisions.refuse_idle_labels(imported, str(path))
        there = signed(workspace, read_answers(workspace, images), name)
        older = decisions.older(imported, there)
        merged = decisions.merge(there, imported[~older], by=name, at=timestamp())
        merged = decisions.in_order(merged, images)
        transaction.write_table(DECISIONS, merged)
        if workspace.has(REVIEW):
            review, decided = _read_review(workspace), merged["image_id"][merged["by"] != decisions.POLICY]
            review = review[_not_said(review, imported, images) | ~review["image_id"].isin(decided)]
            left = len(review)
            transaction.write_table(REVIEW, review)
    scanned = read_findings(workspace) if workspace.has(FINDINGS) else findings.empty()
    said = answers.counted(answers.answered(reviewers.settle(merged, images, rule), scanned, images))
    about_these = merged[merged["image_id"].isin(imported["image_id"])]
    result = _decided(workspace, merged, left, reviewers.disagreements(about_these, images, rule), said, None)
    told = lone_notes(table) + _left_out(int((older & ~decisions.is_in(imported, there, decisions.SAID)).sum()))
    return replace(result, warnings=result.warnings + [f"{pasted(path)}: {line}" for line in told])


def _by_policy(workspace: Workspace, table: pd.DataFrame) -> pd.Series:
    """Which rows of decisions are as a verb wrote them in the policy's name, in this version or an earlier one.

    A row that a person edited is not, also where the policy once said the same of the image: its time is that of
    another decision. A time that no version has, as a spreadsheet writes it, says nothing.
    """
    rows = table.reindex(columns=list(decisions.COLUMNS), fill_value="")
    rows = rows[rows["by"] == decisions.POLICY]
    same, said, timed = (np.zeros(len(rows), bool) for _ in range(3))
    for version in as_written(workspace):
        if same.all():
            break
        before = version[version["by"] == decisions.POLICY]
        same |= decisions.is_in(rows, before, [*decisions.SAID, "at"])
        said |= decisions.is_in(rows, before, decisions.SAID)
        timed |= decisions.is_in(rows, before, ["image_id", "at"])
    return pd.Series(table.index.isin(rows.index[same | (said & ~timed)]), index=table.index)


def _by_verbs(workspace: Workspace) -> list[str]:
    """The hash of each version of the decisions that a verb wrote, newest first; not of one that was edited by hand,
    also where `restore` brought it back."""
    first: dict[str, str] = {}
    for entry in workspace.ledger():
        if digest := entry.writes.get(DECISIONS):
            first.setdefault(digest, entry.command)
    return [digest for digest, command in reversed(first.items()) if command != EDIT]


def as_written(workspace: Workspace) -> Iterator[pd.DataFrame]:
    """The decisions as verbs wrote them, newest first, as far as the history has them: a repository may hold the ledger
    alone."""
    for digest in _by_verbs(workspace):
        try:
            path = workspace.version_file(DECISIONS, digest)
        except UserError:
            continue
        yield read_table(path)


def _not_said(review: pd.DataFrame, imported: pd.DataFrame, images: pd.DataFrame) -> pd.Series:
    """Rows of `review.csv` with an answer, or a note, that is not among those taken over: somebody else's."""
    given = decisions.complete(review, images)
    return (given[ANSWER] != "").any(axis=1) & ~decisions.is_in(given, imported, ["image_id", *ANSWER])


def lone_notes(table: pd.DataFrame) -> list[str]:
    """A line on rows that say something, and not what to do: nothing takes them over."""
    rows = table.reindex(columns=ANSWER, fill_value="")
    count = int(((rows["note"] != "") & (rows["action"] == "") & (rows["label"] == "")).sum())
    has, their = ("row has", "its") if count == 1 else ("rows have", "their")
    way_out = f"fill in {their} 'action', or take {their} note out"
    return [f"{count:,} {has} a note and no action: {way_out}"] if count else []


def _left_out(older: int) -> list[str]:
    """A line on answers that their person has changed since."""
    are, their = ("answer is", "its") if older == 1 else ("answers are", "their")
    return [f"{older:,} {are} older than what {their} reviewer has said since, which stays"] if older else []


def _imported(path: Path, images: pd.DataFrame) -> pd.DataFrame:
    """Answers in a CSV table, or in the export of a labelling tool."""
    return jobs.read(path, images) if jobs.recognise(path) else read_csv(path)


def signed(workspace: Workspace, table: pd.DataFrame, by: str | None = None) -> pd.DataFrame:
    """The decisions, those that were edited in the file by hand under the name of who edited, see `reviewer`: a
    person's word holds. It is that of rows without a name, and of rows of the policy that no verb has written."""
    edited = table["by"] == ""
    by_verbs, now = _by_verbs(workspace), workspace.hash(DECISIONS)
    if by_verbs and now not in by_verbs and all(now != act.decisions for act in journal.read(workspace)):
        workspace.version_file(DECISIONS, by_verbs[0])  # without any version nobody can tell what was edited
        edited |= (table["by"] == decisions.POLICY) & ~_by_policy(workspace, table)
    if not edited.any():
        return table
    name = reviewer(by)
    said_before = (table["by"] == name) & table["image_id"].isin(table["image_id"][edited])
    return table.assign(by=table["by"].where(~edited, name))[~said_before]


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


def _decided(
    workspace: Workspace,
    table: pd.DataFrame,
    for_review: int,
    conflicts: list[str],
    said: answers.Answers,
    worth: queue.Worth | None,
) -> Decided:
    by_people = int((table["by"] != decisions.POLICY).sum())
    actions = {str(name): int(count) for name, count in table["action"].value_counts().items()}
    written = str(workspace.path(DECISIONS))
    return Decided(written, actions, by_people, for_review, conflicts, stale(workspace), said, worth)


def _without_probabilities(workspace: Workspace, found: pd.DataFrame, rules: list[recipe.Rule]) -> list[str]:
    """A warning where rules ask how sure suggestions are, and `label_error` does not say, as in earlier versions."""
    suggests = (found["finder"] == answers.LABEL_ERROR) & (found["suggested_label"] != "")
    asked = any(rule.finder == answers.LABEL_ERROR and rule.sure is not None for rule in rules)
    if not asked or not suggests.any() or (found["suggested_prob"][suggests] > 0).any():
        return []
    why = f"the scores of {answers.LABEL_ERROR} are no probabilities, so its rules with 'sure' take nothing"
    return [f"{why}: 'curate scan {pasted(workspace.root)}' with {answers.LABEL_ERROR}.method=fused gives them"]


def _mostly_dropped(images: pd.DataFrame, table: pd.DataFrame, where: str) -> list[str]:
    """A warning where the policy drops most training images of a class, which is rarely meant. where: see `ask`."""
    dropped = table[(table["by"] == decisions.POLICY) & (table["action"] == "drop")]
    train = images[(images["split"] == "train") & (images["label"] != "") & (images["parent_id"] == "")]
    because = train["image_id"].map(dropped.set_index("image_id")["because"])
    by_class = because.notna().groupby(train["label"])
    lost = by_class.mean()[(by_class.mean() > MOST_DROPPED) & (by_class.size() >= FEWEST_IMAGES)].index
    if lost.empty:
        return []
    finder = because[train["label"].isin(lost)].dropna().str.split(";").str[0].mode().iloc[0]
    named = f"class {middle(lost[0])!r}" if len(lost) == 1 else f"{len(lost):,} classes"
    way_out = f"if that is wrong, give {finder} the action 'review', or none, in {where}"
    return [f"the policy drops more than half of the training images of {named}, most for {finder}; {way_out}"]


def _read_review(workspace: Workspace) -> pd.DataFrame:
    """What waits for a person, as it was written or as the person left it."""
    path = workspace.path(REVIEW)
    review = read_table(path)
    if not {"image_id", "action"} <= set(review.columns):
        raise UserError(f"{pasted(path)} lacks the columns 'image_id' and 'action'; put them back, or delete the file")
    return review


def _refuse_to_lose_answers(workspace: Workspace) -> None:
    """Stop before `review.csv` is written anew over answers that were not taken over."""
    if not workspace.has(REVIEW):
        return
    review = _read_review(workspace).reindex(columns=ANSWER, fill_value="")
    refuse_to_lose(review[(review != "").any(axis=1)], workspace.path(REVIEW), workspace)


def refuse_to_lose(answered: pd.DataFrame, path: Path, workspace: Workspace) -> None:
    """Raise `UserError` where there are answers in a file that is to be written anew, with the way out."""
    if len(answered):
        told = "; ".join([f"{plural(len(answered), 'answer', 'answers')} that would be lost", *lone_notes(answered)])
        taken_over = f"'curate decide {pasted(workspace.root)} --import {pasted(path)}' takes them over"
        raise UserError(f"{pasted(path)} holds {told}; {taken_over}, or delete the file")
