"""Which other labels versions of the same photo carry."""

import numpy as np
import pandas as pd

from curate.likeness import duplicates


def twin_labels(labels: np.ndarray, duplicate_pairs: pd.DataFrame) -> pd.DataFrame:
    """Labels of each image's twins: the columns `row`, `label` (position in the classes), one row per image and twin.

    `labels`: shape (N,), -1 for unlabelled. `duplicate_pairs`: see the signal of that name. Twins are the two images of
    a pair of versions of one photo, in any split; of many copies with equal pixels each is a twin of the first alone.
    """
    pairs = duplicates.same_photo(duplicate_pairs)
    a, b = pairs["a"].to_numpy(), pairs["b"].to_numpy()
    row, twin = np.concatenate([a, b]), np.concatenate([b, a])
    table = pd.DataFrame({"row": row, "label": labels[twin]})
    return table[table["label"] >= 0].sort_values(["row", "label"], ignore_index=True)
