"""The study's ladder: from stacked layers to the best recipe, each rung on the labels as given and on the curated ones.

`python -m tests.benchmarks.study_ladder [SET] [--scale cpu|gpu]`: `worse` (CIFAR-10N) where none is named, curated by
the default policy, as in `tests.benchmarks.study_labels`. The rungs are those of the experiment `ladder`; a rung's two
trainings take as many steps of as many images, and all rungs are measured on the same test images.
"""

import argparse
import sys
from dataclasses import dataclass, replace

from curate import deciding, predictions, verbs
from curate.engine import Local
from curate.results.proof import CURATED, RAW
from curate.workspace import CURATED as CURATED_TABLE
from curate.workspace import Workspace
from tests.benchmarks import label_sets
from tests.benchmarks.record import circumstances, earlier, record
from tests.benchmarks.study_labels import tell
from train import prove, recipes
from train import verbs as training
from train.arms import Arm, Plan, Question
from train.experiments import ladder
from train.predict import predict
from train.study import stratified


@dataclass(frozen=True)
class Scale:
    """How large the ladder is made."""

    profile: str
    rungs: dict[str, dict[str, object]]
    """Name -> settings, the network among them."""
    images: int | None
    """Training images of the raw set, as many of each class as there are; None for all."""
    seeds: int


def rungs(scale: str, epochs: int) -> dict[str, dict[str, object]]:
    """Those of a scale of the experiment, trained for so many epochs."""
    chosen = ladder.SCALES[scale]
    return {
        arm.name: dict(chosen.settings) | {"model": arm.model} | dict(arm.settings) | {"epochs": epochs}
        for arm in chosen.arms
    }


SCALES = {
    "cpu": Scale("quick", rungs("short", epochs=6), images=15_000, seeds=2),
    "gpu": Scale("best", rungs("paper", epochs=60) | {"best": recipes.load("best")}, images=None, seeds=5),
}


def run(arguments: list[str] | None = None) -> None:
    """A rung that was trained before is kept."""
    asked = argparse.ArgumentParser(prog="python -m tests.benchmarks.study_ladder", description=__doc__)
    asked.add_argument("set", nargs="?", default="worse", choices=label_sets.SETS)
    asked.add_argument("--scale", default="cpu", choices=list(SCALES))
    asked.add_argument("--seeds", type=int, help="by default the scale's")
    given = asked.parse_args(arguments or [])
    scale = SCALES[given.scale]
    ws = label_sets.workspace(given.set)
    curate(ws, given.set, scale.profile)
    file = "study_ladder" if given.scale == "cpu" else f"study_ladder_{given.scale}"
    figures = earlier(file)
    own = figures.setdefault(ws.root.name, {})
    for name, settings in scale.rungs.items():
        plan = both(ws, scale.images, prefix=f"ladder-{name}-")
        found = prove.measure(ws, plan, settings=settings, seeds=given.seeds or scale.seeds, on_epoch=tell)
        own[name] = {"arms": found.arms, "compared": found.compared, "config": found.config} | {
            "measured": circumstances()
        }
        record(file, "CIFAR-10 (JPEG copy) with labels of CIFAR-10N; test set untouched", figures)


def curate(ws: Workspace, name: str, profile: str) -> None:
    """What `study_labels` does before it trains; predictions that are there are kept."""
    if not predictions.exists(ws):
        predict(ws, profile=profile, settings=label_sets.SETTINGS.get(name, {}))
    if not ws.has(CURATED_TABLE):
        verbs.scan(ws, only=None, settings={}, engine=Local())
        deciding.decide(ws, None)
        verbs.apply(ws, include_test=False)


def both(ws: Workspace, count: int | None, *, prefix: str) -> Plan:
    """Raw and curated, of the same images as far as curating left them."""
    raw, curated = (training.train_rows_of(verbs.read_images(ws, data)) for data in (RAW, CURATED))
    if count is not None:
        raw = raw.iloc[stratified(raw["label"].to_numpy(), count, seed=0)].reset_index(drop=True)
        curated = curated[curated["image_id"].isin(raw["image_id"])].reset_index(drop=True)
    arms = (Arm(RAW, "labels as given", raw, None), Arm(CURATED, "curated by the policy", curated, None))
    question = Question(CURATED, "curated minus raw", RAW, CURATED)
    return Plan(tuple(replace(arm, prefix=prefix) for arm in arms), (question,), ())


if __name__ == "__main__":
    run(sys.argv[1:])
