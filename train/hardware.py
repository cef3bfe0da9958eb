"""Where training runs, and in which precision."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from curate.machine import choose_device, fast_bf16
from train.config import Device, Precision


def use_bf16(precision: Precision, device: torch.device) -> bool:
    """Whether convolutions run in bfloat16; "auto" takes it where the hardware computes in it.

    Measured on a CPU with AVX512-BF16: convolutions of 64 channels and more take half the time of float32 (3x3, 256
    images, forward and backward). Without such instructions bfloat16 is emulated, and slow.
    """
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return fast_bf16()


def computing(device: Device, precision: Precision) -> str:
    """What networks are computed on, and in which precision: "cpu, bf16" or "cuda, fp32"."""
    chosen = choose_device(device)
    return f"{chosen.type}, {'bf16' if use_bf16(precision, chosen) else 'fp32'}"


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """The context that forward passes run in."""
    return torch.autocast(device.type, torch.bfloat16, enabled=use_bf16(precision, device))


@contextmanager
def fastest_convolutions(device: torch.device) -> Iterator[None]:
    """The context that training runs in: on CUDA each shape of convolution is tried in several ways first, and the
    fastest kept. That pays where shapes are few and steps many. The other settings of cuDNN stay as they are."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = before or device.type == "cuda"
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
