"""What curation is worth: one recipe on raw and on curated labels of CIFAR-10N, same seeds, same untouched test set.

`python -m tests.benchmarks.curation_gain [SET ...]`: `aggre` (9.0 % wrong) and `worse` (40.2 %) where none is named.
The policy decides alone; nobody answers what it leaves to people. Results of other sets stay in the JSON.
"""

import sys

from curate import predictions, verbs
from curate.engine import Local
from curate.interval import mean_interval
from tests.benchmarks import label_sets
from tests.benchmarks.record import circumstances, earlier, record
from train import recipes
from train import verbs as training

SETS = ("aggre", "worse")
SEEDS = 3
EPOCHS = 4
"""Of 15 in the recipe, raw and curated alike: twelve trainings in half an hour on two cores."""


def run(arguments: list[str] | None = None) -> None:
    """Needs the predictions of the benchmark `label_errors`; makes them where they are missing."""
    for name in arguments or SETS:
        figures = earlier("curation_gain")
        figures[name] = measure(name) | {"measured": circumstances()}
        record("curation_gain", "CIFAR-10 (JPEG copy), labels of CIFAR-10N; test set untouched", figures)


def measure(name: str) -> dict[str, object]:
    """What the policy decides, how many labels are wrong before and after, and the accuracy of each seed."""
    ws = label_sets.workspace(name)
    if not predictions.exists(ws):
        training.predict(ws, settings=label_sets.SETTINGS.get(name, {}))
    verbs.scan(ws, only=None, settings={}, engine=Local())
    decided = verbs.decide(ws, None)
    applied = verbs.apply(ws, include_test=False)
    rows, true = label_sets.truth(ws)
    curated = verbs.read_images(ws, "curated")
    kept = curated[curated["split"] == "train"]
    truth = dict(zip(rows["image_id"], true, strict=True))
    figures: dict[str, object] = {
        "decisions": decided.actions,
        "for_review": decided.for_review,
        "dropped": applied.dropped,
        "relabelled": applied.relabelled,
        "wrong_share_raw": float((rows["label"] != true).mean()),
        "wrong_share_curated": float((kept["label"] != kept["image_id"].map(truth)).mean()),
    }
    settings = recipes.load("fast") | {"epochs": EPOCHS}
    scores = {}
    for data in ("raw", "curated"):
        _, result = training.train(ws, data=data, seeds=SEEDS, settings=settings)
        figures[data] = {
            "accuracy": result.accuracy,
            "accuracy_flip": result.accuracy_flip,
            "leak_free": result.accuracy_leak_free,
            "seconds": result.seconds,
            "config": result.config,
        }
        scores[data] = result.accuracy.values
    differences = [after - before for before, after in zip(scores["raw"], scores["curated"], strict=True)]
    mean, half_width = mean_interval(differences)
    return figures | {"difference": {"values": differences, "mean": mean, "half_width": half_width}}


if __name__ == "__main__":
    run(sys.argv[1:])
