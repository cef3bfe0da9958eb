"""Classes with too few images to learn from."""

import numpy as np
import pandas as pd

from curate.scores import halving

VERSION = 2


def rare_class(manifest: pd.DataFrame, *, limit: float = 0.1, fine: float = 0.5) -> pd.DataFrame:
    """Image of a class that has far fewer training images than the others, or none at all.

    Judged is the class's number of training images as a part of the median class's: at `limit` the score is 0.5, from
    `fine` on 1. The rows are the training images of such classes; of a class without any, score 0, the test and
    validation images. Not a fault of the image: the class wants more of its kind, so generated images are not counted,
    nor named. Limits: chosen by eye; tenfold imbalance is the mildest that Cui et al. 2019, "Class-Balanced Loss",
    study.
    """
    label, split = manifest["label"].to_numpy(dtype=object), manifest["split"].to_numpy(dtype=object)
    labelled = (label != "") & (manifest["error"] == "").to_numpy() & (manifest["parent_id"] == "").to_numpy()
    if not (labelled & (split == "train")).any():
        return pd.DataFrame({"row": [], "score": []})
    counts = pd.Series(label[labelled & (split == "train")]).value_counts()
    counts = counts.reindex(sorted(set(label[labelled])), fill_value=0)
    median = float(counts[counts > 0].median())
    count = counts.reindex(label).to_numpy(np.float64)
    score = halving(count / median, fine=fine, limit=limit, bad="low", finder="rare_class", most=1)
    rows = np.flatnonzero(labelled & (score < 1) & ((split == "train") | (count == 0)))
    details = [
        f"{label[row]} has {count[row]:.0f} original training images, the median class {median:.0f}" for row in rows
    ]
    return pd.DataFrame({"row": rows, "score": score[rows], "detail": details})
