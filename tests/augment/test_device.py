"""On a device a batch only queues work: nothing asks for a value, nothing is brought from the host.

torch's "meta" device stands for a GPU where there is none: its tensors have a shape and a type, but no values. Mixing
devices, or asking for a value, is an error with them.
"""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

import curate.augment
from curate.augment.choices import positions
from curate.augment.frame import Frame
from curate.augment.pipeline import batched
from curate.augment.program import Program
from curate.augment.upstream import albumentations
from tests.augment.cases import SIZES, names, reference, settings, takes

A = albumentations()
COUNT, SIDE = 8, 32
DEVICE = torch.device("meta")
FLOATS = {"Normalize", "ToFloat"}
CLASSES = 10
PIPELINES = {
    "shifts": [A.Pad(4, border_mode=4), A.RandomCrop(SIDE, SIDE), A.HorizontalFlip(), A.CoarseDropout(), A.Normalize()],
    "crops": [A.RandomResizedCrop((24, 20)), A.ColorJitter(p=0.8), A.ToGray(p=0.2), A.ToFloat()],
    "affine": [
        A.Affine(rotate=(-15, 15), p=0.5),
        A.RandomCrop(28, 28),
        A.OneOf([A.RandomBrightnessContrast(), A.RandomGamma()]),
        A.GridDropout(p=0.5),
    ],
    "resized": [A.Affine(rotate=(-15, 15), p=0.5), A.Resize(24, 20), A.Pad(1, fill=0.5)],
    "blurs": [A.GaussianBlur(p=0.5), A.D4(), A.ToSepia(p=0.5), A.GaussNoise(), A.CLAHE()],
    "some": [
        A.SomeOf([A.Transpose(), A.Solarize(), A.Posterize()], n=2),
        A.RandomOrder([A.Equalize(), A.VerticalFlip()], n=1),
    ],
    "MixUp": [curate.augment.MixUp(0.3)],
    "CutMix": [curate.augment.CutMix(p=0.5)],
    "Cutout": [curate.augment.Cutout(8, p=0.5)],
    "AlternatingFlip": [curate.augment.AlternatingFlip()],
    "RandAugment": [curate.augment.RandAugment(n=1)],
    "TrivialAugment": [curate.augment.TrivialAugment()],
    "AugMix": [curate.augment.AugMix(depth=1)],
}


class NothingBrought(TorchFunctionMode):
    """An error where a tensor on the device is made of what lies on the host: that would wait for a copy."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = [each.device for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        written = func in (torch.tensor, torch.as_tensor) and not given
        made = [each.device for each in tree_leaves(result) if isinstance(each, Tensor)]
        if DEVICE in made and (written or torch.device("cpu") in given):
            raise AssertionError(f"{func} brings something to the device")
        return result


def run(program: Program, side: int, channels: int = 3) -> Tensor:
    """What it makes of images on the device, first in two epochs in which it may bring constants there."""
    images = torch.empty((COUNT, side, side, channels), dtype=torch.uint8, device=DEVICE)
    ids = torch.empty(COUNT, dtype=torch.int64, device=DEVICE)
    for epoch in range(2):
        program.run(images, ids, epoch)
    with NothingBrought():
        return program.run(images, ids, torch.empty((), dtype=torch.int64, device=DEVICE))


@pytest.mark.parametrize(("name", "example"), settings(), ids=names())
def test_every_transform(name, example):
    transform = batched(reference(name, example).transforms[0])
    side, channels = next((side, channels) for channels in (3, 1) for side in SIZES if takes(transform, side, channels))
    found = run(curate.augment.compile(transform.settings), side, channels)
    assert found.device == DEVICE
    assert found.shape == (COUNT, *transform.output(Frame(side, side, channels)))
    assert found.is_floating_point() == (name in FLOATS)


@pytest.mark.parametrize("mode", ["exact", "fused"])
@pytest.mark.parametrize("name", PIPELINES)
def test_pipelines(name, mode):
    program = curate.augment.compile(PIPELINES[name], mode=mode)
    found = run(program, SIDE)
    assert found.device == DEVICE
    assert found.shape == (COUNT, *program.output(Frame(SIDE, SIDE, 3)))
    assert found.is_floating_point() == any(type(step).__name__ in FLOATS for step in PIPELINES[name])


@pytest.mark.parametrize("name", ["MixUp", "CutMix"])
def test_labels(name):
    images = torch.empty((COUNT, SIDE, SIDE, 3), dtype=torch.uint8, device=DEVICE)
    ids, labels = torch.empty(2, COUNT, dtype=torch.int64, device=DEVICE)
    _, targets = curate.augment.compile(PIPELINES[name])(images, ids, 1, labels=labels, classes=CLASSES)
    assert targets.device == DEVICE
    assert targets.shape == (COUNT, CLASSES)
    assert targets.dtype == torch.float32


@pytest.mark.parametrize(
    "bring",
    [
        lambda there: there + torch.tensor([1, 2], device=DEVICE),
        lambda there: there[torch.arange(2)],
        lambda there: there + torch.from_numpy(np.arange(2)).to(DEVICE),
        lambda there: there.copy_(torch.ones(2)),
    ],
)
def test_what_is_brought_would_be_noticed(bring):
    there = torch.empty(2, device=DEVICE)
    bring(there)
    with pytest.raises(AssertionError, match="to the device"), NothingBrought():
        bring(there)


@pytest.mark.parametrize("ask", [positions, lambda there: bool(there.any()), lambda there: there[there], Tensor.tolist])
def test_a_wait_would_be_noticed(ask):
    with pytest.raises((RuntimeError, NotImplementedError)):
        ask(torch.empty(2, dtype=torch.bool, device=DEVICE))
