"""Several people's decisions on one image: which one counts, and how far people agree."""

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from curate.decisions import POLICY, TIME, fault_of_name
from curate.errors import UserError
from curate.recipe import Reviewers

DROPPED = "\0drop"
"""What becomes of a dropped image, beside the labels that others get: no class can be called so."""


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
    if fault := fault_of_name(name):
        raise UserError(f"{where} {name!r}: {fault}")
    return name


def settle(decisions: pd.DataFrame, images: pd.DataFrame, reviewers: Reviewers) -> pd.DataFrame:
    """One decision per image: that of the policy where no person decided, else what the rule makes of theirs.

    The row is that of the person who said it last, `by` names all who did, joined by ";". Where the rule comes to
    nothing, because people disagree, there is no row: the image stays as it is until somebody settles it.
    """
    people = decisions[decisions["by"] != POLICY]
    several = by_several(people)
    policy = decisions[(decisions["by"] == POLICY) & ~decisions["image_id"].isin(people["image_id"])]
    settled = _settle(people[several], images, reviewers)
    return pd.concat([policy, people[~several], settled]).sort_index(kind="stable").reset_index(drop=True)


def by_several(decisions: pd.DataFrame) -> pd.Series:
    """Which rows are about images that several people decided on: there the rule counts."""
    of_people = decisions["image_id"][decisions["by"] != POLICY]
    return decisions["image_id"].isin(of_people[of_people.duplicated()])


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
    settled = settle(people[different], images, reviewers)
    counts = {row.image_id: _said(row.action, row.label) for row in settled.itertuples()}
    said: dict[str, list[str]] = {}
    for row in people[different].itertuples():
        said.setdefault(str(row.image_id), []).append(f"{row.by} says {_said(row.action, row.label)}")
    nothing = f"nothing counts ({reviewers.rule}): a third person, or the recipe's arbiter, settles it"
    return [
        f"{image_id}: {', '.join(all_said)}; "
        + (f"{counts[image_id]} counts ({reviewers.rule})" if image_id in counts else nothing)
        for image_id, all_said in said.items()
    ]


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
    """`settle` for images that several people decided on. One without a time was said last, see `decisions.older`."""
    votes: dict[str, list[_Vote]] = {image_id: [] for image_id in people["image_id"]}
    outcome = _outcome(people, images).to_numpy()
    ids, names = people["image_id"].to_list(), people["by"].to_list()
    for place in people["at"].where(people["at"].str.fullmatch(TIME), "~").argsort(kind="stable"):
        votes[ids[place]].append(_Vote(outcome[place], names[place], place))
    places, by = [], []
    for said in votes.values():
        wins = _winner(said, reviewers)
        behind = [vote for vote in said if vote.outcome == wins]
        if behind:
            places.append(behind[-1].place)
            by.append(";".join(sorted(vote.by for vote in behind)))
    return people.iloc[places].assign(by=pd.Series(by, index=people.index[places], dtype="str"))


class _Vote(NamedTuple):
    outcome: str
    by: str
    place: int


def _winner(said: list[_Vote], reviewers: Reviewers) -> str | None:
    """What becomes of an image by the votes on it, earlier ones first; None for nothing."""
    of_arbiter = [vote.outcome for vote in said if reviewers.arbiter and vote.by == reviewers.arbiter]
    if of_arbiter:
        return of_arbiter[-1]
    if reviewers.rule == "latest":
        return said[-1].outcome
    outcome, count = Counter(vote.outcome for vote in said).most_common(1)[0]
    needed = len(said) if reviewers.rule == "unanimous" else len(said) // 2 + 1
    return outcome if count >= needed else None


def _said(action: object, label: object) -> str:
    return f"{action} {label}".strip()


def _outcome(decisions: pd.DataFrame, images: pd.DataFrame) -> pd.Series:
    """What becomes of each image: a label, or `DROPPED`. Relabelling to the given label is keeping it."""
    given = images[images["image_id"].isin(decisions["image_id"])].set_index("image_id")["label"]
    kept = decisions["image_id"].map(given).fillna("").astype(object)
    outcome = decisions["label"].astype(object).where(decisions["action"] == "relabel", kept)
    return outcome.where(decisions["action"] != "drop", DROPPED)
