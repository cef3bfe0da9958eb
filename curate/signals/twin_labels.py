"""Which other labels versions of the same photo carry."""

import numpy as np
import pandas as pd

from curate.likeness import duplicates

VERSION = 2


def twin_labels(manifest: pd.DataFrame, labels: np.ndarray, duplicate_pairs: pd.DataFrame) -> pd.DataFrame:
    """Labels of each image's twins: the columns `row`, `label` (position in the classes), one row per image and twin.

    `labels`: shape (N,), -1 for unlabelled. `duplicate_pairs`: see the signal of that name. Twins are the two images of
    a pair of versions of one photo, in any split; of many copies with equal pixels each is a twin of the first alone.
    Generated images are nobody's twins: they have the label of their original, which nobody gave them.
    """
    pairs = duplicates.same_photo(duplicate_pairs)
    a, b = pairs["a"].to_numpy(), pairs["b"].to_numpy()
    row, twin = np.concatenate([a, b]), np.concatenate([b, a])
    family, original = duplicates.families(manifest), (manifest["parent_id"] == "").to_numpy()
    told = (labels[twin] >= 0) & original[twin] & (family[row] != family[twin])
    table = pd.DataFrame({"row": row[told], "label": labels[twin[told]]})
    return table.sort_values(["row", "label"], ignore_index=True)
