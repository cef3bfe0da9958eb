"""Images come into memory once, at one size."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from curate.errors import UserError
from curate.images import content_hash, encode_png
from tests.train.digits import digits
from train.data import common_size, load_images
from train.pixels import resize


def rows(sizes: list[tuple[int, int]], folder: Path, labels: list[str] | None = None) -> pd.DataFrame:
    """A manifest of grey images, brighter from one to the next. sizes: (width, height)."""
    files = [
        encode_png(np.full((height, width, 3), 10 * number, np.uint8)) for number, (width, height) in enumerate(sizes)
    ]
    for number, data in enumerate(files):
        (folder / f"{number}.png").write_bytes(data)
    return pd.DataFrame(
        {
            "image_id": [f"here/{number}.png" for number in range(len(sizes))],
            "path": [f"{number}.png" for number in range(len(sizes))],
            "label": labels or ["cat"] * len(sizes),
            "content_hash": [content_hash(data) for data in files],
            "width": [width for width, _ in sizes],
            "height": [height for _, height in sizes],
        }
    )


@pytest.mark.parametrize(
    ("sizes", "side"),
    [
        ([(32, 32)] * 3, 32),
        ([(8, 8)], 8),
        ([(64, 64)], 64),
        ([(1, 1)], 64),
        ([(32, 32), (32, 40)], 64),
        ([(32, 32)] * 19 + [(33, 32)], 32),  # an odd one does not make the others larger
        ([(32, 40)] * 3 + [(28, 28)], 64),
        ([(96, 96)], 64),
        ([(500, 375), (375, 500), (20, 20)], 128),
        ([], 64),
    ],
)
def test_common_size(sizes: list[tuple[int, int]], side: int, tmp_path: Path) -> None:
    assert common_size(rows(sizes, tmp_path)) == side


def test_images_labels_and_order(tmp_path: Path) -> None:
    image_set = load_images(
        rows([(32, 32), (50, 20), (1, 1)], tmp_path, ["dog", "", "cat"]),
        tmp_path,
        classes=["cat", "dog"],
        image_size=16,
    )
    assert image_set.images.shape == (3, 3, 16, 16)
    assert image_set.images.is_contiguous(memory_format=torch.channels_last)
    assert image_set.images[:, 0, 0, 0].tolist() == [0, 10, 20]
    assert image_set.labels.tolist() == [1, -1, 0]
    assert image_set.labelled().image_ids == ("here/0.png", "here/2.png")


def test_no_rows_no_images(tmp_path: Path) -> None:
    assert len(load_images(rows([], tmp_path), tmp_path, classes=["cat"])) == 0


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (None, "No such file or directory; it could be read"),
        (encode_png(np.ones((8, 8, 3), np.uint8)), "it has changed"),
    ],
)
def test_a_file_that_is_not_what_was_added_is_named(now: bytes | None, why: str, tmp_path: Path) -> None:
    table = rows([(8, 8)], tmp_path)
    (tmp_path / "0.png").unlink()
    if now is not None:
        (tmp_path / "0.png").write_bytes(now)
    with pytest.raises(UserError, match=rf"0\.png: {why}"):
        load_images(table, tmp_path, classes=["cat"])


def test_an_unknown_label_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'wolf'.*cat, dog"):
        load_images(rows([(8, 8)], tmp_path, ["wolf"]), tmp_path, classes=["cat", "dog"])


@pytest.mark.parametrize("shape", [(1, 1), (1, 100), (100, 1), (31, 33), (33, 31), (32, 32), (500, 375)])
def test_resize_gives_the_size_asked_for(shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 200, np.uint8)
    assert (resize(image, 32) == 200).all()
    assert resize(image, 32).shape == (32, 32, 3)


def test_resize_keeps_the_centre() -> None:
    image = np.zeros((32, 96, 3), np.uint8)
    image[:, 32:64] = 255
    assert (resize(image, 32) == 255).all()


def test_of_a_line_the_middle_is_scaled() -> None:
    line = np.zeros((1, 40_000, 3), np.uint8)
    line[:, 19_999:20_001] = 255
    assert resize(line, 128).shape == (128, 128, 3)
    assert resize(line, 128)[:, 63:65].mean() > 200
    wide = np.random.default_rng(0).integers(0, 256, (4, 32, 3), np.uint8)  # eight to one, and so is scaled as a whole
    scaled = cv2.resize(wide, (64, 8), interpolation=cv2.INTER_CUBIC)
    np.testing.assert_array_equal(resize(wide, 8), scaled[:, 28:36])


def test_mean_and_std_are_those_of_the_pixels() -> None:
    image_set = digits(50)
    mean, std = image_set.mean_std()
    pixels = image_set.images.double()
    assert torch.allclose(mean.double(), pixels.mean((0, 2, 3)), atol=1e-3)
    assert torch.allclose(std.double(), pixels.std((0, 2, 3), correction=0), atol=1e-3)


def test_the_fingerprint_follows_pixels_and_labels() -> None:
    image_set = digits(50)
    assert image_set.fingerprint() == digits(50).fingerprint()
    images = image_set.images.clone()
    images[0, 0, 0, 0] += 1
    others = [
        image_set.subset(torch.arange(49)),
        type(image_set)(images, image_set.labels, image_set.image_ids, image_set.classes),
        type(image_set)(image_set.images, image_set.labels.flip(0), image_set.image_ids, image_set.classes),
    ]
    assert len({other.fingerprint() for other in [image_set, *others]}) == 4
