"""An epoch only queues work: every operation stays on the device, and none needs to know a result.

torch's "meta" device stands for a GPU where there is none: its tensors have a shape and a type, but no values. Mixing
devices, or asking for a value, is an error with them. It has no automatic mixed precision, so that is left out.
"""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch

from tests.train.digits import QUICK
from train import epoch as passes
from train import models
from train.augment import program
from train.budget import Clock
from train.compiling import plain
from train.config import TrainConfig
from train.epoch import Training, check_finite, kinds_of_batch, margin, run_epoch
from train.optimizer import build
from train.visits import draw_visits

COUNT, SIDE = 100, 32
DEVICE = torch.device("meta")


@pytest.fixture(autouse=True)
def full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "autocast", lambda *_: nullcontext())


def training(config: TrainConfig) -> Training:
    network = (
        models.build(config.model, num_classes=10, image_size=SIDE, options=config.model_options).to(DEVICE).train()
    )
    images = torch.empty((COUNT, SIDE, SIDE, 3), dtype=torch.uint8, device=DEVICE).permute(0, 3, 1, 2)
    labels = torch.empty(COUNT, dtype=torch.int64, device=DEVICE)
    losses = torch.empty(COUNT, device=DEVICE)
    mixes = config.mixup or config.cutmix
    margins = None if mixes else torch.empty((config.epochs, COUNT), dtype=torch.float16, device=DEVICE)
    ids = torch.empty(COUNT, dtype=torch.int64, device=DEVICE)
    augment = program(config, SIDE)
    return Training(config, network, build(network, config), augment, images, ids, labels, None, losses, margins)


@pytest.mark.parametrize(
    "settings",
    [
        {"model": "resnet_fast"},
        {"model": "resnet_whitened", "optimizer": "muon", "small_first": 0.5},
        {"model": "resnet20", "cutout": 8},
        {"model": "resnet20", "mixup": 1.0},
        {"model": "resnet20", "cutmix": 1.0, "cutout": 8},
        {"model": "resnet20", "crop_area": 0.5, "small_first": 0.5},
        {"model": "resnet20", "skip_easy": 0.5},
        {"model": "googlenet", "model_options": {"auxiliary": True}},
        {"model": "alexnet", "lr": 0.01},  # dropout
    ],
    ids=lambda settings: "-".join(str(value) for value in settings.values()),
)
def test_it_stays_on_the_device_and_waits_for_nothing(settings: dict[str, object]) -> None:
    config = TrainConfig.from_mapping({"epochs": 1, "precision": "bf16", "batch_size": 32, **settings})
    prepared = training(config)
    visits = draw_visits(config, COUNT, epoch=0).to(DEVICE)
    passed = run_epoch(prepared, plain, visits, 0, Clock(None))
    assert passed.seen == COUNT
    assert passed.loss_sum.device == passed.correct.device == DEVICE
    buffers = [state["momentum_buffer"] for state in prepared.optimizer.state.values()]
    assert len(buffers) > 1
    assert all(buffer.device == DEVICE for buffer in buffers)


def test_such_a_wait_would_be_noticed() -> None:
    with pytest.raises(RuntimeError, match="cannot be called on meta"):
        check_finite(torch.zeros((), device=DEVICE), QUICK, "epoch 1")


@pytest.mark.parametrize("small_first", [0.0, 0.5, 1.0])
def test_every_shape_of_batch_is_known_before(small_first: float) -> None:
    config = replace(QUICK, small_first=small_first, epochs=2, batch_size=24)
    shown: set[tuple[torch.Size, torch.dtype]] = set()

    def forward(model: models.Network, batch: torch.Tensor) -> torch.Tensor:
        shown.add((batch.shape, batch.dtype))
        return plain(model, batch)

    prepared = training(config)
    visits = draw_visits(config, COUNT, epoch=0).to(DEVICE)
    for epoch in range(config.epochs):
        run_epoch(prepared, forward, visits, epoch, Clock(None))
    assert {(batch.shape, batch.dtype) for batch in kinds_of_batch(prepared)} == shown


@pytest.mark.parametrize(
    ("logits", "label", "expected"),
    [
        ([3, 1, 0], 0, 2),
        ([3, 1, 0], 1, -2),
        ([3, 1, 0], 2, -3),
        ([-5, -7], 0, 2),  # the highest other one is below 0, too
        ([2, 2], 1, 0),
        ([1], 0, float("inf")),  # no other class
    ],
)
def test_margin(logits: list[float], label: int, expected: float) -> None:
    for dtype in (torch.float32, torch.bfloat16):
        found = margin(torch.tensor([logits, logits], dtype=dtype), torch.tensor([label, label]))
        assert found.dtype == torch.float32
        assert found.tolist() == [expected] * 2
