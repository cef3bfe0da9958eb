"""Which images that are about to be added show a photo that is there already."""

from functools import partial

import numpy as np
import pandas as pd

from curate.engine import Local
from curate.evidence import Evidence
from curate.ingest.added import NearDuplicate
from curate.likeness import SIDE, duplicates
from curate.measure import Measure, folder, measure_batch, without_value
from curate.signals.duplicate_pairs import duplicate_pairs
from curate.signals.thumbnail import thumbnail
from curate.workspace import Workspace


def find(
    workspace: Workspace, before: pd.DataFrame, new: pd.DataFrame, places: list[str], workers: int | None
) -> list[NearDuplicate]:
    """Near-duplicates, and images with equal pixels, among rows that are new, of rows that are there.

    places: where the bytes of the new images lie now. What is there is looked at once; after that, the time that this
    takes grows with what is new.
    """
    if not len(before) or not len(new):
        return []
    known = Evidence(workspace, before, Local(workers)).get("thumbnail")
    added = _thumbnails(new, places, workers)
    both = pd.concat([before, new], ignore_index=True)
    both["split"] = np.where(np.arange(len(both)) < len(before), "test", "train")  # of each pair the one there is kept
    store = folder(workspace.root, Measure(duplicate_pairs))
    pairs = duplicates.same_photo(duplicate_pairs(both, np.concatenate([known, added]), store, Local(workers)))
    pairs = pairs[(pairs["a"] < len(before)) & (pairs["b"] >= len(before))]
    pairs = pairs.sort_values(["b", "probability", "a"], ascending=[True, False, True]).drop_duplicates("b")
    names = both["image_id"].to_numpy(dtype=object)
    columns = names[pairs["b"]], names[pairs["a"]], pairs["probability"].tolist(), duplicates.told(pairs)
    return [NearDuplicate(*each) for each in zip(*columns, strict=True)]


def searched(workspace: Workspace) -> bool:
    """Whether duplicates were looked for in the workspace before, so that looking among them again is cheap."""
    return any(folder(workspace.root, Measure(duplicate_pairs)).glob("*"))


def _thumbnails(rows: pd.DataFrame, places: list[str], workers: int | None) -> np.ndarray:
    """Shape (N, 1024), uint8; of an image that cannot be decoded, 0."""
    found = np.zeros((len(rows), SIDE * SIDE), np.uint8)
    at = pd.Series(np.arange(len(rows)), rows["content_hash"]).groupby(level=0).agg(list)
    measured, crashed = (partial(each, measures=[Measure(thumbnail)]) for each in (measure_batch, without_value))
    fine = (rows["error"] == "").to_numpy()
    items = [(digest, place) for digest, place, ok in zip(rows["content_hash"], places, fine, strict=True) if ok]
    batches = Local(workers).map_batches(measured, items, describe="compare", total=len(items), crashed=crashed)
    for hashes, values in batches:
        for digest, value in zip(hashes, values["thumbnail"], strict=True):
            found[at[digest]] = value
    return found
