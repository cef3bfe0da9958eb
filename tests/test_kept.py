"""Pairs of one photo are searched for once, and again only where they could have changed."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from curate import duplicates, kept
from curate.engine import Local
from curate.evidence import Evidence
from curate.signals import duplicate_pairs as signal
from curate.workspace import Workspace
from tests.conftest import picture
from tests.pictures import Picture, evidence_of

PICTURES = [Picture(picture(seed)) for seed in range(3)] + [Picture(picture(0)), Picture(picture(1)[:, ::-1])]


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    found = evidence_of(tmp_path, PICTURES)
    assert len(found.get("duplicate_pairs")) == 2
    return found


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images each search was given."""
    lengths: list[int] = []
    real = duplicates.find_pairs

    def counted(manifest: pd.DataFrame, thumbnail: np.ndarray) -> pd.DataFrame:
        lengths.append(len(manifest))
        return real(manifest, thumbnail)

    monkeypatch.setattr(duplicates, "find_pairs", counted)
    return lengths


def tables(workspace: Workspace) -> list[Path]:
    return sorted((workspace.root / "signals" / "duplicate_pairs" / f"v{signal.VERSION}").iterdir())


def again(evidence: Evidence, manifest: pd.DataFrame) -> pd.DataFrame:
    found: pd.DataFrame = Evidence(evidence.workspace, manifest, engine=Local(1)).get("duplicate_pairs")
    return found


def test_the_same_set_is_searched_once(evidence: Evidence, searches: list[int]) -> None:
    pd.testing.assert_frame_equal(again(evidence, evidence.manifest), evidence.get("duplicate_pairs"))
    relabelled = evidence.manifest.assign(label="other")
    pd.testing.assert_frame_equal(again(evidence, relabelled), evidence.get("duplicate_pairs"))
    assert searches == []


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest.assign(split="test"),
        lambda manifest: manifest.assign(width=manifest["width"] + np.arange(len(manifest))),
        lambda manifest: manifest.iloc[::-1].reset_index(drop=True),
        lambda manifest: manifest.iloc[:-1],
    ],
    ids=["split", "size", "order", "fewer"],
)
def test_what_could_change_pairs_is_searched_again(
    evidence: Evidence, searches: list[int], change: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    changed = change(evidence.manifest)
    found = again(evidence, changed)
    assert searches == [len(changed)]
    fresh = signal.duplicate_pairs(changed, Evidence(evidence.workspace, changed, engine=Local(1)).get("thumbnail"))
    pd.testing.assert_frame_equal(found, fresh)


def test_other_pixels_are_searched_again(evidence: Evidence, searches: list[int]) -> None:
    inputs = {"manifest": evidence.manifest, "thumbnail": evidence.get("thumbnail") // 2}
    kept.table(evidence.workspace.root, signal.duplicate_pairs, inputs)
    assert searches == [len(PICTURES)]


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[:100],
        lambda whole: b"".join([whole[:4], bytes(200), whole[204:]]),
        lambda whole: b"".join([whole[:-100], bytes(92), whole[-8:]]),
    ],
    ids=["empty", "cut short", "values", "footer"],
)
def test_a_damaged_table_is_made_again(
    evidence: Evidence, searches: list[int], damage: Callable[[bytes], bytes]
) -> None:
    (path,) = tables(evidence.workspace)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    pd.testing.assert_frame_equal(again(evidence, evidence.manifest), evidence.get("duplicate_pairs"))
    assert searches == [len(PICTURES)]
    assert path.read_bytes() == whole


def test_those_used_last_are_kept(evidence: Evidence, searches: list[int]) -> None:
    (first,) = tables(evidence.workspace)
    os.utime(first, (0, 0))
    for count in (1, 2, 3):
        again(evidence, evidence.manifest.iloc[:count])
    again(evidence, evidence.manifest)  # used again: the one of one image is older now
    again(evidence, evidence.manifest.iloc[:4])
    assert len(tables(evidence.workspace)) == kept.MOST
    assert first in tables(evidence.workspace)
    assert searches == [1, 2, 3, 4]
