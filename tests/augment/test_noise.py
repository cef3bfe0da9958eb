"""Noise and holes: what is drawn for whole images, which is too much to compare number by number."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from curate.augment.draws import Stream
from curate.augment.frame import Frame
from curate.augment.holes import BITS, EXACT, inside, last
from curate.augment.pipeline import batched
from curate.augment.transform import Params, Transform
from curate.errors import UserError
from tests.augment.cases import pictures, reference

FRAME = Frame(32, 32, 3)
COUNT = 400
SURE = 1e-4
"""Lowest probability of so large a difference that passes."""


def transform(name: str, **example: Any) -> Transform:
    return batched(reference(name, example).transforms[0])


def ours(name: str, example: Mapping[str, Any], count: int = COUNT) -> Params:
    return transform(name, **example).draw(Stream(3, 0, torch.arange(count)).at(0), FRAME)


def theirs(name: str, example: Mapping[str, Any]) -> Params:
    one = reference(name, example, seed=1).transforms[0]
    drawn = []
    for _ in range(COUNT):
        one(image=pictures(32, 3)[1])
        drawn.append(one.params)
    return batched(one).replay(drawn, FRAME, torch.device("cpu"))


def alike(mine: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether numbers could be of one distribution: any shapes."""
    return stats.ks_2samp(mine.flatten().numpy(), other.flatten().numpy()).pvalue > SURE


GAUSS = (
    {},
    {"std_range": (0.1, 0.1), "mean_range": (-0.2, 0.3)},
    {"per_channel": False, "std_range": (0, 0.2)},
    {"noise_scale_factor": 0.5},
    {"noise_scale_factor": 0.2, "per_channel": False},
)


@pytest.mark.parametrize("example", GAUSS)
def test_gauss_noise(example):
    mine, other = (draw("GaussNoise", example)["noise_map"].expand(-1, -1, -1, 3) for draw in (ours, theirs))
    assert alike(mine.mean((1, 2, 3)), other.mean((1, 2, 3)))
    assert alike(mine.flatten(1).std(1), other.flatten(1).std(1))
    assert alike(mine[:, 5, 9, 1], other[:, 5, 9, 1])
    assert alike((mine[:, 5, 9] - mine[:, 5, 10]).flatten(), (other[:, 5, 9] - other[:, 5, 10]).flatten())
    assert (mine[..., 0] == mine[..., 1]).all() == (other[..., 0] == other[..., 1]).all()


@pytest.mark.parametrize("example", [{"std_range": (0.1, 0.1)}, {"std_range": (0.3, 0.3), "mean_range": (0.1, 0.1)}])
def test_levels_of_gauss_noise(example):
    image = np.full((32, 32, 3), 100, np.uint8)
    one = reference("GaussNoise", example, seed=1)
    other = np.stack([one(image=image)["image"] for _ in range(COUNT)])
    made = transform("GaussNoise", **example)
    mine = made.apply(torch.from_numpy(image).expand(COUNT, -1, -1, -1), ours("GaussNoise", example))
    counts = np.stack([np.bincount(levels.ravel(), minlength=256) for levels in (mine.numpy(), other)])
    assert stats.chi2_contingency(counts[:, counts.min(0) > 20]).pvalue > SURE
    assert mine.float().mean() == pytest.approx(other.mean(), abs=0.3)
    assert mine.float().std() == pytest.approx(other.std(), abs=0.3)


@pytest.mark.parametrize("per_channel", [True, False])
def test_multiplicative_noise(per_channel):
    example = {"multiplier": (0.5, 1.75), "elementwise": True, "per_channel": per_channel}
    mine, other = (draw("MultiplicativeNoise", example)["multiplier"] for draw in (ours, theirs))
    assert stats.kstest(mine.flatten().numpy(), stats.uniform(0.5, 1.25).cdf).pvalue > SURE
    assert alike(mine[:, 3, 4, 0], other[:, 3, 4, 0])
    assert mine.shape[3] == (3 if per_channel else 1)
    assert per_channel or (other == other[..., :1]).all()


@pytest.mark.parametrize(
    "example", [{}, {"amount": (0.3, 0.5), "salt_vs_pepper": (0.9, 1.0)}, {"amount": (0, 0)}, {"amount": (1, 1)}]
)
def test_salt_and_pepper(example):
    mine, other = ours("SaltAndPepper", example), theirs("SaltAndPepper", example)
    for name in ("salt_mask", "pepper_mask"):
        assert alike(mine[name].sum((1, 2)), other[name].sum((1, 2)))
    assert not (mine["salt_mask"] & mine["pepper_mask"]).any()
    changed = (mine["salt_mask"] | mine["pepper_mask"]).sum(0).double()
    if example.get("amount", (0, 0))[1] not in (0, 1):  # anywhere: about as often at each pixel
        share = changed.mean() / COUNT
        scores = (changed - changed.mean()) / (COUNT * share * (1 - share)).sqrt()
        assert stats.kstest(scores.flatten().numpy(), stats.norm().cdf).pvalue > SURE


@pytest.mark.parametrize(("p", "per_channel"), [(0.01, False), (0.3, True), (0.0, False), (1.0, True)])
def test_pixel_dropout(p, per_channel):
    mask = ours("PixelDropout", {"dropout_prob": p, "per_channel": per_channel})["drop_mask"]
    assert mask.shape == (COUNT, 32, 32, 3 if per_channel else 1)
    assert stats.binomtest(int(mask.sum()), mask.numel(), p).pvalue > SURE
    wanted = np.random.default_rng(0).binomial(mask[0].numel(), p, 10_000)
    assert alike(mask.flatten(1).sum(1), torch.from_numpy(wanted))


MANY_HOLES = (
    ("CoarseDropout", {"num_holes_range": (20, 30), "hole_width_range": (0.2, 0.6)}),
    ("CoarseDropout", {"num_holes_range": (5, 9), "hole_height_range": (1, 9), "hole_width_range": (0, 40)}),
    ("GridDropout", {}),
    ("GridDropout", {"unit_size_range": (3, 12)}),
    ("GridDropout", {"unit_size_range": (2, 5), "random_offset": False, "shift_xy": (1, 2), "ratio": 0.9}),
    ("GridDropout", {"holes_number_xy": (5, 7), "ratio": 0.2}),
    ("XYMasking", {"num_masks_x": (2, 6), "num_masks_y": (0, 3), "mask_x_length": (0, 9), "mask_y_length": (3, 4)}),
)


@pytest.mark.parametrize(("name", "example"), MANY_HOLES)
def test_holes(name, example):
    mine, other = ours(name, example)["holes"], theirs(name, example)["holes"]
    wanted = holes_of(other)
    for key, values in holes_of(mine).items():
        assert alike(values, wanted[key]), key


def holes_of(holes: torch.Tensor) -> dict[str, torch.Tensor]:
    """Numbers of each image: of holes, and of one of them, chosen by its place among all."""
    width, height = holes[..., 2] - holes[..., 0], holes[..., 3] - holes[..., 1]
    there = (width > 0) & (height > 0)
    chosen = (there.cumsum(1) - 1 == (torch.arange(len(holes)) % there.sum(1).clamp(min=1))[:, None]) & there
    return {
        "count": there.sum(1),
        "covered": inside(holes, FRAME).sum((1, 2)),
        "left": holes[..., 0][chosen],
        "top": holes[..., 1][chosen],
        "width": width[chosen],
        "height": height[chosen],
    }


def test_random_fill():
    levels = ours("CoarseDropout", {"fill": "random"})["levels"]
    assert levels.shape == (COUNT, *FRAME)
    assert stats.chisquare(np.bincount(levels.flatten().numpy(), minlength=256)).pvalue > SURE


def test_random_uniform_fill():
    example = {"num_holes_range": (30, 30), "fill": "random_uniform"}
    params = ours("CoarseDropout", example)
    levels, number = params["levels"], last(params["holes"], FRAME)
    for image in range(20):
        for hole in number[image].unique():
            assert hole < 0 or levels[image][number[image] == hole].unique(dim=0).shape == (1, 3)
    first = levels.flatten(1, 2)[torch.arange(COUNT), (number.flatten(1) >= 0).int().argmax(1)]
    assert stats.kstest(first.flatten().numpy() + 0.5, stats.uniform(0, 256).cdf).pvalue > SURE


@cache
def rectangles(count: int) -> torch.Tensor:
    random = np.random.default_rng(count)
    corners = np.sort(random.integers(0, 33, (6, count, 2, 2)), axis=2).reshape(6, count, 4)
    small = corners.copy()
    small[:, 1::2, 2:] = np.minimum(small[:, 1::2, :2] + 2, 32)  # so that many do not cover it all
    small[2] = 0
    return torch.from_numpy(small if count > 2 else corners)


@pytest.mark.parametrize("count", [0, 1, 2, EXACT, EXACT + 1, BITS, BITS + 1, 60, 300])
def test_inside(count):
    holes = rectangles(count)
    wanted = np.full((6, 32, 32), -1)
    for image, each in zip(wanted, holes.numpy(), strict=True):
        for number, (left, top, right, bottom) in enumerate(each):
            image[top:bottom, left:right] = number
    np.testing.assert_array_equal(last(holes, FRAME).numpy(), wanted)
    np.testing.assert_array_equal(inside(holes, FRAME).numpy(), wanted >= 0)


@pytest.mark.parametrize(
    ("name", "example", "message"),
    [
        ("CoarseDropout", {"fill": "inpaint_telea"}, 'fill="inpaint_telea" has no version for batches'),
        ("GridDropout", {"fill": "inpaint_ns"}, 'take a number, "random" or "random_uniform"'),
        ("CoarseDropout", {"fill": 256}, "fill is 256.0; levels are from 0 to 255"),
        ("CoarseDropout", {"fill": (0, -1, 3)}, "fill is -1.0"),
        ("Erasing", {"fill": (1, 2)}, "fill has 2 numbers, but the images 3 channels"),
        ("CoarseDropout", {"hole_height_range": (40, 50), "hole_width_range": (1, 2)}, "of at least 40 px"),
        ("CoarseDropout", {"hole_width_range": (3, 9)}, "give both in pixels or both as shares"),
        ("Erasing", {"ratio": (0, 1)}, "have to be above 0"),
        ("Erasing", {"scale": (0.5, 0.9), "ratio": (0.1, 0.2)}, "no rectangle of scale"),
        ("GridDropout", {"unit_size_range": (4, 4)}, "(4, 5) are units of 4 px"),
        ("GridDropout", {"unit_size_range": (4, 40)}, "units of up to 40 px"),
        ("GridDropout", {"holes_number_xy": (3, 33)}, "holes_number_xy is (3, 33)"),
        ("XYMasking", {"num_masks_x": 1, "mask_x_length": 33}, "more than images of 32 x 32 px have"),
        ("PixelDropout", {"drop_value": 300}, "drop_value is 300"),
        ("PixelDropout", {"drop_value": (1, 2)}, "drop_value has 2 numbers"),
    ],
)
def test_settings_that_cannot_be(name, example, message):
    with pytest.raises(UserError) as error:
        transform(name, **example).output(FRAME)
    assert message in str(error.value)


def test_no_stripes():
    made = transform("XYMasking", mask_x_length=3)  # num_masks_x is 0
    images = torch.from_numpy(pictures(32, 3))
    params = made.draw(Stream(3, 0, torch.arange(8)).at(0), FRAME)
    assert torch.equal(made.apply(images, params), images)
