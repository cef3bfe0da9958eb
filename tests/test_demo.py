"""`curate demo` goes through the whole loop on all its images, here with trainings of one epoch at 8 px."""

from pathlib import Path

import pytest

from curate import demo, plant, recipe
from curate.errors import UserError
from curate.results.proof import CURATED, RAW
from curate.workspace import CURATED as CURATED_TABLE
from curate.workspace import MANIFEST, Workspace, read_table


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little is learned, so that half a minute will do."""
    digits = recipe.load("digits")
    short = digits.model_copy(update={"train": digits.train | {"epochs": 1, "image_size": 8}})
    monkeypatch.setattr(demo, "load", {"digits": short}.__getitem__)


def test_the_whole_loop(quick: None, tmp_path: Path) -> None:
    said: list[str] = []
    done = demo.run(tmp_path / "demo", seeds=2, say=said.append)
    assert [line.split()[0] for line in said] == ["add", "predict", "scan", "decide", "apply", "prove", "prove"]
    found = done.found.set_index("finder")
    for finder in ("corrupt", "exact_duplicate", "dark", "light"):  # those that need no networks
        assert found.loc[finder, "recall"] == 1
    assert set(found.index) >= {defect.finder for defect in plant.DEFECTS.values()}
    assert {arm.name for arm in done.proof.arms} == {RAW, CURATED}
    workspace = Workspace.open(tmp_path / "demo")
    assert len(read_table(workspace.path(CURATED_TABLE))) < len(read_table(workspace.path(MANIFEST)))
    assert done.report.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [entry.command for entry in workspace.ledger()][-1] == "report"

    (tmp_path / "demo" / "decisions.csv").write_text("of somebody\n")
    with pytest.raises(UserError, match="holds a demo already, or a part of one; --fresh makes it anew"):
        demo.run(tmp_path / "demo", seeds=2, say=said.append)
    assert (tmp_path / "demo" / "decisions.csv").read_text() == "of somebody\n"


@pytest.mark.parametrize("fresh", [False, True])
def test_nothing_of_anybody_elses_is_taken_away(tmp_path: Path, fresh: bool) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"mine")
    with pytest.raises(UserError, match="is not empty; name a new folder"):
        demo.run(tmp_path, seeds=2, say=print, fresh=fresh)
    with pytest.raises(UserError, match="is a file; name a new folder"):
        demo.run(tmp_path / "photo.jpg", seeds=2, say=print, fresh=fresh)
    assert (tmp_path / "photo.jpg").read_bytes() == b"mine"


def test_a_demo_that_was_cut_short_gives_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_short(folder: Path, samples: object) -> None:
        (folder / "train").mkdir(parents=True)
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "write_images", cut_short)
    with pytest.raises(KeyboardInterrupt):
        demo.run(tmp_path / "demo", seeds=2, say=print)
    with pytest.raises(UserError, match="holds a demo already, or a part of one; --fresh makes it anew"):
        demo.run(tmp_path / "demo", seeds=2, say=print)
    assert not any(demo._empty_workspace(tmp_path / "demo", fresh=True).root.iterdir())


def test_a_demo_of_before_gives_way_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / demo.PLANTED).write_text("name\n")
    (tmp_path / "old.txt").touch()
    (tmp_path / "images").mkdir()
    assert demo._empty_workspace(tmp_path, fresh=True).root == tmp_path
    assert not any(tmp_path.iterdir())  # the folder stays: a shell may be in it, or a link lead to it
