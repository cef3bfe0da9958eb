"""Colours by way of HSV and of L*a*b* as OpenCV computes them, and the same on unrounded levels."""

import cv2
import numpy as np
import pytest
import torch
from albumentations.augmentations.pixel import functional

from curate.augment.device import in_parts
from curate.augment.frame import Frame
from curate.augment.hue import hsv_to_rgb, rgb_to_hsv, shifted, turned
from curate.augment.lab import lab_to_rgb, rgb_to_lab
from curate.augment.pipeline import batched
from curate.augment.transforms.jitter import KINDS
from curate.augment.upstream import albumentations
from curate.errors import UserError
from tests.augment.cases import pictures

A = albumentations()
STEP = 5
"""Every fifth level of each channel, black and white among them: 140,608 colours."""


def colours(width: int) -> np.ndarray:
    """Shape (1, H, width, 3), uint8."""
    level = np.arange(0, 256, STEP, dtype=np.uint8)
    every = np.stack(np.meshgrid(level, level, level, indexing="ij"), 3).reshape(-1, 3)
    return every[: len(every) // width * width].reshape(1, -1, width, 3)


@pytest.mark.parametrize("width", [32, 64, 100, 224])
def test_hsv_there_and_back(width):
    images = colours(width)
    hsv = cv2.cvtColor(images[0], cv2.COLOR_RGB2HSV)
    ours = torch.stack(rgb_to_hsv(torch.from_numpy(images)), 3)[0]
    np.testing.assert_array_equal(ours.numpy(), hsv)
    back = hsv_to_rgb(*ours[None].unbind(3))[0]
    np.testing.assert_array_equal(back.numpy(), cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))


@pytest.mark.parametrize("width", [31, 128])
def test_every_hue_saturation_and_value(width):
    level = np.arange(0, 256, 3, dtype=np.uint8)
    hsv = np.stack(np.meshgrid(np.arange(180, dtype=np.uint8), level, level, indexing="ij"), 3).reshape(-1, 3)
    hsv = hsv[: len(hsv) // width * width].reshape(-1, width, 3)
    ours = hsv_to_rgb(*torch.from_numpy(hsv[None]).int().unbind(3))[0]
    np.testing.assert_array_equal(ours.numpy(), cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))


def test_lab_there_and_back():
    images = colours(208)
    lab = cv2.cvtColor(images[0], cv2.COLOR_RGB2LAB)
    ours = rgb_to_lab(torch.from_numpy(images))
    np.testing.assert_array_equal(torch.stack(ours, 3)[0].numpy(), lab)
    np.testing.assert_array_equal(lab_to_rgb(*ours)[0].numpy(), cv2.cvtColor(lab, cv2.COLOR_LAB2RGB))
    anything = torch.from_numpy(images)  # far from any colour as well
    wanted = cv2.cvtColor(images[0], cv2.COLOR_LAB2RGB)
    np.testing.assert_array_equal(lab_to_rgb(*anything.unbind(3))[0].numpy(), wanted)


SHIFTS = ((7, 0, 0), (-20, 30, -20), (179, -255, 90), (0.5, 200.9, -0.9), (-180.0, 255, 255))


@pytest.mark.parametrize("side", [1, 32, 224])
def test_shifted(side):
    images = pictures(side, 3)[: len(SHIFTS)]
    hue, saturation, value = torch.tensor(SHIFTS, dtype=torch.float64).unbind(1)
    ours = shifted(torch.from_numpy(images), torch.floor(hue), torch.trunc(saturation), torch.trunc(value))
    theirs = [functional.shift_hsv(image.copy(), *shift) for image, shift in zip(images, SHIFTS, strict=True)]
    np.testing.assert_array_equal(ours.numpy(), np.stack(theirs))


def test_turned_is_near_shifted():
    images = torch.from_numpy(pictures(64, 3)[: len(SHIFTS)])
    hue, saturation, value = torch.tensor(SHIFTS, dtype=torch.float64).round().unbind(1)
    red, green, blue = images.float().unbind(3)
    ours = torch.stack(turned((red, green, blue), hue, saturation, value), 3)
    off = (ours - shifted(images, hue, saturation, value).float()).abs()
    assert off.mean() < 1
    assert off.max() <= 6  # a hue of 180 steps, brought to the nearest, is off by up to 255 / 60 levels


def test_turned_leaves_alone():
    red, green, blue = torch.from_numpy(pictures(32, 3)).float().unbind(3)
    none = torch.zeros(len(red), dtype=torch.float64)
    for same, plane in zip(turned((red, green, blue), none), (red, green, blue), strict=True):
        torch.testing.assert_close(same, plane, atol=1e-3, rtol=0)
    greys = turned((red, red, red), none + 50, none + 100)
    torch.testing.assert_close(torch.stack(greys), torch.stack([red, red, red]))


def test_in_parts():
    images = torch.from_numpy(pictures(400, 3, 3))  # larger than what is computed at once
    hue = torch.tensor([10, 20, 30])
    apart = [shifted(images[[number]], hue[[number]]) for number in range(3)]
    torch.testing.assert_close(shifted(images, hue), torch.cat(apart))
    assert in_parts(lambda part: part, images[:0]).shape == (0, 400, 400, 3)


GENTLE = {"brightness": 0.05, "contrast": 0.05, "saturation": 0.1, "hue": 0.05}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
def test_fast_is_near_exact(channels, order):
    transform = batched(A.ColorJitter(**GENTLE))
    images = torch.from_numpy(pictures(64, channels)).float() * 0.5 + 60  # nothing is cut off
    images = images.to(torch.uint8)
    drawn = {"brightness": 1.05, "contrast": 0.95, "saturation": 1.1, "hue": -0.04}
    params = {kind: torch.full((len(images),), drawn[kind], dtype=torch.float64) for kind in KINDS}
    params["order"] = torch.tensor(order).expand(len(images), 4)
    off = transform.fast(images.float(), params) - transform.apply(images, params).float()
    assert off.abs().mean() < 1.6  # Albumentations rounds down, twice or three times
    assert off.abs().max() < 8


def test_no_hue_without_colour():
    with pytest.raises(UserError, match="set hue_shift_limit and sat_shift_limit to 0"):
        batched(A.HueSaturationValue()).output(Frame(32, 32, 1))
    batched(A.HueSaturationValue(0, 0, 20)).output(Frame(32, 32, 1))


@pytest.mark.parametrize("settings", [A.Equalize(mask=np.ones((32, 32), np.uint8)), A.AutoContrast(ignore=3)])
def test_not_for_batches(settings):
    with pytest.raises(UserError, match="leave it out"):
        batched(settings)
