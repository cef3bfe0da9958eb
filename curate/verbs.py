"""What the verbs do, as functions: read what earlier verbs wrote, call one library function, write one file."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from curate import apply as applying
from curate import findings, manifest, predictions, recipe, reviewers, scans, versions
from curate.engine import Engine
from curate.errors import UserError
from curate.evidence import Evidence
from curate.labels import answers, threshold
from curate.tables import read_answers, read_decisions, read_findings, read_manifest
from curate.wording import pasted
from curate.workspace import CURATED, FINDINGS, RAN, RECIPE, Workspace


@dataclass(frozen=True)
class Scanned:
    """What `scan` did. `flagged` counts images per finder."""

    written: str
    flagged: dict[str, int]
    not_run: list[str]
    warnings: list[str]


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
    warnings: list[str]


def scan(workspace: Workspace, *, only: list[str] | None, settings: findings.Settings, engine: Engine) -> Scanned:
    """Run finders and write `findings.parquet`; with `only` the findings of all others stay, else those on request."""
    chosen = findings.select(only, predictions.exists(workspace))
    usual = recipe.in_workspace(workspace).scan
    findings.check_settings(usual, pasted(workspace.path(RECIPE)))
    merged = _merge_settings(usual, settings)
    findings.check_settings(merged)
    if at := merged.get(answers.LABEL_ERROR, {}).get("at"):
        threshold.parse(str(at))
    asked: dict[str, object] = {"only": only, "set": settings, RAN: findings.ran_as(chosen, usual)}
    with workspace.writing("scan", asked) as transaction:
        images = read_manifest(workspace)
        evidence = Evidence(workspace, images, engine)
        table = findings.scan(evidence, chosen, merged)
        if workspace.has(FINDINGS):
            table = findings.merged(read_findings(workspace), table, chosen, images, only=bool(only))
        warnings = scans.uncovered(evidence)  # may read what is damaged: before anything is published
        transaction.write_table(FINDINGS, table)
    flagged = {name: int(table["flagged"][table["finder"] == name].sum()) for name in chosen}
    not_run = [] if only else sorted(set(findings.select(None, True)) - set(chosen))
    return Scanned(str(workspace.path(FINDINGS)), flagged, not_run, warnings)


@dataclass(frozen=True)
class Listed:
    """Findings, worst first, and what is expected of those of `label_error`."""

    table: pd.DataFrame
    """With the column `given_label`; scores of `label_error` as people's answers have it."""
    expected: threshold.Cut | None
    """Of the labels in training that were judged, which those of generated images are not; None where `label_error` is
    not listed, or was run without probabilities."""
    answers: int
    """People's decisions on labels, by which probabilities were set right."""
    decisions: pd.DataFrame
    """About the images that were asked for; else none."""
    disagreements: list[str]
    """What several people say about these, a line each; see `curate.reviewers.disagreements`."""


@dataclass(frozen=True)
class Summary:
    """Findings in figures."""

    flagged: dict[str, int]
    """Images by finder; of finders that have findings."""
    expected: threshold.Cut | None
    """See `Listed`."""
    answers: int


def list_findings(
    workspace: Workspace,
    *,
    finder: str | None,
    flagged_only: bool,
    at: str | None = None,
    image_ids: list[str] | None = None,
) -> Listed:
    """Findings with the given label beside them, worst first; of equal scores those of the finder that has fewest.

    image_ids: of these alone, and what was decided about them. at: where to cut `label_error`, see
    `curate.labels.threshold.cut`; None: as the scan did. The labels that people decided on set its probabilities right.
    Raises `UserError` for `at` where it gave none, and for an image that is not there.
    """
    told, image_ids = _told(workspace, finder, at), image_ids or []
    if strange := set(image_ids) - set(told.images["image_id"]):
        there = manifest.such_as(told.images)
        raise UserError(f"{min(strange)!r} is no image of {pasted(workspace.root)}; there are: {there}")
    found, expected = told.found, None
    if told.finder == answers.LABEL_ERROR and told.probable:
        found, expected = _cut(found, at, told.calibration)
    table = found[found["finder"] == told.finder] if told.finder else found
    table = table[table["flagged"]] if flagged_only else table
    table = table[table["image_id"].isin(image_ids)] if image_ids else table
    table = table.drop(columns="split").assign(count=table["finder"].map(table["finder"].value_counts()))
    table = table.sort_values(["score", "count", "finder", "image_id"], ignore_index=True)
    about_these = told.decisions[told.decisions["image_id"].isin(image_ids)]
    said = read_answers(workspace, told.images) if image_ids else told.decisions.iloc[:0]
    rule = recipe.in_workspace(workspace).reviewers
    differ = reviewers.disagreements(said[said["image_id"].isin(image_ids)], told.images, rule)
    return Listed(table.drop(columns="count"), expected, told.calibration.answers, about_these, differ)


def summarise(workspace: Workspace, *, finder: str | None, at: str | None = None) -> Summary:
    """How many images each finder flags, and what is expected of the labels that `label_error` flags. Arguments and
    errors as for `list_findings`."""
    told = _told(workspace, finder, at)
    found, expected = told.found, None
    if told.finder in (None, answers.LABEL_ERROR) and told.probable:
        found, expected = _cut(found, at, told.calibration)
    table = found[found["finder"] == told.finder] if told.finder else found
    flagged = {str(name): int(count) for name, count in table.groupby("finder")["flagged"].sum().items()}
    return Summary(flagged, expected, told.calibration.answers if answers.LABEL_ERROR in flagged else 0)


@dataclass(frozen=True)
class _Told:
    """The findings as people's answers have them, and what they were read with."""

    finder: str | None
    """The one that is asked for; a place to cut asks for `label_error`."""
    found: pd.DataFrame
    """With the columns `given_label` and `split`."""
    images: pd.DataFrame
    decisions: pd.DataFrame
    calibration: threshold.Calibration
    probable: bool
    """Whether `label_error` gave probabilities."""


def _told(workspace: Workspace, finder: str | None, at: str | None) -> _Told:
    """Read them, after a look at what is asked."""
    found = read_findings(workspace)
    mine = found[found["finder"] == answers.LABEL_ERROR]
    suggests = bool((mine["suggested_label"] != "").any())  # of labels that are all likely right, none
    probable = bool((mine["suggested_prob"] > 0).any()) or (len(mine) > 0 and not suggests and _fused(workspace))
    if at:
        threshold.parse(at, "--at")
    if at and finder not in (None, answers.LABEL_ERROR):
        raise UserError(f"--at {at} cuts {answers.LABEL_ERROR}, not {finder}; leave one of them out")
    finder = answers.LABEL_ERROR if at else finder
    if finder:
        findings.select([finder], True)
    if at and len(mine) and not probable:
        way_out = f"'curate scan {pasted(workspace.root)}' with {answers.LABEL_ERROR}.method=fused does"
        raise UserError(f"--at {at}: {answers.LABEL_ERROR} gave no probabilities; {way_out}")
    images = read_manifest(workspace)
    said = read_decisions(workspace, images)
    found, calibration = answers.calibrate(found, said, images)
    about = images.set_index("image_id")
    found = found.assign(given_label=found["image_id"].map(about["label"]), split=found["image_id"].map(about["split"]))
    return _Told(finder, found, images, said, calibration, probable)


def _fused(workspace: Workspace) -> bool:
    """Whether `label_error` ran by the method that gives probabilities, as far as ledger and recipe tell."""
    ran = scans.of(workspace).get(answers.LABEL_ERROR)
    given = ran.arguments.get("set") if ran else None
    own = given.get(answers.LABEL_ERROR, {}) if isinstance(given, dict) else {}
    return {**recipe.in_workspace(workspace).scan.get(answers.LABEL_ERROR, {}), **own}.get("method", "fused") == "fused"


def _cut(found: pd.DataFrame, at: str | None, calibration: threshold.Calibration) -> tuple[pd.DataFrame, threshold.Cut]:
    """The findings with `label_error` flagged anew for the training labels, and what is expected of that: of those that
    were judged, each of which has a row.

    at None: the flags stay.
    """
    mine = ((found["finder"] == answers.LABEL_ERROR) & (found["split"] == "train")).to_numpy()
    probs = 1 - found["score"].to_numpy(np.float64)[mine]
    flags = found["flagged"].to_numpy(bool, copy=True)
    if not at:
        return found, threshold.expected(probs, flags[mine], calibration)
    cut = threshold.cut(probs, at, calibration)
    flags[mine] = threshold.taken(probs, cut)
    return found.assign(flagged=flags), cut


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
        _decided_otherwise(workspace) + scans.warnings(workspace),
    )


def _decided_otherwise(workspace: Workspace) -> list[str]:
    """A warning where the recipe's policy has changed since it decided."""
    if not versions.policy_changed(workspace):
        return []
    return [f"the recipe's policy has changed since it decided: 'curate decide {pasted(workspace.root)}' decides anew"]


def _merge_settings(base: findings.Settings, over: findings.Settings) -> dict[str, dict[str, object]]:
    return {name: {**base.get(name, {}), **over.get(name, {})} for name in [*base, *over]}
