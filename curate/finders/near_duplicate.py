"""The same photo twice, in different versions."""

import numpy as np
import pandas as pd

from curate.likeness import duplicates
from curate.signals.color import GREY

VERSION = 2


def near_duplicate(
    manifest: pd.DataFrame,
    duplicate_pairs: pd.DataFrame,
    color: np.ndarray,
    *,
    probability: float = duplicates.PROBABILITY,
) -> pd.DataFrame:
    """Same photo as another image in another version: compressed again, recoloured, mirrored, a little cropped.

    Score in [0, 1]: 1 less the probability that it is the same photo. An image is flagged when it resembles one that is
    kept with at least `probability`, so that of a chain of frames, each like the next, some stay; `related_id` is the
    kept image most like it, and a group is a kept image with those. Kept is one in test before val before train before
    pool, of these an original before a generated one, of these the one with the most pixels, of these one in colour
    before a grey one, of these the one added first. Images that are merely similar are named, not flagged. Images with
    equal pixels, and an augmented image beside its original, are not named. `color`: shape (N, 2), see the signal.
    Measured on CIFAR-10: docs/benchmarks.md, "Finding the same photo".
    """
    pairs = duplicate_pairs[(duplicate_pairs["kind"] == "near").to_numpy()]
    pairs = pairs[~duplicates.generated_together(manifest, pairs)]
    rank = duplicates.keep_rank(manifest, color[:, 1] < GREY)
    a, b = pairs["a"].to_numpy(), pairs["b"].to_numpy()
    pairs = pairs.assign(a=np.where(rank[a] < rank[b], a, b), b=np.where(rank[a] < rank[b], b, a))
    same = _resembling_a_kept_one(duplicates.same_photo(pairs, probability=probability), rank)
    rest = pairs[~pairs["b"].isin(same["b"]) & (pairs["probability"] < probability)]
    similar = rest.sort_values(["probability", "a"], ascending=[False, True]).drop_duplicates("b")
    chosen = pd.concat([same, similar])
    flagged = np.arange(len(chosen)) < len(same)
    return pd.DataFrame(
        {
            "row": chosen["b"].to_numpy(),
            "score": 1 - chosen["probability"].to_numpy(),
            "flagged": flagged,
            "group": np.where(flagged, chosen["a"], -1),
            "related_id": manifest["image_id"].to_numpy()[chosen["a"].to_numpy()],
            "detail": duplicates.told(chosen),
        }
    )


def _resembling_a_kept_one(pairs: pd.DataFrame, rank: np.ndarray) -> pd.DataFrame:
    """For each image that goes the pair with the image that stays and is most probably the same photo. In each pair `a`
    is the one to keep."""
    pairs = pairs.assign(rank=rank[pairs["b"]]).sort_values(["rank", "probability", "a"], ascending=[True, False, True])
    gone: set[int] = set()
    chosen = []
    for position, (a, b) in enumerate(zip(pairs["a"].tolist(), pairs["b"].tolist(), strict=True)):
        if b not in gone and a not in gone:
            gone.add(b)
            chosen.append(position)
    return pairs.iloc[chosen]
