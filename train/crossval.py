"""Out-of-fold predictions: what networks say about images that they were not trained on."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from curate.errors import UserError
from curate.predictions import NEIGHBORS
from train import parallel
from train.augment import mirrors
from train.checkpoint import Epoch
from train.config import TrainConfig
from train.data import ImageSet
from train.evaluate import predict
from train.loop import train
from train.nearest import nearest as nearest_of_all

HALF = (-65504, 65504)
"""What float16 can hold."""


@dataclass(frozen=True)
class OutOfFold:
    """What the networks of a cross-validation say about the N images of a set, and about M other images."""

    pred_probs: np.ndarray
    """Shape (N, K), float32, rows sum to 1: from the network that did not see the image; the mean over all networks for
    an unlabelled image, which none saw. The mean over shifted views, and, for all images, their mirror images where
    training shows mirror images, see `train.augment.mirrors`."""
    embeddings: np.ndarray
    """Shape (N, D), float32, all from the network of fold 0: embeddings of different networks do not compare. That
    network did see the images of the other folds."""
    neighbors: np.ndarray
    """Shape (N, `NEIGHBORS`), int32: positions of the most similar images that the fold held out, too, the most similar
    first, by the network that saw none of them; -1 where there are fewer, and for an unlabelled image."""
    margins: np.ndarray | None
    """Shape (N, E), float16: of an image's label in each epoch, see `train.epoch.margin`; the mean over the networks
    that trained on it and were shown it in that epoch, NaN where none was. None if not kept."""
    fold: np.ndarray
    """Shape (N,), int64: the fold that held the image out, -1 for an unlabelled one."""
    fold_accuracy: tuple[float, ...]
    """Per fold, of the images it held out that count; 0 to 1."""
    thin_classes: tuple[str, ...]
    """Classes with fewer images (or groups) than folds: some network saw none or hardly any of them."""
    others_pred_probs: np.ndarray
    """Shape (M, K), float32, rows sum to 1: mean over the networks of all folds."""
    others_embeddings: np.ndarray
    """Shape (M, D), float32, from the network of `embeddings`."""
    seconds: float
    """Of the trainings, added up; of an interrupted call, over all its parts."""


@dataclass(frozen=True)
class _Fold:
    """What the network of a fold says about the images it held out, and about the rest: unlabelled ones and others."""

    pred_probs: np.ndarray
    neighbors: np.ndarray
    """Positions among the images it held out."""
    margins: np.ndarray | None
    """Of the images it was trained on, shape (E, n)."""
    rest_probs: np.ndarray
    embeddings: np.ndarray | None
    """Of all images; of the first fold alone, as those of the rest."""
    rest_embeddings: np.ndarray | None
    seconds: float


def cross_validate(
    config: TrainConfig,
    image_set: ImageSet,
    groups: np.ndarray | None = None,
    *,
    folds: int = 5,
    seed: int = 0,
    counted: np.ndarray | None = None,
    others: ImageSet | None = None,
    run_dir: Path | None = None,
    at_once: int = 1,
    keep_margins: bool = False,
    on_epoch: Callable[[int, Epoch], None] | None = None,
) -> OutOfFold:
    """Train `folds` networks, each on all labelled images but those of one fold, and let each predict its fold.

    groups: shape (N,), int; images of one group (duplicates, an image and its augmented children) stay in one fold;
    -1 is an image of its own. `seed` deals the images to folds; the networks take theirs from `config`.
    counted: shape (N,), bool, the images that accuracy is measured on, of each group one at least; None: all.
    `others` (test, val, pool) are predicted by all networks. With `run_dir` an interrupted call resumes, with another
    `at_once` as well: so many networks are trained at the same time, see `train.parallel.each`.
    `on_epoch` gets the number of the fold, and the epoch's figures.
    """
    given = image_set.labels.numpy()
    groups = np.full(len(given), -1) if groups is None else np.asarray(groups)
    fold = assign_folds(given, groups, folds=folds, seed=seed)
    if others is None:
        others = image_set.subset(np.zeros(len(given), bool))
    _check_alike(image_set, others)
    count, classes, unlabelled = len(given), len(image_set.classes), np.flatnonzero(given < 0)
    pred_probs = np.zeros((count, classes), np.float32)
    rest_probs = np.zeros((len(unlabelled) + len(others), classes), np.float64)
    neighbors = np.full((count, NEIGHBORS), -1, np.int32)
    margins = _Mean(count) if keep_margins else None
    embeddings = rest_embeddings = np.zeros((0, 0), np.float32)
    accuracies, seconds = [], 0.0
    with parallel.shared(image_set, others, at_once=at_once) as (image_set, others):
        one_fold = partial(
            _train_fold,
            config=config,
            image_set=image_set,
            others=others,
            fold=fold,
            run_dir=run_dir,
            keep_margins=keep_margins,
        )
        results = parallel.each(one_fold, range(folds), at_once=at_once, hear=on_epoch)
        for number, said in enumerate(results):
            held_out = np.flatnonzero(fold == number)
            pred_probs[held_out] = said.pred_probs
            neighbors[held_out] = np.where(said.neighbors < 0, -1, held_out[said.neighbors])
            right = said.pred_probs.argmax(1) == given[held_out]
            accuracies.append(float(right[slice(None) if counted is None else counted[held_out]].mean()))
            rest_probs += said.rest_probs / folds
            seconds += said.seconds
            if margins is not None and said.margins is not None:
                margins.add(_trained_on(fold, number), said.margins)
            if said.embeddings is not None and said.rest_embeddings is not None:
                embeddings, rest_embeddings = said.embeddings, said.rest_embeddings
    pred_probs[unlabelled] = rest_probs[: len(unlabelled)]
    return OutOfFold(
        pred_probs=_sum_to_one(pred_probs),
        embeddings=embeddings,
        neighbors=neighbors,
        margins=None if margins is None else margins.value(),
        fold=fold,
        fold_accuracy=tuple(accuracies),
        thin_classes=tuple(image_set.classes[k] for k in thin_classes(given, groups, folds=folds)),
        others_pred_probs=_sum_to_one(rest_probs[len(unlabelled) :].astype(np.float32)),
        others_embeddings=rest_embeddings[len(unlabelled) :],
        seconds=seconds,
    )


class _Mean:
    """Mean margin per image and epoch over the networks that were shown it."""

    def __init__(self, count: int) -> None:
        self.sum, self.shown = np.zeros((count, 0), np.float32), np.zeros((count, 0), np.int16)

    def add(self, rows: np.ndarray, margins: np.ndarray) -> None:
        """Count in what one network noted of its images, in as many epochs as it took. rows: shape (n,). margins:
        shape (E, n)."""
        more = ((0, 0), (0, max(0, len(margins) - self.sum.shape[1])))
        self.sum, self.shown = np.pad(self.sum, more), np.pad(self.shown, more)
        shown = ~np.isnan(margins.T)
        self.sum[rows, : len(margins)] += np.where(shown, margins.T, 0)
        self.shown[rows, : len(margins)] += shown

    def value(self) -> np.ndarray:
        """Shape (N, E), float16, NaN where no network was shown the image."""
        mean = self.sum / np.where(self.shown, self.shown, np.nan)
        return np.clip(mean, *HALF).astype(np.float16)


def _trained_on(fold: np.ndarray, number: int) -> np.ndarray:
    """Positions of the images that a network is trained on, in their order. fold: shape (N,)."""
    return np.flatnonzero((fold >= 0) & (fold != number))


def _train_fold(
    number: int,
    tell: Callable[[Epoch], None],
    *,
    config: TrainConfig,
    image_set: ImageSet,
    others: ImageSet,
    fold: np.ndarray,
    run_dir: Path | None,
    keep_margins: bool,
) -> _Fold:
    """Train the network that does not see the images of this fold. fold: shape (N,)."""
    folder = run_dir / f"fold-{number}" if run_dir else None
    own = image_set.subset(_trained_on(fold, number))
    trained = train(config, own, run_dir=folder, on_epoch=tell, keep_margins=keep_margins)
    about, flip = partial(predict, trained.model, precision=config.precision), mirrors(config)
    rest = [about(part.images, flip=flip) for part in (image_set.subset(fold < 0), others)]
    held_out = about(image_set.subset(fold == number).images, flip=flip, multi_crop=True)
    return _Fold(
        pred_probs=held_out.best,
        neighbors=nearest(held_out.embeddings, device=trained.model.pixel_mean.device),
        margins=trained.margins,
        rest_probs=np.concatenate([said.best for said in rest]),
        embeddings=about(image_set.images).embeddings if number == 0 else None,
        rest_embeddings=np.concatenate([said.embeddings for said in rest]) if number == 0 else None,
        seconds=trained.seconds,
    )


def nearest(embeddings: np.ndarray, *, device: torch.device | str = "cpu") -> np.ndarray:
    """Per row the `NEIGHBORS` other rows at the smallest angle, nearest first: shape (N, D) -> (N, `NEIGHBORS`), int32,
    -1 where there are fewer."""
    unit = F.normalize(torch.from_numpy(embeddings).float(), dim=1)
    _, found = nearest_of_all(unit, most=NEIGHBORS + 1, device=device)
    itself = found == np.arange(len(unit))[:, None]  # not always the first: twins are as near, and may take its place
    others = np.argsort(itself, axis=1, kind="stable")[:, :NEIGHBORS]
    return np.take_along_axis(found, others, axis=1).astype(np.int32)


def assign_folds(labels: np.ndarray, groups: np.ndarray, *, folds: int, seed: int) -> np.ndarray:
    """Deal images to folds so that every fold has about the same number of each class, and no group is split.

    labels: shape (N,), -1 for unlabelled. groups: shape (N,), -1 for an image of its own.
    Groups are dealt first, the largest first, each to the fold that has the fewest images of its classes; single images
    then level the folds. A class with fewer images than folds is missing in some folds, and a class of one image or
    group is missing in one network's training set: see `thin_classes`.
    Returns: shape (N,), int64, 0 to folds - 1; -1 for unlabelled images.
    Raises `UserError` for fewer than two folds, and for fewer labelled images or groups than folds.
    """
    labels, groups = np.asarray(labels), np.asarray(groups)
    if labels.shape != groups.shape:
        raise UserError(f"{len(labels)} labels and {len(groups)} groups; they must be equally many")
    labelled = np.flatnonzero(labels >= 0)
    units = len(np.unique(_units(labels, groups)[labelled]))
    if not 2 <= folds <= units:
        raise UserError(
            f"folds = {folds} for {units} labelled images or groups; it takes at least 2, and no more than there are"
        )
    random = np.random.default_rng(seed)
    classes = int(labels.max()) + 1
    counts = np.zeros((classes, folds), np.int64)
    fold = np.full(len(labels), -1, np.int64)
    for members in _shuffled_groups(labels, groups, random):
        loads = counts[np.unique(labels[members])].sum(0)
        best = np.lexsort((counts.sum(0), loads))[0]
        fold[members] = best
        np.add.at(counts, (labels[members], best), 1)
    single = labelled[fold[labelled] < 0]
    for number in range(classes):
        mine = random.permutation(single[labels[single] == number])
        places = _fill(counts[number], counts.sum(0), len(mine))
        fold[mine] = places
        counts[number] += np.bincount(places, minlength=folds)
    return fold


def thin_classes(labels: np.ndarray, groups: np.ndarray, *, folds: int) -> list[int]:
    """Classes that have labelled images, but fewer single images and groups than folds."""
    units = _units(labels, groups)
    return [int(k) for k in np.unique(labels[labels >= 0]) if len(np.unique(units[labels == k])) < folds]


def _shuffled_groups(labels: np.ndarray, groups: np.ndarray, random: np.random.Generator) -> list[np.ndarray]:
    """Positions of the labelled members of each group of two or more, largest group first, ties in random order."""
    positions = np.flatnonzero((labels >= 0) & (groups >= 0))
    positions = positions[np.argsort(groups[positions], kind="stable")]
    starts = np.flatnonzero(np.diff(groups[positions])) + 1
    parts = [part for part in np.split(positions, starts) if len(part) > 1]
    order = random.permutation(len(parts))
    return sorted((parts[number] for number in order), key=len, reverse=True)


def _fill(have: np.ndarray, total: np.ndarray, count: int) -> np.ndarray:
    """Folds for `count` images so that `have` plus these is level; ties go to the fold with the fewest images overall.

    have, total: shape (folds,). Returns: shape (count,).
    """
    highest = int(have.max()) + -(-count // len(have)) + 1
    level, fold = np.meshgrid(np.arange(highest), np.arange(len(have)), indexing="ij")
    free = level >= have
    level, fold = level[free], fold[free]
    return fold[np.lexsort((fold, total[fold], level))[:count]]


def _units(labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """A number per image that only members of its group share."""
    return np.where(groups >= 0, groups, np.arange(len(labels)) + int(groups.max(initial=0)) + 1)


def _check_alike(first: ImageSet, second: ImageSet) -> None:
    if first.image_size != second.image_size or first.classes != second.classes:
        raise UserError(
            f"the other images are {second.image_size} px of {len(second.classes)} classes, the training set's "
            f"{first.image_size} px of {len(first.classes)}; load both with the same image_size and classes"
        )


def _sum_to_one(probs: np.ndarray) -> np.ndarray:
    """bfloat16 means leave row sums at 1 +- 1e-6; cleanlab compares with 1."""
    return (probs / probs.sum(-1, keepdims=True)).astype(np.float32)
