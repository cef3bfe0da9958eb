"""torch.compile: where it pays, and how long it takes, apart from training."""

import os
import shutil
import time
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from curate.errors import UserError
from train import distributed
from train.blocks import Network
from train.config import TrainConfig
from train.hardware import autocast

Forward = Callable[[Tensor], Tensor]


def compiled(model: Network, config: TrainConfig, batches: Iterable[Tensor]) -> tuple[Forward, float]:
    """The function that gives logits of a batch, shape (B, K), and the seconds compiling took, 0 without it.

    `model` itself stays as it was: names of weights, batch normalisation, random numbers. batches: one of each size
    that training will meet, shape (B, 3, S, S), uint8; each is compiled, forward and backward.
    Raises `UserError` where compiling was asked for and there is no C++ compiler.
    """
    device = model.pixel_mean.device
    if not wanted(config, device):
        return model, 0.0
    if not compiler():
        raise UserError("compile = 'on' needs a C++ compiler (g++ or clang++); install one, or set compile to off")
    started = time.perf_counter()
    # Code is kept by function, and `forward` is that of every network: without this the ninth would not be compiled.
    torch.compiler.reset()
    forward: Forward = torch.compile(model.forward, dynamic=False)
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    with torch.random.fork_rng():
        for batch in batches:
            with autocast(config.precision, device):
                logits = forward(batch)
            logits.float().sum().backward()
            model.zero_grad(set_to_none=True)
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            buffer.copy_(before[name])
    if device.type == "cuda":
        torch.cuda.synchronize()
    return forward, time.perf_counter() - started


def wanted(config: TrainConfig, device: torch.device) -> bool:
    """Whether to compile: "auto" does on CUDA, in one process, where there is a compiler."""
    if config.compile == "auto":
        return device.type == "cuda" and distributed.count() == 1 and compiler() is not None
    return config.compile == "on"


def compiler() -> str | None:
    """The C++ compiler that torch would call, None where there is none."""
    return next(
        (found for name in (os.environ.get("CXX"), "g++", "clang++") if name and (found := shutil.which(name))), None
    )
