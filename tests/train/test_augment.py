"""What the settings of a training make of its images."""

from typing import Any

import numpy as np
import pytest
import torch

from curate.augment.upstream import albumentations
from curate.errors import UserError
from train.augment import mirrors, program, three_quarters
from train.config import TrainConfig

A = albumentations()
COUNT, SIDE = 64, 16
IMAGES = torch.randint(0, 256, (COUNT, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
IDS = torch.arange(COUNT)
NOTHING = {"pad": 0, "flip": False}


def augmented(epoch: int = 0, images: torch.Tensor = IMAGES, **settings: object) -> torch.Tensor:
    return program(TrainConfig(**{**NOTHING, **settings}), SIDE)(images, IDS[: len(images)], epoch)


def test_nothing_asked_for_is_nothing_done() -> None:
    assert torch.equal(augmented(), IMAGES)


def test_shifts_reflect_the_border() -> None:
    line = torch.arange(SIDE, dtype=torch.uint8) * 10
    shown = augmented(images=line.expand(COUNT, 3, SIDE, SIDE), pad=2)
    rows = {tuple(row[:3].tolist()) for row in shown[:, 0, 0]}
    assert rows == {(20, 10, 0), (10, 0, 10), (0, 10, 20), (10, 20, 30), (20, 30, 40)}


def test_a_shift_larger_than_the_image_is_still_an_image() -> None:
    assert augmented(pad=3 * SIDE).shape == IMAGES.shape


def test_two_epochs_show_every_image_both_ways() -> None:
    even, odd = augmented(0, flip=True), augmented(1, flip=True)
    mirrored = (even != IMAGES).flatten(1).any(1)
    assert torch.equal(even[mirrored], IMAGES[mirrored].flip(3))
    assert torch.equal(odd[~mirrored], IMAGES[~mirrored].flip(3))
    assert torch.equal(odd[mirrored], IMAGES[mirrored])
    assert 16 < mirrored.sum() < 48


def test_a_hole_is_grey_and_stays_inside() -> None:
    shown = augmented(images=torch.zeros_like(IMAGES), cutout=6)
    grey = (shown == 128).sum((2, 3))[:, 0]
    assert grey.max() == 36
    assert 9 <= grey.min() < 36  # cut off at a corner
    assert set(shown.unique().tolist()) == {0, 128}


def test_a_crop_is_brought_to_full_size() -> None:
    line = (torch.arange(SIDE, dtype=torch.uint8) * 10).expand(COUNT, 3, SIDE, SIDE)
    shown = augmented(images=line, crop_area=0.25).float()
    span = shown[:, 0, 0, -1] - shown[:, 0, 0, 0]
    assert span.min() < 100
    assert span.max() > 110


def test_mixtures_mix_labels_too() -> None:
    black, white = torch.zeros_like(IMAGES[:32]), torch.full_like(IMAGES[:32], 200)
    labels = torch.eye(2)[torch.arange(COUNT) // 32]
    for settings in ({"mixup": 1.0}, {"cutmix": 1.0}):
        augment = program(TrainConfig(**NOTHING, **settings), SIDE)
        shown, targets = augment(torch.cat([black, white]), IDS, 0, labels=labels)
        torch.testing.assert_close(targets.sum(1), torch.ones(COUNT))
        torch.testing.assert_close(shown.float().mean((1, 2, 3)) / 200, targets[:, 1], atol=0.005, rtol=0)
        assert ((targets > 0.05) & (targets < 0.95)).any()


def test_seed_and_epoch_decide() -> None:
    assert torch.equal(augmented(3, pad=2), augmented(3, pad=2))
    assert not torch.equal(augmented(4, pad=2), augmented(3, pad=2))
    assert not torch.equal(augmented(3, pad=2, seed=1), augmented(3, pad=2))


def test_the_originals_stay_as_they_were() -> None:
    before = IMAGES.clone()
    augmented(pad=2, flip=True, cutout=8)
    assert torch.equal(IMAGES, before)


def test_a_pipeline_takes_the_place_of_the_settings() -> None:
    asked = A.Compose([A.Transpose(p=1), A.Normalize(), A.pytorch.ToTensorV2()])
    shown = augmented(augment=A.to_dict(asked), pad=4)
    assert torch.equal(shown, IMAGES.transpose(2, 3))  # networks normalise bytes by themselves


@pytest.mark.parametrize(
    "steps",
    [
        [A.Normalize(), A.Transpose(p=1)],
        [A.Compose([A.Transpose(p=1), A.Normalize(), A.pytorch.ToTensorV2()])],
        [A.Sequential([A.Transpose(p=1), A.ToFloat()], p=1)],
    ],
)
def test_wherever_a_pipeline_normalises_networks_do_that_alone(steps: list) -> None:
    shown = augmented(augment=A.to_dict(A.Compose(steps)))
    assert torch.equal(shown, IMAGES.transpose(2, 3))


@pytest.mark.parametrize(
    ("steps", "levels"),
    [
        ([A.Normalize(), A.Pad(2)], [124, 116, 104]),  # 0 is the mean colour
        ([A.Normalize(), A.Pad(2, fill=(-99, 0.5, 99))], [0, 145, 255]),
        ([A.ToFloat(), A.Normalize(max_pixel_value=1), A.pytorch.ToTensorV2(), A.Pad(2)], [124, 116, 104]),
        ([A.ToFloat(), A.PadIfNeeded(SIDE + 4, SIDE + 4, fill=0.2)], [51, 51, 51]),
        ([A.Normalize(normalization="image"), A.Pad(2, border_mode=1)], [9, 9, 9]),
        ([A.Pad(2, fill=7), A.Normalize()], [7, 7, 7]),
    ],
)
def test_a_border_is_filled_with_the_level_that_a_float_stands_for(steps: list, levels: list[int]) -> None:
    asked = A.Compose([*steps, A.RandomCrop(SIDE, SIDE)])
    shown = augmented(images=torch.full_like(IMAGES, 9), augment=A.to_dict(asked))
    assert [set(channel.unique().tolist()) for channel in shown.unbind(1)] == [{9, level} for level in levels]


@pytest.mark.parametrize(
    ("augment", "says"),
    [
        (
            A.to_dict(A.Compose([A.Normalize(normalization="image"), A.Pad(2), A.RandomCrop(SIDE, SIDE)])),
            "Pad fills a border after Normalize, whose floats are other levels in each image; put Pad first",
        ),
        (A.to_dict(A.Compose([A.CenterCrop(8, 8)])), "the pipeline makes 8 x 8 px of images of 16 x 16 px"),
        (A.to_dict(A.Compose([A.RandomCrop(32, 32)])), "RandomCrop cuts 32 x 32 px out of images of 16 x 16 px"),
        ({"a": 1}, "no pipeline"),
    ],
)
def test_a_pipeline_that_is_not_for_the_images(augment: dict[str, object], says: str) -> None:
    with pytest.raises(UserError, match=says):
        program(TrainConfig(augment=augment), SIDE)


def test_three_quarters() -> None:
    small = three_quarters(torch.full((2, 3, 32, 32), 7, dtype=torch.uint8))
    assert small.shape == (2, 3, 24, 24)
    assert np.allclose(small, 7)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"flip": True}, True),
        ({"flip": False}, False),
        ({"flip": True, "augment": ["Transpose"]}, False),  # the pipeline stands in its place
        ({"flip": False, "augment": [{"HorizontalFlip": {"p": 0.5}}]}, True),
        ({"augment": [{"OneOf": {"transforms": [{"HorizontalFlip": {}}, "Transpose"]}}]}, True),
        ({"augment": [{"Affine": {"rotate": [-5, 5]}}]}, False),
        ({"augment": [{"HorizontalFlip": {"p": 0}}]}, False),
        ({"augment": ["VerticalFlip"]}, False),
        ({"augment": ["ColorJitter", "RandAugment"]}, False),
        ({"augment": ["VerticalFlip", "RandomRotate90"]}, True),  # upside down, and half a turn
    ],
)
def test_whether_mirror_images_are_learned(settings: dict[str, Any], expected: bool) -> None:
    assert mirrors(TrainConfig.from_mapping(settings)) == expected
