"""The findings: what each finder flagged, what became of it, and the worst of it as pictures."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from curate import finders, registry
from curate.decisions import ACTIONS
from curate.manifest import locate
from curate.report.thumbnails import Picture, pictures
from curate.workspace import FINDINGS, Workspace, read_table

TILES = 24
"""Pictures per finder, twins included."""
TOGETHER = 6
"""Pictures of one group of duplicates; the rest is counted."""


@dataclass(frozen=True)
class Tile:
    """An image with what is said about it. `score` is None for a twin that is shown for comparison alone."""

    image_id: str
    split: str
    given: str
    suggested: str
    score: float | None
    detail: str
    decision: str
    picture: Picture


@dataclass(frozen=True)
class Group:
    """Images to be seen together: duplicates with their twins, or a single image."""

    tiles: tuple[Tile, ...]
    more: int
    """Images of the group that are not shown."""


@dataclass(frozen=True)
class Finder:
    """What a finder found. Counts are of images; those per action, in the order of `ACTIONS`, of flagged images."""

    name: str
    summary: str
    scored: int
    flagged: int
    decided: tuple[int, ...]
    groups: tuple[Group, ...]

    @property
    def undecided(self) -> int:
        return self.flagged - sum(self.decided)

    @property
    def shown(self) -> int:
        """Flagged images among the pictures."""
        return sum(tile.score is not None for group in self.groups for tile in group.tiles)


@dataclass(frozen=True)
class Gallery:
    """All finders that said something, and how many images at least one of them flagged."""

    finders: list[Finder]
    flagged: int


@dataclass(frozen=True)
class Cluster:
    """Images to be seen together, before they are read: image_ids, and how many more there are."""

    image_ids: tuple[str, ...]
    more: int


def gallery(workspace: Workspace, images: pd.DataFrame, decisions: pd.DataFrame) -> Gallery | None:
    """The findings with their worst images; only images that are shown are read. None where nothing was scanned."""
    if not workspace.has(FINDINGS):
        return None
    found = read_table(workspace.path(FINDINGS))
    tables = {str(name): table.sort_values(["score", "image_id"]) for name, table in found.groupby("finder", sort=True)}
    clusters = {name: list(_clusters(table[table["flagged"]], table)) for name, table in tables.items()}
    shown = {image_id for several in clusters.values() for cluster in several for image_id in cluster.image_ids}
    about = _About.of(workspace, images[images["image_id"].isin(shown)], decisions)
    summaries = {name: registry.summary(function) for name, function in registry.functions(finders).items()}
    action = decisions.set_index("image_id")["action"]
    listed = []
    for name, table in tables.items():
        flagged = pd.Index(table["image_id"][table["flagged"]].unique())
        counts = action.reindex(flagged).value_counts()
        listed.append(
            Finder(
                name=name,
                summary=summaries.get(name, ""),
                scored=table["image_id"].nunique(),
                flagged=len(flagged),
                decided=tuple(int(counts.get(kind, 0)) for kind in ACTIONS),
                groups=tuple(about.group(cluster, table) for cluster in clusters[name]),
            )
        )
    return Gallery(listed, found["image_id"][found["flagged"]].nunique())


def _clusters(flagged: pd.DataFrame, table: pd.DataFrame) -> Iterator[Cluster]:
    """What to show of a finder, worst first, up to `TILES` images: a flagged image with its group or its twin."""
    left, seen = TILES, set()
    for row in flagged.itertuples():
        if left <= 0:
            return
        if row.image_id in seen:
            continue
        together = flagged[flagged["group"] == row.group] if row.group >= 0 else flagged.loc[[row.Index]]
        others = table[table["group"] == row.group] if row.group >= 0 else table.iloc[:0]
        twins = together["related_id"][together["related_id"] != ""]
        members = list(dict.fromkeys([row.image_id, *twins[:1], *together["image_id"], *twins, *others["image_id"]]))
        fits = min(TOGETHER, max(left, 2))
        yield Cluster(tuple(members[:fits]), max(len(members) - fits, 0))
        seen.update(together["image_id"])
        left -= min(len(members), fits)


@dataclass(frozen=True)
class _About:
    """What a tile says of an image, by image_id."""

    images: pd.DataFrame
    paths: dict[str, Path]
    pictures: dict[Path, Picture]
    decisions: dict[str, str]

    @classmethod
    def of(cls, workspace: Workspace, shown: pd.DataFrame, decisions: pd.DataFrame) -> "_About":
        paths = dict(zip(shown["image_id"], locate(shown, workspace.root), strict=True))
        taken = decisions[decisions["image_id"].isin(shown["image_id"])]
        words = {row.image_id: f"relabel to {row.label}" if row.action == "relabel" else row.action for row in taken.itertuples()}
        return cls(shown.set_index("image_id"), paths, pictures(paths.values()), words)

    def group(self, cluster: Cluster, table: pd.DataFrame) -> Group:
        """The images of a cluster with what the finder whose `table` this is says of them."""
        said = table[table["image_id"].isin(cluster.image_ids) & table["flagged"]].drop_duplicates("image_id").set_index("image_id")
        return Group(tuple(self._tile(image_id, said) for image_id in cluster.image_ids), cluster.more)

    def _tile(self, image_id: str, said: pd.DataFrame) -> Tile:
        finding = said.loc[image_id] if image_id in said.index else None
        there = image_id in self.images.index
        return Tile(
            image_id=image_id,
            split=self.images.at[image_id, "split"] if there else "",
            given=self.images.at[image_id, "label"] if there else "",
            suggested="" if finding is None else finding["suggested_label"],
            score=None if finding is None else float(finding["score"]),
            detail="" if finding is None else finding["detail"],
            decision=self.decisions.get(image_id, ""),
            picture=self.pictures[self.paths[image_id]] if there else Picture("", "not in the manifest any more"),
        )
