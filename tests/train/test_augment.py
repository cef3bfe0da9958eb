"""Shifts, mirror images and holes, drawn per image."""

from dataclasses import replace

import pytest
import torch

from train.augment import Draws, augment, cropped, draw, mixed
from train.config import TrainConfig

SIDE = 4
IMAGE = torch.arange(SIDE * SIDE, dtype=torch.uint8).view(1, 1, SIDE, SIDE).expand(1, 3, SIDE, SIDE)
WHOLE = torch.tensor([[0.0, 0.0, 1.0, 1.0]])


def fixed(*, shift: tuple[int, int] = (0, 0), mirror: bool = False, hole: tuple[int, int] = (0, 0)) -> Draws:
    drawn = draw(TrainConfig(), 1, SIDE, 0)
    return replace(drawn, shift=torch.tensor([shift]), mirror=torch.tensor([mirror]), hole=torch.tensor([hole]))


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


def mixing(own: list[float], *, hole: tuple[int, int] = (2, 2)) -> Draws:
    drawn = draw(TrainConfig(), len(own), SIDE, 0)
    return replace(drawn, hole=torch.tensor([hole] * len(own)), own=torch.tensor(own))


PAIR = torch.tensor([0, 200], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, SIDE, SIDE)
"""A black image and a bright one."""
BOTH = PAIR, PAIR.flip(0)
"""Each with the other."""


def labels(first: int, second: int) -> tuple[torch.Tensor, torch.Tensor]:
    own = torch.eye(3)[[first, second]]
    return own, own.flip(0)


def test_mixup_is_the_weighted_mean_of_images_and_labels() -> None:
    batch, target = mixed(BOTH, labels(1, 2), mixing([0.75, 0.5]), torch.arange(2), cut=False)
    assert batch.shape == PAIR.shape
    assert batch[0].unique().tolist() == [50]
    assert batch[1].unique().tolist() == [100]
    assert target.tolist() == [[0, 0.75, 0.25], [0, 0.5, 0.5]]


def test_cutmix_takes_a_square_of_the_other_image_and_its_share_of_the_label() -> None:
    batch, target = mixed(BOTH, labels(1, 2), mixing([0.75, 1.0]), torch.arange(2), cut=True)
    assert batch.dtype == torch.uint8
    assert rows(batch) == [[0, 0, 0, 0], [0, 200, 200, 0], [0, 200, 200, 0], [0, 0, 0, 0]]
    assert (batch[1] == 200).all()
    assert target.tolist() == [[0, 0.75, 0.25], [0, 0, 1]]


def test_a_square_cut_off_at_the_border_counts_as_what_is_seen_of_it() -> None:
    _, target = mixed(BOTH, labels(0, 1), mixing([0.0, 0.0], hole=(0, 0)), torch.arange(2), cut=True)
    assert target[0].tolist() == [0.75, 0.25, 0]  # a quarter of a square of 4 pixels lies inside


def test_shares_are_drawn_from_a_beta_distribution() -> None:
    draws = draw(TrainConfig(mixup=0.2), 20_000, 32, 0)
    assert torch.equal(draws.own, draw(TrainConfig(mixup=0.2), 20_000, 32, 0).own)
    assert abs(float(draws.own.mean()) - 0.5) < 0.01
    assert abs(float(draws.own.var()) - 0.25 / 1.4) < 0.003  # Beta(a, a): 1 / (4 (2 a + 1))
    assert (draw(TrainConfig(), 100, 32, 0).own == 1).all()


def test_a_window_of_all_is_the_image() -> None:
    assert torch.allclose(cropped(IMAGE, WHOLE), IMAGE.float(), atol=1e-4)


def test_a_window_is_brought_to_full_size() -> None:
    lower_right = cropped(IMAGE, torch.tensor([[0.5, 0.5, 0.5, 0.5]]))
    assert lower_right.shape == IMAGE.shape
    assert lower_right[0, 0, 0, 0] == pytest.approx(10 - 1.25)  # a quarter of a pixel up and left of pixel 10's centre
    assert lower_right[0, 0, 3, 3] == 15  # the border is repeated
    upper_half = cropped(IMAGE, torch.tensor([[0.0, 0.0, 0.5, 1.0]]))
    assert torch.allclose(upper_half[0, 0, :, 0], torch.tensor([0, 1, 3, 5.0]))


def test_windows_have_the_area_asked_for_and_stay_inside() -> None:
    top, left, height, width = draw(TrainConfig(crop_area=0.25), 10_000, 32, 0).window.T
    area = height * width
    assert 0.2 < area.min() < 0.3
    assert area.max() > 0.95
    assert abs(float(area.mean()) - 0.6) < 0.03  # a little less than 0.625: windows wider than the image are cut
    assert 0.75 - 1e-4 < (width / height).min() < 0.8
    assert top.min() >= 0
    assert left.min() >= 0
    assert (top + height).max() <= 1 + 1e-6
    assert (left + width).max() <= 1 + 1e-6
