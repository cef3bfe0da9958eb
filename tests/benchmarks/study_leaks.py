"""The study's table on leaks: how much test accuracy says too much where the training set shows the test images.

`python -m tests.benchmarks.study_leaks [--scale cpu|gpu] [--seeds N]`: CIFAR-10 with its true labels. Networks learn,
for as many steps of as many images each, from the set

* `raw`: as it came, with the leaks that CIFAR-10 has (Barz, Denzler 2020, count 3.3 % of its test images).
* `leak_free`: without the training images that `split_leak` finds.
* `planted`: with copies of 1,000 test images, 100 of each class, among the training images, in place of as many others.

Accuracy is told on the test images that each of these is about, and on the others.
"""

import argparse
import sys

import numpy as np
import pandas as pd

from curate import tables, verbs
from curate.engine import Local
from curate.results.interval import mean_interval
from curate.results.proof import RAW
from curate.workspace import FINDINGS, Workspace, read_table
from tests.benchmarks import label_sets
from tests.benchmarks.record import record, signals_of
from tests.benchmarks.study_labels import SCALES, tell
from train import prove, recipes
from train.arms import Arm, Plan, Question
from train.result import PREDICTED
from train.rows import eval_rows_of, train_rows_of

FREE, PLANTED = "leak_free", "planted"
COPIES = 100
"""Test images of each class that are planted."""


def run(arguments: list[str] | None = None) -> None:
    """Needs no predictions."""
    asked = argparse.ArgumentParser(prog="python -m tests.benchmarks.study_leaks", description=__doc__)
    asked.add_argument("--scale", default="cpu", choices=list(SCALES))
    asked.add_argument("--seeds", type=int, help="by default the scale's")
    given = asked.parse_args(arguments or [])
    scale = SCALES[given.scale]
    ws = label_sets.workspace("clean")
    verbs.scan(ws, only=["split_leak"], settings={}, engine=Local())
    arms, groups = plan(ws)
    found = prove.measure(
        ws,
        arms,
        settings=recipes.load(scale.recipe) | {"epochs": scale.epochs[""]},
        seeds=given.seeds or scale.seeds,
        on_epoch=tell,
    )
    figures = {
        "arms": found.arms,
        "compared": found.compared,
        "accuracy": {arm.name: by_group(ws, arm.run, groups) for arm in found.arms},
        "images": {name: len(ids) for name, ids in groups.items()},
        "config": found.config,
    }
    file = "study_leaks" if given.scale == "cpu" else f"study_leaks_{given.scale}"
    record(file, "CIFAR-10 (JPEG copy), true labels", figures, signals=signals_of("split_leak"))


def plan(ws: Workspace) -> tuple[Plan, dict[str, set[str]]]:
    """The sets, and the test images that their leaks are about."""
    images = tables.read_manifest(ws)
    found = read_table(ws.path(FINDINGS))
    leaks = found[(found["finder"] == "split_leak") & found["flagged"]]
    rows = train_rows_of(images)
    tested = eval_rows_of(ws, images)
    shown = tested[~tested["image_id"].isin(leaks["related_id"])].groupby("label").head(COPIES)
    away = np.random.default_rng(0).choice(len(rows), len(shown), replace=False)
    sets = {
        RAW: ("as it came", rows),
        FREE: ("without leaks", rows[~rows["image_id"].isin(leaks["image_id"])].reset_index(drop=True)),
        PLANTED: (
            "with copies of test images",
            pd.concat([rows.drop(rows.index[away]), shown.assign(split="train")], ignore_index=True),
        ),
    }
    arms = tuple(Arm(name, says, table, None, prefix="leaks-") for name, (says, table) in sets.items())
    questions = (
        Question(FREE, "without leaks minus raw", RAW, FREE),
        Question(PLANTED, "with copies of test images minus raw", RAW, PLANTED),
    )
    groups = {"leaked in CIFAR-10": set(leaks["related_id"]), "planted": set(shown["image_id"])}
    others = set(tested["image_id"]) - set.union(*groups.values())
    return Plan(arms, questions, ()), groups | {"others": others}


def by_group(ws: Workspace, run_name: str, groups: dict[str, set[str]]) -> dict[str, dict[str, object]]:
    """Accuracy of a run on each group of test images: per seed, with the 95 % interval of the mean."""
    table = pd.read_parquet(ws.root / "runs" / run_name / PREDICTED)
    seeds = [name for name in table.columns if name.startswith("seed-")]
    scores = {}
    for name, ids in groups.items():
        own = table[table["image_id"].isin(ids)]
        values = [float((own[seed] == own["label"]).mean()) for seed in seeds]
        mean, half = mean_interval(values)
        scores[name] = {"values": values, "mean": mean, "half_width": half}
    return scores


if __name__ == "__main__":
    run(sys.argv[1:])
