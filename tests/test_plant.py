"""Planted defects are what they are said to be."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from curate import plant
from curate.errors import UserError
from curate.images import ImageError, decode, encode_jpeg, encode_png
from curate.layouts import Options, Sample
from curate.planted import DEFECTS
from curate.sources import digits
from tests.planting import COUNTS, planted_in

NOTHING = dict.fromkeys(COUNTS, 0)


@pytest.fixture(scope="module")
def originals() -> list[Sample]:
    """The first 400 digits."""
    return list(digits.read(Path(), Options()))[:400]


@pytest.fixture(scope="module")
def planted(originals: list[Sample]) -> tuple[dict[str, Sample], pd.DataFrame]:
    return planted_in(originals)


def rows(planted: tuple[dict[str, Sample], pd.DataFrame], defect: str) -> list[tuple[Sample, pd.Series]]:
    samples, table = planted
    return [(samples[row["name"]], row) for _, row in table[table["defect"] == defect].iterrows()]


def pixels(sample: Sample) -> np.ndarray:
    assert sample.data is not None
    return decode(sample.data).astype(np.int16)


def test_digits_source() -> None:
    samples = list(digits.read(Path(), Options()))
    assert len(samples) == 1797
    assert len({sample.name for sample in samples}) == 1797
    assert len({sample.data for sample in samples}) == 1797
    assert samples == list(digits.read(Path(), Options()))
    for label in map(str, range(10)):
        splits = [sample.split for sample in samples if sample.label == label]
        assert splits.count("test") == len(splits) // 5
        assert set(splits) == {"train", "test"}
    first = samples[0]
    assert (first.name, first.label, first.split) == ("train/0/0000.png", "0", "train")
    assert pixels(first).shape == (32, 32, 3)
    assert pixels(first).max() > 200
    assert not digits.recognises(Path())


def test_table_says_what_was_planted(planted: tuple[dict[str, Sample], pd.DataFrame], originals: list[Sample]) -> None:
    samples, table = planted
    train = sum(sample.split == "train" for sample in originals)
    assert table["defect"].value_counts().to_dict() == {
        "wrong_label": round(0.05 * train),
        "exact_copy": 4,
        "near_copy": 6,
        "conflicting_copy": 3,
        "exact_leak": 4,
        "near_leak": 4,
        "blank": 3,
        "dark": 3,
        "light": 3,
        "blurred": 3,
        "undecodable": 6,
    }
    assert table["name"].is_unique
    assert table["original"].is_unique  # nothing was done to an image twice
    assert list(table["finder"]) == [DEFECTS[defect].finder for defect in table["defect"]]
    assert len(samples) == len(originals) + 4 + 6 + 3 + 8


def test_test_split_and_images_that_are_not_in_the_table_stay(
    planted: tuple[dict[str, Sample], pd.DataFrame], originals: list[Sample]
) -> None:
    samples, table = planted
    spoilt = table["original"][~table["defect"].str.contains("copy|leak")]
    for original in originals:
        if original.split == "test" or original.name not in set(spoilt):
            assert samples[original.name] == original
    assert {samples[name].split for name in table["name"]} == {"train"}


def test_folders_say_the_labels(planted: tuple[dict[str, Sample], pd.DataFrame]) -> None:
    for sample in planted[0].values():
        assert sample.name.split("/")[:2] == [sample.split, sample.label]


def test_wrong_labels(planted: tuple[dict[str, Sample], pd.DataFrame], originals: list[Sample]) -> None:
    by_name = {sample.name: sample for sample in originals}
    for sample, row in rows(planted, "wrong_label"):
        assert sample.label != row["true_label"] == by_name[row["original"]].label
        assert sample.data == by_name[row["original"]].data


@pytest.mark.parametrize("defect", ["exact_copy", "exact_leak", "conflicting_copy"])
def test_exact_copies(planted: tuple[dict[str, Sample], pd.DataFrame], defect: str) -> None:
    for sample, row in rows(planted, defect):
        original = planted[0][row["original"]]
        assert sample.data != original.data
        assert np.array_equal(pixels(sample), pixels(original))
        assert (sample.label == row["true_label"]) == (defect != "conflicting_copy")
        assert original.label == row["true_label"]
        assert original.split == ("test" if defect == "exact_leak" else "train")


@pytest.mark.parametrize("defect", ["near_copy", "near_leak"])
def test_near_copies(planted: tuple[dict[str, Sample], pd.DataFrame], defect: str) -> None:
    kinds = set()
    for sample, row in rows(planted, defect):
        original = planted[0][row["original"]]
        copy, before = pixels(sample), pixels(original)
        kinds.add(row["detail"])
        assert copy.shape == before.shape
        assert sample.label == row["true_label"] == original.label
        assert 0 < np.abs(copy - before).mean() < 40
        if row["detail"] == "shifted by 1 px":
            assert np.array_equal(copy[:, 1:], before[:, :-1])
        elif row["detail"] == "brightened by 20 levels":
            assert np.array_equal(copy, np.minimum(before + 20, 255))
        else:
            assert sample.name.endswith(".jpg")
    assert kinds == set(plant.NEAR_KINDS)


@pytest.mark.parametrize(
    ("defect", "holds"),
    [
        ("blank", lambda after, before: after.std(axis=(0, 1)).max() == 0),
        ("dark", lambda after, before: np.abs(after - before * 0.08).max() <= 0.5),
        ("light", lambda after, before: np.abs(255 - after - (255 - before) * 0.08).max() <= 0.5),
        (
            "blurred",
            lambda after, before: np.abs(np.diff(after, axis=1)).max() < np.abs(np.diff(before, axis=1)).max() / 3,
        ),
    ],
)
def test_spoilt_images(
    planted: tuple[dict[str, Sample], pd.DataFrame],
    originals: list[Sample],
    defect: str,
    holds: Callable[[np.ndarray, np.ndarray], bool],
) -> None:
    by_name = {sample.name: sample for sample in originals}
    for sample, row in rows(planted, defect):
        assert sample.label == row["true_label"]
        assert holds(pixels(sample), pixels(by_name[row["original"]]))


def test_undecodable_images_of_both_kinds(planted: tuple[dict[str, Sample], pd.DataFrame]) -> None:
    reasons = set()
    for sample, _ in rows(planted, "undecodable"):
        with pytest.raises(ImageError) as caught:
            pixels(sample)
        reasons.add(str(caught.value))
    assert reasons == {"truncated PNG", "not an image that OpenCV can decode"}


def test_same_seed_same_result(originals: list[Sample]) -> None:
    first, again, other = (plant.plant(originals, seed=seed, **COUNTS) for seed in (1, 1, 2))
    assert first[0] == again[0]
    assert first[1].equals(again[1])
    assert not first[1].equals(other[1])


def test_defaults_suit_the_digits_and_are_quick() -> None:
    samples = list(digits.read(Path(), Options()))
    start = time.perf_counter()
    _, table = plant.plant(samples, seed=0)
    assert time.perf_counter() - start < 5
    assert set(table["defect"]) == set(DEFECTS)


def test_planting_nothing_changes_nothing(originals: list[Sample]) -> None:
    samples, table = plant.plant(originals, seed=0, wrong_labels=0, **NOTHING)
    assert samples == originals
    assert list(table.columns) == list(plant.COLUMNS)
    assert len(table) == 0


def test_files_in_any_folders_and_names_that_are_taken(tmp_path: Path) -> None:
    """Photos on disk, the same file names in every class, one of them broken, one without label."""
    rng = np.random.default_rng(0)
    samples = [Sample("broken.jpg", "cat", "train", data=b"no image"), Sample("new.jpg", "", "train", data=b"")]
    for label in ("cat", "dog"):
        for number in range(6):
            path = tmp_path / f"{label}-{number}.jpg"
            path.write_bytes(encode_jpeg(rng.integers(0, 256, (9, 7, 3), np.uint8)))
            samples.append(Sample(f"pets/{label}/{number}.jpg", label, "train", path=str(path)))
    counts = NOTHING | {"exact_copies": 2, "blank": 2, "conflicting_copies": 2}
    result, table = plant.plant(samples, seed=0, wrong_labels=0.4, **counts)
    assert result[:2] == samples[:2]
    assert len({sample.name for sample in result}) == len(result) == len(samples) + 4
    wrong = table[table["defect"] == "wrong_label"]
    assert len(wrong) == 5
    assert all(name.endswith("-2.jpg") for name in wrong["name"])  # the other class has a file of that name, too
    by_name = {sample.name: sample for sample in result}
    for name in table["name"]:
        assert by_name[name].name.split("/")[1] == by_name[name].label


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"exact_copies": 1000}, "too few labelled images in train"),
        ({"leaks": 1000}, "too few labelled images in test"),
    ],
)
def test_too_few_images(originals: list[Sample], change: dict[str, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        plant.plant(originals, seed=0, **(NOTHING | change))


def test_wrong_labels_take_two_classes() -> None:
    samples = [Sample(f"a/{n}.png", "a", "train", data=encode_png(np.full((4, 4, 3), n, np.uint8))) for n in range(20)]
    with pytest.raises(UserError, match="at least 2 classes"):
        plant.plant(samples, seed=0, **NOTHING)
