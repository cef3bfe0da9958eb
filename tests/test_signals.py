"""Every signal, found by the walk; and what each of them measures."""

from collections.abc import Callable

import cv2
import numpy as np
import pandas as pd
import pytest

from curate import registry, signals
from curate.likeness import duplicates
from curate.signals.color import color
from curate.signals.edge_blur import blur_unit_px, edge_blur
from curate.signals.final_margin import final_margin
from curate.signals.late_learning import late_learning
from curate.signals.neighbor_agreement import neighbor_agreement
from curate.signals.thumbnail import thumbnail
from curate.signals.tones import tones
from curate.signals.training_margin import training_margin
from curate.signals.twin_labels import twin_labels
from curate.signals.wrong_epochs import wrong_epochs
from tests.pictures import digits, photos

SIGNALS = registry.functions(signals)
PER_IMAGE = {name: function for name, function in SIGNALS.items() if registry.is_per_image(function)}

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


@pytest.mark.parametrize("name", PER_IMAGE)
def test_the_same_wherever_in_memory_the_image_lies(name: str) -> None:
    elsewhere: list[np.ndarray] = []  # keeps what is allocated next from lying where it lay before

    def values() -> list[bytes]:
        found = []
        for image in digits()[:200]:
            elsewhere.append(np.empty(16 * (len(elsewhere) % 7) + 1, np.uint8))
            found.append(np.asarray(_call(name, image.copy())).tobytes())
        return found

    first = values()
    assert all(values() == first for _ in range(3))


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


def test_each_pixel_of_a_strips_thumbnail_is_a_mean() -> None:
    """One side is longer than the thumbnail's, the other shorter."""
    strip = np.random.default_rng(0).integers(0, 256, (24, 960)).astype(np.uint8)
    small = thumbnail(strip).reshape(32, 32).astype(np.float32)
    means = strip.reshape(24, 32, 30).mean(2)
    assert np.abs(small - cv2.resize(means.astype(np.float32), (32, 32))).max() < 2
    upright = thumbnail(np.ascontiguousarray(strip.T)).reshape(32, 32).T
    assert np.abs(upright - small).max() <= 1  # of rounding


def test_thumbnail_has_one_size() -> None:
    thumbnails = np.stack([thumbnail(image[:, :, 1]) for image in EDGE_IMAGES.values()])
    assert thumbnails.shape == (len(EDGE_IMAGES), 1024)
    assert thumbnails.dtype == np.uint8


# How a label was learned

NEVER = np.nan


@pytest.mark.parametrize(
    ("margins", "mean", "last", "wrong"),
    [
        ([1, 2, 3], 2, 3, 0),
        ([-1, -2, 6], 1, 6, 2 / 3),
        ([0, 0, 0], 0, 0, 0),  # two classes as probable as each other: not below
        ([4], 4, 4, 0),
        ([-4], -4, -4, 1),
        ([1, 2, 3, -4, 5, 6], 13 / 6, 5.5, 1 / 6),  # the last third: two epochs
        ([-2, 4, NEVER], 1, 4, 0.5),  # left out of the last epoch: that of the one before
        ([-2, NEVER, NEVER, NEVER, NEVER, NEVER], -2, -2, 1),
        ([NEVER, NEVER, NEVER, NEVER, 3, NEVER], 3, 3, 0),
        ([NEVER, NEVER, NEVER], NEVER, NEVER, NEVER),
        ([65504, 65504, -65504], 65504 / 3, -65504, 1 / 3),  # what half precision can hold
    ],
)
def test_margins_over_the_epochs(margins: list[float], mean: float, last: float, wrong: float) -> None:
    kept = np.array([margins, margins], np.float16)
    for signal, expected in ((training_margin, mean), (final_margin, last), (wrong_epochs, wrong)):
        np.testing.assert_allclose(signal(kept), [expected] * 2, rtol=1e-3, err_msg=signal.__name__)


@pytest.mark.parametrize("signal", [training_margin, final_margin, wrong_epochs, late_learning])
def test_margins_that_nobody_noted_and_those_of_no_image(signal: Callable) -> None:
    assert signal(None) is None
    assert signal(np.zeros((0, 3), np.float16)).shape == (0,)


def curves(early: int, late: int, epochs: int = 8) -> np.ndarray:
    """Margins of labels that are learned within two epochs, and of others that take all: shape (N, E), float16."""
    random = np.random.default_rng(0)
    at = np.arange(epochs)
    rise = np.concatenate([np.tile(4 - 5 * 0.4**at, (early, 1)), np.tile(-3 + 4 * (at / epochs) ** 3, (late, 1))])
    return (rise + random.normal(size=rise.shape)).astype(np.float16)


@pytest.mark.parametrize(("early", "late"), [(90, 10), (800, 200), (500, 500)])
def test_late_learning_tells_the_two_clusters_apart(early: int, late: int) -> None:
    found = late_learning(curves(early, late))
    assert (found[:early] < 0.5).mean() > 0.97
    assert (found[early:] > 0.5).mean() > 0.97


def test_late_learning_knows_what_epochs_without_the_image_mean() -> None:
    """Early learned images are left out of later epochs, as `skip_easy` does; some are in no epoch at all."""
    margins = curves(200, 50)
    margins[:200:2, 3:] = np.nan
    margins[1:200:4, 0] = np.nan
    margins[-3:] = np.nan
    found = late_learning(margins)
    assert np.isnan(found[-3:]).all()
    assert (found[:200] < 0.5).mean() > 0.95
    assert (found[200:-3] > 0.5).mean() > 0.95


@pytest.mark.parametrize(
    "margins",
    [
        np.full((30, 4), 2, np.float16),
        np.full((30, 1), -1, np.float16),
        np.full((30, 4), np.nan, np.float16),
        np.repeat([[1, 2], [1, 2.5]], 15, axis=0).astype(np.float16),
        np.full((19, 4), 1, np.float16),  # too few
        np.full((1, 4), 1, np.float16),
        np.full((40, 3), 65504, np.float16),
        curves(25, 0, epochs=1),
    ],
    ids=["alike", "one epoch", "none seen", "two curves", "few", "one", "largest", "one epoch, many"],
)
def test_late_learning_of_few_or_equal_curves(margins: np.ndarray) -> None:
    found = late_learning(margins)
    seen = ~np.isnan(margins).all(axis=1)
    assert (np.isfinite(found) == seen).all()
    assert ((found[seen] >= 0) & (found[seen] <= 1)).all()
    if len(margins) < 20 or len(np.unique(margins[seen], axis=0)) == 1:
        assert (found[seen] == 0.5).all()


# What others are called


@pytest.mark.parametrize(
    ("labels", "neighbors", "agreement"),
    [
        ([0, 0, 1], [[[1, 2], [0, 2], [0, 1]]], [0.5, 0.5, 0]),
        ([0, 0, 1], [[[1, -1], [0, -1], [-1, -1]]], [1, 1, NEVER]),  # fewer neighbours than wanted, and none
        ([0, 0, 1], [[[1, -1], [0, -1], [0, -1]], [[2, -1], [2, -1], [-1, -1]]], [0.5, 0.5, 0]),  # two networks
        (
            [0, -1, 0],
            [[[1, 2], [0, 2], [0, 1]]],
            [1, NEVER, 1],
        ),  # unlabelled ones have no say, and none is asked of them
        ([0, -1, -1], [[[1, 2], [0, 2], [0, 1]]], [NEVER] * 3),
        ([0], [[[-1, -1]]], [NEVER]),
        ([], np.zeros((2, 0, 10), np.int64), []),
    ],
)
def test_neighbor_agreement(labels: list[int], neighbors: list, agreement: list[float]) -> None:
    manifest = pd.DataFrame({"parent_id": [""] * len(labels)})
    found = neighbor_agreement(manifest, np.array(labels, np.int64), np.array(neighbors, np.int64))
    np.testing.assert_allclose(found, agreement)


def test_generated_neighbors_agree_with_nobody() -> None:
    manifest = pd.DataFrame({"parent_id": ["", "set/0", "set/0", ""]})
    neighbors = np.array([[[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]])
    found = neighbor_agreement(manifest, np.array([0, 0, 0, 1]), neighbors)
    np.testing.assert_allclose(found, [0, NEVER, NEVER, 0])


def test_neighbors_that_nobody_noted() -> None:
    assert neighbor_agreement(pd.DataFrame({"parent_id": ["", ""]}), np.array([0, 1]), None) is None


def pairs(*rows: tuple[int, int, str, float]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["a", "b", "kind", "probability"]).assign(view=0)
    return table[list(duplicates.COLUMNS)].astype(duplicates.COLUMNS)


@pytest.mark.parametrize(
    ("found", "twins"),
    [
        ([], []),
        ([(0, 1, "exact", 1.0)], [(0, 1), (1, 0)]),
        ([(0, 2, "near", 0.9)], [(2, 0)]),  # image 2 has no label to tell
        ([(0, 3, "near", 0.4)], []),  # not as probably one photo as is asked for
        ([(0, 1, "exact", 1.0), (0, 3, "near", 0.9)], [(0, 1), (0, 1), (1, 0), (3, 0)]),
    ],
)
def test_twin_labels(found: list[tuple[int, int, str, float]], twins: list[tuple[int, int]]) -> None:
    manifest = pd.DataFrame({"image_id": list("abcd"), "parent_id": [""] * 4})
    table = twin_labels(manifest, np.array([0, 1, -1, 1]), pairs(*found))
    assert list(zip(table["row"], table["label"], strict=True)) == twins


def test_generated_images_vouch_for_no_label() -> None:
    """They have the label of their original: wrong where it is wrong."""
    manifest = pd.DataFrame({"image_id": list("abcd"), "parent_id": ["", "a", "a", ""]})
    every = [(0, 1, "near", 0.9), (0, 2, "near", 0.9), (1, 2, "near", 0.9), (0, 3, "near", 0.9), (1, 3, "near", 0.9)]
    table = twin_labels(manifest, np.array([0, 0, 0, 1]), pairs(*every))
    assert list(zip(table["row"], table["label"], strict=True)) == [(0, 1), (1, 1), (3, 0)]


def _call(name: str, image: np.ndarray) -> object:
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return PER_IMAGE[name](*[gray if need == "gray" else image for need in registry.needs(PER_IMAGE[name])])


def _blurred(image: np.ndarray, blur: float) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), blur, borderType=cv2.BORDER_REFLECT) if blur else image
