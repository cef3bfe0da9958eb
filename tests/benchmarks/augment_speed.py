"""Images a second of two pipelines, on batches and by Albumentations in two worker processes, in the same run.

Kornia is measured as well where it is installed; it does not bring Albumentations' draws, only its kinds of change.
"""

import tempfile
from pathlib import Path

import yaml

from curate.augment.bench import Bench, bench
from tests.benchmarks.record import record

ROUNDS = 15
SEVEN = [
    {"Pad": {"padding": 4, "border_mode": "reflect_101"}},
    {"RandomCrop": {"height": 32, "width": 32}},
    {"HorizontalFlip": {"p": 0.5}},
    {"Affine": {"rotate": [-15, 15], "scale": [0.9, 1.1], "shear": [-5, 5], "p": 1.0}},
    {"ColorJitter": {"p": 1.0}},
    {"CoarseDropout": {"hole_height_range": [8, 8], "hole_width_range": [8, 8], "p": 1.0}},
    {"Normalize": {}},
]
"""Seven operations, two of which cost much one by one: resampled, and colours jittered."""


def run() -> None:
    """The pipeline of five operations that `curate augment bench` has, and that of seven."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seven.yaml"
        path.write_text(yaml.safe_dump(SEVEN))
        found = {"five": bench(None, None, rounds=ROUNDS), "seven": bench(None, path, rounds=ROUNDS)}
    figures: dict[str, object] = {name: summary(result) for name, result in found.items()}
    what = "noise of 32 px in batches of 512: pad, crop, flip, cut out, normalise; the same with Affine and ColorJitter"
    record("augment_speed", what, figures)


def summary(result: Bench) -> dict[str, object]:
    """Images a second of each contender, and how many times as fast as Albumentations ours are, by medians."""
    rates = {rate.name: rate for rate in result.rates if rate.images_per_second}
    peer = next(rate for name, rate in rates.items() if name.startswith("Albumentations"))
    shown: dict[str, object] = {
        name: {"median": rate.images_per_second, "min": rate.lowest, "max": rate.highest, "n": result.rounds}
        for name, rate in rates.items()
    }
    assert peer.images_per_second, "it has run"
    for mode in ("exact", "fused"):
        ours = rates[f"curate, {mode}"].images_per_second
        assert ours, "it has run"
        shown[f"times_as_fast_{mode}"] = ours / peer.images_per_second
    return shown
