"""Which images give away what is asked: a photo on both sides of a split."""

import pandas as pd

from curate.likeness import duplicates

DEPTH = {"train": 2, "val": 1, "test": 0, "pool": -1}
"""A leak runs from what is measured on into what has a larger number; the pool takes no part."""


def leaks(manifest: pd.DataFrame, pairs: pd.DataFrame, *, probability: float = duplicates.PROBABILITY) -> pd.DataFrame:
    """Every `row` that shows the photo of an `other` it must not, with `kind`, `probability`, `view` of the pair.

    The first of each `row` is the one to name: in test before val, the surest of these.
    """
    links = _links(duplicates.same_photo(pairs, probability=probability))
    depth = manifest["split"].map(DEPTH).to_numpy()
    links = links.assign(of=depth[links["other"]])
    links = links[(links["of"] >= 0) & (depth[links["row"]] > links["of"])]
    return links.sort_values(["row", "of", "probability", "kind", "other"], ascending=[True, True, False, True, True])


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
