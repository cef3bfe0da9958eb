"""What cannot be proved gets one line, or an answer that leaves out what cannot be known."""

import shutil
from pathlib import Path

import pytest

from curate import report, verbs
from curate.engine import Local
from curate.ingest.add import add
from curate.results import proof
from curate.workspace import DECISIONS, Workspace
from tests.tables import decided
from tests.train.prove.workspaces import (
    SETTINGS,
    decide,
    said,
    trained_on,
)
from train.prove import prove


def test_nothing_was_decided(fresh: Workspace) -> None:
    decide(fresh)
    assert "is the raw one: no decision changes it, so there is nothing to prove; 'curate findings" in said(fresh)
    decide(fresh, (trained_on(fresh)[0], "keep", "", "ada"))
    assert "nothing to prove" in said(fresh)


def test_no_curated_set(fresh: Workspace) -> None:
    fresh.path("curated.parquet").unlink()
    assert "curated.parquet is missing; 'curate apply" in said(fresh)


def test_a_stale_curated_set(fresh: Workspace) -> None:
    with fresh.writing("decide", {}) as transaction:
        transaction.write_table(DECISIONS, decided((trained_on(fresh)[0], "drop", "", "ada")))
    assert "is not of the images and decisions as they are now; 'curate apply" in said(fresh)


def test_decisions_for_another_manifest(fresh: Workspace) -> None:
    fresh.path(DECISIONS).write_text("image_id,action\nelsewhere/1.png,drop\n")
    line = said(fresh)
    assert "is not of the images and decisions as they are now" in line


def test_no_test_split(tmp_path: Path, folder: Path) -> None:
    workspace = Workspace(tmp_path / "ws")
    add(workspace, folder / "train")
    decide(workspace, (trained_on(workspace)[0], "drop", "", "ada"))
    line = said(workspace)
    assert "has no labelled test images to evaluate on" in line
    assert "--split train=0.8,test=0.2" in line


def test_a_class_that_curating_took_away(fresh: Workspace) -> None:
    sevens = [image_id for image_id in trained_on(fresh) if "/7/" in image_id]
    decide(fresh, *[(image_id, "drop", "", "ada") for image_id in sevens])
    assert "images to evaluate on and none to train on in curated; " in said(fresh)


def test_every_test_image_leaks(fresh: Workspace, folder: Path, tmp_path: Path) -> None:
    """Then there is no accuracy without leaks."""
    source = tmp_path / "digits"
    shutil.copytree(folder / "train", source / "train")
    shutil.copytree(folder / "train", source / "test")
    workspace = Workspace(tmp_path / "ws")
    add(workspace, source)
    verbs.scan(workspace, only=["split_leak"], settings={}, engine=Local())
    decide(workspace, *[(image_id, "drop", "", "ada") for image_id in trained_on(workspace)[:4]])
    found = prove(workspace, settings=SETTINGS, seeds=2)
    assert found.leak_free_images == 0
    assert found.main.leak_free is None
    assert found.split is not None
    assert found.split.better_model == 0
    assert found.split.leaks_gone == pytest.approx(found.main.accuracy.mean)
    assert proof.read(workspace) == found
    report.write(workspace)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "truth.csv is no file; --truth takes a CSV with the columns image_id and label"),
        ("", "truth.csv is empty"),
        ("image,label\nx,1\n", "column 'image_id' is missing; there are: image, label"),
        ("image_id,class\nx,1\n", "column 'label' is missing; there are: image_id, class"),
        ("image_id,label\nx,1\nx,1\n", "line 3: image_id 'x' stands twice"),
        ("image_id,label\nx,1\n\ny,cat\n", "line 4: no class is called 'cat'; there are: 0, 1, 2"),
        ("image_id,label\nx,\n", "line 2: no class is called ''"),
        ("image_id,label\nx,1\n", "none of its 1 images is a training image; is it for another set?"),
        ("image_id,label\n", "none of its 0 images is a training image"),
        ("image_id,label\n\0", "NUL"),
    ],
)
def test_a_truth_that_cannot_be_read(fresh: Workspace, tmp_path: Path, content: str | None, says: str) -> None:
    path = tmp_path / "truth.csv"
    if content is not None:
        path.write_text(content)
    assert says in said(fresh, truth=path)


@pytest.mark.parametrize("seeds", [0, 1, -1])
def test_too_few_seeds(fresh: Workspace, seeds: int) -> None:
    assert f"seeds = {seeds}; an interval takes at least 2" in said(fresh, seeds=seeds)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"settings": {**SETTINGS, "epoch": 3}}, "no training setting is called 'epoch'"),
        ({"settings": {**SETTINGS, "steps": 0}}, "steps = 0"),
        ({"at_once": 0}, "at_once = 0"),
        ({"at_most": 2}, "at_most = 2"),
        (
            {"settings": {**SETTINGS, "time_budget": "90s"}},
            "time_budget = 90; the sets have to be learned for as many steps",
        ),
    ],
)
def test_other_slips(fresh: Workspace, asked: dict[str, object], says: str) -> None:
    assert says in said(fresh, **asked)
