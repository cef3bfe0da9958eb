"""One photo, several labels."""

import numpy as np
import pandas as pd

from curate.likeness import duplicates

VERSION = 2


def conflicting_labels(
    manifest: pd.DataFrame, duplicate_pairs: pd.DataFrame, *, probability: float = duplicates.PROBABILITY
) -> pd.DataFrame:
    """Versions of one photo under different labels: at least one of the labels is wrong.

    Every labelled version is a row, but for generated ones, which have the label of their original; its score is the
    share of the versions that have its label. Where one label has
    more than half of them, the others are flagged and that label is suggested; else all are flagged, with scores below
    0.5 and no suggestion. `related_id` is the first version with another label, of the most frequent one where that is.
    `probability` as in `near_duplicate`.
    """
    pairs = duplicates.same_photo(duplicate_pairs, probability=probability)
    groups = duplicates.components(len(manifest), pairs["a"].to_numpy(), pairs["b"].to_numpy())
    involved = np.unique(np.concatenate([pairs["a"].to_numpy(), pairs["b"].to_numpy()]))
    table = manifest.iloc[involved][["image_id", "label", "parent_id"]].assign(row=involved, group=groups[involved])
    table = table[(table["label"] != "") & (table["parent_id"] == "")]
    table = table[table.groupby("group")["label"].transform("nunique") > 1]
    return _judged(table)


def _judged(table: pd.DataFrame) -> pd.DataFrame:
    """Scores and flags of the versions of photos, each under several labels: `row`, `group`, `image_id`, `label`."""
    counts = table.groupby(["group", "label"]).agg(count=("row", "size"), first=("image_id", "first")).reset_index()
    counts = counts.sort_values(["group", "count", "label"], ascending=[True, False, True])
    counts["text"] = counts["count"].astype(str) + " × " + counts["label"].map(repr)
    by_photo = counts.groupby("group")
    most, next_most = (by_photo.nth(place).set_index("group") for place in (0, 1))
    total = by_photo["count"].sum()
    group = table["group"]
    share = table.merge(counts, on=["group", "label"])["count"].to_numpy() / group.map(total).to_numpy()
    decided = group.map(most["count"] * 2 > total).to_numpy(bool)
    is_most = (table["label"] == group.map(most["label"])).to_numpy(bool)
    flagged = ~(decided & is_most)
    return pd.DataFrame(
        {
            "row": table["row"],
            "score": np.where(decided, share, np.minimum(share, 0.49)),
            "flagged": flagged,
            "group": group,
            "suggested_label": np.where(flagged & decided, group.map(most["label"]), ""),
            "related_id": np.where(is_most, group.map(next_most["first"]), group.map(most["first"])),
            "detail": group.map(by_photo["text"].agg(", ".join)),
        }
    )
