"""Images that stay in a file, or in main memory, and come to where training runs batch by batch."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from curate.files import named_in_errors

PART_BYTES = 1 << 22
"""Of images that are read at once where all are gone through."""


@dataclass(frozen=True)
class MappedImages:
    """N of the images of a file, by position: what a tensor of shape (N, 3, S, S), uint8, is asked for here.

    Only the pixels of `images[index]` are read. Other orders and subsets share the file and keep a list of positions.
    """

    pixels: Tensor
    """Shape (M, S, S, 3), uint8: all that the file holds."""
    at: Tensor
    """Shape (N,), int64: positions in `pixels`."""
    file: Path | None = None
    """What `pixels` are mapped from; None where they are in memory."""

    def __reduce__(self) -> tuple[Callable[..., "MappedImages"], tuple[object, ...]]:
        """Pickled as the name of the file, which another process maps, too; with the pixels where there is none."""
        if self.file is None:
            return MappedImages, (self.pixels, self.at)
        return _open_at, (self.file, *self.pixels.shape[:2], self.at)

    def __len__(self) -> int:
        return len(self.at)

    @property
    def shape(self) -> torch.Size:
        """(N, 3, S, S)."""
        return torch.Size([len(self.at), 3, *self.pixels.shape[1:3]])

    @property
    def ndim(self) -> int:
        return 4

    @property
    def dtype(self) -> torch.dtype:
        return self.pixels.dtype

    def __getitem__(self, index: Tensor | slice) -> Tensor:
        """The pixels at these positions, in memory: shape (B, 3, S, S), channels last."""
        return self.pixels[self.at[index.cpu() if isinstance(index, Tensor) else index]].permute(0, 3, 1, 2)

    def select(self, index: Tensor) -> "MappedImages":
        """The images at these positions, still in the file."""
        return MappedImages(self.pixels, self.at[index], self.file)

    def split(self, size: int) -> Iterator[Tensor]:
        """All images, so many at a time."""
        for part in self.at.split(size):
            yield self.pixels[part].permute(0, 3, 1, 2)


Images = Tensor | MappedImages
"""Shape (N, 3, S, S), uint8."""


def open_mapped(path: Path, count: int, side: int) -> MappedImages:
    """The images of a file of `count` x `side` x `side` x 3 bytes."""
    if not count:
        return MappedImages(torch.empty((0, side, side, 3), dtype=torch.uint8), torch.arange(0))
    array = np.memmap(path, np.uint8, "r", shape=(count, side, side, 3))
    with warnings.catch_warnings():  # nobody writes into it
        warnings.filterwarnings("ignore", "The given NumPy array is not writable", UserWarning)
        return MappedImages(torch.from_numpy(array), torch.arange(count), path)


def _open_at(path: Path, count: int, side: int, at: Tensor) -> MappedImages:
    return open_mapped(path, count, side).select(at)


def in_file(images: Images, path: Path) -> MappedImages:
    """The images in a file that is mapped: their own where they have one, otherwise `path`, which is written."""
    if isinstance(images, MappedImages) and images.file is not None:
        return images
    with named_in_errors(path), path.open("wb") as file:
        for part in parts(images):
            file.write(part.permute(0, 2, 3, 1).contiguous().numpy().data)
    return open_mapped(path, len(images), images.shape[-1])


def parts(images: Images) -> Iterator[Tensor]:
    """All images, some megabytes at a time: shape (B, 3, S, S)."""
    return iter(images.split(max(1, PART_BYTES // (3 * images.shape[-1] ** 2))) if len(images) else ())


def select(images: Images, index: Tensor) -> Images:
    """The images at these positions: shape (B,) -> (B, 3, S, S); a tensor is copied, and stays channels last."""
    if isinstance(images, MappedImages):
        return images.select(index)
    return images.permute(0, 2, 3, 1)[index].permute(0, 3, 1, 2)


def resident(images: Images, device: torch.device) -> Images:
    """The images on a GPU, where they fill less than half of its free memory; otherwise they stay where they are."""
    if device.type == "cpu":
        return images
    if images.shape.numel() > torch.cuda.mem_get_info(device)[0] / 2:
        if isinstance(images, Tensor):
            return MappedImages(images.permute(0, 2, 3, 1).contiguous(), torch.arange(len(images)))
        return images
    if isinstance(images, Tensor):
        return images.to(device)
    there = torch.empty(images.shape, dtype=torch.uint8, device=device, memory_format=torch.channels_last)
    done = 0
    for part in parts(images):
        there[done : done + len(part)] = part.to(device)
        done += len(part)
    return there


def fetched(images: Images, index: Tensor) -> tuple[Tensor, Tensor]:
    """A tensor on the device of `index` that holds the images asked for, and their positions in it."""
    if isinstance(images, MappedImages):
        return images[index].to(index.device), torch.arange(len(index), device=index.device)
    return images, index
