"""More labels out of images that have none: which to label next, and labels that networks are sure of."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from curate import apply as applying
from curate import (
    authorship,
    deciding,
    decisions,
    finders,
    findings,
    manifest,
    recipe,
    registry,
    reviewers,
    scans,
    tables,
)
from curate.csv_text import read_csv, write_csv
from curate.engine import Engine
from curate.errors import UserError
from curate.evidence import Evidence
from curate.files import replacing
from curate.labels import pool
from curate.policy import apply_rules
from curate.wording import pasted
from curate.workspace import DECISIONS, FINDINGS, Workspace, timestamp

SELECT, PSEUDO = "worth_labelling", "pseudo_label"
SELECTED = "selected.csv"
COLUMNS = ("image_id", "action", "label", "note", "because", "suggested_label", "suggested_prob", "score", "path")
"""Of `selected.csv`: the first four are for the person, as in `review.csv`."""
RULE = recipe.Rule(finder=PSEUDO, action="relabel", splits=["pool"])
"""What becomes of pseudo labels where the recipe has no rule for them."""


@dataclass(frozen=True)
class Selected:
    """What `select` did."""

    written: str
    images: int
    """That are to be labelled next."""
    waiting: int
    """Images without a label, these among them."""
    warnings: list[str]


@dataclass(frozen=True)
class PseudoLabelled:
    """What `pseudo` did."""

    written: str
    labels: dict[str, int]
    """Images per class, as decided."""
    waiting: int
    """Images without a label, these among them."""
    expected_wrong: float
    """Share of these labels, by their calibrated probabilities; 0 where there are none."""
    warnings: list[str]


def select(workspace: Workspace, *, budget: int | None, out: Path | None, engine: Engine) -> Selected:
    """Choose the images to label next; write them as findings, and as a table to fill in.

    budget: so many at most; None: as the recipe or the finder has it. What people said of images counts, and so do
    pseudo labels: none of these is asked about, and what looks like them needs no label as much. Raises `UserError`
    before anything is lost: answers that were not taken over, or a file of something else.
    """
    dest = out or workspace.path(SELECTED)
    workspace.refuse_out(dest, SELECTED)
    asked = {} if budget is None else {"budget": budget}
    with workspace.writing("select", {"budget": budget, "out": str(out) if out else None}) as transaction:
        images = tables.read_manifest(workspace)
        said = tables.read_answers(workspace, images)
        _refuse_to_lose(dest, said, workspace)
        settled = reviewers.settle(said, images, recipe.in_workspace(workspace).reviewers)
        evidence = Evidence(workspace, _as_decided(images, said, settled), engine)
        table = _find(SELECT, evidence, asked)
        transaction.write_table(FINDINGS, _merged(workspace, SELECT, table, images))
        rows = table.merge(images[["image_id"]].assign(path=manifest.locate(images, workspace.root)), on="image_id")
        rows = rows.assign(because=SELECT, **dict.fromkeys(("action", "label", "note"), ""))
        rows = rows.astype({"suggested_prob": "float64", "score": "float64"}).round({"suggested_prob": 3, "score": 4})
        with replacing(dest) as temporary:
            write_csv(temporary, rows[list(COLUMNS)])
    return Selected(str(dest), len(rows), int(pool.unlabelled(images).sum()), scans.uncovered(evidence))


def pseudo(workspace: Workspace, *, sure: float | None, engine: Engine) -> PseudoLabelled:
    """Decide on the labels that networks are sure of, as `decide` would by the recipe's rule for them; all other
    decisions stay, and what people decided on is left alone.

    sure: the least probability; None: as the recipe or the finder has it.
    """
    asked = {} if sure is None else {"sure": sure}
    own = recipe.in_workspace(workspace)
    rules = [rule for rule in own.policy if rule.finder == PSEUDO]
    with workspace.writing("pseudo", {"sure": sure}) as transaction:
        images = tables.read_manifest(workspace)
        said, told = authorship.signed(workspace, images)
        by_people = said[said["by"] != decisions.POLICY]
        settled = reviewers.settle(by_people, images, own.reviewers)
        evidence = Evidence(workspace, _as_decided(images, by_people, settled), engine)
        table = _find(PSEUDO, evidence, asked)
        transaction.write_table(FINDINGS, _merged(workspace, PSEUDO, table, images))
        decided = apply_rules(table, images, rules or [RULE], said, at=timestamp()).decisions
        rest = said[~_pseudo(said)]
        new = decided[(decided["by"] == decisions.POLICY) & ~decided["image_id"].isin(rest["image_id"])]
        merged = pd.concat([rest, new], ignore_index=True).astype("str")
        transaction.write_table(DECISIONS, decisions.in_order(merged, images))
    probs = table.set_index("image_id")["suggested_prob"].reindex(new["image_id"])
    return PseudoLabelled(
        str(workspace.path(DECISIONS)),
        {str(name): int(count) for name, count in new["label"].value_counts().sort_index().items()},
        int(pool.unlabelled(images).sum()),
        float(1 - probs.astype("float64").mean()) if len(probs) else 0.0,
        told + scans.uncovered(evidence) + _too_few_labels(evidence, asked) + _without_rule(workspace, rules),
    )


def undo_pseudo(workspace: Workspace) -> tuple[int, list[str]]:
    """Take back the labels that `pseudo` gave, and the findings behind them; those that people changed stay.

    Returns how many labels, and a line on each edit by hand of which something became that is not plain from it.
    """
    with workspace.writing("pseudo", {"undo": True}) as transaction:
        images = tables.read_manifest(workspace)
        said, told = authorship.signed(workspace, images)
        gone = _pseudo(said)
        if workspace.has(DECISIONS):
            transaction.write_table(DECISIONS, said[~gone])
        if workspace.has(FINDINGS):
            found = tables.read_findings(workspace)
            transaction.write_table(FINDINGS, found[found["finder"] != PSEUDO].reset_index(drop=True))
    return int(gone.sum()), told


def with_answers(workspace: Workspace, images: pd.DataFrame) -> pd.DataFrame:
    """The manifest with the images of the pool that people labelled in `train`, for networks to learn from before
    `apply`. What networks said themselves is left out: they would confirm it."""
    said = tables.read_answers(workspace, images)
    by_people = said[said["by"] != decisions.POLICY]
    settled = reviewers.settle(by_people, images, recipe.in_workspace(workspace).reviewers)
    waiting = images["image_id"][pool.unlabelled(images)]
    return applying.apply(images, settled[settled["image_id"].isin(waiting) & (settled["action"] == "relabel")]).table


def _pseudo(said: pd.DataFrame) -> pd.Series:
    """Which decisions are labels that networks were sure of, and that no person confirmed."""
    return (said["by"] == decisions.POLICY) & (said["because"].str.split(";").str[0] == PSEUDO)


def _as_decided(images: pd.DataFrame, said: pd.DataFrame, settled: pd.DataFrame) -> pd.DataFrame:
    """The manifest with the labels that were decided on for images of the pool. Those that people gave are in `train`,
    to learn from and to calibrate by; those that networks gave stay in the pool. Those of which people said something
    else, or on which they disagree, are in `train` without a label: neither they nor their twins are asked about. Those
    that the policy drops are left out, and their twins are not: a copy goes because another one stays."""
    waiting = pool.unlabelled(images)
    relabels = settled[settled["action"] == "relabel"]
    given = dict(zip(relabels["image_id"], relabels["label"], strict=True))
    labels = images["label"].to_numpy(dtype=object, copy=True)
    labels[waiting] = [given.get(image_id, "") for image_id in images["image_id"][waiting]]
    by_policy = said["by"] == decisions.POLICY
    by_people = images["image_id"].isin(relabels["image_id"][relabels["by"] != decisions.POLICY]).to_numpy()
    refused, left_out = (
        images["image_id"].isin(said["image_id"][rows]).to_numpy() & (labels == "") for rows in (~by_policy, by_policy)
    )
    splits = images["split"].where(~(waiting & (by_people | refused)), "train").astype("str")
    table = images.assign(label=pd.Series(labels, dtype="str"), split=splits)
    return table[~(waiting & left_out)].reset_index(drop=True)


def _find(finder: str, evidence: Evidence, asked: Mapping[str, object]) -> pd.DataFrame:
    """What the finder says, with the recipe's settings changed by those asked for."""
    function = registry.pick("finder", finder, finders)
    waiting = pool.unlabelled(evidence.manifest)
    root = evidence.workspace.root
    if not waiting.any():
        way_out = f"'curate add {pasted(root)} FOLDER --split pool' adds some"
        raise UserError(f"{pasted(root)} has no images in the pool that wait for a label; {way_out}")
    if not evidence.get("predictions").present[waiting].any():
        why = scans.why_unpredicted(evidence.get("predictions"))
        raise UserError(f"none of {int(waiting.sum()):,} images without a label has a prediction: {why}")
    own = recipe.in_workspace(evidence.workspace).scan.get(finder, {})
    return findings.scan(evidence, {finder: function}, {finder: {**own, **asked}})


def _merged(workspace: Workspace, finder: str, table: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """The findings that there are, those of this finder replaced."""
    if not workspace.has(FINDINGS):
        return table
    return findings.merged(tables.read_findings(workspace), table, [finder], images, only=True)


def _refuse_to_lose(dest: Path, said: pd.DataFrame, workspace: Workspace) -> None:
    """Stop before a table is written anew over answers that were not taken over, or over a file of something else."""
    if not dest.exists():
        return
    there = read_csv(dest)
    if not {"image_id", "action", "label", "note"} <= set(there.columns):
        raise UserError(f"{pasted(dest)} is there and was not written by 'curate select'; give another file with --out")
    answered = there[(there[deciding.ANSWER] != "").any(axis=1)]
    label_alone = (answered["action"] == "") & (answered["label"] != "")  # which `decide` takes for `relabel`
    lost = answered.assign(action=answered["action"].where(~label_alone, "relabel"))
    written = authorship.as_written(workspace)  # what was taken over may have changed since
    for table in itertools.chain([said], written):
        if lost.empty:
            break
        by_people = table[table["by"] != decisions.POLICY]
        lost = lost[~decisions.is_in(lost, by_people, ["image_id", *deciding.ANSWER])]
    deciding.refuse_to_lose(answered.loc[lost.index], dest, workspace)


def _too_few_labels(evidence: Evidence, asked: Mapping[str, object]) -> list[str]:
    """A warning where there are too few labels to be as sure as is asked."""
    own = recipe.in_workspace(evidence.workspace).scan.get(PSEUDO, {})
    wanted = {**registry.settings(registry.pick("finder", PSEUDO, finders)), **own, **asked}["sure"]
    most = pool.most_sure(evidence.manifest, evidence.get("labels"), evidence.get("pred_probs"))
    if most >= float(str(wanted)):
        return []
    told = f"the labelled training images are too few to tell more than a probability of {most:.2f}"
    return [f"{told}, and {wanted} is asked for: label more ('curate select {pasted(evidence.workspace.root)}')"]


def _without_rule(workspace: Workspace, rules: list[recipe.Rule]) -> list[str]:
    """A warning where the recipe, of before there were pseudo labels, would have the next `decide` take them back."""
    if rules:
        return []
    line = "- {finder: pseudo_label, action: relabel, splits: [pool]}"
    takes_back = f"'curate decide {pasted(workspace.root)}' takes them back"
    return [f"the recipe has no rule for pseudo_label, so {takes_back}; add {line}"]
