"""The same photo on both sides of a split."""

import pandas as pd

from curate.likeness import duplicates

DEPTH = {"train": 2, "val": 1, "test": 0, "pool": -1}
"""A leak runs from what is measured on into what has a larger number; the pool takes no part."""


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
    links = _links(duplicates.same_photo(duplicate_pairs, probability=probability))
    depth = manifest["split"].map(DEPTH).to_numpy()
    to, of = depth[links["row"]], depth[links["other"]]
    links = links[(of >= 0) & (to > of)]
    links = links.assign(of=depth[links["other"]]).sort_values(
        ["row", "of", "probability", "kind", "other"], ascending=[True, True, False, True, True]
    )
    links = links.drop_duplicates("row")
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
