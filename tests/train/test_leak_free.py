"""Which test images count for the accuracy without leaks, by the pairs that `split_leak` goes by."""

from pathlib import Path

import pandas as pd
import pytest

from curate import tables, verbs
from curate.engine import Local
from curate.workspace import FINDINGS, MANIFEST, Workspace, read_table
from tests.pictures import Picture, digits, evidence_of
from tests.test_finders import compressed
from train.rows import eval_rows_of, leak_free, leaks_unknown


def scanned(root: Path, *words: str) -> Workspace:
    """ "7 train": the digit of that number, "7+ train" and "7- train" the same less sharp; 60 others train, too."""
    sharp = {
        "": lambda image: image,
        "+": lambda image: compressed(image, 60),
        "-": lambda image: compressed(image, 75),
    }
    pictures = [Picture(image, "a") for image in digits()[1000:1060]]
    for number, split in map(str.split, words):
        image = sharp[number.lstrip("0123456789")](digits()[int(number.rstrip("+-"))])
        pictures.append(Picture(image, "a" * (split != "pool"), split))
    evidence = evidence_of(root, pictures)
    with evidence.workspace.writing("add", {}) as transaction:
        transaction.write_table(MANIFEST, evidence.manifest)
    verbs.scan(evidence.workspace, only=["split_leak"], settings={}, engine=Local(1))
    return evidence.workspace


def clean(workspace: Workspace, learned: list[int] | None = None) -> list[int] | None:
    """The places of those without a twin, among the words; None where it is not known."""
    images = tables.read_manifest(workspace)
    return without_twin(workspace, images.iloc[[60 + place for place in learned or []]])


def without_twin(workspace: Workspace, learned: pd.DataFrame) -> list[int] | None:
    images = tables.read_manifest(workspace)
    free = leak_free(workspace, images, eval_rows_of(workspace, images), learned)
    return None if free is None else [int(Path(image_id).stem) - 60 for image_id in free]


@pytest.mark.parametrize(
    ("words", "learned", "free"),
    [
        (["7 train", "7+ test", "8 test"], [], [2]),
        (["7 train", "7+ test", "7- test", "8 test"], [], [3]),  # every one of a burst
        (["7 train", "7 test", "7 test", "8 test"], [], [3]),
        (["7 val", "7+ test", "8 test"], [], [1, 2]),  # nothing learns from what is validated on
        (["7 pool", "7+ test", "8 test"], [], [1, 2]),
        (["7 pool", "7+ test", "8 test"], [0], [2]),  # it was labelled, and is learned from
    ],
)
def test_no_image_that_training_shows(words: list[str], learned: list[int], free: list[int], tmp_path: Path) -> None:
    assert clean(scanned(tmp_path, *words), learned) == free


@pytest.mark.parametrize(("word", "free"), [("7 train", [2]), ("7- train", [2]), ("9 train", [1, 2])])
def test_images_of_then_that_have_left_leak_too(word: str, free: list[int], tmp_path: Path) -> None:
    workspace = scanned(tmp_path, word, "7 test", "8 test")
    images = tables.read_manifest(workspace)
    with workspace.writing("add", {}) as transaction:
        transaction.write_table(MANIFEST, images.drop(index=60).reset_index(drop=True))
    verbs.scan(workspace, only=["split_leak"], settings={}, engine=Local(1))
    assert clean(workspace) == [1, 2]
    assert without_twin(workspace, images[images["split"] == "train"]) == free


def test_nothing_is_said_of_images_that_the_scan_has_not_seen(tmp_path: Path) -> None:
    workspace = scanned(tmp_path, "7 train", "7+ test", "8 test")
    assert leaks_unknown(workspace) == []
    with workspace.writing("add", {}) as transaction:
        transaction.write_table(MANIFEST, tables.read_manifest(workspace).iloc[1:].reset_index(drop=True))
    assert clean(workspace) is None
    (why,) = leaks_unknown(workspace)
    assert why.startswith("no accuracy without leaked test images: images were added or changed since split_leak ran; ")


def test_findings_that_were_changed_by_hand_tell_nothing_of_leaks(tmp_path: Path) -> None:
    workspace = scanned(tmp_path, "7 train", "7+ test", "8 test")
    found: pd.DataFrame = read_table(workspace.path(FINDINGS))
    found.assign(score=0.5).to_parquet(workspace.path(FINDINGS))
    assert clean(workspace) is None
