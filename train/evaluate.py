"""What a trained network says about images, and how right it is."""

import traceback
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from curate.augment.lattice import within
from train.blocks import Network
from train.config import Precision
from train.data import ImageSet
from train.hardware import autocast
from train.mapped import Images
from train.room import ran_out

BINS = 15
"""Of equal width, for the calibration error: Guo et al. 2017, "On Calibration of Modern Neural Networks"."""
SHIFTS = ((0, 0.5), (-1, 0.25), (1, 0.25))
"""Views of the multi-crop evaluation: shift down and right, in 32nds of the side, and weight; each also mirrored where
mirroring is on. Those of Jordan 2024, "94 % on CIFAR-10 in 3.29 seconds", section 3.5."""


@dataclass(frozen=True)
class Outputs:
    """What a network says about N images."""

    probs: np.ndarray
    """Shape (N, K), float32, rows sum to 1: from the image as it is."""
    probs_flip: np.ndarray | None
    """Shape (N, K), float32, rows sum to 1: mean of the image and its mirror image; None if not asked for."""
    probs_multi_crop: np.ndarray | None
    """Shape (N, K), float32, rows sum to 1: mean over shifted views, see `SHIFTS`; None if not asked for."""
    embeddings: np.ndarray
    """Shape (N, D), float32: what the last layer sees of the image as it is."""

    @property
    def best(self) -> np.ndarray:
        """The mean over most views that there is."""
        views = (self.probs_multi_crop, self.probs_flip, self.probs)
        return next(probs for probs in views if probs is not None)


@dataclass(frozen=True)
class Evaluation:
    """How right predictions are, on the labelled images."""

    count: int
    accuracy: float
    """Single view, 0 to 1."""
    accuracy_flip: float | None
    """Mean of image and mirror image, 0 to 1; None where mirroring is off."""
    accuracy_multi_crop: float | None
    """Mean over shifted views, 0 to 1; None where these were not predicted."""
    accuracy_leak_free: float | None
    """Single view, on the images of `leak_free` alone; None without such a mask, and where it holds none."""
    leak_free_count: int | None
    per_class: tuple[float | None, ...]
    """Single-view accuracy per class; None for a class without an image."""
    confusion: np.ndarray
    """Shape (K, K), int64: row true class, column predicted class."""
    calibration_error: float
    """Expected calibration error of the single view, 0 (best) to 1."""


@torch.no_grad()
def predict(
    model: Network,
    images: Images,
    *,
    flip: bool = False,
    multi_crop: bool = False,
    batch_size: int = 500,
    precision: Precision = "auto",
) -> Outputs:
    """Probabilities and embeddings of `images`, shape (N, 3, S, S), uint8, on the device the model is on.

    flip: also average with the mirror images; twice the time. multi_crop: also average over shifted views; three times
    the time. `batch_size` is halved where memory runs out. The model is left in the mode it was in.
    """
    was_training = model.training
    model.eval()
    try:
        while True:
            try:
                return _in_batches(model, images, flip, multi_crop, batch_size, precision)
            except (RuntimeError, MemoryError) as error:
                if batch_size < 2 or not ran_out(error):
                    raise
                traceback.clear_frames(error.__traceback__)  # lets go of what the batch had made
            batch_size //= 2
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
    finally:
        model.train(was_training)


def _in_batches(
    model: Network, images: Images, flip: bool, multi_crop: bool, batch_size: int, precision: Precision
) -> Outputs:
    device = model.pixel_mean.device
    shifts = SHIFTS if multi_crop else SHIFTS[:1]
    single, flipped, averaged, embeddings = [], [], [], []
    for part in images.split(batch_size) if len(images) else ():
        part = part.to(device)
        total = torch.zeros((), device=device)
        for shift, weight in shifts:
            view = shifted(part, shift)
            with autocast(precision, device):
                features = model.features(view)
                logits = model.classify(features)
                mirror = model(view.flip(3)) if flip else None
            probs = logits.float().softmax(1)
            both = probs if mirror is None else (probs + mirror.float().softmax(1)) / 2
            total = total + weight * both
            if not shift:
                embeddings.append(features.float())
                single.append(probs)
                flipped.append(both)
        if multi_crop:
            averaged.append(total)
    width = model.head.out_features
    return Outputs(
        probs=_array(single, width),
        probs_flip=_array(flipped, width) if flip else None,
        probs_multi_crop=_array(averaged, width) if multi_crop else None,
        embeddings=_array(embeddings, model.embedding_dim),
    )


def shifted(images: Tensor, shift: int) -> Tensor:
    """The images moved down and right by `shift` 32nds of their side, the border reflected.

    images: shape (N, 3, S, S), uint8; the same shape is returned.
    """
    side = images.shape[-1]
    by = round(shift * side / 32) or (shift > 0) - (shift < 0)
    line = within(torch.arange(side, device=images.device) - by, side, cv2.BORDER_REFLECT_101)
    return images[:, :, line][:, :, :, line] if shift else images


def evaluate(predictions: Outputs, image_set: ImageSet, *, leak_free: np.ndarray | None = None) -> Evaluation:
    """Compare predictions with labels. leak_free: shape (N,), bool, images that have no twin in the training set."""
    labels = image_set.labels.numpy()
    has = labels >= 0
    classes = len(image_set.classes)
    probs, labels = predictions.probs[has], labels[has]
    right = probs.argmax(1) == labels
    confusion = np.bincount(labels * classes + probs.argmax(1), minlength=classes * classes).reshape(classes, classes)
    flip = None if predictions.probs_flip is None else predictions.probs_flip[has].argmax(1) == labels
    crops = None if predictions.probs_multi_crop is None else predictions.probs_multi_crop[has].argmax(1) == labels
    free = None if leak_free is None else right[np.asarray(leak_free, bool)[has]]
    return Evaluation(
        count=len(labels),
        accuracy=_mean(right),
        accuracy_flip=None if flip is None else _mean(flip),
        accuracy_multi_crop=None if crops is None else _mean(crops),
        accuracy_leak_free=None if free is None or not len(free) else _mean(free),
        leak_free_count=None if free is None else len(free),
        per_class=mean_per_class(confusion),
        confusion=confusion,
        calibration_error=calibration_error(probs, labels),
    )


def mean_per_class(confusion: np.ndarray) -> tuple[float | None, ...]:
    """Share of each class that was predicted as such, 0 to 1; None for a class without an image.

    confusion: shape (K, K), counts; row true class, column predicted class.
    """
    return tuple(float(confusion[k, k] / total) if total else None for k, total in enumerate(confusion.sum(1)))


def calibration_error(probs: np.ndarray, labels: np.ndarray) -> float:
    """Expected calibration error: mean gap between confidence and accuracy over bins of confidence, 0 (best) to 1.

    probs: shape (N, K), rows sum to 1. labels: shape (N,). nan for N = 0.
    """
    if not len(labels):
        return float("nan")
    confidence = probs.max(1).astype(np.float64)
    right = probs.argmax(1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, weights=confidence - right, minlength=BINS)
    return float(np.abs(gaps).sum() / len(labels))


def _array(parts: list[Tensor], width: int) -> np.ndarray:
    return torch.cat(parts).cpu().numpy() if parts else np.zeros((0, width), np.float32)


def _mean(right: np.ndarray) -> float:
    return float(right.mean()) if len(right) else float("nan")
