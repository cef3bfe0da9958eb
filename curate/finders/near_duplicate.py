"""The same photo twice, in different versions."""

import numpy as np
import pandas as pd

from curate import duplicates


def near_duplicate(
    manifest: pd.DataFrame,
    duplicate_pairs: pd.DataFrame,
    *,
    radius: int = duplicates.RADIUS,
    similarity: float = duplicates.SIMILARITY,
) -> pd.DataFrame:
    """Same photo as another image in another version: compressed again, lighter, a little shifted or cropped.

    Score in [0, 0.5]: 0 for equal details, 0.5 for just similar enough. An image is flagged when it resembles one that
    is kept, so that of a chain of frames, each like the next, some stay. `related_id` is the kept image most like it.
    Images with equal pixels, and an augmented image beside its original, are not named. `radius`: bits of the
    perceptual hash, of 63, that may differ; at most 12. `similarity`: correlation of the details, at least 0.4; sets
    whose images all look alike ask for more. Both defaults: measured on CIFAR-10, see `curate.duplicates`.
    """
    pairs = duplicates.same_photo(duplicate_pairs, radius=radius, similarity=similarity)
    pairs = pairs[(pairs["kind"] == "near").to_numpy() & ~duplicates.generated_together(manifest, pairs)]
    groups = duplicates.components(len(manifest), pairs["a"].to_numpy(), pairs["b"].to_numpy())
    chosen = _resembling_a_kept_one(pairs, duplicates.keep_rank(manifest))
    alike, asked = chosen["similarity"].to_numpy(), np.maximum(chosen["asked"].to_numpy(), similarity)
    return pd.DataFrame(
        {
            "row": chosen["b"].to_numpy(),
            "score": 0.5 * np.clip((1 - alike) / np.maximum(1 - asked, 1e-6), 0, 1),
            "flagged": True,
            "group": groups[chosen["b"].to_numpy()],
            "related_id": manifest["image_id"].to_numpy()[chosen["a"].to_numpy()],
            "detail": [f"details correlate by {value:.2f}" for value in alike],
        }
    )


def _resembling_a_kept_one(pairs: pd.DataFrame, rank: np.ndarray) -> pd.DataFrame:
    """For each image that goes the pair with the most similar image that stays. In each pair `a` is the one to keep."""
    pairs = pairs.assign(rank=rank[pairs["b"]]).sort_values(["rank", "similarity", "a"], ascending=[True, False, True])
    gone: set[int] = set()
    chosen = []
    for position, (a, b) in enumerate(zip(pairs["a"].tolist(), pairs["b"].tolist(), strict=True)):
        if b not in gone and a not in gone:
            gone.add(b)
            chosen.append(position)
    return pairs.iloc[chosen]
