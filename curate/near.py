"""Which images that are about to be added show a photo that is there already."""

from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd

from curate import duplicates
from curate.engine import Local
from curate.evidence import Evidence
from curate.images import ImageError, decode, read_bytes
from curate.measure import Measure, folder
from curate.signals.duplicate_pairs import duplicate_pairs
from curate.signals.thumbnail import SIDE, thumbnail
from curate.workspace import Workspace


@dataclass(frozen=True)
class NearDuplicate:
    """An image that is about to be added, and the one that is there and most probably the same photo."""

    image_id: str
    like: str
    """`image_id` of the image that is there."""
    probability: float
    detail: str


def find(
    workspace: Workspace, before: pd.DataFrame, new: pd.DataFrame, places: list[str], workers: int | None
) -> list[NearDuplicate]:
    """Near-duplicates, and images with equal pixels, among rows that are new, of rows that are there.

    places: where the bytes of the new images lie now. Rows that new ones replace do not count. What is there is looked
    at once; after that, the time that this takes grows with what is new.
    """
    before = before[~before["image_id"].isin(new["image_id"])]
    if not len(before) or not len(new):
        return []
    known = Evidence(workspace, before, Local(workers)).get("thumbnail")
    added = list(Local(workers).map_batches(_thumbnails, places, describe="compare"))
    both = pd.concat([before, new], ignore_index=True)
    both["split"] = np.where(np.arange(len(both)) < len(before), "test", "train")  # of each pair the one there is kept
    store = folder(workspace.root, Measure(duplicate_pairs))
    pairs = duplicates.same_photo(duplicate_pairs(both, np.concatenate([known, *added]), store))
    pairs = pairs[(pairs["a"] < len(before)) & (pairs["b"] >= len(before))]
    pairs = pairs.sort_values(["b", "probability", "a"], ascending=[True, False, True]).drop_duplicates("b")
    names = both["image_id"].to_numpy(dtype=object)
    columns = names[pairs["b"]], names[pairs["a"]], pairs["probability"].tolist(), duplicates.told(pairs)
    return [NearDuplicate(*found) for found in zip(*columns, strict=True)]


def searched(workspace: Workspace) -> bool:
    """Whether duplicates were looked for in the workspace before, so that looking among them again is cheap."""
    return any(folder(workspace.root, Measure(duplicate_pairs)).glob("*"))


def _thumbnails(batch: list[str]) -> np.ndarray:
    """Shape (n, 1024); of an image that cannot be decoded, 0."""
    return np.stack([_thumbnail(place) for place in batch])


def _thumbnail(place: str) -> np.ndarray:
    try:
        return thumbnail(cv2.cvtColor(decode(read_bytes(place)), cv2.COLOR_RGB2GRAY))
    except ImageError:
        return np.zeros(SIDE * SIDE, np.uint8)
