"""The head of the report: how many images of what, from where."""

from dataclasses import dataclass

import pandas as pd

from curate.log import Version
from curate.manifest import SPLITS, decodable
from curate.workspace import Workspace

FEW_CLASSES = 30
"""Up to this many have a row each; of more, the largest and smallest do, and the rest folds away."""
EXTREMES = 8
LISTED = 5000
"""Classes that the folded list names."""


@dataclass(frozen=True)
class ClassCount:
    """Images of a class."""

    label: str
    counts: tuple[int, ...]
    """Per split, in the order of `Overview.splits`."""
    total: int


@dataclass(frozen=True)
class Overview:
    """The set in figures."""

    name: str
    images: int
    splits: dict[str, int]
    """Images per split, without empty splits."""
    sources: dict[str, int]
    classes: list[ClassCount]
    """Largest first."""
    unlabelled: int
    undecodable: int
    generated: int
    version: Version | None
    """The last one."""

    @property
    def rows(self) -> list[list[ClassCount]]:
        """The classes with a row each: all of few; of many, the largest and the smallest."""
        if len(self.classes) <= FEW_CLASSES:
            return [self.classes]
        return [self.classes[:EXTREMES], self.classes[-EXTREMES:]]

    @property
    def folded(self) -> list[ClassCount]:
        """The classes of the list that folds away, by name."""
        few = len(self.classes) <= FEW_CLASSES
        return [] if few else sorted(self.classes[:LISTED], key=lambda item: item.label)

    @property
    def median(self) -> float:
        """Images of the class in the middle."""
        return float(pd.Series([item.total for item in self.classes], dtype=float).median())


def overview(workspace: Workspace, images: pd.DataFrame, made: list[Version]) -> Overview:
    """Count the manifest."""
    per_split = images["split"].value_counts()
    splits = {str(name): int(per_split[name]) for name in SPLITS if name in per_split}
    table = pd.crosstab(images["label"], images["split"]).reindex(columns=list(splits))
    totals = table.sum(axis=1)
    order = totals.reset_index(name="total").sort_values(["total", "label"], ascending=[False, True])["label"]
    rows = zip(table.index, table.to_numpy(), strict=True)
    by_label = {label: ClassCount(label, tuple(int(n) for n in row), int(row.sum())) for label, row in rows}
    return Overview(
        name=workspace.root.resolve().name,
        images=len(images),
        splits=splits,
        sources={str(name): int(number) for name, number in images["source"].value_counts().sort_index().items()},
        classes=[by_label[label] for label in order if label],
        unlabelled=int((images["label"] == "").sum()),
        undecodable=int((~decodable(images)).sum()),
        generated=int((images["parent_id"] != "").sum()),
        version=made[-1] if made else None,
    )
