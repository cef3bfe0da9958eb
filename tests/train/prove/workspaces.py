"""Digits to prove something on: what is decided of them, trained on them, and refused."""

import json
from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest

from curate import tables, verbs
from curate.errors import UserError
from curate.results.proof import Proof
from curate.workspace import DECISIONS, MANIFEST, Workspace, read_table
from tests.tables import decided
from train.arms import Plan, planned
from train.checkpoint import Epoch
from train.prove import prove

IMAGES = 80
"""20 of them are test images."""
STEPS = 8
"""Two epochs of the 60 training images in batches of 15."""
SETTINGS = {
    "model": "plain20",
    "image_size": 8,
    "epochs": 2,
    "batch_size": 16,
    "lr": 0.1,
    "flip": False,
    "pad": 1,
    "device": "cpu",
}
RUN = {
    ".lock",
    "config.json",
    "confusion.png",
    "learning_curve.png",
    "metrics.jsonl",
    "predicted.parquet",
    "result.json",
}


def decide(workspace: Workspace, *rows: tuple[str, ...]) -> None:
    """These decisions and no others, applied."""
    with workspace.writing("decide", {}) as transaction:
        transaction.write_table(DECISIONS, decided(*rows))
    verbs.apply(workspace, include_test=False)


def trained_on(workspace: Workspace) -> list[str]:
    """The image_ids of the training images."""
    images = read_table(workspace.path(MANIFEST))
    return images["image_id"][images["split"] == "train"].to_list()


def change(workspace: Workspace, *, drops: int = 6, relabels: int = 4) -> None:
    """Drop some training images, and the leak; give some the label 0."""
    ids = [image_id for image_id in trained_on(workspace) if "/0/" not in image_id and "seen" not in image_id]
    rows = [(image_id, "drop", "", "policy", "blurry") for image_id in ids[2::5][:drops]]
    rows += [(image_id, "relabel", "0", "policy", "label_error") for image_id in ids[4::5][:relabels]]
    decide(workspace, *rows, ("digits/train/3/seen.png", "drop", "", "policy", "split_leak"))


Heard = list[tuple[str, int, int]]
"""Arm, seed and epoch of what was trained."""


def hearing(heard: Heard, stop: tuple[str, int, int] | None = None) -> Callable[[str, Epoch], None]:
    """Notes each epoch; after the epoch `stop` somebody presses Ctrl-C."""

    def hear(arm: str, epoch: Epoch) -> None:
        heard.append((arm, epoch.seed, epoch.epoch))
        if heard[-1] == stop:
            raise KeyboardInterrupt

    return hear


def timeless(found: Proof) -> Proof:
    """Without what the clock said."""
    return replace(found, arms=tuple(replace(arm, seconds=0) for arm in found.arms))


def run_of(workspace: Workspace, arm: str) -> dict:
    return json.loads((workspace.root / "runs" / f"prove-{arm}" / "result.json").read_text())


def predicted(workspace: Workspace, arm: str) -> pd.DataFrame:
    return pd.read_parquet(workspace.root / "runs" / f"prove-{arm}" / "predicted.parquet")


def said(workspace: Workspace, **asked: object) -> str:
    """The one line of a call that is refused; nothing is written for it."""
    before = sorted(workspace.root.rglob("*.json")), len(workspace.ledger())
    with pytest.raises(UserError) as caught:
        prove(workspace, **({"settings": SETTINGS, "seeds": 2} | asked))  # type: ignore[arg-type]
    assert (sorted(workspace.root.rglob("*.json")), len(workspace.ledger())) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def plan(workspace: Workspace, **asked: object) -> Plan:
    """What would be trained."""
    nothing = {"since": None, "ablate": False, "take_in": False, "controls": False, "truth": None}
    return planned(workspace, tables.read_manifest(workspace), **(nothing | asked))  # type: ignore[arg-type]


def names(workspace: Workspace, **asked: object) -> tuple[list[str], list[tuple[str, str]], tuple[str, ...]]:
    """Sets, pairs and notes of a plan."""
    made = plan(workspace, **asked)
    return [arm.name for arm in made.arms], [(one.before, one.after) for one in made.questions], made.notes
