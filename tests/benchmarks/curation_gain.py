"""What curation is worth: one network with the same settings on raw and on curated `worse` labels, same test set."""

from curate import predictions, verbs
from tests.benchmarks import label_sets
from tests.benchmarks.record import record
from train import verbs as training

SEEDS = 3
EPOCHS = 3
"""Half of the default, for both sets alike: six trainings in a quarter of an hour on two cores."""


def run() -> None:
    """Needs the predictions of the benchmark `label_errors`; makes them where they are missing."""
    ws = label_sets.workspace("worse")
    if not predictions.exists(ws):
        training.predict(ws, folds=5, settings={})
    verbs.scan(ws, only=None, settings={}, workers=None)
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
    for data in ("raw", "curated"):
        _, result = training.train(ws, data=data, seeds=SEEDS, settings={"epochs": EPOCHS})
        figures[data] = {
            "accuracy": result.accuracy,
            "accuracy_flip": result.accuracy_flip,
            "leak_free": result.accuracy_leak_free,
            "seconds": result.seconds,
            "config": result.config,
        }
        record(
            "curation_gain",
            "CIFAR-10 (JPEG copy), CIFAR-10N `worse` labels (40.2 % wrong); test set untouched",
            figures,
        )
