"""The study's tables on labels: what curating is worth where labels are wrong, and what it costs where they are right.

`python -m tests.benchmarks.study_labels SET … [--scale cpu|gpu] [--planted SHARE]`: of the sets of
`tests.benchmarks.label_sets`, `worse`, `aggre` and `clean` (CIFAR-10N) and `imagenette` with planted errors.
Each set is predicted (once, kept), scanned and decided by the default policy; nobody answers what it leaves to people.
Then networks learn from these sets, for as many steps of as many images, paired by seed, on the same untouched test
images (`curate prove` does the training):

* `raw`: the labels as given.
* `curated`: what the policy makes of it, images dropped and labels changed.
* `drop`: the same images, but those that the policy relabels are dropped.
* `cleanlab`: without what cleanlab's default filter (`find_label_issues`) flags, given the same probabilities.
* `random`: as many images dropped at random as `drop` has dropped.
* `clean`: the true labels, the ceiling.

A study goes on where it was interrupted; results of other sets stay in the JSON.
"""

import argparse
import sys
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from cleanlab.filter import find_label_issues

from curate import deciding, predictions, tables, verbs
from curate.apply import apply
from curate.engine import Local
from curate.manifest import data_hash, label_codes
from curate.results import steps
from curate.results.proof import CLEAN, CURATED, RANDOM, RAW
from curate.workspace import Workspace
from tests.benchmarks import label_sets
from tests.benchmarks.record import circumstances, earlier, record, signals_of
from train import prove, recipes
from train.arms import Arm, Plan, Question
from train.budget import parse_seconds
from train.checkpoint import Epoch
from train.predict import predict
from train.rows import train_rows_of

DROP, CLEANLAB = "drop", "cleanlab"
FINDERS = ("label_error", "split_leak")
"""Those that the policy acts on."""
WHAT = "CIFAR-10 (JPEG copy) with labels of CIFAR-10N, and Imagenette at 32 px with planted errors"


@dataclass(frozen=True)
class Scale:
    """How large the study is made."""

    profile: str
    """Of `predict`."""
    recipe: str
    epochs: dict[str, int]
    """Of a training, by set; "" for those that are not named."""
    seeds: int


SCALES = {
    "cpu": Scale("quick", "fast", {"": 3, "imagenette": 15}, seeds=3),  # 6 sets x 3 seeds x 50 s on two idle cores
    "gpu": Scale("best", "fast", {"": 15, "imagenette": 60}, seeds=5),
}


def run(arguments: list[str] | None = None) -> None:
    """Results of one set are kept should the next fail."""
    asked = argparse.ArgumentParser(prog="python -m tests.benchmarks.study_labels", description=__doc__)
    asked.add_argument("sets", nargs="*", default=["worse", "aggre", "clean"], metavar="SET")
    asked.add_argument("--scale", default="cpu", choices=list(SCALES))
    asked.add_argument("--planted", type=float, default=0.0, help="share of labels to make wrong on top")
    asked.add_argument("--kind", default="uniform", choices=label_sets.KINDS, help="which labels these take")
    asked.add_argument("--seeds", type=int, help="by default the scale's")
    asked.add_argument("--budget", type=parse_seconds, help="begin no more trainings of a set after that time")
    given = asked.parse_args(arguments or [])
    file = "study_labels" if given.scale == "cpu" else f"study_labels_{given.scale}"
    for name in given.sets:
        if name not in label_sets.SETS:
            asked.error(f"no set is called {name!r}; there are: {', '.join(label_sets.SETS)}")
        ws = label_sets.workspace(name, planted=given.planted, kind=given.kind)
        scale = SCALES[given.scale]
        found = measure(ws, name, scale, seeds=given.seeds or scale.seeds, budget=given.budget)
        figures = earlier(file)
        signals = signals_of(*FINDERS)
        figures[ws.root.name] = found | {"measured": circumstances(signals)}
        record(file, WHAT, figures, signals=signals)


def measure(ws: Workspace, name: str, scale: Scale, *, seeds: int, budget: float | None) -> dict[str, object]:
    """Curate, train all arms, compare."""
    settings = label_sets.SETTINGS.get(name, {})
    if not predictions.exists(ws):
        predict(ws, profile=scale.profile, settings=settings)
    verbs.scan(ws, only=None, settings={}, engine=Local())
    decided = deciding.decide(ws, None)
    verbs.apply(ws, include_test=False)
    epochs = scale.epochs.get(name, scale.epochs[""])
    found = prove.measure(
        ws,
        plan(ws),
        settings=recipes.load(scale.recipe) | settings | {"epochs": epochs},
        seeds=seeds,
        budget=budget,
        on_epoch=tell,
    )
    return {
        "decisions": decided.actions,
        "for_review": decided.for_review,
        "epochs_of_raw": epochs,
        "arms": found.arms,
        "compared": found.compared,
        "split": found.split,
        "gap_closed": found.gap_closed,
        "test_images": found.test_images,
        "config": found.config,
        "stopped": found.stopped,
    }


def plan(ws: Workspace) -> Plan:
    """The arms and questions of the study."""
    images = tables.read_manifest(ws)
    decisions = tables.read_decisions(ws, images)
    rows, true = label_sets.truth(ws)
    truth = pd.Series(true, rows["image_id"])
    drops = decisions.assign(action=decisions["action"].replace("relabel", "drop"))
    dropped = apply(images, drops).table
    sets = {
        RAW: ("labels as given", images),
        CURATED: ("dropped and relabelled by the policy", tables.read_images(ws, CURATED)),
        DROP: ("dropped what the policy drops or relabels", dropped),
        CLEANLAB: ("without what cleanlab's default filter flags", images[~by_cleanlab(ws, images)]),
        CLEAN: ("true labels", steps.with_labels(images, truth)),
    }
    seen: dict[str, str] = {}
    arms = []
    for name, (says, table) in sets.items():
        usable = train_rows_of(table)
        if seen.setdefault(data_hash(usable), name) == name:  # true labels may be the given ones
            arms.append(Arm(name, says, usable, steps.labels_right(usable, truth)))
    count = steps.lost(arms[0].rows, train_rows_of(dropped))
    if count:
        arms.append(replace(arms[0], name=RANDOM, says="as many dropped at random", dropped=count))
    questions = [
        Question(CURATED, "curated minus raw", RAW, CURATED),
        Question(DROP, "dropping alone minus raw", RAW, DROP),
        Question("relabel", "relabelling instead of dropping", DROP, CURATED),
        Question(CLEANLAB, "cleanlab's default filter minus raw", RAW, CLEANLAB),
        Question("against cleanlab", "curated minus cleanlab's default filter", CLEANLAB, CURATED),
        Question(RANDOM, "dropping at random minus raw", RAW, RANDOM),
        Question(CLEAN, "true labels minus raw", RAW, CLEAN),
    ]
    there = {arm.name for arm in arms}
    asked = [question for question in questions if {question.before, question.after} <= there]
    return Plan(tuple(arms), tuple(asked), ())


def by_cleanlab(ws: Workspace, images: pd.DataFrame) -> np.ndarray:
    """Which images cleanlab's default filter flags, given our probabilities: shape (N,), bool."""
    found = predictions.read(ws, images)
    labels = label_codes(images, found.classes)
    known = (labels >= 0) & (images["split"] == "train").to_numpy() & found.present
    flagged = np.zeros(len(images), bool)
    flagged[known] = find_label_issues(labels[known], found.pred_probs[known], n_jobs=1)
    return flagged


def tell(arm: str, epoch: Epoch) -> None:
    """A line per epoch on stderr."""
    accuracy = "" if epoch.eval_acc is None else f", test {100 * epoch.eval_acc:.1f} %"
    print(f"{arm} seed {epoch.seed} epoch {epoch.epoch}{accuracy}, {epoch.seconds:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    run(sys.argv[1:])
