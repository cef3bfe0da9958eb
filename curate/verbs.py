"""What the verbs do, as functions: read what earlier verbs wrote, call one library function, write one file."""

import getpass
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from curate import apply as applying
from curate import decisions, findings, manifest, predictions, recipe, versions
from curate.csv_text import read_csv
from curate.errors import UserError
from curate.evidence import Evidence
from curate.workspace import CURATED, DECISIONS, EDIT, FINDINGS, MANIFEST, RECIPE, Workspace, read_table, timestamp

REVIEW = "review.csv"
CURATE_SCAN = "curate scan"


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


@dataclass(frozen=True)
class Applied:
    """What `apply` did; counts of images, and of decisions on test images that were not carried out."""

    written: str
    images: int
    dropped: int
    relabelled: int
    test_left_alone: int


def workspace_recipe(workspace: Workspace) -> recipe.Recipe:
    """The recipe kept in the workspace, which may be edited, or the default."""
    return recipe.load(workspace.path(RECIPE)) if workspace.has(RECIPE) else recipe.default()


def read_manifest(workspace: Workspace) -> pd.DataFrame:
    """The manifest, checked."""
    return manifest.check(workspace.read_table(MANIFEST, written_by=f"curate add {workspace.root} SOURCE"), MANIFEST)


def read_images(workspace: Workspace, data: str) -> pd.DataFrame:
    """The images of the "raw" or the "curated" set."""
    if data == "raw":
        return read_manifest(workspace)
    if data != "curated":
        raise UserError(f"--data {data!r} must be raw or curated")
    table = workspace.read_table(CURATED, written_by=f"curate apply {workspace.root}")
    if not versions.is_current(workspace):
        way_out = f"'curate apply {workspace.root}' renews it"
        raise UserError(f"{workspace.path(CURATED)} is not of the images and decisions as they are now; {way_out}")
    return manifest.check(table, CURATED)


def read_decisions(workspace: Workspace, images: pd.DataFrame) -> pd.DataFrame:
    """The decisions, checked against the manifest; none where there is no file."""
    path = workspace.path(DECISIONS)
    return decisions.check(read_table(path), images, str(path)) if path.exists() else decisions.empty()


def scan(workspace: Workspace, *, only: list[str] | None, settings: findings.Settings, workers: int | None) -> Scanned:
    """Run finders and write `findings.parquet`; the findings of finders that were not run stay."""
    chosen = findings.select(only, predictions.exists(workspace))
    merged = _merge_settings(workspace_recipe(workspace).scan, settings)
    findings.check_settings(merged)
    with workspace.writing("scan", {"only": only, "set": settings}) as transaction:
        images = read_manifest(workspace)
        evidence = Evidence(workspace, images, workers)
        table = findings.scan(evidence, chosen, merged)
        if only and workspace.has(FINDINGS):
            earlier = read_table(workspace.path(FINDINGS))
            others = earlier[~earlier["finder"].isin(chosen) & earlier["image_id"].isin(images["image_id"])]
            table = pd.concat([others, table], ignore_index=True)
        transaction.write_table(FINDINGS, table)
    flagged = {name: int(table["flagged"][table["finder"] == name].sum()) for name in chosen}
    not_run = [] if only else sorted(set(findings.select(None, True)) - set(chosen))
    return Scanned(str(workspace.path(FINDINGS)), flagged, not_run, _warnings(evidence))


def list_findings(workspace: Workspace, *, finder: str | None, flagged_only: bool) -> pd.DataFrame:
    """Findings with the given label beside them, worst first."""
    table = workspace.read_table(FINDINGS, written_by=f"{CURATE_SCAN} {workspace.root}")
    if finder:
        findings.select([finder], True)
        table = table[table["finder"] == finder]
    if flagged_only:
        table = table[table["flagged"]]
    labels = read_manifest(workspace).set_index("image_id")["label"]
    return table.assign(given_label=table["image_id"].map(labels)).sort_values(
        ["score", "finder", "image_id"], ignore_index=True
    )


def decide(workspace: Workspace, policy: Path | None) -> Decided:
    """Write decisions by policy, and `review.csv` for what the policy leaves to a person."""
    rules = (recipe.load(policy) if policy else workspace_recipe(workspace)).policy
    for rule in rules:
        findings.select([rule.finder], True)
    with workspace.writing("decide", {"policy": str(policy) if policy else None}) as transaction:
        images = read_manifest(workspace)
        _refuse_to_lose_answers(workspace)
        found = workspace.read_table(FINDINGS, written_by=f"{CURATE_SCAN} {workspace.root}")
        earlier = _signed(workspace, read_decisions(workspace, images))
        decided = decisions.decide(found, images, rules, earlier, at=timestamp())
        transaction.write_table(DECISIONS, decided.decisions)
        transaction.write_table(REVIEW, decided.review)
    return _decided(workspace, decided.decisions, len(decided.review), decided.conflicts)


def import_decisions(workspace: Workspace, path: Path, by: str | None) -> Decided:
    """Take over decisions from a CSV, edited by a person."""
    if not path.is_file():
        way_out = f"'curate decide {workspace.root}' writes {workspace.path(REVIEW)} to fill in"
        raise UserError(f"{path} is no file; {way_out}")
    name = by or _user()
    if name == decisions.POLICY:
        raise UserError(f"--by {name!r} is the policy's own name; give yours")
    left = 0
    with workspace.writing("decide", {"import": str(path), "by": name}) as transaction:
        images = read_manifest(workspace)
        imported = decisions.check(read_csv(path), images, str(path))
        merged, replaced = decisions.merge(read_decisions(workspace, images), imported, by=name, at=timestamp())
        merged = decisions.in_order(merged, images)
        transaction.write_table(DECISIONS, merged)
        if workspace.has(REVIEW):
            review = _read_review(workspace)
            review = review[~review["image_id"].isin(merged["image_id"][merged["by"] != decisions.POLICY])]
            left = len(review)
            transaction.write_table(REVIEW, review)
    return _decided(workspace, merged, left, replaced)


def apply(workspace: Workspace, *, include_test: bool) -> Applied:
    """Write `curated.parquet`: the manifest with the decisions applied."""
    with workspace.writing("apply", {"include_test": include_test}) as transaction:
        images = read_manifest(workspace)
        applied = applying.apply(images, read_decisions(workspace, images), include_test=include_test)
        transaction.write_table(CURATED, applied.table)
    return Applied(
        str(workspace.path(CURATED)),
        len(applied.table),
        applied.dropped,
        applied.relabelled,
        len(applied.test_left_alone),
    )


def _signed(workspace: Workspace, table: pd.DataFrame) -> pd.DataFrame:
    """The decisions, those that were edited in the file by hand under the name of who edited: a person's word holds."""
    entries = [entry for entry in workspace.ledger() if DECISIONS in entry.writes]
    by_verbs = [entry.writes[DECISIONS] for entry in entries if entry.command != EDIT and entry.writes[DECISIONS]]
    if not entries or entries[-1].command != EDIT or not by_verbs:
        return table
    before = read_table(workspace.version_file(DECISIONS, by_verbs[-1]))
    edited = ~table["image_id"].isin(decisions.unchanged(table, before)["image_id"])
    return table.assign(by=table["by"].where(~edited | (table["by"] != decisions.POLICY), _user()))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise UserError("this account has no name; give yours with --by or CURATE_REVIEWER") from None


def _decided(workspace: Workspace, table: pd.DataFrame, for_review: int, conflicts: list[str]) -> Decided:
    by_people = int((table["by"] != decisions.POLICY).sum())
    actions = {str(name): int(count) for name, count in table["action"].value_counts().items()}
    return Decided(str(workspace.path(DECISIONS)), actions, by_people, for_review, conflicts, stale(workspace))


def stale(workspace: Workspace) -> list[str]:
    """A warning where the findings are older than what they are about."""
    why = versions.stale_findings(workspace)
    return [f"{why}: '{CURATE_SCAN} {workspace.root}' brings the findings up to date"] if why else []


def _read_review(workspace: Workspace) -> pd.DataFrame:
    """What waits for a person, as it was written or as the person left it."""
    path = workspace.path(REVIEW)
    review = read_table(path)
    if not {"image_id", "action"} <= set(review.columns):
        raise UserError(f"{path} lacks the columns 'image_id' and 'action'; put them back, or delete the file")
    return review


def _refuse_to_lose_answers(workspace: Workspace) -> None:
    """Stop before `review.csv` is written anew over answers that were not taken over."""
    if not workspace.has(REVIEW):
        return
    review = _read_review(workspace).reindex(columns=["action", "label", "note"], fill_value="")
    answers = int((review != "").any(axis=1).sum())
    if answers:
        path = workspace.path(REVIEW)
        taken_over = f"'curate decide {workspace.root} --import {path}' takes them over"
        raise UserError(f"{path} holds {answers:,} answers that would be lost; {taken_over}, or delete the file")


def _merge_settings(base: findings.Settings, over: findings.Settings) -> dict[str, dict[str, object]]:
    return {name: {**base.get(name, {}), **over.get(name, {})} for name in [*base, *over]}


def _warnings(evidence: Evidence) -> list[str]:
    """What the findings do not cover: images without prediction, and files that changed or vanished since `add`."""
    warnings = []
    if gone := evidence.unmeasured():
        told = f"{len(gone):,} images are missing or changed since 'curate add' and were not looked at"
        named = ", ".join(gone[:3]) + (", …" if len(gone) > 3 else "")
        warnings.append(f"{told}: {named}; put them back, or add them again")
    if predictions.exists(evidence.workspace):
        present = predictions.read(evidence.workspace, evidence.manifest).present
        lacking = int((~present & manifest.decodable(evidence.manifest)).sum())
        if lacking:
            reason = "they came or changed after 'curate predict', run it again"
            warnings.append(f"{lacking:,} images have no prediction: {reason}")
    return warnings
