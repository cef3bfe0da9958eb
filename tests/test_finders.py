"""Every finder, found by the walk, keeps to the contract; and each finds what was planted and leaves the rest alone."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from curate import finders, findings, registry
from curate.errors import UserError
from curate.evidence import Evidence
from curate.scores import halving
from curate.signals.edge_blur import blur_unit_px
from tests.conftest import picture
from tests.pictures import Picture, digits, evidence_for, evidence_of, photos

FINDERS = registry.functions(finders)


def black(height: int = 8, width: int = 8) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


def gray(seed: int) -> np.ndarray:
    return picture(seed)[:, :, :1].repeat(3, axis=2)


SETS = {
    "nothing": [],
    "one image": [Picture(picture(0), "a")],
    "two equal images": [Picture(picture(0), "a")] * 2,
    "equal images, other labels and splits": [Picture(picture(0), "a"), Picture(picture(0), "b", "test")],
    "all black": [Picture(black(), "a"), Picture(black(9), "b"), Picture(black(), "b", "test")],
    "1x1 images": [Picture(np.full((1, 1, 3), shade, np.uint8), "a") for shade in (0, 90, 255)],
    "grey": [Picture(gray(seed), "a") for seed in range(4)],
    "a class in test alone": [Picture(picture(0), "a"), Picture(picture(1), "b", "test")],
    "one class": [Picture(picture(seed), "a") for seed in range(5)],
    "unlabelled": [Picture(picture(seed), split="pool") for seed in range(3)],
    "undecodable": [Picture(None, "a"), Picture(None, "b", "test")],
    "one of them undecodable": [Picture(picture(0), "a"), Picture(None, "a"), Picture(picture(1), "b")],
    "sizes": [Picture(picture(seed, 3 + 40 * seed, 300 - 40 * seed), "a") for seed in range(7)],
}


@pytest.mark.parametrize("name", FINDERS)
def test_signature_and_docstring(name: str) -> None:
    assert registry.summary(FINDERS[name]).endswith(".")
    for value in registry.settings(FINDERS[name]).values():
        assert isinstance(value, (bool, int, float, str))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Evidence, Evidence]]:
    """What is known of each of the sets, twice, for all finders."""
    return cache(lambda name: tuple(evidence_of(tmp_path_factory.mktemp("set"), SETS[name]) for _ in range(2)))


@pytest.mark.parametrize("which", SETS)
@pytest.mark.parametrize("name", FINDERS)
def test_sound_findings_whatever_the_set(
    name: str, which: str, made: Callable[[str], tuple[Evidence, Evidence]]
) -> None:
    sound(name, *made(which))


def sound(name: str, evidence: Evidence, again: Evidence) -> None:
    """What a finder says of a set keeps to the contract, and it says the same of the same set once more."""
    found = findings.scan(evidence, {name: FINDERS[name]}, {})
    assert list(found.columns) == list(findings.COLUMNS)
    assert found["score"].between(0, 1).all()
    assert found["image_id"].isin(evidence.manifest["image_id"]).all()
    assert not found["image_id"].duplicated().any()
    assert found["related_id"].isin([*evidence.manifest["image_id"], ""]).all()
    assert not (found["related_id"] == found["image_id"]).any()
    assert found["suggested_label"].isin([*evidence.manifest["label"], ""]).all()
    pd.testing.assert_frame_equal(found, findings.scan(again, {name: FINDERS[name]}, {}))


@pytest.fixture(scope="module")
def in_two_orders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Evidence, Evidence]:
    """What is known of a set, and of the same with its rows shuffled."""
    images = mixed()
    evidence = evidence_of(tmp_path_factory.mktemp("mixed"), images)
    order = np.random.default_rng(0).permutation(len(images))
    return evidence, evidence_for(evidence.workspace, evidence.manifest.iloc[order].reset_index(drop=True))


@pytest.mark.parametrize("name", FINDERS)
def test_the_order_of_rows_does_not_matter(name: str, in_two_orders: tuple[Evidence, Evidence]) -> None:
    first, second = (flagged(findings.scan(each, {name: FINDERS[name]}, {})) for each in in_two_orders)
    assert first == second


def mixed() -> list[Picture]:
    """Digits with a defect of every kind; twins lie in different splits, so that the order decides nothing."""
    some = digits()[:60]
    pictures = [Picture(image, str(number % 3)) for number, image in enumerate(some[:40])]
    pictures += [Picture(image, str(number % 3), "test") for number, image in enumerate(some[40:])]
    pictures += [
        Picture(some[50], "0"),
        Picture(np.clip(some[51] * 1.2, 0, 255).astype(np.uint8), "1"),
        Picture(some[52] // 10, "0"),
        Picture(255 - some[53] // 10, "1"),
        Picture(black(32, 32), "2"),
        Picture(blurred(some[54], 3), "2"),
        Picture(cv2.resize(some[55], (300, 20)), "0"),
        Picture(None, "0"),
    ]
    return pictures


def flagged(found: pd.DataFrame) -> set[str]:
    return set(found["image_id"][found["flagged"]])


# --- planted defects: per finder what it must flag, and what it must leave alone ---


def blurred(image: np.ndarray, units: float) -> np.ndarray:
    """Blurred by so many times 2 % of the side, at least 1.5 pixels."""
    blur = units * blur_unit_px(*image.shape[:2])
    return cv2.GaussianBlur(image, (0, 0), blur, borderType=cv2.BORDER_REFLECT)


def darker(image: np.ndarray, factor: float) -> np.ndarray:
    return (image * factor).astype(np.uint8)


def lighter(image: np.ndarray, factor: float) -> np.ndarray:
    return (255 - (255 - image) * factor).astype(np.uint8)


def paler(image: np.ndarray, factor: float) -> np.ndarray:
    return np.round(128 + (image - 128.0) * factor).astype(np.uint8)


def compressed(image: np.ndarray, quality: int) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


MUST_FLAG: list[tuple[str, Callable[[np.ndarray], np.ndarray]]] = [
    ("dark", lambda image: darker(image, 0.1)),
    ("dark", lambda image: darker(image, 0.2)),
    ("light", lambda image: lighter(image, 0.1)),
    ("light", lambda image: lighter(image, 0.25)),
    ("low_information", lambda image: np.full_like(image, 77)),
    ("low_information", lambda image: paler(image, 0.02)),
    ("blurry", lambda image: blurred(image, 3)),
    ("blurry", lambda image: compressed(blurred(image, 3), 75)),
]
MUST_LEAVE_ALONE: list[tuple[str, Callable[[np.ndarray], np.ndarray]]] = [
    ("dark", lambda image: darker(image, 0.7)),
    ("light", lambda image: lighter(image, 0.7)),
    ("low_information", lambda image: paler(image, 0.3)),
    ("low_information", lambda image: darker(image, 0.2)),
    ("low_information", lambda image: blurred(image, 2)),
    ("blurry", lambda image: paler(image, 0.5)),
    ("blurry", lambda image: compressed(image, 50)),
]
PLANTED = 5


def sizes() -> dict[str, Callable[[], list[np.ndarray]]]:
    def shrunk(side: int) -> list[np.ndarray]:
        return [cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA) for image in photos()]

    return {
        "digits": lambda: list(digits()[:60]),
        "photos 32": lambda: shrunk(32),
        "photos 224": lambda: shrunk(224),
        "photos": photos,
    }


def run(root: Path, finder: str, pictures: list[Picture]) -> pd.DataFrame:
    found = findings.scan(evidence_of(root, pictures), {finder: FINDERS[finder]}, {})
    return found.assign(row=found["image_id"].str[-8:-4].astype(int))


@pytest.mark.parametrize("size", sizes())
@pytest.mark.parametrize(("finder", "change"), MUST_FLAG)
def test_planted_defects_are_flagged_and_come_first(finder: str, change: Callable, size: str, tmp_path: Path) -> None:
    images = sizes()[size]()
    images[:PLANTED] = [change(image) for image in images[:PLANTED]]
    found = run(tmp_path, finder, [Picture(image) for image in images])
    assert set(found["row"][:PLANTED]) == set(range(PLANTED))
    assert set(found["row"][found["flagged"]]) >= set(range(PLANTED))
    assert found["flagged"].sum() <= PLANTED + 1


@pytest.mark.parametrize("size", sizes())
@pytest.mark.parametrize(("finder", "change"), MUST_LEAVE_ALONE)
def test_what_is_fine_is_left_alone(finder: str, change: Callable, size: str, tmp_path: Path) -> None:
    if size == "digits" and finder == "blurry":
        pytest.skip("digits enlarged from 8x8 pixels are soft already")
    images = sizes()[size]()
    images[:PLANTED] = [change(image) for image in images[:PLANTED]]
    found = run(tmp_path, finder, [Picture(image) for image in images])
    assert not set(found["row"][found["flagged"]]) & set(range(PLANTED))


@pytest.mark.parametrize(
    ("finder", "change", "strengths"),
    [
        ("dark", darker, (1, 0.7, 0.5, 0.35, 0.25, 0.15, 0.08, 0)),
        ("light", lighter, (1, 0.7, 0.5, 0.35, 0.25, 0.15, 0.08, 0)),
        ("low_information", paler, (1, 0.5, 0.2, 0.1, 0.05, 0.03, 0.02, 0)),
        ("blurry", blurred, (0.01, 1, 1.5, 2, 3, 5)),
    ],
)
@pytest.mark.parametrize("size", ["digits", "photos 32"])
def test_more_of_the_defect_never_raises_the_score(
    finder: str, change: Callable, strengths: tuple[float, ...], size: str, tmp_path: Path
) -> None:
    images = sizes()[size]()[:24]
    scores = []
    for number, strength in enumerate(strengths):
        changed = [change(image, strength) for image in images[:4]] + images[4:]
        found = run(tmp_path / str(number), finder, [Picture(image) for image in changed]).set_index("row")["score"]
        scores.append(found.reindex(range(4), fill_value=1.0).to_numpy())
    assert (np.diff(scores, axis=0) <= 1e-6).all(), np.round(scores, 3)
    assert (scores[-1] < 0.5).all()


def test_grayscale_is_for_sets_in_colour(tmp_path: Path) -> None:
    colour, without = [Picture(picture(seed)) for seed in range(6)], [Picture(gray(seed)) for seed in range(6)]
    assert flagged(run(tmp_path / "1", "grayscale", [*colour, without[0]])) == {"set/0006.png"}
    assert not flagged(run(tmp_path / "2", "grayscale", [*without, colour[0]]))


@pytest.mark.parametrize(
    ("finder", "change"),
    [
        ("dark", lambda image: darker(image, 0.1)),
        ("light", lambda image: lighter(image, 0.1)),
        ("low_information", lambda image: paler(image, 0.02)),
    ],
)
def test_what_most_images_have_is_no_defect(finder: str, change: Callable, tmp_path: Path) -> None:
    plain = [picture(seed) for seed in range(6)]
    some, most = plain[3:] + list(map(change, plain[:3])), plain[4:] + list(map(change, plain[:4]))
    assert len(flagged(run(tmp_path / "1", finder, list(map(Picture, some))))) == 3
    found = run(tmp_path / "2", finder, [*map(Picture, most), Picture(None)])
    assert (len(found[found["score"] < 0.5]), flagged(found)) == (4, set())
    assert len(flagged(run(tmp_path / "3", "low_information", [Picture(black())] * 4))) == 4


@pytest.mark.parametrize(
    ("finder", "usual", "odd", "is_flagged"),
    [
        ("odd_size", (32, 32), (32, 32), False),
        ("odd_size", (32, 32), (20, 40), False),
        ("odd_size", (32, 32), (200, 200), True),
        ("odd_size", (100, 100), (10, 10), True),
        ("odd_aspect", (30, 40), (40, 30), False),
        ("odd_aspect", (30, 40), (20, 200), True),
        ("odd_aspect", (20, 200), (21, 200), False),
        ("odd_aspect", (20, 200), (100, 100), True),
    ],
)
def test_odd_shapes(finder: str, usual: tuple, odd: tuple, is_flagged: bool, tmp_path: Path) -> None:
    pictures = [Picture(picture(seed, *usual)) for seed in range(9)] + [Picture(picture(9, *odd))]
    assert flagged(run(tmp_path, finder, pictures)) == ({"set/0009.png"} if is_flagged else set())


@pytest.mark.parametrize(("rare", "is_flagged"), [(1, True), (3, False), (20, False)])
def test_rare_class(rare: int, is_flagged: bool, tmp_path: Path) -> None:
    pictures = [Picture(picture(seed), "ab"[seed % 2]) for seed in range(40)]
    pictures += [Picture(picture(100 + seed), "c") for seed in range(rare)]
    found = run(tmp_path, "rare_class", pictures)
    assert set(found["row"][found["flagged"]]) == (set(range(40, 40 + rare)) if is_flagged else set())


def test_generated_images_make_no_class_less_rare(tmp_path: Path) -> None:
    pictures = [Picture(picture(seed), "ab"[seed % 2]) for seed in range(40)]
    pictures += [Picture(picture(100), "c"), *(Picture(picture(seed), "c", parent="set/0040.png") for seed in range(9))]
    found = run(tmp_path, "rare_class", pictures)
    assert found["row"].to_list() == [40]
    assert found["detail"].to_list() == ["c has 1 original training images, the median class 20"]


def test_a_class_without_training_images(tmp_path: Path) -> None:
    found = run(tmp_path, "rare_class", [Picture(picture(0), "a"), Picture(picture(1), "b", "test")])
    assert found[["row", "score"]].to_numpy().tolist() == [[1, 0]]


def test_corrupt(tmp_path: Path) -> None:
    found = run(tmp_path, "corrupt", [Picture(picture(0)), Picture(None)])
    assert found[["row", "score", "detail"]].to_numpy().tolist() == [[1, 0, "not an image"]]


# --- duplicates: the picture of each row is the digit of that number, or a lighter version of it ---

NEAR = {"-": lambda image: image, "+": lambda image: compressed(image, 60)}


def twins(*words: str) -> list[Picture]:
    """ "7+ test a": a version of digit 7, in test, labelled a; "-": without a label. In the pool follow 60 others."""
    some = digits()
    pictures = []
    for word in words:
        picture_name, split, label = word.split()
        image = some[int(picture_name.rstrip("+"))]
        pictures.append(Picture(NEAR["+" if "+" in picture_name else "-"](image), label.strip("-"), split))
    return pictures + [Picture(image, "", "pool") for image in some[1000:1060]]


@pytest.mark.parametrize(
    ("finder", "words", "expected"),
    [
        ("exact_duplicate", ["7 train a", "7 train a", "8 train a"], {1: 0}),
        ("exact_duplicate", ["7 train a", "7 test a", "7 train b"], {0: 1, 2: 1}),
        ("exact_duplicate", ["7 train a", "7 train b", "7 train b"], {0: 1, 2: 1}),  # most say b
        ("exact_duplicate", ["7 train -", "7 train a"], {0: 1}),  # one has no label
        ("exact_duplicate", ["7 test a", "7 train b", "7 train b"], {1: 0, 2: 0}),  # first of all, it is measured on
        ("exact_duplicate", ["7 train a", "7+ train a"], {}),
        ("near_duplicate", ["7 train a", "7+ train a"], {1: 0}),
        ("near_duplicate", ["7 train a", "7+ test a"], {0: 1}),
        ("near_duplicate", ["7 train a", "7 train a", "8 train a"], {}),
        ("split_leak", ["7 train a", "7 test a"], {0: 1}),
        ("split_leak", ["7 train a", "7+ test a", "8 train a"], {0: 1}),
        ("split_leak", ["7 train a", "7 train a", "7+ test a"], {0: 2, 1: 2}),
        ("split_leak", ["7+ test a", "7 test a", "7 train a"], {2: 1}),
        ("split_leak", ["7 val a", "7 test a"], {0: 1}),
        ("split_leak", ["7 train a", "7 train a", "7 pool a"], {}),
        ("split_leak", ["7 test a", "7+ test a"], {}),
        ("conflicting_labels", ["7 train a", "7 train b"], {0: "", 1: ""}),
        ("conflicting_labels", ["7 train a", "7+ train b", "7 test a"], {1: "a"}),
        ("conflicting_labels", ["7 train a", "7 train a", "8 train b"], {}),
    ],
)
def test_duplicates(finder: str, words: list[str], expected: dict[int, int | str], tmp_path: Path) -> None:
    found = run(tmp_path, finder, twins(*words))
    found = found[found["flagged"] & (found["row"] < len(words))]
    if finder == "conflicting_labels":
        assert dict(zip(found["row"], found["suggested_label"], strict=True)) == expected
    else:
        related = found["related_id"].str[-8:-4].astype(int)
        assert dict(zip(found["row"], related, strict=True)) == expected


def test_an_augmented_image_is_no_duplicate_of_its_original(tmp_path: Path) -> None:
    pictures = twins("7 train a", "7+ train a")
    pictures[1] = Picture(pictures[1].pixels, "a", "train", parent="set/0000.png")
    assert not set(run(tmp_path / "1", "near_duplicate", pictures)["row"]) & {0, 1}
    pictures[0] = Picture(pictures[0].pixels, "a", "test")
    assert set(run(tmp_path / "2", "split_leak", pictures)["row"]) == {1}


def test_augmented_images_have_no_say_in_a_conflict(tmp_path: Path) -> None:
    pictures = twins("7 train a", "7+ train b", "7 train a", "7 train a")
    pictures[2:4] = [Picture(each.pixels, "a", "train", parent="set/0000.png") for each in pictures[2:4]]
    found = run(tmp_path, "conflicting_labels", pictures)
    assert found["row"].to_list() == [0, 1]
    assert found["flagged"].all()
    assert (found["suggested_label"] == "").all()  # one against one
    assert found["related_id"].str[-8:-4].astype(int).to_list() == [1, 0]


# --- settings: a slip in one would flag everything, or nothing, without a word ---

SLIPS = {
    "stricter than fine": ("low_information", {"limit": 0.05}, r"low_information.limit \(0.05\) must lie below .*0.03"),
    "the wrong way round": ("dark", {"limit": 0.5}, r"dark.limit \(0.5\) must lie below dark.fine \(0.4\)"),
    "light the wrong way round": ("light", {"limit": 0.4}, r"light.limit \(0.4\) must lie above light.fine \(0.5\)"),
    "a count for a share": ("rare_class", {"limit": 5}, r"rare_class.limit \(5\) must lie below rare_class.fine"),
    "per cent": ("dark", {"limit": 25, "fine": 40}, r"dark.limit \(25\) must .* dark.fine \(40\).* both from 0 to 1"),
    "light in per cent": ("light", {"limit": 65}, r"light.limit \(65\) must .*both from 0 to 1"),
    "the same": ("grayscale", {"limit": 0.04}, r"grayscale.limit \(0.04\) must lie below grayscale.fine \(0.04\)"),
    "nothing is fine": ("rare_class", {"fine": 0}, r"rare_class.limit \(0.1\) must lie below rare_class.fine \(0\)"),
    "all is fine": ("light", {"fine": 1}, r"light.limit \(0.65\) must lie above light.fine \(1\)"),
    "light only at its end": ("light", {"limit": 1}, r"light.limit \(1\) must"),
    "dark only at its end": ("dark", {"limit": 0}, r"dark.limit \(0\) must"),
    "a share of grey in per cent": ("grayscale", {"most": 50}, "grayscale.most must lie from 0 to 1, not 50"),
    "a share of dark ones in per cent": ("dark", {"most": 50}, "dark.most must lie from 0 to 1, not 50"),
    "no blur is too much": ("blurry", {"limit": 0}, "blurry.limit must lie above 0 and below 3, .*, not 0"),
    "more than is measured": ("blurry", {"limit": 5}, "blurry.limit must lie above 0 and below 3, .*, not 5"),
    "no factor": ("odd_size", {"limit": 1}, "odd_size.limit must lie above 1, .*, not 1"),
    "a factor of less than one": ("odd_aspect", {"limit": 0.4}, "odd_aspect.limit must lie above 1, .*, not 0.4"),
    "nobody near": ("outlier", {"neighbours": 0}, "outlier.neighbours must be 1 or more, not 0"),
    "probability in per cent": ("near_duplicate", {"probability": 95}, "95 must lie between"),
}


@pytest.mark.parametrize("case", SLIPS)
def test_slips_in_settings_are_refused(case: str, tmp_path: Path) -> None:
    name, settings, says = SLIPS[case]
    with pytest.raises(UserError, match=says) as caught:
        findings.scan(evidence_of(tmp_path, mixed()[:6]), {name: FINDERS[name]}, {name: settings})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("finder", "settings"),
    [
        ("dark", {"limit": 0.3}),
        ("dark", {"limit": 0.39, "fine": 1}),
        ("light", {"limit": 0.99, "fine": 0}),
        ("rare_class", {"limit": 0.9, "fine": 1}),
        ("odd_size", {"limit": 1.01, "fence": 0}),
        ("odd_size", {"fence": 1e9}),
        ("odd_aspect", {"limit": 2, "fence": 1e9}),
        ("blurry", {"limit": 2.9, "usual": 0}),
        ("grayscale", {"most": 0}),
        ("grayscale", {"most": 1}),
    ],
)
def test_settings_within_the_limits_are_taken(finder: str, settings: dict, tmp_path: Path) -> None:
    found = findings.scan(evidence_of(tmp_path, SETS["sizes"]), {finder: FINDERS[finder]}, {finder: settings})
    assert found["score"].between(0, 1).all()


@pytest.mark.parametrize(
    ("bad", "values", "scores"),
    [("low", [4, 2, 1, 0], [1, 0.5, 0.25, 0]), ("high", [1, 2, 4, 8], [1, 0.5, 0.25, 0.125])],
)
def test_halving(bad: str, values: list[float], scores: list[float]) -> None:
    fine = 4 if bad == "low" else 1
    assert halving(np.array(values, float), fine=fine, limit=2, bad=bad, finder="x").tolist() == scores
    for wrong in (fine, 0, 5 if bad == "low" else 0.5, float("nan")):
        with pytest.raises(UserError, match=r"x\.limit \("):
            halving(np.array(values, float), fine=fine, limit=wrong, bad=bad, finder="x")
