"""Warps beside those of OpenCV: every interpolation and border, to the same pixels."""

from typing import Any

import cv2
import numpy as np
import pytest
import torch

from curate.augment.frame import Frame
from curate.augment.warp import warp_affine, warp_perspective

METHODS = {
    "nearest": cv2.INTER_NEAREST,
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
    "lanczos4": cv2.INTER_LANCZOS4,
}
BORDERS = {
    "constant": cv2.BORDER_CONSTANT,
    "replicate": cv2.BORDER_REPLICATE,
    "reflect": cv2.BORDER_REFLECT,
    "wrap": cv2.BORDER_WRAP,
    "reflect_101": cv2.BORDER_REFLECT_101,
}
SIZES = (((32, 32), (32, 32)), ((40, 25), (25, 40)), ((7, 90), (150, 64)), ((1, 5), (20, 20)), ((224, 224), (224, 224)))
"""Height and width of the images, and of the results."""
FILL = (10, 200, 77)
FAR = 300.0
"""Pixels by which some images are shifted: several times through every border."""


def images(count: int, size: tuple[int, int], channels: int) -> np.ndarray:
    return np.random.default_rng(sum(size)).integers(0, 256, (count, *size, channels), dtype=np.uint8)


def matrices(count: int, size: tuple[int, int], *, perspective: bool) -> np.ndarray:
    """From images to results: turned, sheared, shrunk to a third or enlarged, one of them shifted far away."""
    random = np.random.default_rng(count + sum(size))
    found = np.tile(np.eye(3), (count, 1, 1))
    found[:, :2, :2] += random.uniform(-0.7, 0.7, (count, 2, 2))
    found[:, :2, 2] = random.uniform(-0.3, 0.3, (count, 2)) * size[::-1]
    found[0, :2, 2] += FAR
    found[1] = np.eye(3)
    found[2] = [[1, 0, 0.5], [0, 1, -3], [0, 0, 1]]
    if perspective:
        found[3:, 2, :2] = random.uniform(-0.4, 0.4, (count - 3, 2)) / max(size)
    return found


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("channels", [3, 1])
def test_affine(method, border, channels):
    for size, after in SIZES:
        pixels, matrix = images(6, size, channels), matrices(6, size, perspective=False)
        settings: dict[str, Any] = {"flags": METHODS[method], "borderMode": BORDERS[border], "borderValue": FILL}
        wanted = [
            cv2.warpAffine(image, each[:2], after[::-1], **settings) for image, each in zip(pixels, matrix, strict=True)
        ]
        back = np.tile(np.eye(3), (6, 1, 1))
        back[:, :2] = [cv2.invertAffineTransform(each[:2]) for each in matrix]
        found = warp_affine(
            torch.from_numpy(pixels),
            torch.from_numpy(back),
            Frame(*after, channels),
            method=METHODS[method],
            border=BORDERS[border],
            fill=FILL,
        )
        np.testing.assert_array_equal(found.numpy(), np.stack(wanted).reshape(found.shape), str(size))


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("channels", [3, 1])
def test_perspective(method, border, channels):
    for size, after in SIZES:
        pixels, matrix = images(6, size, channels), matrices(6, size, perspective=True)
        settings: dict[str, Any] = {"flags": METHODS[method], "borderMode": BORDERS[border], "borderValue": FILL}
        wanted = [
            cv2.warpPerspective(image, each, after[::-1], **settings)
            for image, each in zip(pixels, matrix, strict=True)
        ]
        found = warp_perspective(
            torch.from_numpy(pixels),
            torch.from_numpy(np.stack([cv2.invert(each)[1] for each in matrix])),
            Frame(*after, channels),
            method=METHODS[method],
            border=BORDERS[border],
            fill=FILL,
        )
        np.testing.assert_array_equal(found.numpy(), np.stack(wanted).reshape(found.shape), str(size))


@pytest.mark.parametrize("method", METHODS)
def test_extremes(method):
    """Sums of the largest and smallest levels don't run over from a channel into the next."""
    pixels = 255 * np.random.default_rng(0).integers(0, 2, (40, 9, 9, 3), dtype=np.uint8)
    matrix = matrices(40, (9, 9), perspective=False)
    flags = METHODS[method] | cv2.WARP_INVERSE_MAP
    wanted = [cv2.warpAffine(image, each[:2], (9, 9), flags=flags) for image, each in zip(pixels, matrix, strict=True)]
    found = warp_affine(torch.from_numpy(pixels), torch.from_numpy(matrix), Frame(9, 9, 3), method=METHODS[method])
    np.testing.assert_array_equal(found.numpy(), np.stack(wanted))


def test_parts():
    """What is computed in parts is the same as at once, and no image takes from its neighbour."""
    pixels, matrix = images(300, (32, 32), 3), np.linalg.inv(matrices(300, (32, 32), perspective=False))
    whole = warp_affine(torch.from_numpy(pixels), torch.from_numpy(matrix), Frame(32, 32, 3), fill=FILL)
    for number in (0, 63, 64, 299):
        one = slice(number, number + 1)
        alone = warp_affine(torch.from_numpy(pixels[one]), torch.from_numpy(matrix[one]), Frame(32, 32, 3), fill=FILL)
        np.testing.assert_array_equal(whole[one].numpy(), alone.numpy())
