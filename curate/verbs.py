"""What the verbs do, as functions: read what earlier verbs wrote, call one library function, write one file."""

import getpass
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from curate import REVIEWER, decisions, findings, manifest, predictions, recipe, reviewers, scans, versions
from curate import apply as applying
from curate.csv_text import read_csv
from curate.engine import Engine
from curate.errors import UserError
from curate.evidence import Evidence
from curate.labels import answers, queue, threshold
from curate.review import jobs
from curate.wording import pasted, plural
from curate.workspace import CURATED, DECISIONS, EDIT, FINDINGS, MANIFEST, Workspace, read_table, timestamp

REVIEW = "review.csv"
CURATE_SCAN = "curate scan"
ANSWER = ["action", "label", "note"]
"""The columns that a person fills in."""


@dataclass(frozen=True)
class Scanned:
    """What `scan` did. `flagged` counts images per finder."""

    written: str
    flagged: dict[str, int]
    not_run: list[str]
    warnings: list[str]


@dataclass(frozen=True)
class Decided:
    """What `decide` did. `actions` counts decisions per action."""

    written: str
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
class Applied:
    """What `apply` did; counts of images, and of decisions on test images that were not carried out."""

    written: str
    images: int
    dropped: int
    relabelled: int
    labelled: int
    """Images of the pool that have a label now."""
    test_left_alone: int


def read_manifest(workspace: Workspace) -> pd.DataFrame:
    """The manifest, checked."""
    written_by = f"curate add {pasted(workspace.root)} SOURCE"
    return manifest.check(workspace.read_table(MANIFEST, written_by=written_by), MANIFEST)


def read_images(workspace: Workspace, data: str) -> pd.DataFrame:
    """The images of the "raw" or the "curated" set."""
    if data == "raw":
        return read_manifest(workspace)
    if data != "curated":
        raise UserError(f"--data {data!r} must be raw or curated")
    table = workspace.read_table(CURATED, written_by=f"curate apply {pasted(workspace.root)}")
    if not versions.is_current(workspace):
        way_out = f"'curate apply {pasted(workspace.root)}' renews it"
        raise UserError(
            f"{pasted(workspace.path(CURATED))} is not of the images and decisions as they are now; {way_out}"
        )
    return manifest.check(table, CURATED)


def read_answers(workspace: Workspace, images: pd.DataFrame) -> pd.DataFrame:
    """The decisions file, checked against the manifest: a row per image and person; none where there is no file. Rows
    that `add` left behind are left out, see `decisions.outdated`: they must not lock out the verb that replaces them.
    """
    path = workspace.path(DECISIONS)
    if not path.exists():
        return decisions.empty()
    table = read_table(path)
    return decisions.check(table[~decisions.outdated(table, images)], images, str(path))


def read_decisions(workspace: Workspace, images: pd.DataFrame) -> pd.DataFrame:
    """The decisions that count, one per image: where people disagree, what the recipe's rule makes of it."""
    return reviewers.settle(read_answers(workspace, images), images, recipe.in_workspace(workspace).reviewers)


def read_findings(workspace: Workspace) -> pd.DataFrame:
    """The findings, also those that an earlier version of curate wrote."""
    return findings.complete(workspace.read_table(FINDINGS, written_by=f"{CURATE_SCAN} {pasted(workspace.root)}"))


def scan(workspace: Workspace, *, only: list[str] | None, settings: findings.Settings, engine: Engine) -> Scanned:
    """Run finders and write `findings.parquet`; with `only` the findings of all others stay, else those on request."""
    chosen = findings.select(only, predictions.exists(workspace))
    merged = _merge_settings(recipe.in_workspace(workspace).scan, settings)
    findings.check_settings(merged)
    if at := merged.get(answers.LABEL_ERROR, {}).get("at"):
        threshold.parse(str(at))
    with workspace.writing("scan", {"only": only, "set": settings}) as transaction:
        images = read_manifest(workspace)
        evidence = Evidence(workspace, images, engine)
        table = findings.scan(evidence, chosen, merged)
        if workspace.has(FINDINGS):
            earlier = read_table(workspace.path(FINDINGS))
            stay = findings.kept(earlier, chosen, images, only=bool(only))
            table = findings.complete(pd.concat([stay, table], ignore_index=True))
        transaction.write_table(FINDINGS, table)
    flagged = {name: int(table["flagged"][table["finder"] == name].sum()) for name in chosen}
    not_run = [] if only else sorted(set(findings.select(None, True)) - set(chosen))
    return Scanned(str(workspace.path(FINDINGS)), flagged, not_run, uncovered(evidence))


@dataclass(frozen=True)
class Listed:
    """Findings, worst first, and what is expected of those of `label_error`."""

    table: pd.DataFrame
    """With the column `given_label`; scores of `label_error` as people's answers have it."""
    expected: threshold.Cut | None
    """Of the labels in training; None where `label_error` is not listed, or was run without probabilities."""
    answers: int
    """People's decisions on labels, by which probabilities were set right."""


def list_findings(workspace: Workspace, *, finder: str | None, flagged_only: bool, at: str | None = None) -> Listed:
    """Findings with the given label beside them, worst first.

    at: where to cut `label_error`, see `curate.labels.threshold.cut`; None: as the scan did. The labels that people
    decided on set its probabilities right. Raises `UserError` for `at` where it gave none.
    """
    found = read_findings(workspace)
    mine = found[found["finder"] == answers.LABEL_ERROR]
    probable = bool((mine["suggested_prob"] > 0).any())
    if at:
        threshold.parse(at)
    if at and finder not in (None, answers.LABEL_ERROR):
        raise UserError(f"--at {at} cuts {answers.LABEL_ERROR}, not {finder}; leave one of them out")
    finder = answers.LABEL_ERROR if at else finder
    if finder:
        findings.select([finder], True)
    if at and len(mine) and not probable:
        way_out = f"'{CURATE_SCAN} {pasted(workspace.root)}' with {answers.LABEL_ERROR}.method=fused does"
        raise UserError(f"--at {at}: {answers.LABEL_ERROR} gave no probabilities; {way_out}, where it suggests a label")
    images = read_manifest(workspace)
    found, calibration = answers.calibrate(found, read_decisions(workspace, images), images)
    about = images.set_index("image_id")
    found = found.assign(given_label=found["image_id"].map(about["label"]), split=found["image_id"].map(about["split"]))
    expected = None
    if finder == answers.LABEL_ERROR and probable:
        found, expected = _cut(found, images, at, calibration)
    table = found[found["finder"] == finder] if finder else found
    table = table[table["flagged"]] if flagged_only else table
    order = ["score", "finder", "image_id"]
    return Listed(table.drop(columns="split").sort_values(order, ignore_index=True), expected, calibration.answers)


def _cut(
    found: pd.DataFrame, images: pd.DataFrame, at: str | None, calibration: threshold.Calibration
) -> tuple[pd.DataFrame, threshold.Cut]:
    """The findings with `label_error` flagged anew for the training labels, and what is expected of that.

    at None: the flags stay, and the cut is of as many as there are.
    """
    mine = ((found["finder"] == answers.LABEL_ERROR) & (found["split"] == "train")).to_numpy()
    labelled = int(((images["split"] == "train") & (images["label"] != "") & manifest.decodable(images)).sum())
    probs = 1 - found["score"].to_numpy(np.float64)[mine]
    every = np.append(probs, np.zeros(max(0, labelled - len(probs))))  # a score of 1 has no row
    cut = threshold.cut(every, at or f"budget={int(found['flagged'][mine].sum())}", calibration)
    if at:
        flags = found["flagged"].to_numpy(copy=True)
        flags[mine] = threshold.taken(probs, cut)
        found = found.assign(flagged=flags)
    return found, cut


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
    workspace: Workspace, images: pd.DataFrame, rules: list[recipe.Rule], budget: int | None, by: str | None = None
) -> Asking:
    """Read findings and answers, and what the rules make of them; nothing is written. by: who edited the decisions by
    hand, see `signed`."""
    scanned = read_findings(workspace)
    earlier = signed(workspace, read_answers(workspace, images), by)
    settled = reviewers.settle(earlier, images, recipe.in_workspace(workspace).reviewers)
    found, _ = answers.calibrate(scanned, settled, images)
    decided = decisions.decide(found, images, rules, earlier, at=timestamp())
    review, worth = queue.review(decided, found, images, rules, budget=budget)
    return Asking(found, decided, review, worth, answers.counted(answers.answered(settled, scanned, images)))


def decide(
    workspace: Workspace, policy: str | Path | None, budget: int | None = None, by: str | None = None
) -> Decided:
    """Write decisions by policy, and `review.csv` for what a person is asked.

    People's earlier answers set the probabilities of `label_error` right before the rules are read. budget: so many
    labels are asked about at most, those that matter most; what other finders leave to people is asked in any case.
    by: whose are the decisions of the policy that were edited by hand, see `reviewer`.
    """
    rules = (recipe.load(policy) if policy else recipe.in_workspace(workspace)).policy
    for rule in rules:
        findings.select([rule.finder], True)
    with workspace.writing("decide", {"policy": str(policy) if policy else None, "budget": budget}) as transaction:
        images = read_manifest(workspace)
        _refuse_to_lose_answers(workspace)
        asking = ask(workspace, images, rules, budget, by)
        transaction.write_table(DECISIONS, asking.decided.decisions)
        transaction.write_table(REVIEW, asking.review)
    table, conflicts = asking.decided.decisions, asking.decided.conflicts
    result = _decided(workspace, table, len(asking.review), conflicts, asking.answers, asking.worth)
    return replace(result, warnings=result.warnings + _without_probabilities(workspace, asking.findings, rules))


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
        merged = decisions.merge(
            signed(workspace, read_answers(workspace, images), name), imported, by=name, at=timestamp()
        )
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
    return replace(result, warnings=result.warnings + [f"{pasted(path)}: {line}" for line in lone_notes(table)])


def _by_policy(workspace: Workspace, table: pd.DataFrame) -> pd.Series:
    """Which rows of decisions are as a verb wrote them in the policy's name, in this version or an earlier one.

    A row that a person edited is not, also where the policy once said the same of the image: its time is that of
    another decision. A time that no version has, as a spreadsheet writes it, says nothing.
    """
    rows = table.reindex(columns=list(decisions.COLUMNS), fill_value="")
    rows = rows[rows["by"] == decisions.POLICY]
    same, said, timed = (np.zeros(len(rows), bool) for _ in range(3))
    first: dict[str, str] = {}
    for entry in workspace.ledger():
        if digest := entry.writes.get(DECISIONS):
            first.setdefault(digest, entry.command)
    for digest in [digest for digest, command in reversed(first.items()) if command != EDIT]:
        if same.all():
            break
        try:
            path = workspace.version_file(DECISIONS, digest)
        except UserError:  # as in a repository, which holds the ledger and no versions
            continue
        before = read_table(path)
        before = before[before["by"] == decisions.POLICY]
        same |= decisions.is_in(rows, before, [*decisions.SAID, "at"])
        said |= decisions.is_in(rows, before, decisions.SAID)
        timed |= decisions.is_in(rows, before, ["image_id", "at"])
    return pd.Series(table.index.isin(rows.index[same | (said & ~timed)]), index=table.index)


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


def _imported(path: Path, images: pd.DataFrame) -> pd.DataFrame:
    """Answers in a CSV table, or in the export of a labelling tool."""
    return jobs.read(path, images) if jobs.recognise(path) else read_csv(path)


def apply(workspace: Workspace, *, include_test: bool) -> Applied:
    """Write `curated.parquet`: the manifest with the decisions applied."""
    arguments: dict[str, object] = {"include_test": include_test}
    with workspace.writing("apply", arguments) as transaction:
        images = read_manifest(workspace)
        said, rule = read_answers(workspace, images), recipe.in_workspace(workspace).reviewers
        if reviewers.by_several(said).any():
            arguments[versions.RULE] = rule.model_dump()
        applied = applying.apply(images, reviewers.settle(said, images, rule), include_test=include_test)
        transaction.write_table(CURATED, applied.table)
    return Applied(
        str(workspace.path(CURATED)),
        len(applied.table),
        applied.dropped,
        applied.relabelled,
        applied.labelled,
        len(applied.test_left_alone),
    )


def signed(workspace: Workspace, table: pd.DataFrame, by: str | None = None) -> pd.DataFrame:
    """The decisions, those that were edited in the file by hand under the name of who edited, see `reviewer`: a
    person's word holds."""
    entries = [entry for entry in workspace.ledger() if DECISIONS in entry.writes]
    by_verbs = [entry.writes[DECISIONS] for entry in entries if entry.command != EDIT and entry.writes[DECISIONS]]
    if not entries or entries[-1].command != EDIT or not by_verbs:
        return table
    before = read_table(workspace.version_file(DECISIONS, by_verbs[-1]))
    edited = ~table["image_id"].isin(decisions.unchanged(table, before)["image_id"])
    edited &= table["by"] == decisions.POLICY
    return table.assign(by=table["by"].where(~edited, reviewer(by))) if edited.any() else table


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
    return [f"{why}: '{CURATE_SCAN} {pasted(workspace.root)}' with {answers.LABEL_ERROR}.method=fused gives them"]


def stale(workspace: Workspace) -> list[str]:
    """A warning where the findings are older than what they are about."""
    behind = scans.of(workspace)
    way_out = f"'{CURATE_SCAN} {pasted(workspace.root)}' brings the findings up to date"
    return [f"{why}: {way_out}" for why in scans.stale(workspace, behind, behind)]


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


def _merge_settings(base: findings.Settings, over: findings.Settings) -> dict[str, dict[str, object]]:
    return {name: {**base.get(name, {}), **over.get(name, {})} for name in [*base, *over]}


def uncovered(evidence: Evidence) -> list[str]:
    """What the findings do not cover: images without prediction, and files that changed or vanished since `add`; and
    what was kept by another version of curate."""
    warnings = []
    if evidence.renewed:
        names = ", ".join(sorted(set(evidence.renewed)))
        warnings.append(
            f"what another version of curate had found was found anew, as this one finds otherwise: {names}"
        )
    if gone := evidence.unmeasured():
        told = f"{len(gone):,} images are missing or changed since 'curate add' and were not looked at"
        warnings.append(f"{told}: {_named(pd.Series(gone))}; put them back, or add them again")
    if not predictions.exists(evidence.workspace):
        return warnings
    images, found = evidence.manifest, evidence.get("predictions")
    lacking = images["image_id"][~found.present & manifest.decodable(images)]
    if len(lacking):
        reason = "they came or changed after 'curate predict', run it again"
        warnings.append(f"{len(lacking):,} images have no prediction ({_named(lacking)}): {reason}")
    unknown = images[(images["label"] != "") & ~images["label"].isin(found.classes)]
    if len(unknown):
        which = _named(unknown["label"].drop_duplicates())
        reason = "these labels were not judged; 'curate predict' learns them"
        warnings.append(f"{len(unknown):,} images have labels that the predictions do not know ({which}): {reason}")
    return warnings


def _named(values: pd.Series) -> str:
    """The first few, and that there are more."""
    return ", ".join(values.iloc[:3]) + (", …" if len(values) > 3 else "")
