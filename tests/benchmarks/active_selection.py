"""What choosing is worth: accuracy after training on labels that `curate select` asked for, and on as many at random.

`python -m tests.benchmarks.active_selection [SCALE [ARM ...]] [--seeds N]`: `smoke`, `digits`, `cpu` or `gpu`, and
the arms beside `random`: `both` (what `curate select` does) where none is named; `unsure` and `coverage` leave out a
half of it. The labels of CIFAR-10 are hidden; each round asks for some, trains one fixed recipe from scratch on all
that were asked for so far, and measures it on the untouched test set. Chance knows no classes, and both begin with
the same images. What is done stays in `rounds.json` of the workspace, so that a call that was interrupted goes on,
and arms and seeds can be added.
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from curate import finders, findings, registry
from curate.engine import Local
from curate.evidence import Evidence
from curate.files import write_bytes_atomic
from curate.results.interval import mean_interval
from curate.workspace import MANIFEST, Workspace, read_table
from tests.benchmarks import label_sets
from tests.benchmarks.record import circumstances, earlier, record, signals_of
from train import recipes
from train import verbs as training
from train.predict import predict

RANDOM, OURS = "random", "both"
FINDER = "worth_labelling"
MOST_EPOCHS = 40


@dataclass(frozen=True)
class Scale:
    """How much is trained."""

    source: str
    """One of `label_sets.SETS`, whose labels are right."""
    pool: int
    """Images whose labels are hidden, drawn by chance."""
    sizes: tuple[int, ...]
    """Labels after each round; the first ones are drawn by chance."""
    seeds: int
    shown: int
    """Images that each training is shown, in epochs of the labelled ones: as many steps for every size, but for the
    least, which are shown `MOST_EPOCHS` times."""
    folds: int
    least_epochs: int = 1


SCALES = {
    "smoke": Scale("digits", pool=600, sizes=(60, 120, 240), seeds=1, shown=600, folds=2),
    "digits": Scale("digits", pool=1_442, sizes=(40, 80, 160, 320), seeds=3, shown=4_000, folds=3),
    "cpu": Scale("clean", pool=15_000, sizes=(500, 1_000, 2_000, 3_500, 5_000), seeds=2, shown=40_000, folds=3),
    "gpu": Scale(
        "clean",
        pool=50_000,
        sizes=(500, 1_000, 2_000, 4_000, 7_000, 10_000),
        seeds=5,
        shown=200_000,
        folds=5,
        least_epochs=20,
    ),
}


@dataclass
class Rounds:
    """What is done, by `arm/seed/size`; both arms begin with `random`. Kept in a file after each round."""

    path: Path
    done: dict[str, dict]

    @classmethod
    def read(cls, path: Path) -> "Rounds":
        return cls(path, json.loads(path.read_text("utf-8")) if path.exists() else {})

    def keep(self, key: str, value: dict) -> None:
        self.done[key] = value
        write_bytes_atomic(self.path, (json.dumps(self.done, indent=1) + "\n").encode())


def run(arguments: list[str] | None = None) -> None:
    """Figures of `smoke` are printed, others are kept. `cpu` where nothing is named."""
    asked = argparse.ArgumentParser(prog="python -m tests.benchmarks.active_selection", description=__doc__)
    asked.add_argument("scale", nargs="?", default="cpu", choices=list(SCALES))
    asked.add_argument("arms", nargs="*", default=[OURS], metavar="ARM")
    asked.add_argument("--seeds", type=int, help="by default the scale's")
    given = asked.parse_args(arguments or [])
    name, arms = given.scale, given.arms
    scale = replace(SCALES[name], seeds=given.seeds or SCALES[name].seeds)
    ws, images = _workspace(name, scale)
    rounds = Rounds.read(ws.path("rounds.json"))
    for seed in range(scale.seeds):
        for arm in (RANDOM, *arms):
            _grow(ws, images, scale, arm, seed, rounds)
    figures = {arm: compared(rounds.done, scale, arm) for arm in arms}
    if name == "smoke":
        print(json.dumps(figures, indent=1))
        return
    kept = earlier("active_selection")
    signals = signals_of(FINDER)
    kept[name] = {**kept.get(name, {}), **figures, "scale": vars(scale), "measured": circumstances(signals)}
    what = "labels hidden; accuracy on all test images, single view; CIFAR-10 or digits"
    record("active_selection", what, kept, signals=signals)


def _workspace(name: str, scale: Scale) -> tuple[Workspace, pd.DataFrame]:
    """A workspace of its own, so that signals are measured once, and its images with the true labels."""
    images = read_table(label_sets.workspace(scale.source).path(MANIFEST))
    train = np.flatnonzero(images["split"] == "train")
    chosen = np.random.default_rng(0).choice(train, min(scale.pool, len(train)), replace=False)
    kept = images["split"].eq("test").to_numpy(copy=True)
    kept[chosen] = True
    ws = Workspace(label_sets.BUILD / f"active-{name}")
    ws.root.mkdir(parents=True, exist_ok=True)
    return ws, images[kept].reset_index(drop=True)


def _grow(ws: Workspace, images: pd.DataFrame, scale: Scale, arm: str, seed: int, rounds: Rounds) -> None:
    """All rounds of an arm that are not done yet."""
    pool = images["image_id"][images["split"] == "train"].to_numpy()
    by_chance = np.random.default_rng([1, seed]).permutation(pool)
    labelled = by_chance[: scale.sizes[0]].tolist()
    for before, size in zip((0, *scale.sizes), scale.sizes, strict=False):
        first = before == 0
        key = f"{RANDOM if first else arm}/{seed}/{size}"
        if key not in rounds.done:
            start = time.perf_counter()
            asked = labelled if first else _ask(ws, images, scale, arm, seed, labelled, size, by_chance)
            waited = time.perf_counter() - start
            _hide(ws, images, asked if first else labelled + asked)
            run_name = key.replace("/", "-")
            _, result = training.train(ws, data="raw", seeds=1, settings=_settings(scale, size, seed), name=run_name)
            rounds.keep(key, {"accuracy": result.accuracy.mean, "added": asked, "seconds_to_ask": round(waited, 1)})
            print(f"{key}: {100 * result.accuracy.mean:.2f} %, asked in {waited:.0f} s", flush=True)
        if not first:
            labelled = labelled + rounds.done[key]["added"]


def _ask(
    ws: Workspace,
    images: pd.DataFrame,
    scale: Scale,
    arm: str,
    seed: int,
    labelled: list[str],
    size: int,
    by_chance: np.ndarray,
) -> list[str]:
    """The next images to label."""
    budget = size - len(labelled)
    if arm == RANDOM:
        return by_chance[len(labelled) : size].tolist()
    hidden = _hide(ws, images, labelled)
    predict(ws, profile="plain", folds=scale.folds, settings=_settings(scale, len(labelled), seed))
    function = registry.pick("finder", FINDER, finders)
    evidence = Evidence(ws, hidden, Local())
    found = findings.scan(evidence, {FINDER: function}, {FINDER: {"budget": budget, "weigh": arm}})
    assert len(found) == budget, f"{len(found)} of {budget} images were chosen"
    return found["image_id"].to_list()


def _hide(ws: Workspace, images: pd.DataFrame, labelled: list[str]) -> pd.DataFrame:
    """Write the manifest in which these images alone, and those of the test set, have labels."""
    waiting = (images["split"] == "train") & ~images["image_id"].isin(labelled)
    hidden = images.assign(
        split=images["split"].where(~waiting, "pool").astype("str"),
        label=images["label"].where(~waiting, "").astype("str"),
    )
    with ws.writing("add", {"labelled": len(labelled)}) as transaction:
        transaction.write_table(MANIFEST, hidden)
    return hidden


def _settings(scale: Scale, size: int, seed: int) -> dict[str, object]:
    """The recipe `fast` for so many images; without `skip_easy`, which takes fewer steps of a set with easier ones."""
    epochs = max(scale.least_epochs, min(MOST_EPOCHS, round(scale.shown / size)))
    own = {"epochs": epochs, "seed": seed, "skip_easy": 0.0}
    return {**recipes.load("fast"), **label_sets.SETTINGS.get(scale.source, {}), **own}


def compared(done: dict[str, dict], scale: Scale, arm: str) -> dict[str, object]:
    """The curves of both, and how many labels `arm` needs for the accuracy of chance, as a share, for each size."""
    curves = {name: _curves(done, scale, name) for name in (RANDOM, arm)}
    means = {name: np.mean(curve, axis=0) for name, curve in curves.items()}
    ratios = [
        round(share, 3) if (share := needed(scale.sizes, means[arm], accuracy) / size) < np.inf else None
        for size, accuracy in zip(scale.sizes[1:], np.maximum.accumulate(means[RANDOM])[1:].tolist(), strict=True)
    ]
    difference = np.array(curves[arm]) - np.array(curves[RANDOM])
    points = [mean_interval(column) if len(column) > 1 else (column[0], None) for column in difference.T[1:].tolist()]
    return {
        "labels": list(scale.sizes),
        "accuracy": curves,
        "difference": [{"mean": mean, "half_width": half_width} for mean, half_width in points],
        "labels_needed_of_random": dict(zip(map(str, scale.sizes[1:]), ratios, strict=True)),
    }


def _curves(done: dict[str, dict], scale: Scale, arm: str) -> list[list[float]]:
    """Accuracy after each round, a list per seed; those of all begin with the same images."""
    keys = [
        [f"{RANDOM if size == scale.sizes[0] else arm}/{seed}/{size}" for size in scale.sizes]
        for seed in range(scale.seeds)
    ]
    return [[done[key]["accuracy"] for key in row] for row in keys]


def needed(sizes: tuple[int, ...], curve: np.ndarray, accuracy: float) -> float:
    """Labels with which a curve reaches an accuracy, between rounds along the logarithm of the labels: accuracy grows
    by about as much with each doubling. Infinite where it does not get there; the first round's where it began there.
    """
    rising = np.maximum.accumulate(np.asarray(curve, np.float64))
    above = np.flatnonzero(rising >= accuracy)
    if not len(above):
        return float("inf")
    at = int(above[0])
    if at == 0:
        return float(sizes[0])
    share = (accuracy - rising[at - 1]) / (rising[at] - rising[at - 1])
    low, high = np.log(sizes[at - 1]), np.log(sizes[at])
    return float(np.exp(low + share * (high - low)))


if __name__ == "__main__":
    run(sys.argv[1:])
