"""A workspace of CIFAR-10 (JPEG) with the labels that people gave in CIFAR-10N, and the truth beside it."""

import os
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd

from curate.add import add
from curate.sources import Options
from curate.workspace import MANIFEST, Workspace, read_table
from tests.benchmarks.record import ROOT, data

BUILD = Path(os.environ.get("CURATE_BUILD", ROOT / "build" / "benchmarks"))
"""Workspaces stay here from one benchmark to the next, so that `predict` is paid once."""


def images() -> Path:
    """The unpacked archive: `train/<class>/NNNN.jpg`, `test/<class>/NNNN.jpg`."""
    folder = BUILD / "cifar10"
    if not (folder / "test").exists():
        with tarfile.open(data("cifar10/cifar10_jpeg.tar.xz")) as archive:
            archive.extractall(folder, filter="data")
    return folder


def workspace(column: str, *, planted: float = 0.0) -> Workspace:
    """All 60,000 images; training labels from that column (`clean`, `aggre`, `worse`), test labels as published.

    planted: share of the training labels to replace by one of the other classes, uniformly.
    """
    ws = Workspace(BUILD / (f"{column}-{planted:g}" if planted else column))
    if not ws.has(MANIFEST):
        given = pd.read_csv(data("cifar10/cifar10n.csv"))
        random = np.random.default_rng(0)
        for row in random.choice(len(given), round(planted * len(given)), replace=False):
            given.loc[row, column] = random.choice(sorted(set(given[column]) - {given.loc[row, column]}))
        test = [path.relative_to(images()).as_posix() for path in sorted((images() / "test").glob("*/*.jpg"))]
        table = pd.DataFrame(
            {
                "path": [*given["path"], *test],
                "label": [*given[column], *[path.split("/")[1] for path in test]],
                "split": ["train"] * len(given) + ["test"] * len(test),
            }
        )
        ws.root.mkdir(parents=True, exist_ok=True)
        table.to_csv(ws.root / "labels.csv", index=False)
        add(ws, ws.root / "labels.csv", layout="csv", name="cifar10", split=None, options=Options(root=images()))
    return ws


def truth(ws: Workspace) -> tuple[pd.DataFrame, np.ndarray]:
    """The training rows of the manifest, and their true labels: shape (50000,), as names."""
    rows = read_table(ws.path(MANIFEST))
    rows = rows[rows["split"] == "train"].reset_index(drop=True)
    return rows, rows["image_id"].str.split("/").str[-2].to_numpy()
