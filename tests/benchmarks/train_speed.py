"""Images a second in training on a CPU: `train()` against the loop that a user would write.

The peer is plain PyTorch: a `DataLoader` with two workers over images in memory, padded, cropped and mirrored one by
one, and a loop in float32 with SGD; network, images and batch size are the same. Both train one epoch, in turn,
in `ROUNDS`, start-up included on both sides; the ratio is taken round by round. Apart from it: epochs in which not all
images are seen in full, as the recipe `fast` has them, in images of the whole epoch.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from curate.manifest import classes
from curate.workspace import MANIFEST, read_table
from tests.benchmarks.label_sets import workspace
from tests.benchmarks.record import record, spread
from train import models
from train.config import TrainConfig
from train.data import ImageSet, load_images
from train.loop import train
from train.rows import train_rows_of

BATCH, IMAGES, SIDE = 128, 4096, 2048
ROUNDS = {"resnet20": 5, "resnet18": 2}
"""Network -> rounds; one of resnet18 takes about four minutes."""
SHORTCUTS = {"small_first": 0.5, "skip_easy": 0.5, "epochs": 8}
"""Smaller images first, and easy ones left out between the first and the last epochs."""


@dataclass
class Plain(Dataset[tuple[Tensor, int]]):
    """Images one by one, augmented as in the tutorials."""

    images: ImageSet

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = self.images.images[index].float()
        top, left = torch.randint(0, 9, (2,)).tolist()
        side = image.shape[-1]
        image = F.pad(image[None], (4, 4, 4, 4), mode="reflect")[0, :, top : top + side, left : left + side]
        return (image.flip(2) if torch.rand(()) < 0.5 else image).contiguous(), int(self.images.labels[index])


def run() -> None:
    """Images a second of both, and their ratio."""
    ws = workspace("clean")
    rows = train_rows_of(read_table(ws.path(MANIFEST)))
    names = classes(rows)
    images = load_images(rows.sort_values("content_hash").head(IMAGES), ws.root, classes=names)
    figures: dict[str, object] = {}
    for name, count in ROUNDS.items():
        half = images.subset(torch.arange(0, IMAGES, 2))
        rounds = [(ours(name, images), theirs(name, images), ours(name, half, SHORTCUTS)) for _ in range(count)]
        print(name, rounds, flush=True)
        figures[name] = {
            "curate": spread([mine for mine, _, _ in rounds]),
            "plain loop": spread([other for _, other, _ in rounds]),
            "ratio": spread([mine / other for mine, other, _ in rounds]),
            "ratio with shortcuts": spread([short / other for _, other, short in rounds]),
        }
    figures["matrix product"] = {name: spread(rates) for name, rates in products().items()}
    record("train_speed", f"{IMAGES:,} images of CIFAR-10 (JPEG, 32x32), batches of {BATCH}; images a second", figures)


def ours(name: str, images: ImageSet, settings: Mapping[str, object] | None = None) -> float:
    """Images a second of `train()`; those that an epoch leaves out count as well."""
    base = {"model": name, "epochs": 1, "batch_size": BATCH, "device": "cpu", "lr": 0.1}
    config = TrainConfig.from_mapping({**base, **(settings or {})})
    return config.epochs * len(images) / train(config, images).seconds


def products() -> dict[str, list[float]]:
    """Billions of multiply-adds a second in products of large matrices: what this machine has to offer."""
    rates: dict[str, list[float]] = {}
    for kind in (torch.float32, torch.bfloat16):
        left, right = torch.randn(SIDE, SIDE).to(kind), torch.randn(SIDE, SIDE).to(kind)
        rates[str(kind).removeprefix("torch.")] = [rate(left, right) for _ in range(10)][1:]  # the first warms up
    return rates


def rate(left: Tensor, right: Tensor) -> float:
    """Billions of multiply-adds a second in one product of two matrices of `SIDE` x `SIDE`."""
    started = time.perf_counter()
    _ = left @ right
    return SIDE**3 / (time.perf_counter() - started) / 1e9


def theirs(name: str, images: ImageSet) -> float:
    """Images a second of the plain loop."""
    model = models.build(name, num_classes=len(images.classes), image_size=images.image_size)
    model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    started = time.perf_counter()
    for batch, labels in DataLoader(Plain(images), BATCH, shuffle=True, num_workers=2):
        loss = F.cross_entropy(model(batch), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return len(images) / (time.perf_counter() - started)
