"""The study's ladder: from stacked layers to the best recipe, each rung on the labels as given and on the curated ones.

`python -m tests.benchmarks.study_ladder [SET] [--planted SHARE] [--scale cpu|gpu]`: `worse` (CIFAR-10N) where none is
named, curated by the default policy, as in `tests.benchmarks.study_labels`. The rungs are those of the experiment
`ladder`; a rung's two trainings take as many steps of as many images, and all rungs are measured on the same test
images.
"""

import argparse
import sys
from dataclasses import dataclass, replace

from curate import deciding, predictions, tables, verbs
from curate.engine import Local
from curate.results.proof import CURATED, RAW
from curate.workspace import CURATED as CURATED_TABLE
from curate.workspace import Workspace
from tests.benchmarks import label_sets
from tests.benchmarks.record import circumstances, earlier, record, signals_of
from tests.benchmarks.study_labels import FINDERS, tell
from train import prove, recipes
from train.arms import Arm, Plan, Question
from train.experiments import ladder
from train.predict import predict
from train.rows import train_rows_of
from train.study import stratified

WHAT = "The sets that are named: CIFAR-10 as a JPEG copy, Imagenette at 32 px; test images untouched"


@dataclass(frozen=True)
class Scale:
    """How large the ladder is made."""

    profile: str
    rungs: dict[str, dict[str, object]]
    """Name -> settings, the network among them."""
    images: int | None
    """Training images of the raw set at most, as many of each class as there are; None for all."""
    shown: int
    """Images that each training is shown, in whole epochs of the raw set."""
    seeds: int


def rungs(scale: str) -> dict[str, dict[str, object]]:
    """Those of a scale of the experiment, without a number of epochs."""
    chosen = ladder.SCALES[scale]
    shared = {name: value for name, value in chosen.settings.items() if name != "epochs"}
    return {arm.name: shared | {"model": arm.model} | dict(arm.settings) for arm in chosen.arms}


BEST = {name: value for name, value in recipes.load("best").items() if name != "epochs"}
SCALES = {
    "cpu": Scale("quick", rungs("short"), images=15_000, shown=90_000, seeds=2),
    "gpu": Scale("best", rungs("paper") | {"best": BEST}, images=None, shown=3_000_000, seeds=5),
}


def run(arguments: list[str] | None = None) -> None:
    """A rung that was trained before is kept."""
    asked = argparse.ArgumentParser(prog="python -m tests.benchmarks.study_ladder", description=__doc__)
    asked.add_argument("set", nargs="?", default="worse", choices=label_sets.SETS)
    asked.add_argument("--planted", type=float, default=0.0, help="share of labels to make wrong on top")
    asked.add_argument("--scale", default="cpu", choices=list(SCALES))
    asked.add_argument("--seeds", type=int, help="by default the scale's")
    given = asked.parse_args(arguments or [])
    scale = SCALES[given.scale]
    ws = label_sets.workspace(given.set, planted=given.planted)
    own_settings = label_sets.SETTINGS.get(given.set, {})
    curate(ws, scale.profile, own_settings)
    file = "study_ladder" if given.scale == "cpu" else f"study_ladder_{given.scale}"
    figures = earlier(file)
    own = figures.setdefault(ws.root.name, {})
    signals = signals_of(*FINDERS)
    for name, settings in scale.rungs.items():
        plan = both(ws, scale.images, prefix=f"ladder-{name}-")
        epochs = {"epochs": round(scale.shown / len(plan.arms[0].rows))}
        found = prove.measure(
            ws, plan, settings=epochs | settings | own_settings, seeds=given.seeds or scale.seeds, on_epoch=tell
        )
        own[name] = {"arms": found.arms, "compared": found.compared, "config": found.config} | {
            "measured": circumstances(signals)
        }
        record(file, WHAT, figures, signals=signals)


def curate(ws: Workspace, profile: str, settings: dict[str, object]) -> None:
    """What `study_labels` does before it trains; predictions that are there are kept."""
    if not predictions.exists(ws):
        predict(ws, profile=profile, settings=settings)
    if not ws.has(CURATED_TABLE):
        verbs.scan(ws, only=None, settings={}, engine=Local())
        deciding.decide(ws, None)
        verbs.apply(ws, include_test=False)


def both(ws: Workspace, count: int | None, *, prefix: str) -> Plan:
    """Raw and curated, of the same images as far as curating left them."""
    raw, curated = (train_rows_of(tables.read_images(ws, data)) for data in (RAW, CURATED))
    if count is not None and count < len(raw):
        raw = raw.iloc[stratified(raw["label"].to_numpy(), count, seed=0)].reset_index(drop=True)
        curated = curated[curated["image_id"].isin(raw["image_id"])].reset_index(drop=True)
    arms = (Arm(RAW, "labels as given", raw, None), Arm(CURATED, "curated by the policy", curated, None))
    question = Question(CURATED, "curated minus raw", RAW, CURATED)
    return Plan(tuple(replace(arm, prefix=prefix) for arm in arms), (question,), ())


if __name__ == "__main__":
    run(sys.argv[1:])
