"""Pairs of images that show the same photo."""

import cv2
import numpy as np
import pandas as pd
import pytest

from curate.errors import UserError
from curate.finders.near_duplicate import near_duplicate
from curate.images import pixel_hash
from curate.likeness import duplicates, search
from curate.likeness.leaks import leaks
from curate.signals.thumbnail import thumbnail
from tests.pictures import digits, photos


def table(pictures: np.ndarray, splits: list[str] | None = None, parents: list[str] | None = None) -> pd.DataFrame:
    count = len(pictures)
    return pd.DataFrame(
        {
            "image_id": [f"set/{row}" for row in range(count)],
            "split": splits or ["train"] * count,
            "label": "a",
            "parent_id": parents or [""] * count,
            "width": 32,
            "height": 32,
            "pixel_hash": [pixel_hash(picture) for picture in pictures],
            "error": "",
        }
    )


def find(pictures: np.ndarray, images: pd.DataFrame) -> pd.DataFrame:
    thumbnails = np.ascontiguousarray(pictures[:, :, :, 0]).reshape(len(pictures), -1)
    return duplicates.find_pairs(images, thumbnails)


def noise(count: int) -> np.ndarray:
    grey = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 1), np.uint8)
    return grey.repeat(3, axis=3)


@pytest.mark.parametrize(
    ("splits", "kept"),
    [
        (["train", "train", "train"], 0),
        (["train", "train", "test"], 2),
        (["train", "val", "train"], 1),
        (["pool", "train", "train"], 1),
        (["train", "test", "test"], 1),
    ],
)
def test_who_is_kept_of_equal_images(splits: list[str], kept: int) -> None:
    images = table(noise(1).repeat(3, axis=0), splits)
    assert duplicates.exact_keepers(images).tolist() == [kept] * 3
    assert duplicates.groups(images, find(noise(1).repeat(3, axis=0), images)).tolist() == [0, 0, 0]


def test_the_larger_of_two_versions_is_kept_but_in_test_before_train() -> None:
    pictures = np.concatenate([noise(2), noise(2)])
    images = table(pictures, ["train", "test", "train", "train"]).assign(width=[32, 32, 64, 64])
    assert duplicates.exact_keepers(images).tolist() == [2, 1, 2, 1]


def test_blocks_of_images_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = digits()[:200]
    whole = find(pictures, table(pictures))
    monkeypatch.setattr(search, "BLOCK", 64)
    pd.testing.assert_frame_equal(find(pictures, table(pictures)), whole)


def test_generated_images_neither_vote_on_nor_stay_for_an_original() -> None:
    images = table(noise(1).repeat(4, axis=0), parents=["gone", "", "", "set/2"])
    images["label"] = ["dog", "cat", "dog", "dog"]
    assert duplicates.exact_keepers(images).tolist() == [1] * 4


@pytest.mark.parametrize("column", [{"pixel_hash": ""}, {"error": "the file is gone"}])
def test_undecodable_images_are_no_duplicates(column: dict[str, str]) -> None:
    pictures = noise(1).repeat(3, axis=0)
    images = table(pictures).assign(**column)
    assert duplicates.exact_keepers(images).tolist() == [0, 1, 2]
    assert not len(find(pictures, images))


def test_many_equal_or_black_images_are_not_compared_with_each_other() -> None:
    count = 100_000
    black = np.zeros((3, 32, 32, 3), np.uint8)
    black[:, 0, 0] = np.arange(3)[:, None]
    names = table(black)["pixel_hash"].to_numpy()[np.arange(count) % 3]
    same = {"split": "train", "label": "a", "parent_id": "", "width": 32, "height": 32, "error": ""}
    images = pd.DataFrame({"pixel_hash": names, **same})
    pairs = duplicates.find_pairs(images, black[:, :, :, 0].reshape(3, -1)[np.arange(count) % 3])
    assert (pairs["kind"] == "exact").all()
    assert len(pairs) == count - 3


def test_many_versions_of_one_image_are_compared_with_a_few_each_and_with_the_one_to_keep() -> None:
    pictures = noise(1).repeat(400, axis=0)
    pictures[np.arange(400), np.arange(400) % 32, np.arange(400) // 32] ^= 1
    images = table(pictures, ["train"] * 399 + ["test"])
    pairs = duplicates.same_photo(find(pictures, images))
    assert len(np.unique(duplicates.groups(images, pairs))) == 1
    assert len(pairs) <= search.WHOLE.neighbors * 400
    near = near_duplicate(images, pairs, np.zeros((400, 2)))
    assert leaks(images, pairs)["row"].nunique() == near["flagged"].sum() == 399


@pytest.mark.parametrize("probability", [1.5, 0.05, -1, float("nan")])
def test_a_probability_that_no_pair_is_kept_for(probability: float) -> None:
    with pytest.raises(UserError, match=f"probability = {probability:g} must lie between 0.1, .* and 1"):
        duplicates.same_photo(find(noise(2), table(noise(2))), probability=probability)


def test_unrelated_noise_has_no_pairs() -> None:
    pictures = noise(500)
    assert not len(duplicates.same_photo(find(pictures, table(pictures))))


@pytest.mark.parametrize(
    ("name", "change", "recall"),
    [
        ("lighter and clipped", lambda image: np.clip(image * 1.2, 0, 255).astype(np.uint8), 0.4),
        # more columns at the edges of a digit pass for border then: what is border in both alone is left out
        ("less contrast", lambda image: (image * 0.5 + 60).astype(np.uint8), 0.98),
        ("shifted", lambda image: np.roll(image, 1, axis=1), 0.9),
        ("noisy", lambda image: np.clip(image + noise(1)[0] / 40.0, 0, 255).astype(np.uint8), 0.9),
    ],
)
def test_versions_are_found_among_hundreds_that_look_alike(name: str, change, recall: float) -> None:
    originals = digits()[:300]
    pictures = np.concatenate([originals, np.stack([change(image) for image in originals[:30]])])
    pairs = duplicates.same_photo(find(pictures, table(pictures)))
    true = (pairs["b"] - pairs["a"]).to_numpy() == len(originals)
    assert true.sum() >= recall * 30
    assert (~true).sum() <= 0.1 * len(pairs)


@pytest.mark.parametrize("upright", [False, True], ids=["above and below", "left and right"])
@pytest.mark.parametrize(("shade", "copies"), [(0, 4), (255, 4), (0, 12), (255, 12)])
def test_bars_on_two_sides_neither_hide_copies_nor_make_them(shade: int, copies: int, upright: bool) -> None:
    """Photos, and the first ones again with bars that take half: copies are found, and no two others for their bars."""

    def barred(image: np.ndarray) -> np.ndarray:
        image = cv2.resize(image.transpose(1, 0, 2) if upright else image, (128, 64))
        shown = cv2.copyMakeBorder(image, 32, 32, 0, 0, cv2.BORDER_CONSTANT, value=(shade,) * 3)
        return shown.transpose(1, 0, 2) if upright else shown

    originals = [cv2.resize(photo, (128, 128)) for photo in photos()]
    pictures = [np.ascontiguousarray(image) for image in [*originals, *map(barred, originals[:copies])]]
    images = table(np.stack(pictures)).assign(width=128, height=128)
    thumbnails = np.stack([thumbnail(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)) for picture in pictures])
    pairs = duplicates.same_photo(duplicates.find_pairs(images, thumbnails))
    true = (pairs["b"] - pairs["a"]).to_numpy() == len(originals)
    assert (true.sum(), (~true).sum()) == (copies, 0)


def test_groups_hold_generated_images_with_their_originals() -> None:
    images = table(noise(4), parents=["", "", "set/1", "gone"])
    assert duplicates.groups(images, find(noise(4), images)).tolist() == [0, 1, 1, 3]


def test_generated_images_are_alike_on_purpose_only_within_their_split() -> None:
    images = table(noise(4), ["train", "train", "test", "train"], ["", "set/0", "set/0", ""])
    pairs = pd.DataFrame({"a": [0, 0, 1, 0], "b": [1, 2, 2, 3]})
    assert duplicates.generated_together(images, pairs).tolist() == [True, False, False, False]


@pytest.mark.parametrize(("count", "versions"), [(24, 2), (24, 5), (10, 30)])
def test_versions_are_found_however_many_there_are(count: int, versions: int) -> None:
    """More than 1 % of all pairs are of one photo: that is no set whose images all look alike."""
    pictures = bursts(count, versions)
    pairs = duplicates.same_photo(find(pictures, table(pictures)))
    photo = np.arange(len(pictures)) // versions
    assert (photo[pairs["a"]] == photo[pairs["b"]]).all()
    assert len(pairs) > 0.85 * count * versions * (versions - 1) / 2


def bursts(count: int, versions: int) -> np.ndarray:
    """Photos, each several times, a bit shifted, lighter and noisy: shape (count * versions, 32, 32, 3), uint8."""
    random, pictures = np.random.default_rng(4), []
    for photo in photos()[:count]:
        large = cv2.resize(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), (96, 96), interpolation=cv2.INTER_AREA)
        for x, y in random.integers(-3, 4, (versions, 2)):
            part = np.roll(large.astype(np.float32), (y, x), (0, 1)) * random.uniform(0.8, 1.2)
            noisy = np.clip(part + random.uniform(-20, 20) + random.normal(0, 3, part.shape), 0, 255)
            pictures.append(cv2.resize(noisy.astype(np.uint8), (32, 32), interpolation=cv2.INTER_AREA))
    return np.stack(pictures)[..., None].repeat(3, axis=3)
