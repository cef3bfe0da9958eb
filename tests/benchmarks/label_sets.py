"""Workspaces of real images whose labels are wrong in known places: by people, in CIFAR-10N, or on purpose."""

import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from curate.demo import write_images
from curate.ingest.add import add
from curate.layouts import Options
from curate.sources import digits
from curate.workspace import MANIFEST, Workspace, read_table
from tests.benchmarks.record import ROOT, data

BUILD = Path(os.environ.get("CURATE_BUILD", ROOT / "build" / "benchmarks"))
"""Workspaces stay here from one benchmark to the next, so that `predict` is paid once."""
COLUMNS = ("clean", "aggre", "worse")
"""Label sets of CIFAR-10N, for all 50,000 training images of CIFAR-10; test labels as published."""
SETS = (*COLUMNS, "long-tail", "imagenette", "digits")
KINDS = ("uniform", "class")
"""Which label a planted error takes: any other, or, every second time, that of the next class."""
LONGEST, SHORTEST = 3000, 30
"""Images of the first and the last class of `long-tail`; those between shrink by equal factors."""
SETTINGS: dict[str, dict[str, object]] = {
    "imagenette": {"image_size": 32},  # of 224: what two cores can train on in a quarter of an hour
    "digits": {"image_size": 16, "flip": False, "pad": 1},  # of datasets/digits.yaml, but for model and epochs
}
"""Settings of trainings on these sets, `predict` among them, beside those of the profile or the rung."""


def images() -> Path:
    """CIFAR-10, unpacked: `train/<class>/NNNN.jpg`, `test/<class>/NNNN.jpg`."""
    return _unpacked("cifar10", "cifar10/cifar10_jpeg.tar.xz")


def workspace(name: str, *, planted: float = 0.0, kind: str = "uniform") -> Workspace:
    """The images of one of `SETS`, and of its training labels so large a share replaced by wrong ones."""
    ws = Workspace(BUILD / _folder(name, planted=planted, kind=kind))
    if not ws.has(MANIFEST):
        root, table = _long_tail() if name == "long-tail" else files(name)
        train = np.flatnonzero(table["split"] == "train")
        table.loc[train, "label"] = wrong_labels(table["label"].to_numpy()[train], share=planted, kind=kind)
        ws.root.mkdir(parents=True, exist_ok=True)
        table.to_csv(ws.root / "labels.csv", index=False)
        add(ws, ws.root / "labels.csv", layout="csv", name=root.name, split=None, options=Options(root=root))
    return ws


def _folder(name: str, *, planted: float, kind: str) -> str:
    """The name of a set with planted labels."""
    return name + (f"-{planted:g}" if planted else "") + (f"-{kind}" if planted and kind != "uniform" else "")


def wrong_labels(labels: np.ndarray, *, share: float, kind: str) -> np.ndarray:
    """The labels, shape (N,), as names, with so large a share of wrong ones, see `KINDS`."""
    names, codes = np.unique(labels.astype(str), return_inverse=True)
    random = np.random.default_rng(0)
    rows = random.choice(len(labels), round(share * len(labels)), replace=False)
    by = random.integers(1, len(names), len(rows)) if len(rows) else np.zeros(0, int)
    if kind == "class":
        by[::2] = 1
    codes[rows] = (codes[rows] + by) % len(names)
    return names[codes]


def truth(ws: Workspace) -> tuple[pd.DataFrame, np.ndarray]:
    """The training rows of the manifest, and their true labels, the names of their folders: shape (N,)."""
    rows = read_table(ws.path(MANIFEST))
    rows = rows[rows["split"] == "train"].reset_index(drop=True)
    return rows, rows["image_id"].str.split("/").str[-2].to_numpy()


def files(name: str) -> tuple[Path, pd.DataFrame]:
    """The folder that paths are in, and the columns `path`, `label`, `split`, with true labels or those of people."""
    if name == "digits":
        root = _digits()
    else:
        root = images() if name in COLUMNS else _unpacked("imagenette-files", "imagenette/imagenette224.tar.xz")
    paths = [path.relative_to(root).as_posix() for path in sorted(root.glob("*/*/*"))]
    table = pd.DataFrame({"path": paths, "label": [path.split("/")[1] for path in paths]})
    table["split"] = table["path"].str.split("/").str[0]
    if name not in COLUMNS:
        return root, table
    given = pd.read_csv(data("cifar10/cifar10n.csv")).set_index("path")[name]
    table = table.set_index("path").loc[[*given.index, *table["path"][table["split"] == "test"]]].reset_index()
    table["label"] = table["path"].map(given).fillna(table["label"])
    return root, table


def _long_tail() -> tuple[Path, pd.DataFrame]:
    """CIFAR-10 with fewer and fewer training images from class to class, in the order of their names."""
    root, table = files("clean")
    names = sorted(table["label"].unique())
    counts = np.geomspace(LONGEST, SHORTEST, len(names)).round().astype(int)
    place = table.groupby(["split", "label"]).cumcount()
    kept = (table["split"] == "test") | (place < table["label"].map(dict(zip(names, counts, strict=True))))
    return root, table[kept].reset_index(drop=True)


def _digits() -> Path:
    root = BUILD / "digits-files"
    if not root.exists():
        with _whole(root) as folder:
            write_images(folder, list(digits.read(Path(), Options())))
    return root


def _unpacked(name: str, archive: str) -> Path:
    root = BUILD / name
    if not root.exists():
        with _whole(root) as folder, tarfile.open(data(archive)) as file:
            file.extractall(folder, filter="data")
    return root


@contextmanager
def _whole(root: Path) -> Iterator[Path]:
    """A folder to fill, which becomes `root` when it is: what was interrupted is not taken for all there is."""
    root.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=root.parent, ignore_cleanup_errors=True) as folder:
        yield Path(folder) / root.name
        (Path(folder) / root.name).rename(root)
