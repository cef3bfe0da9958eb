"""Test images that one run has right and the other wrong, as pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from curate.manifest import locate
from curate.report.thumbnails import Picture, pictures
from curate.results.flips import Flip, Flips
from curate.workspace import Workspace


@dataclass(frozen=True)
class Tile:
    """A test image that flipped."""

    flip: Flip
    picture: Picture


@dataclass(frozen=True)
class Flipped:
    """How many images flipped, and the first of them, each way."""

    counts: Flips
    now_right: list[Tile]
    now_wrong: list[Tile]


def flipped(workspace: Workspace, images: pd.DataFrame, flips: Flips) -> Flipped:
    """The flips with their pictures; only images that are shown are read."""
    listed = [*flips.now_right, *flips.now_wrong]
    shown = images[images["image_id"].isin([flip.image_id for flip in listed])]
    paths = dict(zip(shown["image_id"], locate(shown, workspace.root), strict=True))
    read = pictures(paths.values())
    gone = Picture("", "not in the manifest any more")

    def tiles(several: Sequence[Flip]) -> list[Tile]:
        return [Tile(flip, read[paths[flip.image_id]] if flip.image_id in paths else gone) for flip in several]

    return Flipped(flips, tiles(flips.now_right), tiles(flips.now_wrong))
