"""What `predict` trains, one round after the other: on the given labels, and on corrected ones with planted errors."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from curate import label_noise
from train.checkpoint import Epoch
from train.config import TrainConfig
from train.crossval import OutOfFold, cross_validate
from train.data import ImageSet
from train.profiles import Profile

PLANTED, LEAST_PLANTED, MOST_PLANTED = 0.02, 200, 0.1
"""Share of the labels that are planted wrong; more in small sets, so that there are 200 to learn from, but not more
than a tenth."""
ROUND = 1000
"""Between the seeds of two rounds, so that no two networks start alike."""


@dataclass(frozen=True)
class Said:
    """What all rounds together say about N images and M others; R repetitions, see `train.crossval.OutOfFold`."""

    pred_probs: np.ndarray
    """Shape (R, N, K)."""
    others_pred_probs: np.ndarray
    """Shape (R, M, K)."""
    neighbors: np.ndarray
    """Shape (R, N, k)."""
    embeddings: np.ndarray
    """Shape (N, D): of the last round; so are those of the others."""
    others_embeddings: np.ndarray
    margins: np.ndarray | None
    """Shape (N, E): of the given labels, in the first round."""
    planted: np.ndarray | None
    """Shape (N,): the label that was planted, -1 for most images."""
    planted_margins: np.ndarray | None
    """Shape (N, E): of the repetition with planted labels, where these, and corrected ones, are what was learned."""
    fold: np.ndarray
    """Shape (N,): of the first round."""
    fold_accuracy: tuple[float, ...]
    """Of all rounds, one after the other."""
    thin_classes: tuple[str, ...]
    seconds: float


def run(
    config: TrainConfig,
    image_set: ImageSet,
    groups: np.ndarray,
    *,
    plan: Profile,
    others: ImageSet,
    run_dir: Path | None,
    at_once: int,
    on_epoch: Callable[[str, Epoch], None] | None,
) -> Said:
    """Train the rounds of `plan`. groups: shape (N,), as for `cross_validate`.

    The second round is trained on labels as `curate.label_noise` would correct them; where it is in doubt, an image is
    left out. In its first repetition some labels are wrong on purpose, drawn as the labels of the set seem to go wrong.
    """
    given = image_set.labels.numpy()
    mixes = bool(config.mixup or config.cutmix)

    def take_round(number: int, name: str, *, repeats: int = 1, labels: np.ndarray | None = None) -> OutOfFold:
        return cross_validate(
            replace(config, seed=config.seed + ROUND * number),
            image_set,
            groups,
            folds=plan.folds,
            repeats=repeats,
            seed=config.seed + ROUND * number,
            labels=labels,
            others=others,
            run_dir=run_dir / name if run_dir else None,
            at_once=at_once,
            keep_margins=not mixes,
            on_epoch=partial(_tell, on_epoch, name, plan.folds) if on_epoch else None,
        )

    done = [take_round(0, "given")]
    planted = planted_margins = None
    if plan.corrected:
        probs = done[0].pred_probs
        noise = label_noise.fit(probs, given)
        labels = np.tile(label_noise.corrected(noise, probs, given), (plan.corrected, 1))
        if not mixes:
            planted = label_noise.plant(noise, probs, given, share=_share(given), seed=config.seed)
            labels[0] = np.where(planted >= 0, planted, labels[0])
        done.append(take_round(1, "corrected", repeats=plan.corrected, labels=labels))
        if planted is not None and done[1].margins is not None:
            planted_margins = done[1].margins[0]
    return Said(
        pred_probs=np.concatenate([each.pred_probs for each in done]),
        others_pred_probs=np.concatenate([each.others_pred_probs for each in done]),
        neighbors=np.concatenate([each.neighbors for each in done]),
        embeddings=done[-1].embeddings,
        others_embeddings=done[-1].others_embeddings,
        margins=None if done[0].margins is None else done[0].margins[0],
        planted=planted,
        planted_margins=planted_margins,
        fold=done[0].fold[0],
        fold_accuracy=tuple(share for each in done for share in each.fold_accuracy),
        thin_classes=done[0].thin_classes,
        seconds=sum(each.seconds for each in done),
    )


def _share(labels: np.ndarray) -> float:
    """Share of the labels to plant wrong."""
    return min(max(PLANTED, LEAST_PLANTED / max(int((labels >= 0).sum()), 1)), MOST_PLANTED)


def _tell(on_epoch: Callable[[str, Epoch], None], name: str, folds: int, number: int, epoch: Epoch) -> None:
    on_epoch(f"{name} {number // folds + 1}, fold {number % folds + 1}", epoch)
