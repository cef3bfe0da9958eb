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

Forward = Callable[[Network, Tensor], Tensor]
"""Logits, shape (N, K), that a network gives for images, shape (N, 3, S, S)."""

MAX_SHAPES = 16
"""Shapes of batches that one network may be compiled for: two lengths of batch, two sides, and folds that differ by an
image. torch stops at 8, and says so in a warning alone."""

_compiled: dict[tuple[object, ...], Forward] = {}
"""The last function that was compiled, by what it was compiled for. Folds and seeds share it: torch finds the code of
another network of the same kind at once, where compiling takes half a minute."""


def plain(model: Network, batch: Tensor) -> Tensor:
    """The network as it is."""
    logits: Tensor = model(batch)
    return logits


def compiled(model: Network, config: TrainConfig, batches: Iterable[Tensor]) -> tuple[Forward, float]:
    """The function that gives a network's logits, and the seconds compiling took, 0 without it.

    `model` itself stays as it was: names of weights, batch normalisation, random numbers. batches: one of each shape
    that training will meet, (B, 3, S, S); each is compiled, forward and backward, where the last call did not do so.
    Raises `UserError` where compiling was asked for and there is no C++ compiler.
    """
    device = model.pixel_mean.device
    if not wanted(config, device):
        _forget()
        return plain, 0.0
    if not compiler():
        raise UserError(
            f"compile = {config.compile!r} needs a C++ compiler (g++ or clang++); install one, or set compile to off"
        )
    started = time.perf_counter()
    forward = _function(model, config, device)
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    calls = 2 if config.compile == "graphs" else 1  # graphs are recorded in the second
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices), torch._dynamo.config.patch(recompile_limit=MAX_SHAPES):
        for batch in batches:
            for _ in range(calls):
                with autocast(config.precision, device):
                    logits = forward(model, batch)
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
    return config.compile != "off"


def compiler() -> str | None:
    """The C++ compiler that torch would call, None where there is none."""
    return next(
        (found for name in (os.environ.get("CXX"), "g++", "clang++") if name and (found := shutil.which(name))), None
    )


def _function(model: Network, config: TrainConfig, device: torch.device) -> Forward:
    """The compiled function for networks of this kind: the last one, or a new one."""
    options = tuple(sorted(config.model_options.items()))
    shapes = tuple((name, tuple(tensor.shape)) for name, tensor in model.state_dict().items())
    key = (type(model), config.model, options, shapes, config.precision, device, config.compile == "graphs")
    if key not in _compiled:
        _forget()
        mode = "reduce-overhead" if config.compile == "graphs" else None
        code: Forward = torch.compile(plain, dynamic=False, mode=mode)
        _compiled[key] = _stepping(code) if config.compile == "graphs" else code
    return _compiled[key]


def _forget() -> None:
    """Free what was compiled, and the memory of its graphs."""
    if _compiled:
        _compiled.clear()
        torch.compiler.reset()


def _stepping(code: Forward) -> Forward:
    """CUDA graphs write results to the same place each time: they have to hear where a step begins."""

    def forward(model: Network, batch: Tensor) -> Tensor:
        torch.compiler.cudagraph_mark_step_begin()
        return code(model, batch)

    return forward
