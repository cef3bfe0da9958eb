"""Whether pseudo labels are right as often as they say: test images as if nobody knew their labels.

`python -m tests.benchmarks.pseudo_labels [SET ...]`: for CIFAR-10N `aggre` and `worse` and for digits with 10 % planted
errors. Reads the predictions of the benchmark `label_errors`, makes them where they are missing, and trains nothing
else. The labels by which probabilities are calibrated are all of the training images', or so many drawn by chance.
"""

import sys

import numpy as np
import pandas as pd

from curate import manifest, predictions, tables
from curate.finders.pseudo_label import pseudo_label
from tests.benchmarks import label_sets
from tests.benchmarks.record import circumstances, earlier, record
from train.predict import predict

SETS: dict[str, tuple[str, float, str]] = {
    "aggre": ("aggre", 0.0, "uniform"),
    "worse": ("worse", 0.0, "uniform"),
    "digits-0.1-class": ("digits", 0.1, "class"),
}
SURE = (0.9, 0.95, 0.98)
FEW = 500
SIGNALS = ("label_doubt",)
"""What has the model of labels by which probabilities are calibrated; pairs are left out."""
NO_PAIRS = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in (("a", "int64"), ("b", "int64"))}).assign(
    kind="", probability=0.0
)


def run(arguments: list[str] | None = None) -> None:
    """Results of other sets stay in the JSON."""
    what = "test images whose labels were hidden from it, true labels to compare"
    for name in arguments or list(SETS):
        figures = earlier("pseudo_labels")
        figures[name] = measure(name) | {"measured": circumstances(SIGNALS)}
        record("pseudo_labels", what, figures, signals=SIGNALS)


def measure(name: str) -> dict[str, object]:
    """For each number of labels and each probability: how many are labelled, how many right, and how many should be."""
    source, planted, kind = SETS[name]
    ws = label_sets.workspace(source, planted=planted, kind=kind)
    if not predictions.exists(ws):
        predict(ws, settings=label_sets.SETTINGS.get(source, {}))
    images = tables.read_manifest(ws)
    found = predictions.read(ws, images)
    true = images["image_id"].str.split("/").str[-2].to_numpy(dtype=object)
    train = np.flatnonzero(images["split"] == "train")
    rows = []
    for count in (len(train), FEW):
        hidden = _hidden(images, np.random.default_rng(0).permutation(train)[:count])
        labels = manifest.label_codes(hidden, found.classes)
        for sure in SURE:
            table = pseudo_label(hidden, labels, found.classes, found.pred_probs, found.repeats, NO_PAIRS, sure=sure)
            rows.append(
                {
                    "labels": count,
                    "sure": sure,
                    "pool": int((hidden["split"] == "pool").sum()),
                    "labelled": len(table),
                    "right": float((table["suggested_label"].to_numpy() == true[table["row"].to_numpy()]).mean()),
                    "expected": float(table["suggested_prob"].mean()),
                }
            )
    return {"rows": rows}


def _hidden(images: pd.DataFrame, known: np.ndarray) -> pd.DataFrame:
    """Test images in the pool, without a label, and of the training images these alone with theirs."""
    test, labelled = (images["split"] == "test").to_numpy(), np.zeros(len(images), bool)
    labelled[known] = True
    return images.assign(
        split=images["split"].where(~test, "pool").astype("str"),
        label=images["label"].where(labelled, "").astype("str"),
    )


if __name__ == "__main__":
    run(sys.argv[1:])
