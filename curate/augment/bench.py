"""How fast a pipeline is: on batches, by Albumentations in worker processes, and by Kornia where it is installed."""

import importlib
import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any, Literal

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from curate import manifest, tables
from curate.augment import in_kornia
from curate.augment.compiling import compile
from curate.augment.frame import Frame
from curate.augment.pipeline import from_dict, read_pipeline
from curate.augment.policies import BatchOnly
from curate.augment.program import Mode, Program
from curate.augment.upstream import albumentations
from curate.errors import UserError
from curate.images import ImageError, read_image
from curate.machine import choose_device, hardware
from curate.workspace import Workspace

BATCHES = 8
"""That a round consists of: some tenths of a second for what is compared."""
MODES: tuple[Mode, ...] = ("exact", "fused")
CLASSES = 10
"""Of the labels that are mixed where the pipeline mixes images."""
DEFAULT = "pad, crop, flip, cut out, normalise"
SMALL_SIDE, SMALL_BATCH, LARGE_BATCH = 64, 512, 32
"""Images up to that side come in batches of 512 unless it is said otherwise, larger ones in batches of 32."""

Epoch = Callable[[int], None]
"""Augments all images once."""


@dataclass(frozen=True)
class Rate:
    """Images a second of one contender, over all rounds; None where it cannot run the pipeline, and why."""

    name: str
    images_per_second: float | None
    """Median."""
    lowest: float | None
    highest: float | None
    note: str = ""


@dataclass(frozen=True)
class Bench:
    """What was measured, and on what."""

    rates: list[Rate]
    pipeline: str
    size: int
    batch_size: int
    images: int
    rounds: int
    device: str
    hardware: str
    versions: dict[str, str]


def default(size: int) -> Any:
    """What small networks are trained with: shifted, mirrored, a square cut out, normalised."""
    quarter = max(1, size // 4)
    sides = {"hole_height_range": (quarter, quarter), "hole_width_range": (quarter, quarter)}
    return from_dict(
        [
            {"Pad": {"padding": max(1, size // 8), "border_mode": "reflect_101"}},
            {"RandomCrop": {"height": size, "width": size}},
            {"HorizontalFlip": {"p": 0.5}},
            {"CoarseDropout": {"num_holes_range": (1, 1), **sides, "fill": 0, "p": 1.0}},
            {"Normalize": {}},
        ]
    )


def bench(
    workspace: Workspace | None,
    pipeline: Path | None,
    *,
    size: int = 32,
    batch_size: int | None = None,
    device: str = "auto",
    rounds: int = 5,
    workers: int = 2,
    fallback: Literal["cpu"] | None = None,
) -> Bench:
    """Measure, in rounds of alternating order, after a round that does not count.

    The images lie in memory, for ours and Kornia on the device: those of the workspace, made `size` x `size`, or noise.
    pipeline: None for `default`. workers: processes of Albumentations. Raises `UserError` for a pipeline that is not
    for such images.
    """
    settings = read_pipeline(pipeline) if pipeline else default(size)
    batch_size = batch_size or (SMALL_BATCH if size <= SMALL_SIDE else LARGE_BATCH)
    place = choose_device(device)
    images = _images(workspace, BATCHES * batch_size, size)
    contenders: dict[str, Epoch | None] = {}
    notes: dict[str, str] = {}
    for mode in MODES:
        program = compile(settings, mode=mode, layout="NHWC", fallback=fallback)
        contenders[f"curate, {mode}"] = _ours(program, images, batch_size, place)
    theirs = f"Albumentations, {workers} process{'es' * (workers > 1)}"
    contenders[theirs], notes[theirs] = _albumentations(settings, program, images, batch_size, workers)
    contenders["Kornia"], notes["Kornia"] = _kornia(settings, images, batch_size, place)
    seconds = measure({name: epoch for name, epoch in contenders.items() if epoch}, rounds)
    return Bench(
        rates=[_rate(name, len(images), seconds.get(name), notes.get(name, "")) for name in contenders],
        pipeline=pipeline.name if pipeline else DEFAULT,
        size=size,
        batch_size=batch_size,
        images=len(images),
        rounds=rounds,
        device=str(place),
        hardware=hardware(place),
        versions={name: metadata.version(name) for name in ("torch", "albumentations")},
    )


def measure(contenders: dict[str, Epoch], rounds: int) -> dict[str, list[float]]:
    """Seconds of each round. Every second round runs in reverse, so that none always comes after the same one."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for epoch in contenders.values():
        epoch(0)
    for number in range(rounds):
        order = list(contenders) if number % 2 == 0 else list(contenders)[::-1]
        for name in order:
            begin = time.perf_counter()
            contenders[name](1 + number)
            seconds[name].append(time.perf_counter() - begin)
    return seconds


def _rate(name: str, images: int, seconds: list[float] | None, note: str) -> Rate:
    if seconds is None:
        return Rate(name, None, None, None, note)
    rates = [images / each for each in seconds]
    return Rate(name, round(median(rates), 1), round(min(rates), 1), round(max(rates), 1), note)


def _images(workspace: Workspace | None, count: int, size: int) -> np.ndarray:
    """Shape (count, size, size, 3), uint8: the first ones of the workspace, over and over where there are fewer."""
    if workspace is None:
        return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)
    table = tables.read_manifest(workspace)
    table = table[manifest.decodable(table)]
    found: list[np.ndarray] = []
    for path in manifest.locate(table, workspace.root):
        if len(found) == count:
            break
        try:
            found.append(cv2.resize(read_image(path), (size, size), interpolation=cv2.INTER_AREA))
        except ImageError:  # `scan` tells
            continue
    if not found:
        raise UserError(f"{workspace.root} has no image that can be decoded; leave it out, and noise is augmented")
    return np.stack([found[number % len(found)] for number in range(count)])


def _ours(program: Program, images: np.ndarray, batch_size: int, device: torch.device) -> Epoch:
    program.check(Frame(*images.shape[1:]))
    pixels = torch.from_numpy(images).to(device)
    ids = torch.arange(len(images), device=device)

    def epoch(number: int) -> None:
        for start in range(0, len(pixels), batch_size):
            part = slice(start, start + batch_size)
            if program.mixes:
                program(pixels[part], ids[part], number, labels=ids[part] % CLASSES, classes=CLASSES)
            else:
                program(pixels[part], ids[part], number)
        _wait(device)

    return epoch


class _Augmented(Dataset):
    """Images in memory, augmented when they are asked for."""

    def __init__(self, images: np.ndarray, pipeline: Any) -> None:
        self.images, self.pipeline = images, pipeline

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, number: int) -> Any:
        return self.pipeline(image=self.images[number])["image"]


def _albumentations(
    pipeline: Any, program: Program, images: np.ndarray, batch_size: int, workers: int
) -> tuple[Epoch | None, str]:
    """Its usual setting, a DataLoader whose processes stay, each with one thread; or why it cannot run the pipeline."""
    if ours := [step.transform.name for step in program.steps if isinstance(step.transform.settings, BatchOnly)]:
        return None, f"has no {ours[0]}"
    augmented = _Augmented(images, pipeline)
    try:
        augmented[0]
    except (UserError, ValueError, TypeError, KeyError, RuntimeError) as error:
        return None, " ".join(str(error).split())
    loader: DataLoader[Any] = DataLoader(
        augmented,
        batch_size=batch_size,
        num_workers=workers,
        persistent_workers=True,
        worker_init_fn=_one_thread,
        multiprocessing_context="spawn",  # fork copies locked mutexes of OpenCV's and torch's threads
    )

    def epoch(number: int) -> None:
        for _ in loader:
            pass

    return epoch, ""


def _one_thread(worker: int) -> None:
    cv2.setNumThreads(1)


def _kornia(pipeline: Any, images: np.ndarray, batch_size: int, device: torch.device) -> tuple[Epoch | None, str]:
    """The same by Kornia, or why not. It takes floats from 0 to 1."""
    if importlib.util.find_spec("kornia") is None:
        return None, "not installed"
    augmentation = importlib.import_module("kornia.augmentation")
    transforms = pipeline.transforms if isinstance(pipeline, albumentations().BaseCompose) else [pipeline]
    modules, lacking = in_kornia.modules(augmentation, transforms, images.shape[1])
    if lacking:
        return None, f"has no {lacking} with these settings"
    sequence = augmentation.AugmentationSequential(*modules, data_keys=["input"]).to(device)
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous().to(device)

    def epoch(number: int) -> None:
        for part in range(0, len(pixels), batch_size):
            sequence(pixels[part : part + batch_size].float() / 255)
        _wait(device)

    return epoch, ""


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
