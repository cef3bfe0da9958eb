"""Batches as they come and go: layouts, types, and what names the images."""

import hashlib
from collections.abc import Sequence
from numbers import Integral
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from curate.errors import UserError

Layout = Literal["auto", "NHWC", "NCHW"]
Batch = Tensor | np.ndarray
"""A result is what the images were."""
CHANNELS = (1, 3)
"""Numbers of channels that tell one layout from the other."""


def channels_last(images: Any, layout: Layout) -> Tensor:
    """Images as they came -> shape (N, H, W, C), uint8, contiguous.

    Raises `UserError` for what is no batch of images.
    """
    pixels = _tensor(images)
    if pixels.ndim == 3:
        pixels = pixels[..., None]
    elif _planes(pixels, layout):
        pixels = pixels.permute(0, 2, 3, 1)
    if not all(pixels.shape[1:]):
        raise UserError(f"images of shape {tuple(pixels.shape)} have no pixels; leave them out")
    return pixels.contiguous()


def as_given(pixels: Tensor, images: Batch, layout: Layout, *, planes: bool) -> Batch:
    """A result of shape (N, H, W, C) as the images came: tensor or array, in their layout.

    planes: whether it is (N, C, H, W) whatever they were.
    """
    given = _tensor(images)
    if given.ndim == 3 and not planes and pixels.shape[3] == 1:
        pixels = pixels[..., 0]
    elif planes or (given.ndim == 4 and _planes(given, layout)):
        pixels = pixels.permute(0, 3, 1, 2)
    if isinstance(images, Tensor):
        return pixels
    if pixels.dtype == torch.bfloat16:
        raise UserError("NumPy has no bfloat16: give the images as a tensor, or ask for another dtype")
    return pixels.numpy()


def with_channels(images: Sequence[Any]) -> list[np.ndarray]:
    """Images of several sizes, as they came in a list -> shape (H, W, C) each. Raises `UserError` for other things."""
    if not len(images):
        raise UserError("no images: the list is empty; give an array of shape (0, H, W, C) where that is meant")
    for number, image in enumerate(images):
        if not isinstance(image, np.ndarray) or image.ndim not in (2, 3):
            raise UserError(
                f"image {number} of the list is no array of shape (H, W, C), but {type(image).__name__}; give arrays"
            )
    return [image[:, :, None] if image.ndim == 2 else image for image in images]


def numbers(ids: Any, count: int, device: torch.device) -> Tensor:
    """What names so many images, as whole numbers on their device: shape (N,), int64. Names are hashed.

    Raises `UserError` where there is not one for each image, and for numbers below 0, unless a look at them would wait.
    """
    if isinstance(ids, Tensor):
        found = ids
    else:
        values = np.atleast_1d(np.asarray(() if ids is None else ids))
        if values.dtype.kind in "OUS":
            values = np.array([_hashed(name) for name in values.tolist()], np.int64)
        if values.dtype.kind not in "iu" and values.size:
            raise UserError(f"ids are of type {values.dtype}; they have to be whole numbers or names")
        if values.size:
            _check_range(int(values.min()), int(values.max()))
        found = torch.from_numpy(values.astype(np.int64))
    if found.shape != (count,):
        alone = "; a single image is a batch as image[None]" if found.shape == (1,) else ""
        raise UserError(f"{count} images, but ids of shape {tuple(found.shape)}; give one id for each image{alone}")
    if found.is_floating_point() or found.dtype == torch.bool:
        raise UserError(f"ids are of type {found.dtype}; they have to be whole numbers or names")
    if found is ids and found.device.type == "cpu" and count:  # elsewhere a look would wait
        found = found.to(torch.int64)
        _check_range(int(found.min()), int(found.max()))
    return found.to(device=device, dtype=torch.int64, non_blocking=True)


def as_epoch(epoch: Any) -> int | Tensor:
    """The epoch, of Python where it is a number of NumPy. Raises `UserError` for what is no whole number from 0 on.

    A tensor is not looked into: that would wait for it.
    """
    if isinstance(epoch, Tensor):
        whole = epoch.ndim == 0 and not epoch.is_floating_point() and epoch.dtype != torch.bool
    else:
        whole = isinstance(epoch, Integral) and not isinstance(epoch, bool) and 0 <= int(epoch) < 2**32
    if not whole:
        raise UserError(f"epoch is {epoch!r}; it has to be a whole number from 0 on, or a tensor of one without axes")
    return epoch if isinstance(epoch, Tensor) else int(epoch)


def _check_range(low: int, high: int) -> None:
    """Raises `UserError` for ids from `low` to `high` that int64 does not hold, or that are negative."""
    if low < 0 or high >= 2**63:
        raise UserError(f"ids are from {low} to {high}; they have to be from 0 to 2**63 - 1")


def _hashed(name: object) -> int:
    """63 bits of a text that stay the same for good; whole numbers as they are."""
    if isinstance(name, int):
        _check_range(name, name)
        return name
    if not isinstance(name, str):
        raise UserError(f"an id is {name!r}; ids have to be whole numbers or names")
    return int.from_bytes(hashlib.blake2b(name.encode(errors="surrogateescape"), digest_size=8).digest(), "little") >> 1


def _tensor(images: Any) -> Tensor:
    if not isinstance(images, Tensor | np.ndarray):
        raise UserError(f"images are of type {type(images).__name__}; give a tensor, an array or a list of arrays")
    if images.dtype not in (torch.uint8, np.uint8):
        raise UserError(
            f"images are {str(images.dtype).removeprefix('torch.')}; give uint8, levels from 0 to 255, and let the "
            "pipeline make floats of them (Normalize, ToFloat)"
        )
    # an array that was reversed, as from BGR to RGB, has strides that torch lacks
    return images if isinstance(images, Tensor) else torch.from_numpy(np.ascontiguousarray(images))


def _planes(pixels: Tensor, layout: Layout) -> bool:
    """Whether the layout is NCHW."""
    if pixels.ndim != 4:
        raise UserError(
            f"images have {pixels.ndim} axes, shape {tuple(pixels.shape)}; a batch is (N, H, W, C) or (N, C, H, W)"
        )
    if layout != "auto":
        return layout == "NCHW"
    last, first = pixels.shape[3] in CHANNELS, pixels.shape[1] in CHANNELS
    if last == first:
        shape = f"images of shape {tuple(pixels.shape)}"
        if not last:
            raise UserError(f"{shape}: no axis has 1 or 3 channels; leave transparency out, or make them grey or RGB")
        raise UserError(f'{shape}: either axis could be the channels; say layout="NHWC" or layout="NCHW"')
    return first
