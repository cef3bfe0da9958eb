"""What differs between a CPU and a GPU: constants that stay on the device, parts that fit a cache, kernels."""

import importlib.util
from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeVar

import torch
from torch import Tensor

Function = TypeVar("Function", bound=Callable)

PART = 1 << 19
"""Values that are worked on at once on a processor, so that they stay in its cache: the fastest for filters, of
2**15 … 2**24, and for greys of 224 px images, of 2**16 … 2**20."""


def assume_constant_result(function: Function) -> Function:
    """What `torch.compiler.assume_constant_result` does, but that imports torch._dynamo: as long as importing torch."""
    function._dynamo_marked_constant = True  # type: ignore[attr-defined]
    return function


@assume_constant_result
def constant(values: Sequence[object] | float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Numbers on a device, brought there once: a copy from the host would wait, and cannot stand in a CUDA graph."""
    return _constant(_frozen(values), dtype, device)


@cache
def keep_memory() -> None:
    """Has the C library keep what batches on a CPU free, for the next one; until the process ends.

    It gives back what lies unused at its end, and how much it keeps follows from the largest block that was ever freed,
    up to 32 MB: one of that size, never touched, makes it keep 64. Without it each batch waits for the system to hand
    it its pages anew: 512 images of 32 px, padded, cropped, mirrored, cut out and normalised took 2.5 times as long.
    """
    torch.empty((1 << 25) - (1 << 16), dtype=torch.uint8)


def in_parts(function: Callable[..., Tensor], images: Tensor, *params: Tensor | None, values: int = PART) -> Tensor:
    """function(images, *params), on a processor for some images after the other: as many as have these `values`.

    images, and what it gives: shape (N, …). params: shape (N, …) each, or None, which it is given as it is.
    """
    count = max(1, values // max(1, images[:1].numel()))
    if images.device.type != "cpu" or len(images) <= count:
        return function(images, *params)
    parts = [slice(start, start + count) for start in range(0, len(images), count)]
    return torch.cat(
        [function(images[part], *(None if each is None else each[part] for each in params)) for part in parts]
    )


def has_kernels(tensor: Tensor) -> bool:
    """Whether what is done to a tensor can be done by Triton's kernels."""
    return tensor.is_cuda and _has_triton()


@cache
def _constant(values: object, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=dtype, device=device)


@cache
def _has_triton() -> bool:
    return importlib.util.find_spec("triton") is not None


def _frozen(values: object) -> object:
    return tuple(_frozen(value) for value in values) if isinstance(values, list | tuple) else values
