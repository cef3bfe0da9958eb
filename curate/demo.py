"""`curate demo`: the whole loop on real handwritten digits, with defects planted on purpose and found again."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from curate import deciding, plant, report, verbs
from curate.engine import Local
from curate.errors import UserError
from curate.ingest.add import add
from curate.ingest.incoming import told
from curate.layouts import Options, Sample
from curate.planted import score_findings
from curate.recipe import dump, load
from curate.results.proof import Proof
from curate.sources import digits
from curate.wording import pasted, percent
from curate.workspace import FINDINGS, MANIFEST, RECIPE, Workspace, read_table

IMAGES, PLANTED = "digits", "planted.csv"
BEGUN = ".demo"
"""Marks a folder as a demo's own before anything else is in it."""
SEED = 0


@dataclass(frozen=True)
class Demo:
    """What the demo came to."""

    found: pd.DataFrame
    """Per finder: planted, flagged, found, precision, recall."""
    proof: Proof
    """Curated against raw."""
    report: Path


def run(root: Path, *, seeds: int, say: Callable[[str], None], fresh: bool = False) -> Demo:
    """Make the workspace `root` with planted defects and run the loop on it.

    `fresh` makes a demo of before anew; without it, and for any other folder that is in use, `UserError` is raised.
    """
    workspace = _empty_workspace(root, fresh)
    planted = _add_planted(workspace, say)

    from train.predict import predict
    from train.prove import prove

    predicted = predict(workspace, profile="plain", settings={})
    say(f"predict  {100 * np.mean(predicted.fold_accuracy):.1f} % agreement with the given labels, out of fold")
    scanned = verbs.scan(workspace, only=None, settings={}, engine=Local())
    say(f"scan     {sum(scanned.flagged.values()):,} findings by {len(scanned.flagged)} finders")
    decided = deciding.decide(workspace, None)
    actions = ", ".join(f"{name} {count:,}" for name, count in decided.actions.items())
    say(f"decide   {actions}; {decided.for_review:,} left to a person")
    applied = verbs.apply(workspace, include_test=False)
    say(f"apply    {applied.dropped:,} dropped, {applied.relabelled:,} relabelled, {applied.images:,} left")
    proof = prove(workspace, settings={}, seeds=seeds)
    for arm in proof.arms:
        accuracy = percent(arm.accuracy.mean, arm.accuracy.half_width)
        say(f"prove    {arm.name}: {accuracy} %, {seeds} seeds, {arm.seconds:.0f} s")
    found = score_findings(planted, read_table(workspace.path(FINDINGS)), read_table(workspace.path(MANIFEST)))
    return Demo(found, proof, report.write(workspace))


def _empty_workspace(root: Path, fresh: bool) -> Workspace:
    if root.exists() and not root.is_dir():
        raise UserError(f"{pasted(root)} is a file; name a new folder: 'curate demo FOLDER'")
    if root.exists() and any(root.iterdir()):
        if not (root / BEGUN).exists() and not (root / PLANTED).exists():
            raise UserError(f"{pasted(root)} is not empty; name a new folder: 'curate demo FOLDER'")
        if not fresh:
            raise UserError(
                f"{pasted(root)} holds a demo already, or a part of one; --fresh makes it anew, 'curate demo FOLDER' "
                "makes another"
            )
        for path in sorted(root.iterdir(), key=lambda path: path.name == BEGUN):  # what tells a demo goes last
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return Workspace(root)


def _add_planted(workspace: Workspace, say: Callable[[str], None]) -> pd.DataFrame:
    """Write the digits with planted defects as a folder of files, add it, and return what was planted."""
    chosen = load("digits")
    samples, planted = plant.plant(list(digits.read(workspace.root, Options())), seed=SEED)
    folder = workspace.root / IMAGES
    workspace.root.mkdir(parents=True, exist_ok=True)
    (workspace.root / BEGUN).touch()
    write_images(folder, samples)
    planted.to_csv(workspace.root / PLANTED, index=False)
    with workspace.writing("recipe", {"name": chosen.name}) as transaction:
        transaction.write_text(RECIPE, dump(chosen))
    added = add(workspace, folder, layout="folder", name=IMAGES)
    say(f"add      {told(added)}; {len(planted):,} defects planted, listed in {workspace.root / PLANTED}")
    return planted


def write_images(folder: Path, samples: list[Sample]) -> None:
    """The samples as files under `folder`, each under its name."""
    for sample in samples:
        path = folder / sample.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sample.data or b"")
