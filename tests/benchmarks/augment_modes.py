"""How much the fused mode differs from the exact one: the same random numbers, the same images, both modes."""

import numpy as np

import curate.augment
from curate.augment.pipeline import from_dict
from curate.augment.upstream import albumentations
from tests.benchmarks.augment_parity import IMAGES, pictures
from tests.benchmarks.augment_speed import SEVEN
from tests.benchmarks.record import record

A = albumentations()
PIPELINES = {
    "flips, crops, pads": [A.Pad(4, border_mode=4), A.RandomCrop(30, 30), A.HorizontalFlip(), A.RandomRotate90()],
    "one Affine among them": [A.HorizontalFlip(), A.Affine(rotate=(-15, 15), p=1), A.CenterCrop(28, 28)],
    "two that resample": [A.Affine(rotate=(-15, 15), p=1), A.Affine(scale=(0.8, 1.2), p=1)],
    "tables of levels": [A.RandomBrightnessContrast(p=1), A.RandomGamma(p=1), A.Solarize(p=0.3)],
    "colours mixed": [A.ToSepia(p=1), A.RGBShift(p=1)],
    "ColorJitter": [A.ColorJitter(p=1)],
    "HueSaturationValue": [A.HueSaturationValue(p=1)],
    "dropout": [A.CoarseDropout(p=1), A.GridDropout(p=1)],
    "seven operations, without Normalize": from_dict(SEVEN[:-1]),
}


def run() -> None:
    """A row for each pipeline: share of levels that are the same, mean and greatest difference, in levels."""
    images = pictures(IMAGES[32][0], 1024, 32)
    ids = np.arange(len(images))
    figures: dict[str, object] = {}
    for name, pipeline in PIPELINES.items():
        steps = A.Compose(pipeline) if isinstance(pipeline, list) else pipeline
        exact, fused = (
            curate.augment.compile(steps, mode=mode)(images, ids, 0).astype(np.int16) for mode in ("exact", "fused")
        )
        off = np.abs(exact - fused)
        figures[name] = {
            "identical": float((off == 0).mean()),
            "mean": float(off.mean()),
            "99_percent": float(np.quantile(off, 0.99)),
            "most": int(off.max()),
        }
    record("augment_modes", f"CIFAR-10 (JPEG copy), {len(images)} images of 32 px; levels from 0 to 255", figures)
