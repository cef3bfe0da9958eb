"""Several people's decisions on one image: which one counts, and how far people agree."""

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from curate.decisions import POLICY
from curate.errors import UserError
from curate.recipe import Reviewers

DROPPED = "\0drop"
"""What becomes of a dropped image, beside the labels that others get: no class can be called so."""
RESERVED = ";\n\r\0"
"""Signs that a reviewer's name may not hold: names are joined by the first."""


@dataclass(frozen=True)
class Agreement:
    """How far two people agree about the images that both decided on."""

    a: str
    b: str
    images: int
    same: int
    kappa: float
    """Cohen's kappa (Cohen 1960): 1 for complete agreement, 0 for as much as chance would give; NaN where both gave
    all images one and the same label, so that chance alone agrees."""


def checked_name(name: str, where: str) -> str:
    """A reviewer's name, or `UserError`: `where` says which option gave it."""
    name = name.strip()
    if name == POLICY:
        raise UserError(f"{where} {name!r} is the policy's own name; give yours")
    if not name or set(name) & set(RESERVED):
        raise UserError(f"{where} {name!r} must be a name without semicolons and line ends")
    return name


def settle(decisions: pd.DataFrame, images: pd.DataFrame, reviewers: Reviewers) -> pd.DataFrame:
    """One decision per image: that of the policy where no person decided, else what the rule makes of theirs.

    The row is that of the person who said it last, `by` names all who did, joined by ";". Where the rule comes to
    nothing, because people disagree, there is no row: the image stays as it is until somebody settles it.
    """
    people = decisions[decisions["by"] != POLICY]
    several = people["image_id"].isin(people["image_id"][people["image_id"].duplicated()])
    policy = decisions[(decisions["by"] == POLICY) & ~decisions["image_id"].isin(people["image_id"])]
    settled = _settle(people[several], images, reviewers)
    return pd.concat([policy, people[~several], settled]).sort_index(kind="stable").reset_index(drop=True)


def disputed(decisions: pd.DataFrame, images: pd.DataFrame, reviewers: Reviewers) -> pd.Series:
    """image_id -> who says what, of the images about which the rule comes to nothing."""
    people = decisions[decisions["by"] != POLICY]
    open_ = people[~people["image_id"].isin(settle(people, images, reviewers)["image_id"])]
    said = open_["by"] + ": " + (open_["action"] + " " + open_["label"]).str.strip()
    return said.groupby(open_["image_id"].to_numpy(), sort=False).agg("; ".join)


def disagreements(decisions: pd.DataFrame, images: pd.DataFrame, reviewers: Reviewers) -> list[str]:
    """A line for each image that people say different things of: what they say, and what counts."""
    people = decisions[decisions["by"] != POLICY]
    outcome = _outcome(people, images)
    different = outcome.groupby(people["image_id"].to_numpy()).transform("nunique") > 1
    lines, counts = [], settle(people[different], images, reviewers).set_index("image_id")
    for image_id, group in people[different].groupby("image_id", sort=False):
        said = ", ".join(f"{row.by} says {f'{row.action} {row.label}'.strip()}" for row in group.itertuples())
        if image_id in counts.index:
            row = counts.loc[image_id]
            told = f"{f'{row.action} {row.label}'.strip()} counts ({reviewers.rule})"
        else:
            told = f"nothing counts ({reviewers.rule}): a third person, or the recipe's arbiter, settles it"
        lines.append(f"{image_id}: {said}; {told}")
    return lines


def agreement(decisions: pd.DataFrame, images: pd.DataFrame) -> list[Agreement]:
    """Every two people with images in common, by name."""
    people = decisions[decisions["by"] != POLICY]
    table = people.assign(outcome=_outcome(people, images)).pivot(index="image_id", columns="by", values="outcome")
    found = []
    for a, b in itertools.combinations(sorted(map(str, table.columns)), 2):
        both = table[[a, b]].dropna()
        if len(both):
            found.append(Agreement(a, b, len(both), int((both[a] == both[b]).sum()), kappa(both[a], both[b])))
    return found


def kappa(a: pd.Series, b: pd.Series) -> float:
    """Cohen's kappa of two people's answers to the same questions, shape (N,): agreement beyond that of chance."""
    categories = pd.Index(pd.concat([a, b]).unique())
    x, y = (np.bincount(categories.get_indexer(pd.Index(said)), minlength=len(categories)) for said in (a, b))
    observed, chance = float((a.to_numpy() == b.to_numpy()).mean()), float(x @ y) / len(a) ** 2
    return (observed - chance) / (1 - chance) if chance < 1 else float("nan")


def _settle(people: pd.DataFrame, images: pd.DataFrame, reviewers: Reviewers) -> pd.DataFrame:
    outcome = _outcome(people, images)
    rows = []
    for _, group in people.groupby("image_id", sort=False):
        group = group.iloc[group["at"].argsort(kind="stable")]
        own = outcome[group.index]
        votes = own.value_counts()
        if (group["by"] == reviewers.arbiter).any():
            wins = own[group["by"] == reviewers.arbiter].iloc[-1]
        elif reviewers.rule == "latest":
            wins = own.iloc[-1]
        elif votes.iloc[0] == len(group) or (reviewers.rule == "majority" and votes.iloc[0] * 2 > len(group)):
            wins = votes.index[0]
        else:
            continue
        behind = group[own == wins]
        rows.append(behind.iloc[[-1]].assign(by=";".join(sorted(behind["by"]))))
    return pd.concat(rows) if rows else people.iloc[:0]


def _outcome(decisions: pd.DataFrame, images: pd.DataFrame) -> pd.Series:
    """What becomes of each image: a label, or `DROPPED`. Relabelling to the given label is keeping it."""
    given = images[images["image_id"].isin(decisions["image_id"])].set_index("image_id")["label"]
    kept = decisions["image_id"].map(given).fillna("").astype(object)
    outcome = decisions["label"].astype(object).where(decisions["action"] == "relabel", kept)
    return outcome.where(decisions["action"] != "drop", DROPPED)
