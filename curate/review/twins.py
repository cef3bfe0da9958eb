"""Images that show one photo: which belong together, and which are shown beside those that are asked about."""

import numpy as np
import pandas as pd

from curate.decisions import CONFLICT, LEAK, TWINS
from curate.likeness import duplicates

DUPLICATES = (*TWINS, LEAK, CONFLICT)
"""Finders whose images are looked at beside their twins."""
TOGETHER = 12
"""Twins that are shown beside the images of a group at most."""


def groups(findings: pd.DataFrame, images: pd.DataFrame) -> pd.Series:
    """image_id -> name of the group of all that show one photo, of every image that was flagged for its twins."""
    links = findings[findings["finder"].isin(DUPLICATES) & findings["flagged"]]
    ids = pd.Index(images["image_id"])
    mates = links[links["group"] >= 0].groupby(["finder", "group"])["image_id"].transform("first")
    a = np.tile(ids.get_indexer(pd.Index(links["image_id"])), 2)
    b = np.concatenate(
        [ids.get_indexer(pd.Index(other)) for other in (links["related_id"], mates.reindex(links.index))]
    )
    known = (a >= 0) & (b >= 0)
    named = duplicates.components(len(images), a[known], b[known])
    members = np.flatnonzero(np.isin(named, named[np.append(a[known], b[known])]))
    return pd.Series(named[members].astype(str), index=images["image_id"].to_numpy()[members], dtype="str")


def twins_of(rows: pd.DataFrame, named: pd.Series) -> pd.DataFrame:
    """`image_id` and `group` of all that show one photo with an image that is asked about because of its twins.

    named: as `groups` gives it.
    """
    wanted = named.reindex(rows["image_id"][rows["kind"] == "duplicates"]).dropna()
    table = named[named.isin(wanted)].rename("group").rename_axis("image_id").reset_index()
    beside = ~table["image_id"].isin(rows["image_id"])
    return table[~beside | (table[beside].groupby("group").cumcount().reindex(table.index) < TOGETHER)]


def for_drop(findings: pd.DataFrame) -> pd.DataFrame:
    """The findings that can speak for dropping an image: not that the photo has another label elsewhere, and, where it
    has, not that it is there twice. Which of the two stays decides on the label, and that takes a look."""
    conflict = findings["finder"] == CONFLICT
    disputed = findings["image_id"][conflict & findings["flagged"]]
    return findings[~conflict & ~(findings["finder"].isin(TWINS) & findings["image_id"].isin(disputed))]


def reasons(findings: pd.DataFrame) -> pd.Series:
    """image_id -> finders that flagged it, the worst first, joined by ";"."""
    flagged = findings[findings["flagged"]].sort_values("score", kind="stable")
    return flagged.groupby("image_id", sort=False)["finder"].agg(lambda names: ";".join(dict.fromkeys(names)))


def as_twin(because: str) -> str:
    """What an image is dropped because of where another one of its group is kept: of these finders, those that look for
    twins. That its label is doubted, too, is not what was answered."""
    return ";".join(name for name in because.split(";") if name in DUPLICATES) or DUPLICATES[1]


def beside(rows: pd.DataFrame, twins: pd.DataFrame, findings: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """A row for each twin that is shown for comparison alone, with `cluster`, `title`, `kind` and `order` of its group.

    rows: those that are asked about, with `group`; twins: as `twins_of` gives them. `because` is what a decision on the
    twin is put down to, where another one of its group is kept. `score` is 1 where no finder would have the twin go;
    otherwise it and `detail` are those of the finder that is surest.
    """
    others = twins[~twins["image_id"].isin(rows["image_id"])]
    first_of = rows.drop_duplicates("group").set_index("group")
    others = others[others["group"].isin(first_of.index)]
    shown = images.set_index("image_id").loc[others["image_id"]]
    because = reasons(findings[findings["image_id"].isin(others["image_id"])]).reindex(others["image_id"])
    against = findings[findings["finder"].isin(DUPLICATES) & findings["flagged"]].sort_values("score", kind="stable")
    worst = against.drop_duplicates("image_id").set_index("image_id").reindex(others["image_id"])
    table = pd.DataFrame(
        {
            "image_id": others["image_id"].to_numpy(),
            "asked": False,
            "path": shown["path"].to_numpy(),
            "split": shown["split"].to_numpy(),
            "given_label": shown["label"].to_numpy(),
            "because": because.fillna(DUPLICATES[1]).to_numpy(),
            "score": worst["score"].fillna(1.0).to_numpy(np.float64),
            "detail": worst["detail"].fillna("").to_numpy(),
            **{name: first_of.loc[others["group"], name].to_numpy() for name in ("cluster", "title", "kind", "order")},
        }
    )
    return table.assign(suggested_label="", suggested_prob=0.0, gain=0.0, odd=False, proposal="")
