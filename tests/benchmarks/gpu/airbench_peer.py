"""Run a script of `cifar10-airbench` as it is, but fewer times: `python airbench_peer.py SCRIPT RUNS [cpu]`.

Started in a folder with `cifar10/train.pt` and `cifar10/test.pt`. The script's code is neither copied nor changed: it
runs as `__main__` with a `range` of its own, which cuts its `range(200)` short. What it prints is what we read.
"""

import builtins
import math
import runpy
import sys
from collections.abc import Callable
from typing import Any

ITS_RUNS = 200
TRIAL_STEPS = 2


def main() -> None:
    """Run the script."""
    script, runs, *where = sys.argv[1:]

    def fewer(*bounds: int) -> range:
        return builtins.range(int(runs)) if bounds == (ITS_RUNS,) else builtins.range(*bounds)

    if where:
        on_cpu()
    runpy.run_path(script, init_globals={"range": fewer}, run_name="__main__")


def on_cpu() -> None:
    """Have what is meant for CUDA stay on the CPU and end after two steps, to try this file out; its figures mean
    nothing then. Halves become bfloat16, which more processors compute in, and steps are what the scripts round up."""
    import torch

    module: Any = torch.nn.Module
    module.cuda = torch.Tensor.cuda = lambda self, *_: self  # type: ignore[method-assign]
    module.half, torch.Tensor.half = module.bfloat16, torch.Tensor.bfloat16  # type: ignore[method-assign]
    torch.cuda.Event, torch.cuda.synchronize = NoEvent, lambda *_: None  # type: ignore[assignment, misc]
    load: Callable[..., Any] = torch.load
    torch.load = lambda path, **_: load(path, map_location="cpu")
    ceil = math.ceil
    math.ceil = lambda number: min(ceil(number), TRIAL_STEPS)


class NoEvent:
    """Stands for a CUDA event."""

    def __init__(self, **_: object) -> None:
        pass

    def record(self) -> None:
        """Nothing to record."""

    def elapsed_time(self, _: "NoEvent") -> float:
        """A millisecond: some time, so that ratios can be taken."""
        return 1.0


if __name__ == "__main__":
    main()
