"""A small workspace with real images and findings of every kind, as `scan` and `predict` would leave it."""

from pathlib import Path

import numpy as np
import pandas as pd

from curate import findings, predictions, tables
from curate.images import encode_png
from curate.ingest.add import add
from curate.workspace import FINDINGS, Workspace
from tests.pictures import digits

CLASSES = ("cat", "dog")


def workspace(root: Path, *, count: int = 12) -> Workspace:
    """`count` images of each class and two twins; labels of four cats are doubted, one dog is dark."""
    pixels = digits()
    for start, name in enumerate(CLASSES):
        for number in range(count):
            _save(root / "photos" / "train" / name / f"{number:02}.png", pixels[start * count + number])
    _save(root / "photos" / "train" / "cat" / "twin.png", pixels[0] // 2)
    _save(root / "photos" / "test" / "cat" / "leak.png", pixels[1] // 2)
    ws = Workspace(root / "ws")
    add(ws, root / "photos", name="pets")
    images = tables.read_manifest(ws)
    rows = [_finding(f"cat/{number:02}.png", "label_error", 0.4, label="dog", prob=0.55) for number in range(2, 6)]
    rows += [
        _finding("cat/twin.png", "near_duplicate", 0.1, related="pets/train/cat/00.png", group=0),
        _finding("cat/01.png", "split_leak", 0.0, related="pets/test/cat/leak.png", group=1),
        _finding("dog/00.png", "dark", 0.2),
    ]
    with ws.writing("scan", {}) as transaction:
        transaction.write_table(FINDINGS, pd.DataFrame(rows, columns=list(findings.COLUMNS)).astype(findings.COLUMNS))
    (ws.root / "recipe.yaml").write_text(
        "policy:\n- {finder: split_leak, action: drop}\n"
        + "".join(f"- {{finder: {name}, action: review}}\n" for name in ("label_error", "near_duplicate", "dark"))
    )
    random = np.random.default_rng(0)
    is_dog = (images["label"] == "dog").to_numpy()
    probs = np.where(is_dog[:, None], [0.2, 0.8], [0.7, 0.3]).astype(np.float32)
    embeddings = np.eye(8, dtype=np.float32)[is_dog.astype(int)] + random.normal(0, 0.05, (len(images), 8))
    fold = np.zeros(len(images), np.int64)
    predictions.write(
        ws, images, predictions.Predictions(list(CLASSES), probs, embeddings.astype(np.float32), fold, {})
    )
    return ws


def _save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_png(pixels))


def _finding(
    name: str, finder: str, score: float, *, label: str = "", prob: float = 0.0, related: str = "", group: int = -1
) -> tuple:
    return (f"pets/train/{name}", finder, score, True, group, related, label, prob, f"{finder} says so")
