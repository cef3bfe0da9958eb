"""The same photo on both sides of a split."""

import pandas as pd

from curate.likeness import duplicates
from curate.likeness.leaks import leaks


def split_leak(
    manifest: pd.DataFrame,
    duplicate_pairs: pd.DataFrame,
    *,
    probability: float = duplicates.PROBABILITY,
) -> pd.DataFrame:
    """Training image that shows a photo of the test or validation set, or validation image one of the test set.

    Score: 0 for equal pixels, else 1 less the probability that it is the same photo, as in `near_duplicate`.
    `related_id` is the image that it gives away, in test before val. The network has seen what it is asked:
    1.5 to 3.3 % of CIFAR-10's test images are such. Source: Barz, Denzler 2020, "Do we train on test data?".
    """
    links = leaks(manifest, duplicate_pairs, probability=probability).drop_duplicates("row")
    rows, others = links["row"].to_numpy(), links["other"].to_numpy()
    groups = duplicates.components(len(manifest), rows, others)
    splits = manifest["split"].to_numpy()[others]
    return pd.DataFrame(
        {
            "row": rows,
            "score": 1 - links["probability"].to_numpy(),
            "flagged": True,
            "group": groups[rows],
            "related_id": manifest["image_id"].to_numpy()[others],
            "detail": duplicates.told(links, splits),
        }
    )
