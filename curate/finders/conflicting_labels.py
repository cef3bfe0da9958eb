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
    label = manifest["label"].to_numpy(dtype=object)
    involved = np.unique(np.concatenate([pairs["a"].to_numpy(), pairs["b"].to_numpy()]))
    table = pd.DataFrame({"row": involved, "group": groups[involved], "label": label[involved]})
    table["image_id"] = manifest["image_id"].to_numpy()[involved]
    table = table[(table["label"] != "") & (manifest["parent_id"] == "").to_numpy()[involved]]
    table = table[table.groupby("group")["label"].transform("nunique") > 1]
    tables = [_judge(table) for _, table in table.groupby("group")]
    columns = ["row", "score", "flagged", "group", "suggested_label", "related_id", "detail"]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame({name: [] for name in columns})


def _judge(table: pd.DataFrame) -> pd.DataFrame:
    """Scores and flags of one group's labelled images."""
    counts = table["label"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    share = table["label"].map(counts).to_numpy() / len(table)
    decided = counts.iloc[0] * 2 > len(table)
    flagged = (table["label"] != counts.index[0]).to_numpy() if decided else np.ones(len(table), bool)
    first = table.groupby("label", sort=False)["image_id"].first()
    other = np.where(table["label"] == counts.index[0], counts.index[1], counts.index[0])
    return table.assign(
        score=share if decided else np.minimum(share, 0.49),
        flagged=flagged,
        suggested_label=np.where(flagged & decided, counts.index[0], ""),
        related_id=first[other].to_numpy(),
        detail=", ".join(f"{count} × {label!r}" for label, count in counts.items()),
    )
