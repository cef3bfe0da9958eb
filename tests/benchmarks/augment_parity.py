"""Every transform with what Albumentations drew for it, beside what Albumentations makes of the same images.

Replayed in exact mode, with every one of the settings that the tests try; the worst of them counts.
"""

import tarfile
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

import curate.augment
from curate.augment.pipeline import batched, known_transforms
from curate.images import decode
from tests.augment.cases import reference, settings, takes
from tests.benchmarks.record import data, record

IMAGES = {32: ("cifar10/cifar10_jpeg.tar.xz", 256), 224: ("imagenette/imagenette224.tar.xz", 48)}
"""Archive and number of images by their side in pixels."""


def run() -> None:
    """A row for each transform and size."""
    rows: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
    for side, (archive, count) in IMAGES.items():
        images = pictures(archive, count, side)
        for name in known_transforms():
            examples = [example for other, example in settings() if other == name]
            found = [beside(name, example, images) for example in examples]
            told = [figures for figures in found if figures is not None]
            if told:
                rows[name][f"{side} px"] = worst(told)
        print(side, "done", flush=True)
    what = f"CIFAR-10 (JPEG copy), {IMAGES[32][1]} images of 32 px, and Imagenette, {IMAGES[224][1]} of 224 px"
    record("augment_parity", f"{what}; opencv {cv2.__version__}", dict(rows))


def beside(name: str, example: Mapping[str, Any], images: np.ndarray) -> dict[str, float] | None:
    """Shares of pixels by how far off they are; None where the settings are not for such images."""
    pipeline = reference(name, example)
    if not takes(batched(pipeline.transforms[0]), images.shape[1], images.shape[3]):
        return None
    theirs = [pipeline(image=image.copy()) for image in images]
    augment = curate.augment.compile(pipeline, layout="NHWC")
    ours = np.asarray(augment.replay(images, [each["applied_transforms"] for each in theirs]))
    wanted = np.stack([np.asarray(each["image"]).reshape(ours.shape[1:]) for each in theirs])
    off = np.abs(ours.astype(np.float64) - wanted)
    if ours.dtype != np.uint8:  # floats: in units of one of 255 levels over the range that there is
        off *= 255 / max(float(np.ptp(wanted)), 1e-9)
    return {
        "identical": float((off < 1e-3).mean()),
        "within_1": float((off < 1 + 1e-3).mean()),
        "within_2": float((off < 2 + 1e-3).mean()),
        "most": float(off.max()),
    }


def worst(found: list[dict[str, float]]) -> dict[str, float]:
    """Over all settings."""
    lowest = {name: min(figures[name] for figures in found) for name in found[0] if name != "most"}
    return {**lowest, "most": max(figures["most"] for figures in found), "settings": len(found)}


def pictures(archive: str, count: int, side: int) -> np.ndarray:
    """The first images of an archive: shape (N, side, side, 3), uint8."""
    found: list[np.ndarray] = []
    with tarfile.open(data(archive)) as file:
        for member in file:
            if len(found) == count:
                break
            if member.isfile() and member.name.lower().endswith((".jpg", ".jpeg", ".png")):
                stream = file.extractfile(member)
                assert stream is not None, "a file"
                image = decode(stream.read())
                found.append(cv2.resize(image, (side, side)) if image.shape[:2] != (side, side) else image)
    return np.stack(found)
