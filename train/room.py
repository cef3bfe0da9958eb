"""When memory runs out in a step: which batch would fit."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from curate.errors import UserError
from train import distributed
from train.blocks import Network
from train.config import TrainConfig
from train.hardware import autocast
from train.mapped import Images


@contextmanager
def explained(model: Network, images: Images, config: TrainConfig, size: int) -> Iterator[None]:
    """Make running out of memory in a step of `size` images a `UserError` that names a batch size that fits.

    images: shape (N, 3, S, S), uint8; the halves of `size` are tried with some of them.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
        traceback.clear_frames(error.__traceback__)  # lets go of what the step had made
        fits = (
            _largest(model, images, config, max(2, size // 2) if size > 2 else 1) if distributed.count() == 1 else None
        )
        side = images.shape[-1]
        what = f"memory ran out in a batch of {size} images of {side} px with {config.model}"
        if fits == 0:
            raise UserError(f"{what}, and not even 2 images fit; set a smaller image_size or a smaller model") from None
        told = f"{fits} fit" if fits else "half may fit"
        wanted = (fits or max(2, size // 2)) * distributed.count()
        raise UserError(f"{what}; {told}: --set batch_size={wanted}") from None


def ran_out(error: Exception) -> bool:
    """Whether memory was what lacked: torch has a class for that on CUDA alone."""
    said = str(error)
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        "DefaultCPUAllocator" in said or "not enough memory" in said
    )


def _largest(model: Network, images: Images, config: TrainConfig, size: int) -> int:
    """The first of `size`, its half, … down to 2 that fits forward and backward; 0 where none does."""
    device = model.pixel_mean.device
    while size >= 2:
        if device.type == "cuda":
            torch.cuda.empty_cache()
        index = torch.arange(size) % len(images)
        if _fits(model, images[index.to(_place(images))].to(device), config):
            return size
        size //= 2
    return 0


def _fits(model: Network, batch: Tensor, config: TrainConfig) -> bool:
    try:
        with autocast(config.precision, batch.device):
            logits = model(batch)
        logits.float().sum().backward()
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
        return False
    finally:
        model.zero_grad(set_to_none=True)
    return True


def _place(images: Images) -> torch.device:
    return images.device if isinstance(images, Tensor) else torch.device("cpu")
