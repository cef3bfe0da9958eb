"""What the gate knows of a few pets."""

from dataclasses import replace
from typing import Any

import pandas as pd

from curate import decisions, reviewers
from curate.gate.facts import Facts
from curate.recipe import Reviewers
from curate.results.runs import Run
from tests.tables import found, images

PETS = [
    *[(f"cat{number}", "train", "cat") for number in range(4)],
    *[(f"dog{number}", "train", "dog") for number in range(2)],
    ("cat9", "test", "cat"),
    ("dog9", "test", "dog"),
    ("waits", "pool", ""),
]


def facts(
    *rows: tuple[str, str, str],
    findings: pd.DataFrame | None = None,
    said: pd.DataFrame | None = None,
    judged: pd.DataFrame | None = None,
    parents: dict[str, str] | None = None,
    runs: list[Run] | None = None,
    **changes: Any,
) -> Facts:
    """Of a few pets; `judged` is the curated set, by default there is none."""
    manifest = images(*(rows or PETS), parents=parents)
    said = decisions.empty() if said is None else said
    made = Facts(
        ws="ws",
        judged="raw" if judged is None else "curated",
        curated="missing" if judged is None else "current",
        manifest=manifest,
        images=manifest if judged is None else judged,
        findings=found() if findings is None else findings,
        not_run={},
        stale={},
        decided=len(said) > 0,
        policy_changed=False,
        decisions=reviewers.settle(said, manifest, Reviewers()),
        disputed=reviewers.disputed(said, manifest, Reviewers()),
        runs=runs or [],
        proof=None,
    )
    return replace(made, **changes)


def twins(*rows: tuple[str, str, str]) -> pd.DataFrame:
    """Findings of (image_id, finder, related_id), all flagged."""
    table = found(*[(image_id, finder, 0.0) for image_id, finder, _ in rows])
    return table.assign(related_id=pd.Series([related for _, _, related in rows], dtype="str"))
