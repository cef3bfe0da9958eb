"""Shifts, mirror images and holes, drawn per image."""

import pytest
import torch

from train.augment import Draws, augment, draw
from train.config import TrainConfig

SIDE = 4
IMAGE = torch.arange(SIDE * SIDE, dtype=torch.uint8).view(1, 1, SIDE, SIDE).expand(1, 3, SIDE, SIDE)


def fixed(*, shift: tuple[int, int] = (0, 0), mirror: bool = False, hole: tuple[int, int] = (0, 0)) -> Draws:
    return Draws(torch.tensor([0]), torch.tensor([shift]), torch.tensor([mirror]), torch.tensor([hole]))


def rows(batch: torch.Tensor) -> list[list[int]]:
    assert (batch[0, 0] == batch[0, 2]).all()
    return batch[0, 0].tolist()


@pytest.mark.parametrize(
    ("draws", "first_row"),
    [
        (fixed(), [0, 1, 2, 3]),
        (fixed(mirror=True), [3, 2, 1, 0]),
        (fixed(shift=(0, 1)), [1, 0, 1, 2]),  # the border is reflected
        (fixed(shift=(0, -1)), [1, 2, 3, 2]),
        (fixed(shift=(1, 0)), [4, 5, 6, 7]),
        (fixed(shift=(-2, 0)), [8, 9, 10, 11]),
        (fixed(shift=(0, 2), mirror=True), [1, 0, 1, 2]),  # shifted, then mirrored
    ],
)
def test_what_is_drawn_is_done(draws: Draws, first_row: list[int]) -> None:
    assert rows(augment(IMAGE, draws, torch.tensor([0])))[0] == first_row


def test_a_hole_is_grey_and_stays_inside() -> None:
    batch = augment(IMAGE, fixed(hole=(0, 3)), torch.tensor([0]), cutout=2)
    assert rows(batch) == [[0, 1, 128, 128], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15]]


def test_a_shift_larger_than_the_image_is_still_an_image() -> None:
    assert augment(IMAGE, fixed(shift=(9, -9)), torch.tensor([0])).shape == (1, 3, SIDE, SIDE)


def test_draws_follow_seed_and_epoch() -> None:
    config = TrainConfig(pad=2)
    same = [draw(config, 100, 32, 3), draw(config, 100, 32, 3)]
    assert torch.equal(same[0].order, same[1].order)
    assert torch.equal(same[0].shift, same[1].shift)
    assert not torch.equal(draw(config, 100, 32, 4).order, same[0].order)
    assert not torch.equal(draw(TrainConfig(seed=1), 100, 32, 3).order, same[0].order)
    assert sorted(same[0].order.tolist()) == list(range(100))
    assert same[0].shift.min() == -2
    assert same[0].shift.max() == 2


def test_two_epochs_show_every_image_both_ways() -> None:
    config = TrainConfig()
    even, odd = draw(config, 1000, 32, 0).mirror, draw(config, 1000, 32, 1).mirror
    assert (even ^ odd).all()
    assert 400 < even.sum() < 600


def test_without_flip_nothing_is_mirrored() -> None:
    assert not draw(TrainConfig(flip=False), 1000, 32, 1).mirror.any()


def test_the_originals_stay_as_they_were() -> None:
    images = torch.randint(0, 256, (8, 3, 16, 16), dtype=torch.uint8)
    before = images.clone()
    config = TrainConfig(cutout=8)
    augment(images, draw(config, 8, 16, 0), torch.arange(8), cutout=8)
    assert torch.equal(images, before)
