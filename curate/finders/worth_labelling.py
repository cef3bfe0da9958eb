"""Which images without a label to label next."""

import heapq
from dataclasses import dataclass

import numpy as np
import pandas as pd

from curate.errors import UserError, known
from curate.labels import pool
from curate.likeness.neighbors import most_similar, unit

ON_REQUEST = True
"""`curate select` runs it; a scan has no budget and no purpose."""
WEIGH = ("both", "unsure", "coverage")
FEWEST, MOST = 5, 100
"""Neighbours that an image may stand for."""
LEAST = 1e-3
"""An image counts so much, of 1, however sure networks are of it: they may be sure and wrong."""


@dataclass(frozen=True)
class Near:
    """What each of C candidates stands for."""

    place: np.ndarray
    """Shape (C, m), candidates; the first is the image itself."""
    share: np.ndarray
    """Shape (C, m), how well it stands for each: 1 for the image itself, 0 from a radius on."""
    covered: np.ndarray
    """Shape (C,), the highest such share of a labelled image."""


def worth_labelling(
    manifest: pd.DataFrame,
    labels: np.ndarray,
    classes: list[str],
    pred_probs: np.ndarray,
    embeddings: np.ndarray,
    duplicate_pairs: pd.DataFrame,
    *,
    budget: int = 500,
    weigh: str = "both",
) -> pd.DataFrame:
    """Image without a label that teaches much once it has one: networks are unsure of it and of many like it.

    The `budget` images are chosen one after the other. Each time it is the one with the highest product of how unsure
    networks are of it, and how much unsureness it stands for: summed over the images near it, each as far as no
    labelled or chosen image is nearer. An image may stand for as many as there are images per label when all is done,
    with the whole budget. So where labels are few, networks are unsure of everything and an image stands for many:
    coverage decides. Where there are many labels, it stands for few, and what decides is how unsure networks are.
    Of images that show a photo which is labelled, or in another split, none is chosen, and of one photo one.

    The score is the order of choice, from 0 up to 0.5. `suggested_label` is what networks call it, with its calibrated
    probability; unsure is 1 less the difference between the two highest of these (margin). `weigh="unsure"` and
    "coverage" leave out the other half, to compare; without any embeddings it is "unsure". `labels`: shape (N,), -1 for
    unlabelled. `pred_probs`: shape (N, K), `embeddings`: shape (N, D); NaN where there are none. No image twice, and
    the same in any order of the rows.
    Sources: Wei, Iyer, Bilmes 2015, "Submodularity in Data Subset Selection and Active Learning" (facility location
    among unsure images); Hacohen, Dekel, Weinshall 2022, "Active Learning on a Budget" (which half counts when).
    """
    if weigh not in WEIGH:
        raise known("value of worth_labelling.weigh", weigh, list(WEIGH))
    if budget < 1:
        raise UserError(f"worth_labelling.budget must be 1 or more, not {budget}")
    embedded = ~np.isnan(embeddings).any(axis=1)
    if not embedded.any():  # predictions of another program may come without
        if weigh == "coverage":
            raise UserError("worth_labelling.weigh=coverage goes by embeddings, and there are none; leave it out")
        weigh = "unsure"
    predicted = ~np.isnan(pred_probs).any(axis=1)
    found = pool.candidates(manifest, predicted & (embedded | (weigh == "unsure")), duplicate_pairs)
    rows = found.rows
    if not len(rows):
        return pd.DataFrame({"row": rows, "score": np.zeros(0)})
    probs = pool.calibrated(manifest, labels, pred_probs)[rows]
    unsure = np.ones(len(rows)) if weigh == "coverage" else _unsure(probs)
    learned = manifest["split"].isin(["train", pool.POOL]) & (manifest["label"] != "") & (manifest["parent_id"] == "")
    labelled = learned.to_numpy(bool) & embedded
    near = _near(embeddings[rows], embeddings[labelled], budget) if weigh != "unsure" else _alone(len(rows))
    chosen, stands_for = _choose(unsure, near, found.twins, budget)
    order = np.argsort(-probs[chosen], axis=1, kind="stable")[:, :2]
    names = pool.names_in_use(manifest, classes)[order[:, 0]]
    return pd.DataFrame(
        {
            "row": rows[chosen],
            "score": 0.5 * np.arange(len(chosen)) / max(len(chosen), 1),
            "flagged": True,
            "suggested_label": names,
            "suggested_prob": np.where(names != "", probs[chosen, order[:, 0]], 0.0),
            "detail": [
                f"networks say {', '.join(f'{classes[k]} {probs[at, k]:.2f}' for k in best)}; stands for {count:,} of "
                "the pool"
                for at, best, count in zip(chosen, order.tolist(), stands_for, strict=True)
            ],
        }
    )


def _unsure(probs: np.ndarray) -> np.ndarray:
    """1 less the difference between the two highest probabilities, `LEAST` to 1: shape (C, K) -> (C,)."""
    if probs.shape[1] < 2:
        return np.full(len(probs), LEAST)
    highest = np.sort(probs, axis=1)[:, -2:]
    return 1 - (1 - LEAST) * np.clip(highest[:, 1] - highest[:, 0], 0, 1)


def _near(pool_vectors: np.ndarray, labelled: np.ndarray, budget: int) -> Near:
    """Neighbours by cosine. The radius is the median distance to the last of them. Shapes (C, D), (L, D)."""
    count = len(pool_vectors)
    each = int(np.clip(count / (len(labelled) + budget), FEWEST, MOST))
    most = min(each + 1, count)
    directions, others = unit(pool_vectors), unit(labelled)
    similarity, place = most_similar(directions, directions, most=most)
    own = np.arange(count)
    place[:, 0], similarity[:, 0] = own, 1.0  # a copy may have come first
    again = (place == own[:, None]) & (np.arange(most) > 0)
    distance = np.where(again, np.inf, np.clip(1 - similarity, 0, 2))
    last = np.where(again, -1, distance).max(axis=1)
    radius = max(float(np.median(last)), 1e-6)
    covered = np.zeros(count)
    if len(others):
        covered = _share(np.clip(1 - most_similar(directions, others, most=1)[0][:, 0], 0, 2), radius)
    return Near(place, _share(distance, radius), covered)


def _alone(count: int) -> Near:
    """Candidates that stand for themselves only."""
    return Near(np.arange(count)[:, None], np.ones((count, 1)), np.zeros(count))


def _share(distance: np.ndarray, radius: float) -> np.ndarray:
    return np.maximum(0.0, 1 - distance.astype(np.float64) / radius)


def _choose(unsure: np.ndarray, near: Near, twins: dict[int, list[int]], budget: int) -> tuple[np.ndarray, list[int]]:
    """Candidates in the order of choice, and how many images each stood for then: at most `budget`, no two twins.

    Gains only fall as more is covered, so that the highest, looked at anew, is the highest where it stays above the
    next: Minoux 1978, "Accelerated greedy algorithms".
    """
    covered = near.covered.copy()

    def gains(at: np.ndarray) -> np.ndarray:
        more = np.maximum(0.0, near.share[at] - covered[near.place[at]])
        return unsure[at] * (unsure[near.place[at]] * more).sum(axis=-1)

    queue = [(-gain, at) for at, gain in enumerate(gains(np.arange(len(unsure))).tolist())]
    heapq.heapify(queue)
    chosen: list[int] = []
    stands_for: list[int] = []
    out: set[int] = set()
    while queue and len(chosen) < budget:
        _, at = heapq.heappop(queue)
        if at in out:
            continue
        fresh = -float(gains(np.array([at]))[0])
        if queue and (fresh, at) > queue[0]:
            heapq.heappush(queue, (fresh, at))
            continue
        chosen.append(at)
        places, share = near.place[at], near.share[at]
        stands_for.append(int((share > covered[places]).sum()))
        covered[places] = np.maximum(covered[places], share)
        out.update(twins.get(at, []))
    return np.array(chosen, np.int64), stands_for
