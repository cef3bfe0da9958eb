"""The steps of curation, told apart: the decisions of each finder, what was added, and the set with or without one."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from curate.apply import apply
from curate.manifest import training

PEOPLE = "people"
"""Of decisions that no finder is behind."""
SUPPLEMENTS = ("added", "augmented")


@dataclass(frozen=True)
class Step:
    """One thing that was done to the training set."""

    name: str
    """For instance `relabel-label_error`, `drop-split_leak`, `label-pseudo_label`, `added-holiday`, `augmented`."""
    says: str
    images: int
    """Training images that it drops, gives another label, or adds."""
    image_ids: frozenset[str]
    """Of the decisions that it takes, or of the images that it added."""


def steps(images: pd.DataFrame, decisions: pd.DataFrame) -> list[Step]:
    """What was done to the training set: decisions by action and first finder, in the order of their number, then what
    came from sources after the first one, then augmented images.

    images: the manifest. decisions: one per image, as settled.
    """
    about = images.set_index("image_id")
    table = decisions[decisions["action"].isin(["drop", "relabel"])].copy()
    table["split"], table["given"] = (table["image_id"].map(about[name]) for name in ("split", "label"))
    changes = (table["split"] == "train") & ((table["action"] == "drop") | (table["label"] != table["given"]))
    table = table[changes | ((table["split"] == "pool") & (table["action"] == "relabel"))]
    action = table["action"].where(table["split"] != "pool", "label")
    finder = table["because"].str.split(";").str[0].replace("", PEOPLE)
    found = []
    for (what, who), rows in table.groupby([action.rename("what"), finder.rename("who")]):
        ids = frozenset(rows["image_id"])
        touched = int((images["image_id"].isin(ids) | images["parent_id"].isin(ids)).sum())
        says = f"{what} by {who}" if who == PEOPLE else f"{what} because of {who}"
        found.append(Step(f"{what}-{who}", says, touched, ids))
    found.sort(key=lambda step: (-step.images, step.name))
    return found + _added(images)


def _added(images: pd.DataFrame) -> list[Step]:
    """Images that came later: of other sources than the first, and augmented ones."""
    train = training(images)
    generated = train["parent_id"] != ""
    sources = train["source"][~generated].unique()
    found = []
    for source in sources[1:]:
        ids = frozenset(train["image_id"][(train["source"] == source) & ~generated])
        found.append(Step(f"added-{source}", f"images added from {source}", len(ids), ids))
    if generated.any():
        ids = frozenset(train["image_id"][generated])
        found.append(Step("augmented", "augmented images", len(ids), ids))
    return found


def is_supplement(step: Step) -> bool:
    """Whether it is images that came later, not decisions."""
    return step.name.split("-")[0] in SUPPLEMENTS


def without(images: pd.DataFrame, decisions: pd.DataFrame, step: Step) -> pd.DataFrame:
    """The curated set with this step left out."""
    if is_supplement(step):
        table = apply(images, decisions).table
        return table[~(table["image_id"].isin(step.image_ids) | table["parent_id"].isin(step.image_ids))]
    return apply(images, decisions[~decisions["image_id"].isin(step.image_ids)]).table


def alone(images: pd.DataFrame, decisions: pd.DataFrame, step: Step) -> pd.DataFrame:
    """The set as it came with the decisions of this step alone."""
    return apply(images, decisions[decisions["image_id"].isin(step.image_ids)]).table


def lost(before: pd.DataFrame, after: pd.DataFrame) -> int:
    """How many labelled training images of `before` are not in `after`."""
    return int((~training(before)["image_id"].isin(after["image_id"])).sum())


def randomly_dropped(images: pd.DataFrame, count: int, *, seed: int = 0) -> pd.DataFrame:
    """The set without `count` of its labelled training images, drawn evenly: what any loss of images costs.

    What was augmented goes with its original, as decisions have it. Where no original is left that has few enough,
    augmented images go alone.
    """
    random = np.random.default_rng(seed)
    train = training(images)
    codes, _ = pd.factorize(_families(train))
    sizes = np.bincount(codes, minlength=1)
    left, gone = count, np.zeros(len(sizes), bool)
    for family in random.permutation(len(sizes)):
        if sizes[family] <= left:
            gone[family] = True
            left -= sizes[family]
        if not left:
            break
    dropped = train.index[gone[codes]]
    rest = train.index[~gone[codes] & (train["parent_id"] != "").to_numpy()]
    return images.drop(dropped.append(pd.Index(random.choice(rest, left, replace=False)))).reset_index(drop=True)


def true_labels(images: pd.DataFrame, truth: pd.Series) -> pd.Series:
    """The label of each image by `truth` (indexed by image_id), of a generated one without its own that of its
    original; NaN where there is none."""
    named = images["image_id"].isin(truth.index)
    return images["image_id"].where(named, _families(images)).map(truth)


def with_labels(images: pd.DataFrame, truth: pd.Series) -> pd.DataFrame:
    """The set with the `true_labels` on its training images: what no relabelling can beat."""
    label = true_labels(images, truth)
    known = label.notna() & (images["split"] == "train")
    return images.assign(label=images["label"].where(~known, label).astype("str"))


def _families(images: pd.DataFrame) -> pd.Series:
    """The original of each image, mostly itself."""
    return images["parent_id"].where(images["parent_id"] != "", images["image_id"])


def labels_right(images: pd.DataFrame, truth: pd.Series) -> float | None:
    """Share of right labels among the training images that the truth is known of; None where it is of none."""
    train = training(images)
    true = true_labels(train, truth)
    known = true.notna()
    return float((train["label"] == true)[known].mean()) if known.any() else None
