"""Pairs of one photo are looked for once, and then for what is new."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from curate.engine import Local
from curate.evidence import Evidence
from curate.likeness import duplicates, links, search, views
from curate.signals import duplicate_pairs as signal
from tests.conftest import picture
from tests.pictures import Picture, evidence_of, photos

PICTURES = [Picture(picture(seed)) for seed in range(6)] + [Picture(picture(0)), Picture(picture(1)[:, ::-1])]


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    found = evidence_of(tmp_path, PICTURES)
    assert len(found.get("duplicate_pairs")) == 2
    return found


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images were looked for, each time."""
    counts: list[int] = []
    real = search.candidates

    def counted(images: search.Images, asked: np.ndarray, *others: object) -> search.Pairs:
        counts.append(int(asked.sum()))
        return real(images, asked, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(search, "candidates", counted)
    return counts


def file(evidence: Evidence) -> Path:
    return evidence.workspace.root / "signals" / "duplicate_pairs" / f"v{signal.VERSION}" / links.FILE


def again(evidence: Evidence, manifest: pd.DataFrame) -> pd.DataFrame:
    found: pd.DataFrame = Evidence(evidence.workspace, manifest, Local(1)).get("duplicate_pairs")
    return found


def from_scratch(evidence: Evidence, manifest: pd.DataFrame) -> pd.DataFrame:
    return duplicates.find_pairs(manifest, Evidence(evidence.workspace, manifest, Local(1)).get("thumbnail"))


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest,
        lambda manifest: manifest.assign(label="other"),
        lambda manifest: manifest.assign(split=["test", *["train"] * (len(manifest) - 1)]),
        lambda manifest: manifest.assign(width=manifest["width"] + np.arange(len(manifest))),
        lambda manifest: manifest.iloc[::-1].reset_index(drop=True),
        lambda manifest: manifest.iloc[1:].reset_index(drop=True),
        lambda manifest: manifest.iloc[:0],
    ],
    ids=["nothing", "labels", "split", "size", "order", "fewer", "none"],
)
def test_images_that_were_there_are_not_looked_for_again(
    evidence: Evidence, asked: list[int], change: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    changed = change(evidence.manifest)
    found = again(evidence, changed)
    assert asked == []
    pd.testing.assert_frame_equal(found, from_scratch(evidence, changed))


def test_new_images_are_looked_for_among_all(evidence: Evidence, asked: list[int]) -> None:
    file(evidence).unlink()
    again(evidence, evidence.manifest.iloc[:5])
    pd.testing.assert_frame_equal(again(evidence, evidence.manifest), evidence.get("duplicate_pairs"))
    assert asked == [5, 2]  # of the three new images one is a copy of a file
    assert len(again(evidence, evidence.manifest)) == 2
    assert asked == [5, 2]


def test_new_images_that_show_nothing(tmp_path: Path) -> None:
    large = [Picture(photo) for photo in photos()[:3]]
    assert min(photos()[0].shape[:2]) >= duplicates.LARGE
    evidence = evidence_of(tmp_path, [*large, Picture(np.full((80, 80, 3), 7, np.uint8))])
    file(evidence).unlink(missing_ok=True)
    again(evidence, evidence.manifest.iloc[:3])
    assert not len(again(evidence, evidence.manifest))


def test_what_is_gone_and_comes_back_is_looked_for_anew(evidence: Evidence, asked: list[int]) -> None:
    again(evidence, evidence.manifest.iloc[:-1])
    pd.testing.assert_frame_equal(again(evidence, evidence.manifest), evidence.get("duplicate_pairs"))
    assert asked == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[:100],
        lambda whole: whole[:200] + bytes(200) + whole[400:],
        lambda whole: whole[:-100] + bytes(92) + whole[-8:],
        lambda whole: b"\x80\x04N." + whole,
    ],
    ids=["empty", "cut short", "values", "footer", "pickle"],
)
def test_a_damaged_file_is_made_again(evidence: Evidence, asked: list[int], damage: Callable[[bytes], bytes]) -> None:
    whole = file(evidence).read_bytes()
    file(evidence).write_bytes(damage(whole))
    pd.testing.assert_frame_equal(again(evidence, evidence.manifest), evidence.get("duplicate_pairs"))
    assert asked == [7]
    assert file(evidence).read_bytes() == whole


def test_thumbnails_of_another_version_are_compared_anew(
    evidence: Evidence, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "THUMBNAIL", links.THUMBNAIL + 1)
    again(evidence, evidence.manifest)
    assert asked == [7]


def bordered(*, seed: int = 0, height: int = 16) -> np.ndarray:
    """Noise, 13 pixels wide, within a black border that is wider on the right: shape (1024,), uint8."""
    image = np.zeros((32, 32), np.uint8)
    image[8 : 8 + height, 8:21] = np.random.default_rng(seed).integers(0, 256, (height, 13), np.uint8)
    return image.ravel()


def inside_odds(first: np.ndarray, second: np.ndarray, *, view: int = views.PLAIN) -> float:
    return float(links.inside_odds(np.stack([first, second]), np.array([0]), np.array([1]), np.array([view]))[0])


def test_what_lies_inside_borders_has_to_be_alike() -> None:
    mirrored = bordered().reshape(32, 32)[:, ::-1].ravel()
    assert inside_odds(bordered(), bordered()) > links.SURE
    assert inside_odds(bordered(), mirrored, view=views.MIRRORED) > links.SURE
    assert inside_odds(bordered(), mirrored) < links.LEAST
    assert inside_odds(bordered(), bordered(seed=1)) < links.LEAST
    assert not views.has_border(bordered(height=6)[None])  # it leaves too little to be looked for
    assert inside_odds(bordered(height=6), bordered(height=6)) > links.SURE
    assert inside_odds(bordered(height=6), bordered(height=6, seed=1)) < links.LEAST
    assert inside_odds(bordered(height=6), bordered(seed=1)) < links.LEAST
    without = np.random.default_rng(0).integers(0, 256, 1024, np.uint8)
    assert inside_odds(bordered(), without) == np.inf
    assert not len(links.inside_odds(without[None], *[np.zeros(0, np.int64)] * 3))
