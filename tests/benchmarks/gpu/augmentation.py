"""Augmentation on the device: the same pixels as on the processor, and how many images a second."""

import importlib
import importlib.util
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from torch import Tensor

import curate.augment
from curate.augment import Program
from curate.augment.in_kornia import modules
from curate.augment.upstream import albumentations
from tests.benchmarks.gpu.job import Figures, Job, Parts

FIVE, PHOTOS = "five operations, 32 px", "RandomResizedCrop, flip, ColorJitter, Normalize, 224 px"
BATCH = {FIVE: 65_536, PHOTOS: 2_048}
SIDE = {FIVE: 32, PHOTOS: 256}
ROUNDS = 20
TRIAL = 64
"""Images where this is a trial."""


def augmentation(job: Job) -> Parts:
    """Parity with the processor, then rates: eager, compiled, as a CUDA graph; the floor; Kornia where it is there."""
    pipelines = {FIVE: five(), PHOTOS: photos()}
    for name, pipeline in pipelines.items():
        yield f"{name}, beside the processor", beside(job, pipeline, SIDE[name])
    for name, pipeline in pipelines.items():
        images = noise(TRIAL if job.small else BATCH[name], SIDE[name]).to(job.device)
        ids = torch.arange(len(images), device=job.device)
        program = curate.augment.compile(pipeline, mode="fused", dtype=torch.bfloat16, layout="NHWC")
        yield f"{name}, floor", floor(job, images)
        for way, call in ways(job, program, images, ids).items():
            yield f"{name}, {way}", attempt(job, call, len(images))
        yield from kornia(job, name, images)


def five() -> Any:
    """What small networks are trained with."""
    a = albumentations()
    hole = a.CoarseDropout(num_holes_range=(1, 1), hole_height_range=(8, 8), hole_width_range=(8, 8), fill=0, p=1)
    return a.Compose([a.Pad(4, border_mode=4), a.RandomCrop(32, 32), a.HorizontalFlip(), hole, a.Normalize()])


def photos() -> Any:
    """What networks for photos are trained with."""
    a = albumentations()
    return a.Compose([a.RandomResizedCrop((224, 224)), a.HorizontalFlip(), a.ColorJitter(p=0.8), a.Normalize()])


def noise(count: int, side: int) -> Tensor:
    return torch.randint(0, 256, (count, side, side, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def beside(job: Job, pipeline: Any, side: int) -> Figures:
    """Share of the numbers that are the same on both, and the greatest difference, by mode."""
    images, ids = noise(256 if side < 64 else 16, side), torch.arange(16 if side >= 64 else 256)
    figures: dict[str, object] = {}
    for mode in ("exact", "fused"):
        program = curate.augment.compile(pipeline, mode=mode, layout="NHWC")
        here, there = program.run(images, ids, 3), program.run(images.to(job.device), ids.to(job.device), 3).cpu()
        figures[f"identical_{mode}"] = float((here == there).float().mean())
        figures[f"most_{mode}"] = float((here - there).abs().max())
    return figures


def ways(job: Job, program: Program, images: Tensor, ids: Tensor) -> dict[str, Callable[[], object]]:
    """How a program may be called."""
    found: dict[str, Callable[[], object]] = {"eager": lambda: program.run(images, ids, 1)}
    if job.small:
        return found
    compiled = torch.compile(program.run, dynamic=False)
    found["compiled"] = lambda: compiled(images, ids, 1)
    found["CUDA graph"] = Replayed(program, images, ids)
    return found


class Replayed:
    """A call captured as a CUDA graph on the first call."""

    def __init__(self, program: Program, images: Tensor, ids: Tensor) -> None:
        self.program, self.images, self.ids = program, images, ids
        self.epoch = torch.zeros((), dtype=torch.int64, device=images.device)
        self.graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> None:
        if self.graph is None:
            for _ in range(3):
                self.program.run(self.images, self.ids, self.epoch)
            torch.cuda.synchronize()
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.program.run(self.images, self.ids, self.epoch)
        self.graph.replay()


def attempt(job: Job, call: Callable[[], object], count: int) -> Figures:
    """The rate, or why there is none."""
    try:
        return rate(job, call, count)
    except Exception as error:  # whatever a compiler or a capture says is what is to be learned
        return {"not_available": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}


def rate(job: Job, call: Callable[[], object], count: int) -> Figures:
    """Images a second: median, lowest, highest."""
    for _ in range(2 if job.small else 5):
        call()
    seconds = []
    for _ in range(2 if job.small else ROUNDS):
        wait(job)
        started = time.perf_counter()
        call()
        wait(job)
        seconds.append(time.perf_counter() - started)
    rates = [count / each for each in seconds]
    return {"images_per_second": median(rates), "lowest": min(rates), "highest": max(rates), "batch": count}


def floor(job: Job, images: Tensor) -> Figures:
    """Each level read once as a byte and written once as bf16, and nothing else."""
    return rate(job, lambda: images.to(torch.bfloat16), len(images))


def kornia(job: Job, name: str, images: Tensor) -> Parts:
    """The same kinds of change by Kornia, eager and compiled."""
    if importlib.util.find_spec("kornia") is None:
        yield f"{name}, Kornia", {"not_available": "kornia is not installed"}
        return
    augmentation = importlib.import_module("kornia.augmentation")
    found, missing = modules(augmentation, (five() if name == FIVE else photos()).transforms, images.shape[1])
    if missing:
        yield f"{name}, Kornia", {"not_available": f"Kornia has no {missing}"}
        return
    theirs = torch.nn.Sequential(*found).to(job.device)
    levels = images.permute(0, 3, 1, 2).float().div_(255)
    yield f"{name}, Kornia", attempt(job, lambda: theirs(levels), len(images))
    if not job.small:
        compiled = torch.compile(theirs, dynamic=False)
        yield f"{name}, Kornia compiled", attempt(job, lambda: compiled(levels), len(images))


def wait(job: Job) -> None:
    if job.device == "cuda":
        torch.cuda.synchronize()
