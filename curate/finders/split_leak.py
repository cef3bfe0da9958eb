"""The same photo on both sides of a split."""

import numpy as np
import pandas as pd

from curate import duplicates

DEPTH = {"train": 2, "val": 1, "test": 0, "pool": -1}
"""A leak runs from what is measured on into what has a larger number; the pool takes no part."""


def split_leak(
    manifest: pd.DataFrame,
    duplicate_pairs: pd.DataFrame,
    *,
    radius: int = duplicates.RADIUS,
    similarity: float = duplicates.SIMILARITY,
) -> pd.DataFrame:
    """Training image that shows a photo of the test or validation set, or validation image one of the test set.

    Score in [0, 0.5]: 0 for equal pixels, 0.5 for details just similar enough. `related_id` is the image that it gives
    away, in test before val. `radius` and `similarity` as in `near_duplicate`. The network has seen what it is asked:
    1.5 to 3.3 % of CIFAR-10's test images are such. Source: Barz, Denzler 2020, "Do we train on test data?".
    """
    links = _links(duplicates.same_photo(duplicate_pairs, radius=radius, similarity=similarity))
    depth = manifest["split"].map(DEPTH).to_numpy()
    to, of = depth[links["row"]], depth[links["other"]]
    links = links[(of >= 0) & (to > of)]
    links = links.assign(of=depth[links["other"]]).sort_values(
        ["row", "of", "similarity", "other"], ascending=[True, True, False, True]
    )
    links = links.drop_duplicates("row")
    rows, others = links["row"].to_numpy(), links["other"].to_numpy()
    groups = duplicates.components(len(manifest), rows, others)
    asked = np.maximum(links["asked"].to_numpy(), similarity)
    same = (links["kind"] == "exact").to_numpy()
    alike = links["similarity"].to_numpy()
    splits = manifest["split"].to_numpy()[others]
    return pd.DataFrame(
        {
            "row": rows,
            "score": np.where(same, 0, 0.5 * np.clip((1 - alike) / np.maximum(1 - asked, 1e-6), 0, 1)),
            "flagged": True,
            "group": groups[rows],
            "related_id": manifest["image_id"].to_numpy()[others],
            "detail": [
                f"same pixels as in {split}" if equal else f"same photo as in {split}, details correlate by {value:.2f}"
                for split, equal, value in zip(splits, same, alike, strict=True)
            ],
        }
    )


def _links(pairs: pd.DataFrame) -> pd.DataFrame:
    """Both directions of every pair, as `row` and `other`; near pairs also for the exact copies of their images."""
    exact, near = pairs[pairs["kind"] == "exact"], pairs[pairs["kind"] == "near"]
    copies = exact[["a", "b"]].rename(columns={"a": "row", "b": "copy"})
    near = pd.concat([near.rename(columns={"a": "row", "b": "other"}), near.rename(columns={"a": "other", "b": "row"})])
    of_copies = near.merge(copies, on="row").drop(columns="row").rename(columns={"copy": "row"})
    exact = exact.rename(
        columns={"b": "row", "a": "other"}
    )  # `a` is in the split that is measured on, if any of them is
    return pd.concat([exact, near, of_copies], ignore_index=True)
