"""What `predict` trains, one round after the other: on the given labels, then on what these and predictions say."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save

from curate.files import write_bytes_atomic
from curate.labels import label_noise
from train.augment import program
from train.checkpoint import Epoch
from train.config import TrainConfig
from train.crossval import OutOfFold, cross_validate
from train.data import ImageSet
from train.profiles import Profile

ROUND = 1000
"""Between the seeds of two rounds, so that their networks start otherwise, and are dealt other folds."""
CORRECTED = 2
"""What a later round counts beside the first. A third of CIFAR-10N `aggre`, best F1: 0.708 if
they count the same, 0.711 with 2, 0.710 with 3; `worse`: 0.875 with each."""

SOFT_LABELS = "soft_labels.safetensors"


@dataclass(frozen=True)
class Place:
    """Which of the networks of all rounds it is, counted from 1, and how much is trained after it."""

    round: int
    rounds: int
    fold: int
    folds: int
    epochs: int
    """Of this network."""
    after: int
    """Epochs of all networks that come after it."""

    def __str__(self) -> str:
        return f"round {self.round} of {self.rounds}, fold {self.fold} of {self.folds}"


@dataclass(frozen=True)
class Said:
    """What R rounds together say about N images and M others, see `train.crossval.OutOfFold`."""

    repeats: np.ndarray
    """Probabilities, shape (R, N, K)."""
    others_repeats: np.ndarray
    """Shape (R, M, K)."""
    neighbors: np.ndarray
    """Shape (R, N, k)."""
    embeddings: np.ndarray
    """Shape (N, D): of the last round; so are those of the others."""
    others_embeddings: np.ndarray
    margins: np.ndarray | None
    """Shape (N, E): of the given labels, in the first round; None for mixed images."""
    fold: np.ndarray
    """Shape (N,): of the first round."""
    fold_accuracy: tuple[float, ...]
    """Of all rounds, one after the other."""
    thin_classes: tuple[str, ...]
    seconds: float

    @property
    def pred_probs(self) -> np.ndarray:
        """What the rounds say together, weighed by `CORRECTED`: shape (N, K), rows sum to 1."""
        return _together(self.repeats)

    @property
    def others_pred_probs(self) -> np.ndarray:
        """The same of the others: shape (M, K)."""
        return _together(self.others_repeats)


def run(
    config: TrainConfig,
    image_set: ImageSet,
    groups: np.ndarray,
    *,
    plan: Profile,
    counted: np.ndarray | None = None,
    others: ImageSet,
    run_dir: Path | None,
    at_once: int,
    on_epoch: Callable[[Place, Epoch], None] | None,
) -> Said:
    """Train the rounds of `plan`. groups, counted: shape (N,), see `cross_validate`.

    The networks of a later round learn how probable each class is, given the label and what the rounds before it say of
    the image. Source: Arazo et al. 2019, "Unsupervised Label Noise Modeling and Loss Correction", who mix label and
    prediction by the probability that the label is wrong.
    """

    def take_round(number: int, images: ImageSet) -> OutOfFold:
        seed = config.seed + ROUND * number
        return cross_validate(
            replace(config, seed=seed),
            images,
            groups,
            folds=plan.folds,
            seed=seed,
            counted=counted,
            others=others,
            run_dir=run_dir / f"round-{number + 1}" if run_dir else None,
            at_once=at_once,
            keep_margins=not (number or program(config, image_set.image_size).mixes),
            on_epoch=partial(_tell, on_epoch, plan, config.epochs, number) if on_epoch else None,
        )

    done, given = [take_round(0, image_set)], image_set.labels.numpy()
    for number in range(1, plan.corrected + 1):
        file = run_dir / f"round-{number + 1}" / SOFT_LABELS if run_dir else None
        soft = _once(file, partial(_soft_labels, np.stack([each.pred_probs for each in done]), given))
        done.append(take_round(number, replace(image_set, soft_labels=torch.from_numpy(soft))))
    return Said(
        repeats=np.stack([each.pred_probs for each in done]),
        others_repeats=np.stack([each.others_pred_probs for each in done]),
        neighbors=np.stack([each.neighbors for each in done]),
        embeddings=done[-1].embeddings,
        others_embeddings=done[-1].others_embeddings,
        margins=done[0].margins,
        fold=done[0].fold,
        fold_accuracy=tuple(share for each in done for share in each.fold_accuracy),
        thin_classes=done[0].thin_classes,
        seconds=sum(each.seconds for each in done),
    )


def _soft_labels(repeats: np.ndarray, given: np.ndarray) -> np.ndarray:
    """How probable each class is, given the label and what R rounds say, shape (R, N, K): (N, K), rows sum to 1."""
    together = _together(repeats)
    return label_noise.soft_labels(label_noise.fit(repeats, given, together), together, given)


def _once(file: Path | None, make: Callable[[], np.ndarray]) -> np.ndarray:
    """What is made once and kept: predictions that are made again on other hardware, or by other threads, differ in
    their last bits, and a round that has begun goes on with what it began with."""
    if file is None:
        return make()
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_bytes_atomic(file, save({"soft_labels": make()}))
    kept: np.ndarray = load_file(file)["soft_labels"]
    return kept


def _together(repeats: np.ndarray) -> np.ndarray:
    """Weighed mean over the rounds: shape (R, N, K) -> (N, K)."""
    weights = np.array([1] + [CORRECTED] * (len(repeats) - 1), np.float32)
    probs = np.tensordot(weights / weights.sum(), repeats, 1)
    return (probs / probs.sum(axis=1, keepdims=True)).astype(np.float32)


def _tell(
    on_epoch: Callable[[Place, Epoch], None],
    plan: Profile,
    epochs: int,
    number: int,
    fold: int,
    epoch: Epoch,
) -> None:
    """Say of which network an epoch is; rounds and folds count from 0 here."""
    after = epochs * (plan.folds - fold - 1 + plan.folds * (plan.corrected - number))
    on_epoch(Place(number + 1, plan.corrected + 1, fold + 1, plan.folds, epochs, after), epoch)
