"""Which labels to ask people about, in which order, and when to stop: by what an answer is expected to be worth.

An image with its right label is worth 1, one with a wrong label -2, one that is left out nothing: a wrong label costs
what two right ones bring. Chosen by eye. So without a person it is best to keep a label that is wrong with a
probability below 1/3, to take a suggestion that is right with one above 2/3, and to drop the rest. An answer is worth
the difference that it makes to what the policy does, counted in wrong labels that are mended.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from curate.decisions import POLICY
from curate.labels.answers import LABEL_ERROR
from curate.policy import REVIEW_COLUMNS, Ruling, askable
from curate.recipe import Rule

RIGHT, WRONG = 1.0, -2.0
DROPPED_ABOVE = RIGHT / (RIGHT - WRONG)
"""Probability that a label is wrong above which the image is better left out than kept: 1/3."""
LEAST = 0.1
"""Mended labels that an answer must be expected to be worth, or 5 for 50 answers: chosen by eye."""
NO_SUGGESTION = "?"


@dataclass(frozen=True)
class Worth:
    """What the labels in the review list are worth; people's answers are taken for right."""

    labels: int
    """Labels in the list."""
    gain: float
    """Mended labels that answers to all of them are worth."""
    stop_after: int
    """Of how many, the first ones, each answer is worth `LEAST` or more: 50 more would be worth less than 5."""
    left_out: int
    """Labels beyond the budget whose answer would be worth as much."""


def gain(wrong: np.ndarray, suggested: np.ndarray, done: np.ndarray) -> np.ndarray:
    """What asking a person is worth, 0 to 1, in wrong labels that are mended.

    wrong, suggested: shape (N,), the probabilities that the label is wrong and that the suggestion is right; done:
    what the policy does with each, "drop", "relabel", or "keep" where it leaves it as it is. So it is the probability
    that what stays is wrong; for an image that would be left out 1/3, as it comes back with its right label.
    """
    wrong, suggested = np.asarray(wrong, np.float64), np.asarray(suggested, np.float64)
    keep = RIGHT * (1 - wrong) + WRONG * wrong
    relabel = RIGHT * suggested + WRONG * (1 - suggested)
    without = np.select([done == "drop", done == "relabel"], [np.zeros_like(keep), relabel], keep)
    return (RIGHT - without) / (RIGHT - WRONG)


def worth(gains: np.ndarray) -> tuple[int, float]:
    """After how many answers, highest gain first, the next ones are worth less than `LEAST` each; and what all are."""
    return int((np.asarray(gains) >= LEAST).sum()), float(np.sum(gains))


def ordered(labels: pd.DataFrame, budget: int | None = None) -> pd.DataFrame:
    """The `budget` rows with the highest `gain`, images that are alike together.

    Alike are those with the same `given_label` and `suggested_label`, which becomes the column `group`. Those whose
    answer is not worth it come last. Else the group with the most to gain comes first, and in a group such an image.
    Ties go to the lower `score`, then to the name.
    """
    rows = labels.sort_values(["gain", "score", "image_id"], ascending=[False, True, True], kind="stable")
    rows = rows if budget is None else rows.head(budget)
    other = rows["suggested_label"].where(rows["suggested_label"] != "", NO_SUGGESTION)
    rows = rows.assign(group=rows["given_label"] + " -> " + other, later=rows["gain"] < LEAST)
    # sums of another order differ in the last digits, and must not decide
    total = rows.groupby(["later", "group"])["gain"].transform("sum").round(9)
    rows = rows.assign(total=-total).sort_values(["later", "total", "group"], kind="stable", ignore_index=True)
    return rows.drop(columns=["later", "total"])


def review(
    ruling: Ruling, findings: pd.DataFrame, images: pd.DataFrame, rules: list[Rule], *, budget: int | None = None
) -> tuple[pd.DataFrame, Worth]:
    """The review list with the labels first, in the order in which to ask, then what other finders found, as it was.

    To what the policy leaves to people come the labels that its `review` rules for `label_error` might ask about, where
    an answer is worth `LEAST`: also those that it relabels or drops because of `label_error`, as a person knows better.
    budget: so many labels at most; what other finders found as well stays in any case.
    """
    left = ruling.review
    labels = _labels(ruling, findings, images, rules)
    listed = ordered(labels, budget)
    stop_after, total = worth(listed["gain"].to_numpy())
    left_out = worth(labels["gain"].to_numpy())[0] - stop_after
    asked_by = left["because"].str.split(";")
    only_label = np.array([names == [LABEL_ERROR] for names in asked_by], bool)
    others = left[~left["image_id"].isin(listed["image_id"]) & ~only_label]
    table = pd.concat([listed.assign(gain=listed["gain"].round(3)), others], ignore_index=True)
    return table[list(REVIEW_COLUMNS)], Worth(len(listed), total, stop_after, left_out)


def once_more(details: pd.Series, findings: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """Rows of the review list about images that are asked about again, each because of its worst finding, if any.

    details: image_id -> what is told of it.
    """
    worst = findings[findings["image_id"].isin(details.index)].sort_values(["score", "finder"])
    worst = worst.drop_duplicates("image_id").rename(columns={"finder": "because"}).set_index("image_id")
    about = images.rename(columns={"label": "given_label"}).set_index("image_id")[["given_label", "path"]]
    rows = about.loc[details.index].join(worst[["because", "suggested_label", "score", "related_id"]])
    rows = rows.fillna({"because": "", "suggested_label": "", "score": 1.0, "related_id": ""})
    rows = rows.assign(detail=details, gain=0.0, **dict.fromkeys(("action", "label", "note", "group"), ""))
    return rows.rename_axis("image_id").reset_index()[list(REVIEW_COLUMNS)]


def _labels(ruling: Ruling, findings: pd.DataFrame, images: pd.DataFrame, rules: list[Rule]) -> pd.DataFrame:
    """A row for each label that there may be to ask about, with `REVIEW_COLUMNS`; people's own are never among them."""
    left, taken = ruling.review, ruling.decisions
    by_label = (taken["because"].str.split(";").str[0] == LABEL_ERROR) & taken["action"].isin(["drop", "relabel"])
    settled = taken["image_id"][(taken["by"] != POLICY) | ~by_label]
    mine = findings[findings["finder"] == LABEL_ERROR]
    policy = taken[taken["by"] == POLICY]
    does = dict(zip(policy["image_id"], policy["action"], strict=True))
    done = np.array([does.get(image_id, "keep") for image_id in mine["image_id"]], str)
    wrong, suggested = 1 - mine["score"].to_numpy(np.float64), mine["suggested_prob"].to_numpy(np.float64)
    mine = mine.assign(gain=gain(wrong, suggested, done))
    rules = [rule for rule in rules if rule.finder == LABEL_ERROR and rule.action == "review"]
    more = mine[mine["gain"] >= LEAST]
    more = more[more["image_id"].isin(askable(more, images, rules)) & ~more["image_id"].isin(settled)]
    named = left["image_id"][[LABEL_ERROR in because.split(";") for because in left["because"]]]
    rows = mine[mine["image_id"].isin(named) | mine["image_id"].isin(more["image_id"])]
    rows = rows.merge(images[["image_id", "label", "path"]].rename(columns={"label": "given_label"}), on="image_id")
    known = pd.concat([left[["image_id", "because", "related_id"]], taken[["image_id", "because"]]])
    known = known.fillna("").drop_duplicates("image_id").set_index("image_id")
    because = rows["image_id"].map(known["because"]).fillna(LABEL_ERROR).astype("str")
    unnamed = np.array([LABEL_ERROR not in names.split(";") for names in because], bool)
    related = rows["image_id"].map(known["related_id"]).fillna("").astype("str")
    return rows.assign(
        because=because.where(~unnamed, because + ";" + LABEL_ERROR),
        related_id=rows["related_id"].where(related == "", related),
        **dict.fromkeys(("action", "label", "note"), ""),
    ).drop(columns=["group", "finder", "flagged"])
