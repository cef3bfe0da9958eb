"""How alike two thumbnails are where they fit best."""

import cv2
import numpy as np
import pytest

from curate.likeness import alignment, views
from tests.pictures import photos


def thumbnails() -> np.ndarray:
    """Grey photos of 96 x 96 pixels, shape (n, 96, 96): large enough to be shifted, scaled and cropped before they are
    made small."""
    return np.stack([cv2.resize(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), (96, 96)) for photo in photos()[:12]])


def small(images: np.ndarray) -> np.ndarray:
    return np.stack([cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA).ravel() for image in images])


def alike(first: np.ndarray, second: np.ndarray, *, view: int = views.PLAIN) -> np.ndarray:
    """Of the images of `first` with those of `second`, in the same places."""
    both = np.concatenate([first, second])
    count = len(first)
    rows = np.arange(count)
    return alignment.compare(both, rows, rows + count, np.full(count, view))


def test_an_image_is_like_itself_and_a_flat_one_is_like_nothing() -> None:
    images = small(thumbnails())
    assert (alike(images, images) > 0.97).all()
    assert (np.abs(alike(images, np.full_like(images, 90))) < 0.1).all()


def test_images_of_one_edge_say_less_than_photos() -> None:
    down, across = np.mgrid[:32, :32]
    edges = [down > 20, down > 22, across > 9, across > 11, down + across > 30, down + across > 33]
    noise = np.random.default_rng(0).normal(size=(len(edges), 1024))
    images = np.stack([90 + 120 * edge.ravel() for edge in edges]) + noise
    images = np.clip(np.rint(images), 0, 255).astype(np.uint8)
    photos = small(thumbnails())
    least = alignment.log_odds(alike(photos, photos)).min()
    assert least > 15
    assert (alignment.log_odds(alike(images[::2], images[1::2])) < least / 3).all()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("brighter", lambda image: np.clip(image * 1.2 + 10, 0, 255).astype(np.uint8)),
        ("paler", lambda image: (image * 0.5 + 60).astype(np.uint8)),
        ("moved by 2 of 32 pixels", lambda image: np.roll(image, (6, -6), (0, 1))),
        ("moved by 3 of 32 pixels", lambda image: np.roll(image, (0, 9), (0, 1))),
        ("cropped to 88 %", lambda image: cv2.resize(image[6:-6, 6:-6], (96, 96))),
        ("turned", lambda image: cv2.warpAffine(image, cv2.getRotationMatrix2D((48, 48), 5, 1), (96, 96))),
        ("compressed", lambda image: cv2.imdecode(cv2.imencode(".jpg", image, [1, 30])[1], 0)),
        ("with a border", lambda image: cv2.resize(cv2.copyMakeBorder(image, 6, 6, 6, 6, 0), (96, 96))),
    ],
)
def test_versions_are_more_alike_than_any_two_photos(name: str, change) -> None:
    images = thumbnails()
    same = alike(small(images), small(np.stack([change(image) for image in images])))
    others = np.concatenate([alike(small(images), np.roll(small(images), step, axis=0)) for step in range(1, 12)])
    assert np.median(same.sum(axis=1)) > others.sum(axis=1).max()
    assert (same.sum(axis=1) > np.quantile(others.sum(axis=1), 0.95)).all()


def test_mirrored_images_are_alike_where_one_is_mirrored_back() -> None:
    images = small(thumbnails())
    mirror = np.ascontiguousarray(images.reshape(-1, 32, 32)[:, :, ::-1]).reshape(len(images), -1)
    assert (alike(images, mirror, view=views.MIRRORED) > 0.97).all()
    assert np.median(alike(images, mirror)) < 0.6


def test_correlation_at_a_shift_is_that_of_the_pixels() -> None:
    """Against sums over the pixels themselves."""
    first, second = (views.pixels(small(thumbnails())[at]) for at in (slice(0, 4), slice(4, 8)))
    band = alignment.BANDS[1]
    still, moved = alignment.levelled(first, band), alignment.levelled(second, band)
    which = np.array([3, 0, 2, 1])
    found = alignment._correlations(alignment._still(still), np.arange(4), moved, which)
    moved = moved[which]
    inner = slice(alignment.SHIFT, -alignment.SHIFT)
    still = still[:, inner, inner].reshape(4, -1)
    rounding = alignment.INNER**2 * alignment.ROUNDING
    for number, (down, across) in enumerate(np.ndindex(7, 7)):
        window = moved[:, down : down + alignment.INNER, across : across + alignment.INNER].reshape(4, -1)
        energy = ((still**2).sum(axis=1) + rounding) * ((window**2).sum(axis=1) + rounding)
        np.testing.assert_allclose(found[:, number], (still * window).sum(axis=1) / np.sqrt(energy), atol=1e-4)


def test_no_pairs() -> None:
    none = np.zeros(0, np.int64)
    assert alignment.compare(small(thumbnails()), none, none, none).shape == (0, 2)
