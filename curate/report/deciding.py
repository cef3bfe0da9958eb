"""What was decided, by whom, because of what, and what it did to the set."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from curate import recipe, versions
from curate.deciding import REVIEW
from curate.decisions import ACTIONS, POLICY
from curate.manifest import SPLITS
from curate.reviewers import Agreement, agreement, disputed
from curate.tables import read_answers
from curate.workspace import CURATED, DECISIONS, Workspace, read_table

RELABELS = 15
"""Most frequent changes of label that are listed."""


@dataclass(frozen=True)
class Tally:
    """Decisions under one heading: `counts` per action, in the order of `ACTIONS`."""

    name: str
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Relabelled:
    """How often a label was changed into another."""

    before: str
    after: str
    count: int


@dataclass(frozen=True)
class Deciding:
    """The decisions in figures."""

    total: int
    by_finder: list[Tally]
    """Each decision once, under the finder that it names first: the one that decided."""
    by_whom: list[Tally]
    relabels: list[Relabelled]
    """Most frequent first."""
    other_relabels: int
    """Pairs that are not listed."""
    waiting: int
    """Images that a person is asked about and that none has decided on."""
    sizes: list[tuple[str, int, int]]
    """Split, images before and after `curate apply`; empty where nothing was applied."""
    outdated: bool
    """Whether images or decisions have changed since they were applied."""
    agreement: list[Agreement]
    """How far each two people agree."""
    disputed: int
    """Images about which people disagree, so that nothing is done with them."""


def deciding(workspace: Workspace, images: pd.DataFrame, decisions: pd.DataFrame) -> Deciding | None:
    """Count the decisions; None where nothing was decided or applied."""
    if not workspace.has(DECISIONS) and not workspace.has(CURATED):
        return None
    said, rule = read_answers(workspace, images), recipe.in_workspace(workspace).reviewers
    finder = decisions["because"].str.split(";").str[0].where(decisions["because"] != "", "no finder named")
    relabels = decisions[decisions["action"] == "relabel"]
    before = relabels["image_id"].map(images.set_index("image_id")["label"])
    pairs = Counter(zip(before, relabels["label"], strict=True))
    ranked = sorted(
        (Relabelled(*pair, number) for pair, number in pairs.items()),
        key=lambda item: (-item.count, item.before, item.after),
    )
    return Deciding(
        total=len(decisions),
        by_finder=_tallies(finder, decisions["action"]),
        by_whom=_tallies(decisions["by"].where(decisions["by"] != "", "unsigned"), decisions["action"]),
        relabels=ranked[:RELABELS],
        other_relabels=max(len(ranked) - RELABELS, 0),
        waiting=_waiting(workspace, said),
        sizes=_sizes(workspace, images),
        outdated=workspace.has(CURATED) and not versions.is_current(workspace),
        agreement=agreement(said, images),
        disputed=len(disputed(said, images, rule)),
    )


def _waiting(workspace: Workspace, said: pd.DataFrame) -> int:
    if not workspace.has(REVIEW):
        return 0
    review = read_table(workspace.path(REVIEW)).reindex(columns=["image_id"])
    return int((~review["image_id"].isin(said["image_id"][said["by"] != POLICY])).sum())


def _tallies(names: pd.Series, actions: pd.Series) -> list[Tally]:
    table = pd.crosstab(names.to_numpy(dtype=object), actions.to_numpy(dtype=object))
    table = table.reindex(columns=list(ACTIONS), fill_value=0)
    rows = [Tally(str(name), _integers(row)) for name, row in zip(table.index, table.to_numpy(), strict=True)]
    return sorted(rows, key=lambda tally: (-sum(tally.counts), tally.name))


def _integers(values: Iterable[int]) -> tuple[int, ...]:
    return tuple(int(value) for value in values)


def _sizes(workspace: Workspace, images: pd.DataFrame) -> list[tuple[str, int, int]]:
    if not workspace.has(CURATED):
        return []
    before, after = images["split"].value_counts(), read_table(workspace.path(CURATED))["split"].value_counts()
    return [
        (name, int(before.get(name, 0)), int(after.get(name, 0))) for name in SPLITS if name in before or name in after
    ]
