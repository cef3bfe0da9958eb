"""Deciding, as functions: what the policy and people say of findings, who is asked, whose answers come back."""

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from curate import authorship, decisions, findings, jobs, recipe, reviewers, scans
from curate.csv_text import read_csv
from curate.errors import UserError
from curate.labels import answers, queue
from curate.policy import Ruling, apply_rules
from curate.tables import files_gone, read_findings, read_manifest
from curate.wording import middle, pasted, plural
from curate.workspace import DECIDED_BY, DECISIONS, FINDINGS, RECIPE, Workspace, read_table, timestamp

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
    taken_over: int | None = None
    """Answers of an import that say something new; None of a policy."""


@dataclass(frozen=True)
class Asking:
    """What a policy makes of the findings as they are now, and what is left to ask people."""

    findings: pd.DataFrame
    """As people's answers have set them right."""
    ruling: Ruling
    disputed: pd.DataFrame
    """What people disagree about, as rows of the review list; `detail` says who says what."""
    review: pd.DataFrame
    """What the policy leaves to people."""
    worth: queue.Worth
    answers: answers.Answers
    warnings: list[str]
    """What became of edits by hand that is not plain from them."""


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
    hand, see `authorship.signed`. where: the rules stand; "" for the workspace's recipe."""
    _check_rules(rules, where or pasted(workspace.path(RECIPE)))
    scanned = read_findings(workspace)
    earlier, told = authorship.signed(workspace, images, by)
    rule = recipe.in_workspace(workspace).reviewers
    settled = reviewers.settle(earlier, images, rule)
    found, _ = answers.calibrate(scanned, settled, images)
    ruling = apply_rules(found, images, rules, earlier, at=timestamp())
    review, worth = queue.review(ruling, found, images, rules, budget=budget)
    disputed = queue.once_more(reviewers.disputed(earlier, images, rule), found, images)
    said = answers.counted(answers.answered(settled, scanned, images))
    return Asking(found, ruling, disputed, review, worth, said, told)


def decide(
    workspace: Workspace,
    policy: str | Path | None,
    budget: int | None = None,
    by: str | None = None,
    *,
    dry_run: bool = False,
) -> Decided:
    """Write decisions by policy, and `review.csv` for what a person is asked, first what people disagree about; with
    `dry_run` tell of them alone.

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
            transaction.write_table(DECISIONS, asking.ruling.decisions)
            transaction.write_table(REVIEW, pd.concat([asking.disputed, asking.review], ignore_index=True))
    table, conflicts = asking.ruling.decisions, asking.ruling.conflicts
    waiting = len(asking.disputed) + len(asking.review)
    result = _decided(workspace, table, waiting, conflicts, asking.answers, asking.worth)
    warnings = asking.warnings + result.warnings + _without_probabilities(workspace, asking.findings, rules)
    warnings += _mostly_dropped(images, table, where) + _gone_twins(workspace, images, asking)
    return replace(result, warnings=warnings, written="" if dry_run else result.written)


def _check_rules(rules: list[recipe.Rule], where: str) -> None:
    """Raise `UserError` for a rule of a finder that does not exist."""
    for number, rule in enumerate(rules):
        try:
            findings.select([rule.finder], True)
        except UserError as error:
            raise UserError(f"{where}: policy[{number}].finder: {error}") from None


def import_decisions(workspace: Workspace, path: Path, by: str | None) -> Decided:
    """Take over people's decisions: from a CSV, or the export of a label job, see `curate.jobs`.

    Rows of the policy stand in a copy of the decisions: they are nobody's word, but for those that somebody edited.
    Those of another workspace's policy are left out.
    """
    if not path.is_file() and not jobs.recognise(path):
        way_out = f"'curate decide {pasted(workspace.root)}' writes {pasted(workspace.path(REVIEW))} to fill in"
        raise UserError(f"{pasted(path)} is no file; {way_out}")
    name = authorship.reviewer(by)
    rule = recipe.in_workspace(workspace).reviewers
    left = 0
    with workspace.writing("decide", {"import": str(path), "by": name}) as transaction:
        images = read_manifest(workspace)
        table = _imported(path, images)
        by_policy = authorship.rows_by_policy(workspace, table)
        imported = decisions.check(table[~by_policy.own & ~by_policy.foreign], images, str(path))
        decisions.refuse_idle_labels(imported, str(path))
        there, edits = authorship.signed(workspace, images, name)
        imported = imported.assign(by=imported["by"].where(imported["by"] != "", name))
        older = decisions.older(imported, there)
        merged = decisions.merge(there, imported[~older], by=name, at=timestamp())
        merged = decisions.in_order(merged, images)
        transaction.write_table(DECISIONS, merged)
        settled = reviewers.settle(merged, images, rule)
        scanned = read_findings(workspace) if workspace.has(FINDINGS) else findings.empty()
        if workspace.has(REVIEW):
            review = _read_review(workspace)
            review = review[_waits(review, imported, settled["image_id"][settled["by"] != decisions.POLICY], images)]
            again = queue.once_more(reviewers.disputed(merged, images, rule), scanned, images)
            again = again[~again["image_id"].isin(review["image_id"])].astype("str")
            review = pd.concat([again.reindex(columns=review.columns, fill_value=""), review], ignore_index=True)
            left = len(review)
            transaction.write_table(REVIEW, review)
    said = answers.counted(answers.answered(settled, scanned, images))
    about_these = merged[merged["image_id"].isin(imported["image_id"])]
    result = _decided(workspace, merged, left, reviewers.disagreements(about_these, images, rule), said, None)
    fresh = int(decisions.changed(merged, there).sum())
    told = lone_notes(table) + authorship.foreign_rows(int(by_policy.foreign.sum()))
    told += _left_out(int((older & decisions.changed(imported, there)).sum()))
    told += _nothing_said(table, fresh)
    warnings = edits + result.warnings + [f"{pasted(path)}: {line}" for line in told]
    return replace(result, warnings=warnings, taken_over=fresh)


def _waits(review: pd.DataFrame, imported: pd.DataFrame, settled: pd.Series, images: pd.DataFrame) -> pd.Series:
    """Rows of `review.csv` that stay in it: with an answer, or a note, that is not among those taken over, as it is
    somebody else's; and without one about an image that people have not settled. settled: image_ids."""
    given = decisions.complete(review, images)
    taken_over = decisions.is_in(given, imported, ["image_id", *ANSWER])
    return (~given["image_id"].isin(settled)).where((given[ANSWER] == "").all(axis=1), ~taken_over)


def lone_notes(table: pd.DataFrame) -> list[str]:
    """A line on rows that say something, and not what to do: nothing takes them over."""
    rows = table.reindex(columns=ANSWER, fill_value="")
    count = int(((rows["note"] != "") & (rows["action"] == "") & (rows["label"] == "")).sum())
    has, their = ("row has", "its") if count == 1 else ("rows have", "their")
    way_out = f"fill in {their} 'action', or take {their} note out"
    return [f"{count:,} {has} a note and no action: {way_out}"] if count else []


def _nothing_said(table: pd.DataFrame, fresh: int) -> list[str]:
    """A line on answers of which none is new, or none at all."""
    rows = table.reindex(columns=ANSWER, fill_value="")
    if ((rows["action"] == "") & (rows["label"] == "")).all():
        return ["no row says what to do: fill in the column 'action', save the file, and import it again"]
    return [] if fresh else ["nothing in it is new"]


def _left_out(older: int) -> list[str]:
    """A line on answers that their person has changed since."""
    are, their = ("answer is", "its") if older == 1 else ("answers are", "their")
    return [f"{older:,} {are} older than what {their} reviewer has said since, which stays"] if older else []


def _imported(path: Path, images: pd.DataFrame) -> pd.DataFrame:
    """Answers in a CSV table, or in the export of a labelling tool."""
    return jobs.read(path, images) if jobs.recognise(path) else read_csv(path)


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
    return Decided(written, actions, by_people, for_review, conflicts, scans.warnings(workspace), said, worth)


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


def _gone_twins(workspace: Workspace, images: pd.DataFrame, asking: Asking) -> list[str]:
    """A warning where what stays of duplicates is not where it was: with the others dropped, the photo is lost."""
    table, found = asking.ruling.decisions, asking.findings
    dropped = table["image_id"][table["action"] == "drop"]
    named = found["finder"].isin(decisions.TWINS) & found["flagged"] & found["image_id"].isin(dropped)
    stay = images[images["image_id"].isin(found["related_id"][named]) & ~images["image_id"].isin(dropped)]
    return [f"of duplicates, what is to stay: {line}" for line in files_gone(workspace, stay)]


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
