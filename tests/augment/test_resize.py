"""Parts of images brought to one size have the pixels that `cv2.resize` gives."""

import cv2
import numpy as np
import pytest
import torch

from curate.augment import resize
from curate.augment.frame import Frame
from curate.augment.pipeline import batched
from curate.augment.resize import Line, matrix, resampled_lines, resized
from curate.errors import UserError
from tests.augment.cases import A, pictures

IDENTICAL = (
    cv2.INTER_NEAREST,
    cv2.INTER_LINEAR,
    cv2.INTER_LANCZOS4,
    cv2.INTER_LINEAR_EXACT,
    cv2.INTER_NEAREST_EXACT,
)
ROUNDED = {cv2.INTER_AREA: 1e-3, cv2.INTER_CUBIC: 1e-3}
"""Share of pixels that may be one level off."""
METHODS = (*IDENTICAL, *ROUNDED)
SIZES = ((32, 32), (32, 64), (31, 47), (33, 8), (32, 16), (64, 48), (147, 1), (1, 1), (224, 224))
"""Pixels of an image's side, and of the result's."""


def theirs(images: np.ndarray, boxes: np.ndarray, size: Frame, method: int) -> np.ndarray:
    found = [
        cv2.resize(image[top:bottom, left:right], (size.width, size.height), interpolation=method)
        for image, (left, top, right, bottom) in zip(images, boxes, strict=True)
    ]
    return np.stack(found).reshape(len(images), *size)


def windows(side: int, count: int) -> np.ndarray:
    """All of it, one pixel, one line, halves, and any: shape (N, 4)."""
    random = np.random.default_rng(side)
    low = random.integers(0, side - side // 4, (count, 2))
    high = low + 1 + (random.random((count, 2)) * (side - low)).astype(int)
    boxes = np.concatenate([low, high.clip(max=side)], 1)
    half = max(1, side // 2)
    boxes[:5] = [
        (0, 0, side, side),
        (side - 1, 0, side, 1),
        (0, side - 1, side, side),
        (0, 0, half, half),
        (0, 0, side, half),
    ]
    return boxes


def assert_alike(ours: torch.Tensor, wanted: np.ndarray, share: float) -> None:
    off = np.abs(ours.numpy().astype(int) - wanted)
    assert off.max() <= (1 if share else 0)
    assert (off > 0).mean() <= share


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("before", "after"), SIZES)
def test_boxes(before, after, channels, method):
    images, boxes, size = pictures(before, channels), windows(before, 8), Frame(after, after, channels)
    if method == cv2.INTER_CUBIC:  # OpenCV leaves narrow parts to code that is less exact
        narrow = (boxes[:, 2:] - boxes[:, :2]).min(1) < 4
        boxes = np.where(narrow[:, None], boxes[:1], boxes)
    ours = resized(torch.from_numpy(images), torch.from_numpy(boxes), size, method)
    assert_alike(ours, theirs(images, boxes, size, method), ROUNDED.get(method, 0))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [Frame(20, 70, 3), Frame(96, 24, 3), Frame(12, 16, 3), Frame(48, 47, 3)])
def test_whole_images(size, method):
    images = pictures(48, 3)
    boxes = np.array([[0, 0, 48, 48]] * len(images))
    ours = resized(torch.from_numpy(images), None, size, method)
    assert_alike(ours, theirs(images, boxes, size, method), ROUNDED.get(method, 0))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scale", [0.25, 0.3, 0.41234, 0.5, 0.73])
def test_scale(scale, method):
    """OpenCV goes by the scale that it is given, although the size is rounded."""
    images = pictures(33, 3)
    zero = torch.zeros(len(images), dtype=torch.int64)
    line = Line(zero, zero + 33, torch.full_like(zero, scale, dtype=torch.float64), round(33 * scale))
    ours = resampled_lines(torch.from_numpy(images), line, line, method)
    wanted = np.stack([cv2.resize(image, None, fx=scale, fy=scale, interpolation=method) for image in images])
    assert_alike(ours, wanted, 5 * ROUNDED.get(method, 0))  # these are so few pixels that one counts


def test_parts_of_a_batch(monkeypatch):
    images, boxes = torch.from_numpy(pictures(32, 3)), torch.from_numpy(windows(32, 8))
    whole = resized(images, boxes, Frame(20, 24, 3), cv2.INTER_LINEAR)
    monkeypatch.setattr(resize, "CACHED", 3 * 32 * 24 * 3)
    assert torch.equal(resized(images, boxes, Frame(20, 24, 3), cv2.INTER_LINEAR), whole)


def test_matrix():
    """It points to the places whose levels linear gives."""
    ramp = np.arange(0, 240, 4, dtype=np.uint8)
    images = torch.from_numpy(np.stack([np.meshgrid(ramp, ramp)] * 2).transpose(0, 2, 3, 1).copy())
    boxes = torch.tensor([[5, 7, 45, 57], [0, 30, 60, 60]])
    size = Frame(30, 24, 2)
    ours = resized(images, boxes, size, cv2.INTER_LINEAR).double()
    y, x = torch.meshgrid(torch.arange(size.height), torch.arange(size.width), indexing="ij")
    places = torch.stack([x, y, torch.ones_like(x)]).flatten(1).double()
    wanted = (matrix(boxes, size) @ places)[:, :2].view(2, 2, size.height, size.width).permute(0, 2, 3, 1)
    assert (ours / 4 - wanted).abs().max() < 0.3


@pytest.mark.parametrize(
    ("settings", "frame", "said"),
    [
        (A.CropAndPad(px=(-3, 4), keep_size=False), Frame(32, 32, 3), "keep_size=True"),
        (A.CropAndPad(px=(-20, 0, -20, 0), keep_size=False), Frame(32, 32, 3), "cuts off all"),
        (A.Downscale(scale_range=(0.1, 0.5)), Frame(4, 32, 3), "leaves nothing of"),
        (A.RandomSizedCrop(min_max_height=(2, 8), size=(8, 8), w2h_ratio=0.4), Frame(32, 32, 3), "less than a pixel"),
    ],
)
def test_refused(settings, frame, said):
    with pytest.raises(UserError, match=said):
        batched(settings).output(frame)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (A.SmallestMaxSize(max_size=[20, 30]), "different sizes"),
        (A.LongestMaxSize(max_size_hw=(None, None)), "a width or both"),
        (A.CropAndPad(px=((1, 3), (1, 3), [1, 2, 3], (1, 3))), "four of one kind"),
        (A.CropAndPad(percent=(0.1, (0.1, 0.2), 0.3, 0.1)), "four of one kind"),
        (A.RandomResizedCrop(size=(8, 8), ratio=(0, 1)), "above 0"),
    ],
)
def test_refused_settings(settings, said):
    with pytest.raises(UserError, match=said):
        batched(settings)
