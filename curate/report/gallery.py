"""The findings: what each finder flagged, what became of it, and the worst of it as pictures."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from curate import finders, registry, scans
from curate.decisions import ACTIONS
from curate.labels import answers
from curate.manifest import decodable, locate
from curate.report.thumbnails import Picture, pictures
from curate.tables import read_findings
from curate.workspace import FINDINGS, Workspace

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
    cautions: list[str]
    """Why the findings are older than what they are about."""


@dataclass(frozen=True)
class Cluster:
    """Images to be seen together, before they are read: image_ids, and how many more there are."""

    image_ids: tuple[str, ...]
    more: int


def gallery(workspace: Workspace, images: pd.DataFrame, decisions: pd.DataFrame) -> Gallery | None:
    """The findings with their worst images; only images that are shown are read. None where nothing was scanned.

    Scores of `label_error` are as people's answers have them. decisions: one per image, as settled.
    """
    if not workspace.has(FINDINGS):
        return None
    found, _ = answers.calibrate(read_findings(workspace), decisions, images)
    tables = {str(name): table.sort_values(["score", "image_id"]) for name, table in found.groupby("finder", sort=True)}
    clusters = {name: list(_clusters(table)) for name, table in tables.items()}
    shown = {image_id for several in clusters.values() for cluster in several for image_id in cluster.image_ids}
    about = _about(workspace, images[images["image_id"].isin(shown)], decisions)
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
    return Gallery(listed, found["image_id"][found["flagged"]].nunique(), scans.warnings(workspace))


def _clusters(table: pd.DataFrame) -> Iterator[Cluster]:
    """What to show of a finder, worst first, up to `TILES` images: a flagged image with its group or its twin."""
    left = TILES
    seen: set[str] = set()
    flagged = table[table["flagged"]]
    for image_id, group, twin in zip(
        flagged["image_id"], flagged["group"].astype(int), flagged["related_id"], strict=True
    ):
        if left < 1:
            return
        if image_id in seen:
            continue
        members = [image_id, twin]
        if group >= 0:
            together = flagged[flagged["group"] == group]
            members += [*together["image_id"], *together["related_id"], *table["image_id"][table["group"] == group]]
            seen.update(together["image_id"])
        members = [name for name in dict.fromkeys(members) if name]
        fits = min(len(members), TOGETHER, max(left, 2))
        yield Cluster(tuple(members[:fits]), len(members) - fits)
        left -= fits


@dataclass(frozen=True)
class _Said:
    """What a finder says of an image."""

    suggested: str
    score: float
    detail: str


@dataclass(frozen=True)
class _About:
    """What is known of the images that are shown, by image_id."""

    splits: dict[str, str]
    labels: dict[str, str]
    decisions: dict[str, str]
    pictures: dict[str, Picture]

    def group(self, cluster: Cluster, table: pd.DataFrame) -> Group:
        """The images of a cluster with what the finder whose flagged rows are in `table` says of them."""
        rows = table[table["flagged"] & table["image_id"].isin(cluster.image_ids)]
        columns = zip(rows["image_id"], rows["suggested_label"], rows["score"], rows["detail"], strict=True)
        said = {image_id: _Said(suggested, float(score), detail) for image_id, suggested, score, detail in columns}
        return Group(tuple(self._tile(image_id, said.get(image_id)) for image_id in cluster.image_ids), cluster.more)

    def _tile(self, image_id: str, said: _Said | None) -> Tile:
        return Tile(
            image_id=image_id,
            split=self.splits.get(image_id, ""),
            given=self.labels.get(image_id, ""),
            suggested=said.suggested if said else "",
            score=said.score if said else None,
            detail=said.detail if said else "",
            decision=self.decisions.get(image_id, ""),
            picture=self.pictures.get(image_id, Picture("", "not in the manifest any more")),
        )


def _about(workspace: Workspace, images: pd.DataFrame, decisions: pd.DataFrame) -> _About:
    """What is known of `images`, read from disk, and of the decisions on them."""
    sound = images[decodable(images)]  # what cannot be decoded may be what crashes a decoder
    paths = dict(zip(sound["image_id"], locate(sound, workspace.root), strict=True))
    read = pictures(paths.values())
    errors = {image_id: Picture("", error) for image_id, error in zip(images["image_id"], images["error"], strict=True)}
    taken = decisions[decisions["image_id"].isin(images["image_id"])]
    words = taken["action"].where(taken["action"] != "relabel", "relabel to " + taken["label"])
    return _About(
        splits=dict(zip(images["image_id"], images["split"], strict=True)),
        labels=dict(zip(images["image_id"], images["label"], strict=True)),
        decisions=dict(zip(taken["image_id"], words, strict=True)),
        pictures=errors | {image_id: read[path] for image_id, path in paths.items()},
    )
