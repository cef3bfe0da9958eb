"""Sets of pictures for tests of signals and finders: what a scan would know of them."""

import os
import tarfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from curate import manifest
from curate.engine import Local
from curate.evidence import PREDICTED, Evidence
from curate.images import content_hash, decode, encode_png, pixel_hash
from curate.workspace import Workspace


@dataclass(frozen=True)
class Picture:
    """An image of a small set that a test makes; `pixels` None stands for a file that is no image."""

    pixels: np.ndarray | None
    label: str = ""
    split: str = "train"
    parent: str = ""


def evidence_of(root: Path, pictures: list[Picture], *, seed: int = 0) -> Evidence:
    """What a scan would know of these pictures: PNG files under `root`, named by their content, and a manifest.

    Predictions are made up from the labels, so that finders that need them can run.
    """
    root.mkdir(parents=True, exist_ok=True)
    rows: dict[str, list] = {name: [] for name in manifest.COLUMNS}
    for number, picture in enumerate(pictures):
        data = b"no image" if picture.pixels is None else encode_png(picture.pixels)
        path = root / f"{number:04d}.png"
        path.write_bytes(data)
        height, width = (0, 0) if picture.pixels is None else picture.pixels.shape[:2]
        values = {
            "image_id": f"set/{path.name}",
            "path": str(path),
            "split": picture.split,
            "label": picture.label,
            "source": "set",
            "parent_id": picture.parent,
            "width": width,
            "height": height,
            "content_hash": content_hash(data),
            "pixel_hash": "" if picture.pixels is None else pixel_hash(decode(data)),
            "error": "not an image" if picture.pixels is None else "",
        }
        for name, value in values.items():
            rows[name].append(value)
    return evidence_for(Workspace(root), manifest.from_rows(rows), seed=seed)


def evidence_for(workspace: Workspace, images: pd.DataFrame, *, seed: int = 0) -> Evidence:
    """Evidence with predictions that follow the labels, the same for the same image in whatever row."""
    classes = manifest.classes(images) or ["a"]
    codes = manifest.label_codes(images, classes)
    probs = np.full((len(images), len(classes)), np.nan, np.float32)
    embeddings = np.full((len(images), 4), np.nan, np.float32)
    for row in np.flatnonzero(manifest.decodable(images)):
        rng = np.random.default_rng([seed, int(images["content_hash"].iloc[row], 16) % 2**32])
        weights = rng.random(len(classes)) + 0.1
        weights[codes[row]] += 3 * (codes[row] >= 0)
        probs[row] = weights / weights.sum()
        embeddings[row] = rng.normal(size=4)
    known = dict.fromkeys(PREDICTED) | {"classes": classes, "pred_probs": probs, "embeddings": embeddings}
    return Evidence(workspace, images, engine=Local(1), known=known)


@cache
def digits() -> np.ndarray:
    """scikit-learn's handwritten digits, enlarged from 8x8 pixels: shape (1797, 32, 32, 3), uint8."""
    small = load_digits().images.astype(np.float32) * (255 / 16)
    large = np.stack([cv2.resize(image, (32, 32), interpolation=cv2.INTER_CUBIC) for image in small])
    return np.repeat(np.clip(np.round(large), 0, 255).astype(np.uint8)[..., None], 3, axis=3)


def data_folder() -> Path:
    """Real data for tests: $CURATE_DATA, or ../shared/data beside the checkout."""
    return Path(os.environ.get("CURATE_DATA", Path(__file__).parents[2] / "shared" / "data"))


def photos() -> list[np.ndarray]:
    """24 photos of about 500x375 pixels; the test that asks for them is skipped where they are absent."""
    archive = data_folder() / "photos" / "photos200.tar.xz"
    if not archive.exists():
        pytest.skip(f"{archive} is absent; set CURATE_DATA to the folder with the test data")
    return list(_unpack(archive))


@cache
def _unpack(archive: Path) -> tuple[np.ndarray, ...]:
    found = []
    with tarfile.open(archive) as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file and member.name.lower().endswith((".jpeg", ".jpg")):
                found.append(decode(file.read()))
            if len(found) == 24:
                break
    return tuple(found)
