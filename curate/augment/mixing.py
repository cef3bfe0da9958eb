"""Images of a batch mixed with one another, and their labels with them."""

from abc import abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from curate.augment.draws import Draws
from curate.augment.frame import Frame
from curate.augment.transform import Params, Transform
from curate.errors import UserError


class Mix(Transform):
    """Each image is mixed with one other of the batch, its label with that one's.

    Who is mixed with whom depends on which images are in the batch, but not on their order. Where only some are mixed
    (p below 1, `OneOf`), any image of the batch may be the other one; where two mixes follow each other, the second one
    mixes what the first one made, labels too.
    """

    examples = ()  # Albumentations sees one image, so there is nothing to compare with
    floats = True

    @abstractmethod
    def own(self, params: Params, frame: Frame) -> Tensor:
        """Share of each image that stays its own: shape (N,), float32, from 0 to 1."""

    def order(self, draws: Draws) -> Tensor:
        """What images are ordered by before each is mixed with the next one: shape (N,), int64."""
        first, second = draws.words(2).unbind(1)
        return first << 31 | second >> 1  # 63 bits: in none of 10**6 batches of 10**3 images are two alike

    def weight(self, draws: Draws) -> Tensor:
        """Beta(alpha, alpha), `alpha` being a setting: shape (N,), float64."""
        alpha = self.settings.alpha
        return draws.uniform() if alpha == 1 else draws.beta(alpha, alpha)  # the same distribution, with one word

    def targets(self, targets: Tensor, params: Params, frame: Frame, passed: Tensor | None) -> Tensor:
        """The targets mixed as the images are: shape (N, K), float32. passed: shape (N,), the images that are mixed."""
        own = self.own(params, frame)
        own = (own if passed is None else torch.where(passed, own, 1.0))[:, None]
        return own * targets + (1 - own) * targets[partners(params["order"])]


def partners(order: Tensor) -> Tensor:
    """The image that each is mixed with: the next one in this order, behind the last the first: shape (N,), int64."""
    line = order.argsort(stable=True)
    return torch.empty_like(line).scatter_(0, line, line.roll(-1))


def as_targets(labels: Any, classes: int | None, count: int, device: torch.device) -> Tensor:
    """Labels of `count` images as probabilities of classes: shape (N, K), float32.

    labels: shape (N,), whole numbers from 0 to `classes` - 1, or shape (N, K), float. Raises `UserError` for others.
    """
    given = labels if isinstance(labels, Tensor) else _numbers(labels)
    whole = not (given.is_floating_point() or given.is_complex() or given.dtype == torch.bool)
    if given.ndim == 2 and given.is_floating_point() and len(given) == count:
        return given.to(device, torch.float32)
    if given.shape != (count,) or not whole:
        kind = str(given.dtype).removeprefix("torch.")
        raise UserError(
            f"{count} images, but labels of shape {tuple(given.shape)}, {kind}; give whole numbers of shape (N,), or "
            "floats of shape (N, K)"
        )
    if classes is None:
        raise UserError("labels are whole numbers; say how many classes there are, such as classes=10")
    _check_range(given, classes)
    given = given.to(device, torch.int64)
    return torch.zeros(count, classes, device=device).scatter_(1, given[:, None], 1.0)


def _numbers(labels: Any) -> Tensor:
    values = np.asarray(labels)
    if not values.size and values.ndim == 1:
        return torch.zeros(0, dtype=torch.int64)
    if values.dtype.kind not in "iuf":
        raise UserError(f"labels are of type {values.dtype}; to be mixed they have to be numbers of classes, from 0 on")
    return torch.from_numpy(values if values.dtype.kind == "f" else values.astype(np.int64))


def _check_range(labels: Tensor, classes: int) -> None:
    if labels.device.type != "cpu" or not len(labels):  # elsewhere a look would wait; scatter_ stops there
        return
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise UserError(
            f"labels are from {low} to {high}, but classes={classes}; they have to be below that, from 0 on"
        )
