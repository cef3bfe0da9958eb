"""Every signal, found by the walk; and what each of them measures."""

import cv2
import numpy as np
import pytest

from curate import registry, signals
from curate.measure import is_per_image
from curate.signals.color import color
from curate.signals.edge_blur import blur_unit_px, edge_blur
from curate.signals.phash import phash
from curate.signals.thumbnail import thumbnail
from curate.signals.tones import tones
from tests.pictures import digits, photos

SIGNALS = registry.functions(signals)
PER_IMAGE = {name: function for name, function in SIGNALS.items() if is_per_image(function)}

EDGE_IMAGES = {
    "1x1": np.zeros((1, 1, 3), np.uint8),
    "1x500": np.full((1, 500, 3), 7, np.uint8),
    "500x1": np.tile(np.arange(250, dtype=np.uint8), 2)[:, None, None].repeat(3, axis=2),
    "2x2": np.arange(12, dtype=np.uint8).reshape(2, 2, 3),
    "black": np.zeros((32, 32, 3), np.uint8),
    "white": np.full((8, 8, 3), 255, np.uint8),
    "chequered": (np.indices((64, 48)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, axis=2),
    "noise": np.random.default_rng(0).integers(0, 256, (300, 200, 3), np.uint8),
}


@pytest.mark.parametrize("name", SIGNALS)
def test_first_line_of_the_docstring(name: str) -> None:
    assert registry.summary(SIGNALS[name]).endswith(".")


@pytest.mark.parametrize("image", EDGE_IMAGES.values(), ids=EDGE_IMAGES)
@pytest.mark.parametrize("name", PER_IMAGE)
def test_value_of_fixed_shape_whatever_the_image(name: str, image: np.ndarray) -> None:
    values = [np.asarray(_call(name, picture)) for picture in (image, image, EDGE_IMAGES["noise"])]
    assert values[0].ndim <= 1
    assert values[0].shape == values[2].shape
    assert values[0].dtype == values[2].dtype
    np.testing.assert_array_equal(values[0], values[1])


def test_tones_of_a_ramp() -> None:
    ramp = np.arange(256, dtype=np.uint8).repeat(4).reshape(32, 32)
    np.testing.assert_allclose(tones(ramp), [0.01, 0.05, 0.5, 0.95, 0.99], atol=0.005)


@pytest.mark.parametrize(
    ("pixels", "contrast", "chroma"),
    [
        ([(9, 9, 9), (9, 9, 9)], 0, 0),
        ([(0, 0, 0), (255, 255, 255)], 0.5, 0),
        ([(200, 0, 0), (200, 0, 0)], 0, 200 / 255),
        ([(100, 51, 0), (0, 51, 100)], 50 / 255, 100 / 255),  # as light as each other, and yet a picture
    ],
)
def test_color(pixels: list, contrast: float, chroma: float) -> None:
    image = np.array([pixels] * 2, np.uint8)
    np.testing.assert_allclose(color(image), [contrast, chroma], atol=0.001)


@pytest.mark.parametrize("contrast", [1.0, 0.6, -0.5])
@pytest.mark.parametrize("blur", [3.0, 5.0])
def test_edge_blur_finds_the_planted_blur(blur: float, contrast: float) -> None:
    step = np.where(np.arange(128) < 64, 128 - 100 * contrast, 128 + 100 * contrast)
    image = cv2.GaussianBlur(np.tile(step, (128, 1)).astype(np.float32), (0, 0), blur)
    assert edge_blur(np.round(image).astype(np.uint8)) == pytest.approx(blur, rel=0.35)


def test_edge_blur_says_nothing_where_there_are_no_edges() -> None:
    assert np.isnan(edge_blur(np.full((40, 40), 99, np.uint8)))


def test_edge_blur_of_photos_grows_with_the_blur_at_every_size() -> None:
    strengths = (0, 1, 2, 4, 6)
    for side in (32, 224, 500):
        measured = []
        for image in photos()[:12]:
            gray = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (side, side), interpolation=cv2.INTER_AREA)
            unit = blur_unit_px(side, side)
            measured.append([min(edge_blur(_blurred(gray, strength * unit)) / unit, 3) for strength in strengths])
        assert (np.diff(measured, axis=1) >= 0).all(), f"{side} pixels: {np.round(measured, 2).tolist()}"


def test_thumbnail_has_one_size_and_phash_one_number() -> None:
    thumbnails = np.stack([thumbnail(image[:, :, 1]) for image in EDGE_IMAGES.values()])
    assert thumbnails.shape == (len(EDGE_IMAGES), 1024)
    assert thumbnails.dtype == np.uint8
    hashes = phash(thumbnails)
    assert hashes.shape == (len(EDGE_IMAGES),)
    assert hashes.dtype == np.uint64


def test_phash_is_near_for_versions_and_far_for_others() -> None:
    gray = digits()[:100, :, :, 0]
    lighter = np.clip(gray * 1.2, 0, 255).astype(np.uint8)
    first, second = (phash(images.reshape(100, -1)) for images in (gray, lighter))
    assert np.bitwise_count(first ^ second).mean() < 5
    assert np.bitwise_count(first ^ np.roll(second, 1)).mean() > 15


def _call(name: str, image: np.ndarray) -> object:
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return PER_IMAGE[name](*[gray if need == "gray" else image for need in registry.needs(PER_IMAGE[name])])


def _blurred(image: np.ndarray, blur: float) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), blur, borderType=cv2.BORDER_REFLECT) if blur else image
