"""Training runs made by hand, as the trainer would leave them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from curate.results import runs

LABELS = ["cat", "cat", "dog", "dog"]
Said = dict[int, list[str]]


def make_run(
    root: Path,
    name: str,
    said: Said,
    *,
    labels: list[str] = LABELS,
    image_ids: list[str] | None = None,
    config: dict[str, object] | None = None,
    kept: bool = True,
    leak_free: list[bool] | None = None,
    **changes: object,
) -> runs.Run:
    """A run as the trainer leaves it: `said` is what each seed said of the test images.

    leak_free: whether each test image counts without leaks; None: leaks were not looked for.
    """
    folder = root / "runs" / name
    folder.mkdir(parents=True)
    classes = sorted({*labels, *(each for several in said.values() for each in several)})
    confusion = np.zeros((len(classes), len(classes)), int)
    for several in said.values():
        for true, each in zip(labels, several, strict=True):
            confusion[classes.index(true), classes.index(each)] += 1
    right = np.array([np.array(several) == labels for several in said.values()])
    score = _score(right)
    totals = confusion.sum(1)
    settings = {"model": "resnet20", "epochs": 3, "lr": 0.8, "seed": min(said)} | (config or {})
    result = {
        "config": settings,
        "classes": classes,
        "data_hash": name,
        "seeds": list(said),
        "hardware": "CPU",
        "seconds": 1.5,
        "epochs_done": [float(settings["epochs"])] * len(said),  # type: ignore[arg-type]
        "train_images": 90,
        "eval_images": len(labels),
        "accuracy": score,
        "accuracy_flip": None,
        "accuracy_multi_crop": None,
        "accuracy_leak_free": None if leak_free is None else _score(right[:, leak_free]),
        "leak_free_images": None if leak_free is None else sum(leak_free),
        "calibration_error": score,
        "per_class": [
            row[k] / total if total else None for k, (row, total) in enumerate(zip(confusion, totals, strict=True))
        ],
        "confusion": confusion.tolist(),
    }
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "result.json").write_text(json.dumps(result | changes))
    if kept:
        ids = image_ids or [f"set/{number}.png" for number in range(len(labels))]
        table = pd.DataFrame({"image_id": ids, "label": labels} | {f"seed-{seed}": it for seed, it in said.items()})
        table = table if leak_free is None else table.assign(leak_free=leak_free)
        table.to_parquet(folder / "predicted.parquet")
    return runs.read_run(folder)


def _score(right: np.ndarray) -> dict[str, object]:
    """right: shape (S, N), bool."""
    values = right.mean(1).tolist()
    return {"values": values, "mean": float(np.mean(values)), "half_width": 0.1 if len(values) > 1 else None}


def by_letters(*seeds: str, first: int = 0) -> Said:
    """`by_letters("cd")`: the one seed says cat, then dog."""
    names = {"c": "cat", "d": "dog", "e": "eel"}
    return {first + number: [names[letter] for letter in seed] for number, seed in enumerate(seeds)}
