"""Filters beside those of OpenCV: every size of kernel and of image, to the same pixels."""

import cv2
import numpy as np
import pytest
import torch
from albumentations.augmentations.blur.functional import create_gaussian_kernel_1d, create_motion_kernel

from curate.augment.draws import Stream
from curate.augment.filters import box, filtered, filtered_apart, fixed_gaussian, gaussian, median, stacked
from curate.augment.frame import Frame
from curate.augment.pipeline import batched
from curate.augment.transforms.blurs import line
from curate.errors import UserError
from tests.augment.cases import A, pictures

SIZES = ((1, 1), (1, 6), (5, 3), (13, 17), (32, 32), (70, 51))
"""Height and width: smaller than kernels, and rows that fill no whole vectors of the processor."""
SIDES = (3, 5, 7, 9, 11)
CPU = torch.device("cpu")


def images(size: tuple[int, int], channels: int, count: int = 10) -> np.ndarray:
    return np.random.default_rng(sum(size)).integers(0, 256, (count, *size, channels), dtype=np.uint8)


def check(ours: torch.Tensor, theirs: list[np.ndarray], share: float = 1.0) -> None:
    """At least this share of the pixels is the same, and others are one level off."""
    off = np.abs(ours.numpy().astype(int) - np.stack(theirs).reshape(ours.shape))
    assert off.max() <= 1
    assert (off == 0).mean() >= share


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
def test_a_kernel_for_each_image(size, channels):
    batch, random = images(size, channels), np.random.default_rng(1)
    kernels = [random.normal(1 / side**2, 0.1, (side, side)).astype(np.float32) for side in 2 * SIDES]
    theirs = [cv2.filter2D(image, -1, kernel) for image, kernel in zip(batch, kernels, strict=True)]
    check(filtered(torch.from_numpy(batch), stacked(kernels, max(SIDES), CPU)), theirs, 0.999)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
def test_a_bell_for_each_image(size, channels):
    batch, sigmas = images(size, channels), np.linspace(0.2, 4, 10)
    bells = [create_gaussian_kernel_1d(sigma, side) for sigma, side in zip(sigmas, 2 * SIDES, strict=True)]
    theirs = [cv2.sepFilter2D(image, -1, bell, bell) for image, bell in zip(batch, bells, strict=True)]
    kernels = gaussian(torch.tensor(2 * SIDES), torch.from_numpy(sigmas), max(SIDES))
    np.testing.assert_allclose(kernels, stacked(bells, max(SIDES), CPU), rtol=1e-12)
    check(filtered_apart(torch.from_numpy(batch), kernels), theirs, 0.999)


@pytest.mark.parametrize(("ours", "theirs"), [(box, cv2.blur), (median, cv2.medianBlur)])
@pytest.mark.parametrize("size", SIZES)
def test_a_square_for_each_image(ours, theirs, size):
    batch, sides = images(size, 3), torch.tensor(2 * SIDES)
    wanted = [
        theirs(image, (side, side) if theirs is cv2.blur else side)
        for image, side in zip(batch, sides.tolist(), strict=True)
    ]
    check(ours(torch.from_numpy(batch), sides, max(SIDES) if ours is box else SIDES), wanted)


@pytest.mark.parametrize("side", [3, 5, 9, 31])
@pytest.mark.parametrize("sigma", [0.1, 0.8, 1.5, 6.0])
def test_whole_weights(side, sigma):
    batch = images((40, 33), 3)
    theirs = [cv2.GaussianBlur(image, (side, side), sigma) for image in batch]
    check(fixed_gaussian(torch.from_numpy(batch), side, sigma), theirs)


class Shifted:
    """Stands for a random generator: gives right and down."""

    def __init__(self, shift: np.ndarray) -> None:
        self.shifts = iter(2 * shift)

    def uniform(self, low: float, high: float) -> float:
        return next(self.shifts)


def test_lines_are_those_of_albumentations():
    random, count = np.random.default_rng(0), 2000
    sizes, angles = random.integers(1, 8, count) * 2 + 1, random.uniform(0, 360, count)
    angles[:8] = np.arange(8) * 45
    directions, shifts = random.uniform(-1, 1, count), random.uniform(-0.5, 0.5, (count, 2))
    directions[:3] = -1, 0, 1
    radians = torch.deg2rad(torch.from_numpy(angles))
    ours = line(torch.from_numpy(sizes), radians, torch.from_numpy(directions), torch.from_numpy(shifts), 15)
    theirs = [
        create_motion_kernel(size, angle, direction, True, Shifted(shift))
        for size, angle, direction, shift in zip(sizes, angles, directions, shifts, strict=True)
    ]
    np.testing.assert_array_equal(ours > 0, stacked(theirs, 15, CPU) > 0)
    torch.testing.assert_close(ours.sum((1, 2)), torch.ones(count))


@pytest.mark.parametrize(
    "settings",
    [A.MotionBlur(p=1), A.GaussianBlur(p=1), A.MedianBlur(p=1), A.UnsharpMask(p=1), A.Sharpen(method="gaussian", p=1)],
    ids=lambda settings: type(settings).__name__,
)
def test_alone_or_among_many(settings):
    """Parts of a batch that fit the cache, and threads, begin elsewhere; pixels stay the same."""
    transform, batch = batched(settings), torch.from_numpy(pictures(51, 3)).repeat(40, 1, 1, 1)[:301]
    params = transform.draw(Stream(1, 0, torch.arange(len(batch))).at(0), Frame(51, 51, 3))
    together = transform.apply(batch, params)
    for number in (0, 100, 300):
        own = {name: value[number : number + 1] for name, value in params.items()}
        assert torch.equal(transform.apply(batch[number : number + 1], own)[0], together[number])


def test_errors():
    with pytest.raises(UserError, match="sigma_limit is 0"):
        batched(A.GaussianBlur(sigma_limit=0))
    with pytest.raises(UserError, match="kernel_size is 4"):
        batched(A.Sharpen(method="gaussian", kernel_size=4))
    with pytest.raises(UserError, match="3 channels"):
        batched(A.Sharpen(method="gaussian")).output(Frame(32, 32, 1))
    assert batched(A.Sharpen()).output(Frame(32, 32, 1)) == Frame(32, 32, 1)
