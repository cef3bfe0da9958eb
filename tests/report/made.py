"""Workspaces to report on, as the verbs would leave them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from curate import findings, images, manifest
from curate.decisions import COLUMNS
from curate.workspace import DECISIONS, FINDINGS, MANIFEST, Workspace

EVIL = '<script>alert("1")</script>'


def make(
    root: Path, labels: list[str], *, side: int = 8, split: str = "train", image_ids: list[str] | None = None
) -> Workspace:
    """A workspace of noise images with these labels; every fourth is a test image unless `split` says otherwise."""
    names = image_ids or [f"set/{number}.png" for number in range(len(labels))]
    random = np.random.default_rng(0)
    (root / "images").mkdir(parents=True)
    for number in range(len(labels)):
        pixels = random.integers(0, 256, (side, side, 3), dtype=np.uint8)
        (root / "images" / f"{number}.png").write_bytes(images.encode_png(pixels))
    rows = {
        "image_id": names,
        "path": [f"images/{number}.png" for number in range(len(labels))],
        "split": ["test" if split == "mixed" and number % 4 == 3 else "train" for number in range(len(labels))],
        "label": labels,
        "source": ["set"] * len(labels),
        "width": [side] * len(labels),
        "height": [side] * len(labels),
        "content_hash": names,
        "pixel_hash": names,
    }
    workspace = Workspace(root)
    with workspace.writing("add", {"source": "set"}) as transaction:
        transaction.write_table(MANIFEST, manifest.from_rows(rows))
    return workspace


def find(workspace: Workspace, rows: list[dict]) -> None:
    table = pd.DataFrame([{**findings.DEFAULTS, "score": 0.1, "flagged": True, **row} for row in rows])
    with workspace.writing("scan", {}) as transaction:
        transaction.write_table(FINDINGS, table[list(findings.COLUMNS)].astype(findings.COLUMNS))


def decide(workspace: Workspace, rows: list[dict]) -> None:
    table = pd.DataFrame([{"by": "policy", "because": "label_error", **row} for row in rows])
    with workspace.writing("decide", {}) as transaction:
        transaction.write_table(DECISIONS, table.reindex(columns=list(COLUMNS), fill_value="").fillna(""))


def train(
    workspace: Workspace,
    name: str,
    values: list[float],
    classes: list[str],
    *,
    data: str | None = None,
    **changes: object,
) -> None:
    """A run's folder as the trainer leaves it."""
    mean, half = (float(np.mean(values)), 0.01) if len(values) > 1 else (values[0], None)
    score = {"values": values, "mean": mean, "half_width": half}
    count = len(classes)
    result = {
        "config": {"model": "resnet20", "epochs": 3, "seed": 0},
        "classes": classes,
        "seeds": list(range(len(values))),
        "hardware": "CPU",
        "seconds": 1.5,
        "train_images": 90,
        "eval_images": 30,
        "accuracy": score,
        "accuracy_flip": None,
        "accuracy_multi_crop": None,
        "accuracy_leak_free": score,
        "leak_free_images": 28,
        "calibration_error": score,
        "per_class": [mean] * count,
        "confusion": ((np.eye(count, dtype=int) * 9 + 1) * len(values)).tolist(),
    }
    folder = workspace.root / "runs" / name
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(json.dumps({**result, **changes}))
    lines = [
        {"seed": seed, "epoch": epoch, "eval_acc": value * epoch / 3}
        for seed, value in enumerate(values)
        for epoch in (1, 2, 3)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if data is not None:
        with workspace.writing("train", {"data": data, "name": name}):
            pass
