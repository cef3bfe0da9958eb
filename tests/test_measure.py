"""The store of measured values: what is measured once is not measured again."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from curate import measure as measuring
from curate import verbs
from curate.engine import Local
from curate.errors import UserError
from curate.images import encode_png
from curate.ingest.add import add
from curate.measure import Measure, measure
from curate.signals import thumbnail as signal
from curate.signals.edge_blur import edge_blur
from curate.signals.thumbnail import thumbnail
from curate.signals.tones import tones
from curate.workspace import FINDINGS, Workspace
from tests.conftest import picture
from tests.pictures import Picture, evidence_of

PICTURES = [Picture(picture(seed)) for seed in range(3)]
MEASURES = [Measure(tones), Measure(edge_blur), Measure(thumbnail)]


def test_shapes_and_types(tmp_path: Path) -> None:
    evidence = evidence_of(tmp_path, PICTURES)
    values = measure(evidence.workspace, evidence.manifest, MEASURES)
    assert values["tones"].shape == (3, 5)
    assert values["edge_blur"].shape == (3,)
    assert values["thumbnail"].shape == (3, 1024)
    assert values["thumbnail"].dtype == np.uint8


def test_the_second_time_nothing_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = evidence_of(tmp_path, PICTURES)
    first = measure(evidence.workspace, evidence.manifest, MEASURES)
    monkeypatch.setattr(measuring, "decode", None)
    second = measure(evidence.workspace, evidence.manifest.iloc[::-1], MEASURES)
    for name, values in first.items():
        np.testing.assert_array_equal(values[::-1], second[name])


def test_only_what_is_new_is_measured(tmp_path: Path) -> None:
    evidence = evidence_of(tmp_path, PICTURES)
    measure(evidence.workspace, evidence.manifest.iloc[:2], MEASURES)
    measure(evidence.workspace, evidence.manifest, MEASURES)
    parts = sorted((tmp_path / "signals" / "tones" / "v1").glob("*.parquet"))
    assert [len(measuring.pq.read_table(part)) for part in parts] == [2, 1]


def test_another_setting_is_measured_anew(tmp_path: Path) -> None:
    evidence = evidence_of(tmp_path, PICTURES)
    folders = {Measure(tones).version, Measure(tones, (("a", 1),)).version, Measure(tones, (("a", 2),)).version}
    assert len(folders) == 3
    assert evidence.measure([Measure(tones)])["tones"].shape == (3, 5)


def greedy(gray: np.ndarray) -> float:
    """Writes into what the others are given."""
    gray -= gray.min()
    return 0.0


def test_no_measure_writes_into_what_the_others_are_given(tmp_path: Path) -> None:
    evidence = evidence_of(tmp_path, PICTURES)
    with pytest.raises(ValueError, match="read-only"):
        measure(evidence.workspace, evidence.manifest, [Measure(greedy), Measure(tones)])
    assert not list(tmp_path.glob("signals/*"))


def which_are_dark(gray: np.ndarray) -> np.ndarray:
    """Of three places."""
    return gray[0, :3] < 100


def squares(gray: np.ndarray) -> np.ndarray:
    """Two dimensions."""
    return gray[:2, :2]


def growing(gray: np.ndarray) -> np.ndarray:
    """As long as the image is wide."""
    return gray[0]


def test_a_vector_of_truths_is_kept(tmp_path: Path) -> None:
    evidence = evidence_of(tmp_path, PICTURES)
    values = measure(evidence.workspace, evidence.manifest, [Measure(which_are_dark)])["which_are_dark"]
    assert (values.shape, values.dtype) == ((3, 3), bool)


@pytest.mark.parametrize(("function", "says"), [(squares, "a number, or a vector of them"), (growing, "the same")])
def test_what_cannot_be_kept_is_named(tmp_path: Path, function: Callable, says: str) -> None:
    evidence = evidence_of(tmp_path, [Picture(picture(0, 8, 8)), Picture(picture(1, 8, 9))])
    with pytest.raises(
        UserError, match=rf"(?s)signal '{function.__name__}' gave .* it has to be {says}|of every image"
    ):
        measure(evidence.workspace, evidence.manifest, [Measure(function)])
    assert not list(tmp_path.glob("signals/*"))


def square(image: np.ndarray) -> int:
    """Whole numbers, as a finder may give."""
    return int(image.shape[0] >= image.shape[1])


def mixed(image: np.ndarray) -> np.ndarray:
    """Whole numbers of some images, fractions of others."""
    return np.zeros(3, np.uint8) if image.mean() < 100 else image.mean((0, 1)) / 2


def test_scores_in_whole_numbers_say_nothing_of_what_was_not_seen(tmp_path: Path) -> None:
    evidence = evidence_of(tmp_path, [*PICTURES, Picture(None)])
    item = Measure(square, is_score=True)
    scores = measure(evidence.workspace, evidence.manifest, [item])["square"]
    assert np.isnan(scores).tolist() == [False, False, False, True]


def test_vectors_of_several_types_are_kept_in_one_that_holds_them(tmp_path: Path) -> None:
    dark, light = Picture(np.zeros((8, 8, 3), np.uint8)), Picture(np.full((8, 8, 3), 201, np.uint8))
    evidence = evidence_of(tmp_path, [dark, light])
    values = measure(evidence.workspace, evidence.manifest, [Measure(mixed)])["mixed"]
    assert values.tolist() == [[0, 0, 0], [100.5, 100.5, 100.5]]


@pytest.mark.parametrize("item", MEASURES, ids=lambda item: item.name)
def test_images_that_cannot_be_decoded_have_no_value_but_its_shape(tmp_path: Path, item: Measure) -> None:
    some = evidence_of(tmp_path / "some", [*PICTURES, Picture(None)])
    none = evidence_of(tmp_path / "none", [Picture(None)] * 2)
    expected = measure(some.workspace, some.manifest, [item])[item.name]
    values = measure(none.workspace, none.manifest, [item])[item.name]
    assert values.shape == (2, *expected.shape[1:])
    assert values.dtype == expected.dtype
    np.testing.assert_array_equal(values[0], expected[3])
    assert np.isnan(values).all() or not values.any()


def test_a_file_that_is_no_longer_what_was_added_has_no_value(tmp_path: Path) -> None:
    evidence = evidence_of(tmp_path, PICTURES)
    Path(evidence.manifest["path"].iloc[1]).write_bytes(b"something else")
    values = measure(evidence.workspace, evidence.manifest, [Measure(edge_blur)])["edge_blur"]
    assert np.isnan(values).tolist() == [False, True, False]


def test_a_copy_that_is_intact_is_measured(tmp_path: Path) -> None:
    evidence = evidence_of(tmp_path, [PICTURES[0]] * 3)
    for row, content in enumerate((None, b"something else")):
        path = Path(evidence.manifest["path"].iloc[row])
        path.unlink()
        if content:
            path.write_bytes(content)
    assert not np.isnan(evidence.measure([Measure(edge_blur)])["edge_blur"]).any()
    assert evidence.unmeasured() == []


def test_what_one_of_the_measures_lacks_is_unmeasured(tmp_path: Path) -> None:
    evidence = evidence_of(tmp_path, PICTURES)
    measure(evidence.workspace, evidence.manifest, [Measure(tones)])
    Path(evidence.manifest["path"].iloc[1]).unlink()
    evidence.measure([Measure(tones), Measure(edge_blur)])
    assert evidence.unmeasured() == [evidence.manifest["image_id"].iloc[1]]


def test_a_scan_says_what_is_missing_and_what_it_found_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for seed in range(4):
        (photos / f"{seed}.png").write_bytes(encode_png(picture(seed)))
    (photos / "again.png").write_bytes(encode_png(np.ascontiguousarray(picture(2)[:, ::-1])))
    ws = Workspace(tmp_path / "ws")
    add(ws, photos)
    only = ["near_duplicate"]
    assert verbs.scan(ws, only=only, settings={}, engine=Local(1)).warnings == []
    found = ws.path(FINDINGS).read_bytes()
    monkeypatch.setattr(signal, "VERSION", signal.VERSION + 1)
    (said,) = verbs.scan(ws, only=only, settings={}, engine=Local(1)).warnings
    assert said == "what other versions of these had found was found anew: thumbnail"
    assert ws.path(FINDINGS).read_bytes() == found
    assert verbs.scan(ws, only=only, settings={}, engine=Local(1)).warnings == []
    photo = (photos / "2.png").rename(tmp_path / "2.png")
    monkeypatch.setattr(signal, "VERSION", signal.VERSION + 1)
    without = verbs.scan(ws, only=only, settings={}, engine=Local(1))
    assert without.warnings[0] == said
    assert without.warnings[1].startswith("1 image was not looked at (")
    assert without.flagged == {"near_duplicate": 0}
    photo.rename(photos / "2.png")
    verbs.scan(ws, only=only, settings={}, engine=Local(1))
    assert ws.path(FINDINGS).read_bytes() == found
