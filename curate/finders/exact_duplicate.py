"""The same pixels twice."""

import numpy as np
import pandas as pd

from curate.likeness import duplicates

VERSION = 2


def exact_duplicate(manifest: pd.DataFrame) -> pd.DataFrame:
    """Same pixels as another image, whatever the file's name or format; all but one are flagged.

    Score 0. `related_id` is the one to keep: one in test before val before train before pool, of these an original
    before a generated one, of these one with the label that most of the original copies have, of these the one added
    first.
    """
    keeper = duplicates.exact_keepers(manifest)
    rows = np.flatnonzero(keeper != np.arange(len(manifest)))
    kept = keeper[rows]
    return pd.DataFrame(
        {
            "row": rows,
            "score": np.zeros(len(rows)),
            "group": kept,
            "related_id": manifest["image_id"].to_numpy()[kept],
            "detail": [f"the same pixels are kept in {split}" for split in manifest["split"].to_numpy()[kept]],
        }
    )
