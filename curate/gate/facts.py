"""What a gate judges, read from a workspace: nothing is written, so that it may be read-only."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import pandas as pd

from curate import recipe, reviewers, scans, tables, versions
from curate.decisions import TWINS
from curate.manifest import data_hash, learned
from curate.results import proof, runs
from curate.results.proof import Proof
from curate.results.runs import MEASURE, Run
from curate.wording import pasted
from curate.workspace import CURATED, DECIDED_BY, DECISIONS, FINDINGS, Workspace


@dataclass(frozen=True)
class Facts:
    """What is judged."""

    ws: str
    """The workspace, as it stands in commands."""
    judged: Literal["curated", "raw"]
    curated: Literal["current", "stale", "missing"]
    manifest: pd.DataFrame
    images: pd.DataFrame
    """The judged set: the curated one, or the manifest."""
    findings: pd.DataFrame | None
    """None where nothing was scanned."""
    not_run: Mapping[str, str]
    """Finder that has no findings -> the command that leads to them."""
    stale: Mapping[str, str]
    """Why findings are older than what they are about -> the command that renews them."""
    decided: bool
    """Whether there are decisions, and a policy has decided since the last scan."""
    policy_changed: bool | None
    """Whether the recipe's policy is another now than when it decided; None where no policy has decided yet."""
    decisions: pd.DataFrame
    """Those that count, one per image."""
    disputed: pd.Series
    """image_id -> who says what, of images about which people disagree."""
    runs: list[Run]
    """Finished ones with an accuracy, oldest first."""
    proof: Proof | None
    """What `prove` found last."""

    @cached_property
    def data_hash(self) -> str:
        """Of the images and labels that training on the judged set learns from, as runs keep it."""
        return data_hash(learned(self.images))


def read(workspace: Workspace, wanted: Collection[str]) -> Facts:
    """The curated set where it is of the images and decisions as they are now, else the manifest; and all about it.

    wanted: the finders that there are thresholds for. Those of `TWINS` are, too, where there are images labelled out of
    the pool: `split_leak` has not looked at these.
    """
    ws = pasted(workspace.root)
    manifest = tables.read_manifest(workspace)
    answers = tables.read_answers(workspace, manifest)
    rule = recipe.in_workspace(workspace).reviewers
    current = workspace.has(CURATED) and versions.is_current(workspace)
    images = tables.read_images(workspace, "curated") if current else manifest
    wanted = [*wanted, *(TWINS if len(out_of_pool(images, manifest)) else ())]
    behind = scans.of(workspace)
    return Facts(
        ws=ws,
        judged="curated" if current else "raw",
        curated="current" if current else "stale" if workspace.has(CURATED) else "missing",
        manifest=manifest,
        images=images,
        findings=tables.read_findings(workspace) if workspace.has(FINDINGS) else None,
        not_run=scans.not_run(workspace, ws, wanted, behind),
        stale=scans.unsure(workspace, ws, wanted, behind, manifest),
        decided=workspace.has(DECISIONS) and _last(workspace, "decide", DECIDED_BY) > _last(workspace, "scan"),
        policy_changed=versions.policy_changed(workspace) if workspace.has(DECISIONS) else None,
        decisions=reviewers.settle(answers, manifest, rule),
        disputed=reviewers.disputed(answers, manifest, rule),
        runs=[run for run in runs.read(workspace).finished if MEASURE in run.scores],
        proof=proof.read(workspace),
    )


def out_of_pool(images: pd.DataFrame, manifest: pd.DataFrame) -> pd.Series:
    """image_ids of those in training that wait in the pool by the manifest: they were labelled since."""
    waiting = manifest["image_id"][manifest["split"] == "pool"]
    return images["image_id"][(images["split"] == "train") & images["image_id"].isin(waiting)]


def _last(workspace: Workspace, command: str, argument: str = "") -> int:
    """The version that the command wrote last, with this argument if one is named; 0 where it has not run."""
    entries = (entry for entry in workspace.ledger() if entry.command == command)
    return max((entry.version for entry in entries if not argument or argument in entry.arguments), default=0)
