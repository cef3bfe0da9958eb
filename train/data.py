"""Labelled images: decoded once, brought to one size, kept as bytes in memory, or in a file where they are too many."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from pandas import DataFrame
from torch import Tensor

from curate.engine import Local
from curate.errors import UserError
from curate.machine import memory
from curate.manifest import locate
from train import decoded
from train.mapped import Images, parts, select
from train.pixels import read_batch

SMALL_PX = 64
"""Sets of this size and below keep their own: CIFAR's 32, MNIST's 28. Larger small sets are brought to it."""
NEARLY_ALL = 0.95
"""Share of one size that makes it the set's: a few odd ones are brought to it."""
PHOTO_PX = 128
"""Side for photos. Chosen by eye: objects stay recognisable, and it costs a third of 224 px."""


@dataclass(frozen=True)
class ImageSet:
    """N images of one size with their labels."""

    images: Images
    """Shape (N, 3, S, S), uint8, RGB, channels last in memory, or in a file that is mapped."""
    labels: Tensor
    """Shape (N,), int64: position in `classes`, -1 for unlabelled."""
    image_ids: tuple[str, ...]
    classes: tuple[str, ...]
    soft_labels: Tensor | None = None
    """Shape (N, K), float32, rows sum to 1: what networks are to say in place of the labels; None: these. An image
    without a label is not trained on either way."""

    def __post_init__(self) -> None:
        count = len(self.images)
        if self.images.dtype != torch.uint8 or self.images.ndim != 4 or self.images.shape[1] != 3:
            raise UserError(
                f"images have shape {tuple(self.images.shape)} and {self.images.dtype}; need (N, 3, S, S), uint8"
            )
        if not count == len(self.labels) == len(self.image_ids):
            raise UserError(
                f"{count} images, {len(self.labels)} labels and {len(self.image_ids)} ids; they must be equally many"
            )
        if count and not (int(self.labels.min()) >= -1 and int(self.labels.max()) < len(self.classes)):
            raise UserError(f"labels have to be from -1 to {len(self.classes) - 1}, for {len(self.classes)} classes")
        if self.soft_labels is not None and self.soft_labels.shape != (count, len(self.classes)):
            raise UserError(
                f"soft labels have shape {tuple(self.soft_labels.shape)}; {count} images of {len(self.classes)} "
                f"classes take ({count}, {len(self.classes)})"
            )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def image_size(self) -> int:
        """Side in pixels."""
        return int(self.images.shape[-1])

    def subset(self, index: Tensor | np.ndarray) -> "ImageSet":
        """The images at `index`: positions, or a mask of shape (N,)."""
        positions = torch.as_tensor(index)
        if positions.dtype == torch.bool:
            positions = positions.nonzero()[:, 0]
        ids = tuple(self.image_ids[position] for position in positions.tolist())
        soft = None if self.soft_labels is None else self.soft_labels[positions]
        images, labels = select(self.images, positions), self.labels[positions]
        return replace(self, images=images, labels=labels, image_ids=ids, soft_labels=soft)

    def labelled(self) -> "ImageSet":
        """The images that have a label."""
        return self if bool((self.labels >= 0).all()) else self.subset(self.labels >= 0)

    def mean_std(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each channel over all pixels, both shape (3,), float32, 0 to 255."""
        histograms = np.zeros((3, 256))
        for part in self._parts():
            for channel in range(3):
                histograms[channel] += np.bincount(part[..., channel].reshape(-1), minlength=256)
        values = np.arange(256)
        weights = histograms / histograms.sum(1, keepdims=True)
        mean = weights @ values
        variance = weights @ values**2 - mean**2
        std = np.sqrt(np.maximum(variance, 1))  # a channel that is the same everywhere stays finite
        return torch.tensor(mean, dtype=torch.float32), torch.tensor(std, dtype=torch.float32)

    def fingerprint(self) -> str:
        """blake2b-128 of pixels, labels, soft labels and classes, as hex."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(repr((len(self), self.image_size, self.image_size, 3)).encode())
        for part in self._parts():
            digest.update(part.data)
        digest.update(repr(tuple(self.labels.shape)).encode())
        digest.update(self.labels.numpy().data)
        if self.soft_labels is not None:
            digest.update(self.soft_labels.numpy().data)
        digest.update(repr(self.classes).encode())
        return digest.hexdigest()

    def _parts(self) -> Iterator[np.ndarray]:
        """All pixels, some images at a time: shape (B, S, S, 3)."""
        for part in parts(self.images):
            yield part.permute(0, 2, 3, 1).contiguous().numpy()


def load_images(
    rows: DataFrame,
    root: Path,
    *,
    classes: Sequence[str],
    image_size: int | None = None,
    workers: int | None = None,
    memory_limit: int | None = None,
) -> ImageSet:
    """Decode the images of manifest rows, in the rows' order.

    The short side is brought to `image_size`, then the centre is cut out. `image_size` None: `common_size(rows)`.
    Rows with an `error` cannot be decoded: leave them out (`rows[rows["error"] == ""]`). A label "" becomes -1.
    A set that takes more than `memory_limit` bytes (None: a quarter of the memory that this process may use, as
    `predict` holds two sets and a part) is written to a file of the workspace `root` and read from there, see
    `train.decoded`.
    Raises `UserError` for a label not in `classes`, an image that cannot be read or has changed, and a set too large
    for the disk.
    """
    size = image_size or common_size(rows)
    labels = torch.tensor(_positions(rows, classes), dtype=torch.int64)
    files = list(zip(locate(rows, root), rows["content_hash"], strict=True))
    batches = Local(workers).map_batches(partial(read_batch, size=size), files, describe="decode", total=len(files))
    need, limit = len(rows) * size * size * 3, memory() // 4 if memory_limit is None else memory_limit
    images: Images
    if need > limit:
        name = decoded.key(rows["content_hash"], size)
        images = decoded.decoded(root, name, batches, count=len(rows), size=size)
    else:
        array = np.empty((len(rows), size, size, 3), np.uint8)
        done = 0
        for batch in batches:
            array[done : done + len(batch)] = batch
            done += len(batch)
        images = torch.from_numpy(array).permute(0, 3, 1, 2)
    return ImageSet(images=images, labels=labels, image_ids=tuple(rows["image_id"]), classes=tuple(classes))


def common_size(rows: DataFrame) -> int:
    """The side in pixels that images of these sizes are trained at.

    Square images up to 64 px keep their size where nearly all are of one. Otherwise 64 where half of the images have a
    short side below 128 px, and 128 for photos.
    """
    if rows.empty:
        return SMALL_PX
    short = np.minimum(rows["width"].to_numpy(), rows["height"].to_numpy())
    square = short[(rows["width"] == rows["height"]).to_numpy()]
    side = int(np.bincount(square).argmax()) if len(square) else 0
    if 8 <= side <= SMALL_PX and (square == side).sum() >= NEARLY_ALL * len(rows):
        return side
    return SMALL_PX if np.median(short) < PHOTO_PX else PHOTO_PX


def _positions(rows: DataFrame, classes: Sequence[str]) -> list[int]:
    position = {name: number for number, name in enumerate(classes)} | {"": -1}
    unknown = sorted(set(rows["label"]) - set(position))
    if unknown:
        raise UserError(
            f"label {unknown[0]!r} is not among the {len(classes)} classes of the training set: {', '.join(classes)}"
        )
    return [position[label] for label in rows["label"]]
