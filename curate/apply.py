"""Apply decisions to a manifest: a pure function of the two, so that going back is removing decisions."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

CHANGES = ("added", "dropped", "labelled", "relabelled", "moved", "changed")


@dataclass(frozen=True)
class Curated:
    """A curated manifest, and what was done to make it."""

    table: pd.DataFrame
    dropped: int
    relabelled: int
    labelled: int
    """Images of the pool that were given a label, and moved to `train`."""
    kept: int
    """Decisions that say: leave it as it is."""
    test_left_alone: list[str]
    """image_ids of test images with a decision that was not carried out."""


def about_each(images: pd.DataFrame, decisions: pd.DataFrame) -> pd.DataFrame:
    """What was decided about each of these images, `action` and `label`, "" for nothing: a row per image, in their
    order. Generated images follow their original where nothing was said of themselves; and to its new label where they
    are kept: that saves them from its `drop` alone."""
    by_image = decisions.drop_duplicates("image_id", keep="last").set_index("image_id")[["action", "label"]]
    own, of_original = (
        by_image.reindex(images[name], fill_value="").set_axis(images.index) for name in ("image_id", "parent_id")
    )
    takes_its_label = (own["action"] == "keep") & (of_original["action"] == "relabel")
    follows = ((own["action"] == "") | takes_its_label) & (images["parent_id"] != "")
    return own.where(~follows, of_original)


def apply(manifest: pd.DataFrame, decisions: pd.DataFrame, *, include_test: bool = False) -> Curated:
    """The manifest without what was dropped and with the labels that were decided; order and columns stay.

    An image of the pool that is given a label moves to `train`. Generated images follow their parent, see `about_each`.
    Decisions on test images are carried out only with `include_test`.
    """
    said = about_each(manifest, decisions)
    action, label = said["action"], said["label"]
    guarded = (manifest["split"] == "test") & (action.isin(["drop", "relabel"])) & (not include_test)
    action = action.where(~guarded, "")
    drop, relabel = action == "drop", (action == "relabel") & (label != manifest["label"])
    table = manifest.copy()
    table.loc[relabel, "label"] = label[relabel]
    labelled = (action == "relabel") & (manifest["split"] == "pool")
    table.loc[labelled, "split"] = "train"
    table = table[~drop].reset_index(drop=True)
    return Curated(
        table,
        int(drop.sum()),
        int((relabel & ~labelled).sum()),
        int(labelled.sum()),
        int((action == "keep").sum()),
        manifest["image_id"][guarded].to_list(),
    )


def diff(before: pd.DataFrame, after: pd.DataFrame, decisions: pd.DataFrame) -> pd.DataFrame:
    """What changed between two manifests: columns `image_id`, `change`, `before`, `after`, `because`.

    `change` is one of `CHANGES`: an image can be added, dropped, labelled, relabelled, moved to another split, or have
    other content under its name. One that was labelled waited for that in the pool, and went into training: `before` is
    its split, `after` its label. `because` names the finders of the decision on it, or on the original that it
    followed, or "" where there was none. A `keep` is behind none of the changes that decisions make.
    """
    both = before.merge(after, on="image_id", how="outer", suffixes=("_before", "_after"), indicator=True, sort=True)
    gone, new, stayed = (both["_merge"] == side for side in ("left_only", "right_only", "both"))
    waited = (both["split_before"] == "pool") & (both["label_before"] == "")
    labelled = stayed & waited & (both["split_after"] == "train") & (both["label_after"] != "")
    rows = [
        _rows(both[gone], "dropped", "label_before", None),
        _rows(both[new], "added", None, "label_after"),
        _rows(both[labelled], "labelled", "split_before", "label_after"),
    ]
    others = stayed & ~labelled
    for change, among, column in (
        ("relabelled", others, "label"),
        ("moved", others, "split"),
        ("changed", stayed, "content_hash"),
    ):
        differs = among & (both[f"{column}_before"] != both[f"{column}_after"])
        rows.append(_rows(both[differs], change, f"{column}_before", f"{column}_after"))
    table = pd.concat(rows, ignore_index=True)
    said = decisions.drop_duplicates("image_id", keep="last").set_index("image_id")
    reasons, acting = said["because"], said.index[said["action"] != "keep"]
    parents = pd.concat([before, after]).drop_duplicates("image_id").set_index("image_id")["parent_id"]
    followed = table["change"].isin(["dropped", "labelled", "relabelled", "moved"]) & ~table["image_id"].isin(acting)
    key = table["image_id"].where(~followed, parents.reindex(table["image_id"]).to_numpy())
    table["because"] = reasons.reindex(key, fill_value="").to_numpy()
    return table


def _rows(table: pd.DataFrame, change: str, before: str | None, after: str | None) -> pd.DataFrame:
    blank = np.full(len(table), "", dtype=object)
    return pd.DataFrame(
        {
            "image_id": table["image_id"].to_numpy(),
            "change": change,
            "before": table[before].to_numpy() if before else blank,
            "after": table[after].to_numpy() if after else blank,
        }
    ).astype("str")
