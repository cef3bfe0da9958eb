"""Ways to see an image."""

import cv2
import numpy as np
import pytest

from curate.likeness import SIDE, alignment, details, views
from tests.pictures import photos


def large(count: int = 12) -> np.ndarray:
    """Grey photos of 128 x 128 pixels."""
    return np.stack([cv2.resize(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), (128, 128)) for photo in photos()[:count]])


def small(images: list[np.ndarray] | np.ndarray) -> np.ndarray:
    return np.stack([cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA).ravel() for image in images])


def framed(image: np.ndarray, *, shade: int) -> np.ndarray:
    """In a window on a desktop, a title above it."""
    height, width = image.shape
    screen = np.full((2 * height, int(1.6 * width)), 200, np.uint8)
    screen[: height // 8] = shade
    screen[height // 2 : height // 2 + height, width // 4 : width // 4 + width] = image
    return screen


def barred(image: np.ndarray, share: float, *, shade: int, upright: bool = False) -> np.ndarray:
    """Made flatter, bars of so large a share above and below it; or narrower, bars left and right."""
    image = image.T if upright else image
    height, width = image.shape
    bar = round(height * share)
    shown = cv2.copyMakeBorder(
        cv2.resize(image, (width, height - 2 * bar)), bar, bar, 0, 0, cv2.BORDER_CONSTANT, value=shade
    )
    return shown.T if upright else shown


def test_plain_and_mirrored() -> None:
    thumbnail = small(large())
    assert np.array_equal(views.of(thumbnail, np.full(12, views.PLAIN)).reshape(12, -1), thumbnail)
    mirrored = views.of(thumbnail, np.arange(12) % 2)
    assert np.array_equal(mirrored[1, :, ::-1].ravel(), thumbnail[1])
    assert np.array_equal(mirrored[0].ravel(), thumbnail[0])


@pytest.mark.parametrize("number", range(len(views.PARTS)))
def test_a_part_is_what_a_crop_shows(number: int) -> None:
    size, down, across = views.PARTS[number]
    steps = max(place for other, place, _ in views.PARTS if other == size)
    side = round(128 * size)
    top, left = (round((128 - side) * place / steps) for place in (down, across))
    crops = small(large()[:, top : top + side, left : left + side])
    both = np.concatenate([small(large()), crops])
    rows = np.arange(12)
    alike = alignment.compare(both, rows, rows + 12, np.full(12, views.FIRST_PART + number))
    others = alignment.compare(both, rows, np.roll(rows, 1) + 12, np.full(12, views.FIRST_PART + number))
    assert np.median(alike[:, alignment.COARSE]) > 0.95
    assert alike.sum(axis=1).min() > others.sum(axis=1).max()


def test_a_frame_is_left_out() -> None:
    shown = small([framed(image, shade=40) for image in large()])
    assert views.has_border(shown).all()
    rows = np.arange(12)
    both = np.concatenate([shown, small(large())])
    assert np.median(alignment.compare(both, rows, rows + 12, np.full(12, views.TRIMMED))[:, alignment.COARSE]) > 0.9


def test_few_photos_have_a_border() -> None:
    assert views.has_border(small(large(24))).sum() <= 3  # one has a frame, and two stand before something plain


@pytest.mark.parametrize("upright", [False, True], ids=["above and below", "left and right"])
@pytest.mark.parametrize(("share", "shade"), [(0.06, 0), (0.125, 255), (0.2, 0), (0.25, 255)])
def test_bars_on_two_sides_are_left_out(share: float, shade: int, upright: bool) -> None:
    shown = small([barred(image, share, shade=shade, upright=upright) for image in large()])
    assert views.has_border(shown).mean() > 0.9
    rows = np.arange(12)
    both = np.concatenate([shown, small(large())])
    alike = alignment.compare(both, rows, rows + 12, np.full(12, views.TRIMMED))
    assert (alignment.log_odds(alike) > 0).mean() > 0.9


def test_a_bar_on_one_side_stays() -> None:
    """It may be a sky, a floor, or a caption, which says something."""
    image = np.random.default_rng(0).integers(0, 256, (32, 32), np.uint8)
    for side in (np.s_[:6], np.s_[-6:], np.s_[:, :6], np.s_[:, -6:]):
        shown = image.copy()
        shown[side] = 0
        assert not views.has_border(shown.ravel()[None]).any()
        shown[:, [0, -1]] = shown[[0, -1]] = 0
        assert views.has_border(shown.ravel()[None]).all()
    in_a_corner = image.copy()
    in_a_corner[:6] = in_a_corner[:, :6] = 0
    assert views.has_border(in_a_corner.ravel()[None]).all()


@pytest.mark.parametrize("image", [np.zeros(1024, np.uint8), np.eye(32, dtype=np.uint8).ravel() * 255])
def test_an_image_without_border_or_of_nothing_else_stays(image: np.ndarray) -> None:
    assert not views.has_border(image[None]).any()
    assert np.array_equal(views.of(image[None], np.array([views.TRIMMED])).ravel(), image)


def test_details_of_mirror_images() -> None:
    thumbnail = small(large())
    mirror = np.ascontiguousarray(thumbnail.reshape(-1, SIDE, SIDE)[:, :, ::-1]).reshape(12, -1)
    found, mirrored = (details.of(images, np.arange(12)) for images in (thumbnail, mirror))
    assert np.abs(details.mirrored(found).astype(int) - mirrored).max() <= 1
    unit = details.descriptors(found)
    assert np.allclose(np.linalg.norm(unit, axis=1), 1, atol=1e-5)


def test_likeness_is_highest_where_one_is_moved() -> None:
    found = details.of(small(large()), np.arange(12)).reshape(12, 16, 16)
    moved = np.roll(found, (1, -1), axis=(1, 2))
    others = np.stack([found, moved, np.roll(found, 1, axis=0)], axis=1).reshape(12, 3, -1)
    likeness = details.likeness(found.reshape(12, -1), others)
    assert (likeness[:, :2] > 0.98).all()
    assert (likeness[:, 2] < 0.6).all()


def test_an_image_of_nothing_is_not_looked_for() -> None:
    shades = np.stack([np.full(1024, 90), np.arange(1024) // 300 + 90, small(large())[0]]).astype(np.uint8)
    assert details.shows_something(details.of(shades, np.arange(3))).tolist() == [False, False, True]
