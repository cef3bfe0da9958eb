"""The pictures of the report: which are shown, beside which others, and that they stay small."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from curate import images, report, tables, verbs
from curate.report import gallery, thumbnails
from curate.workspace import MANIFEST
from tests.report.made import decide, find, make
from tests.report.seen import tiles, written


def test_tiles_are_capped(tmp_path):
    workspace = make(tmp_path / "ws", ["cat"] * 60)
    find(
        workspace, [{"image_id": f"set/{number}.png", "finder": "dark", "score": number / 200} for number in range(60)]
    )
    page = written(workspace)
    assert tiles(page) == gallery.TILES
    assert "60 images flagged" in page.text
    assert "the worst 24 shown" in page.text
    assert "set/23.png" in page.text
    assert "set/24.png" not in page.text


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        ([("a", 0, ""), ("b", 0, "")], [["a", "b"]]),  # both twins are flagged
        ([("a", 0, "b")], [["a", "b"]]),  # one of them is, and names the other
        ([("a", -1, "b")], [["a", "b"]]),  # twins without a group
        ([("a", -1, ""), ("b", -1, "")], [["a"], ["b"]]),
        ([("a", 0, "b"), ("c", 1, "d"), ("b", 0, "a")], [["a", "b"], ["c", "d"]]),
        ([(letter, 0, "") for letter in "abcdefgh"], [["a", "b", "c", "d", "e", "f"]]),
    ],
)
def test_twins_lie_side_by_side(rows, shown):
    table = pd.DataFrame(
        [{"image_id": name, "group": group, "related_id": twin, "flagged": True} for name, group, twin in rows]
    )
    clusters = list(gallery._clusters(table))
    assert [list(cluster.image_ids) for cluster in clusters] == shown
    assert sum(cluster.more for cluster in clusters) == (2 if len(rows) == 8 else 0)


def test_labels_that_people_called_right_are_not_the_worst(tmp_path):
    workspace = make(tmp_path / "ws", ["cat"] * 4)
    scores = {"set/0.png": 0.01, "set/1.png": 0.1, "set/2.png": 0.2}
    find(workspace, [{"image_id": name, "finder": "label_error", "score": score} for name, score in scores.items()])
    decide(workspace, [{"image_id": "set/0.png", "action": "keep", "by": "ada"}])
    manifest = tables.read_manifest(workspace)
    found = gallery.gallery(workspace, manifest, tables.read_decisions(workspace, manifest))
    assert found is not None
    shown = [tile for group in found.finders[0].groups for tile in group.tiles]
    listed = verbs.list_findings(workspace, finder="label_error", flagged_only=True).table
    assert [tile.image_id for tile in shown] == listed["image_id"].to_list() == ["set/1.png", "set/2.png", "set/0.png"]
    assert [tile.score for tile in shown] == pytest.approx(listed["score"].to_list())
    assert shown[-1].score == 1


def test_unflagged_findings_are_counted_but_not_shown(tmp_path):
    workspace = make(tmp_path / "ws", ["cat"] * 3)
    find(workspace, [{"image_id": "set/0.png", "finder": "dark", "score": 0.9, "flagged": False}])
    assert tiles(written(workspace)) == 0


def test_vanished_and_broken_files_have_a_placeholder(tmp_path):
    workspace = make(tmp_path / "ws", ["cat"] * 4)
    shutil.rmtree(workspace.root / "images")
    (workspace.root / "images").mkdir()
    (workspace.root / "images" / "1.png").write_bytes(b"no image")
    ids = ["set/0.png", "set/1.png", "set/long gone.png"]
    find(workspace, [{"image_id": image_id, "finder": "dark"} for image_id in ids])
    page = written(workspace)
    assert tiles(page) == 0
    for reason in ("No such file or directory", "not an image that OpenCV can decode", "not in the manifest any more"):
        assert reason in page.text


def test_pictures_stay_within_the_budget(tmp_path, monkeypatch):
    workspace = make(tmp_path / "ws", ["cat"] * 20, side=96)
    find(workspace, [{"image_id": f"set/{number}.png", "finder": "dark"} for number in range(20)])
    monkeypatch.setattr(thumbnails, "BUDGET", 50_000)
    page = written(workspace)
    assert 0 < tiles(page) < 20
    assert "left out to keep this page small" in page.text
    assert (workspace.root / report.REPORT).stat().st_size < 50_000 + 60_000


def test_large_photos_become_small(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(images.encode_png(np.random.default_rng(0).integers(0, 256, (600, 400, 3), dtype=np.uint8)))
    picture = thumbnails.pictures([path])[path]
    assert picture.uri.startswith("data:image/jpeg;base64,")
    assert len(picture.uri) < 20_000  # noise, which JPEG likes least


def test_many_images_are_not_read(tmp_path, monkeypatch):
    workspace = make(tmp_path / "ws", ["cat"])
    count = 60_000
    table = tables.read_manifest(workspace).iloc[[0] * count].reset_index(drop=True)
    table["image_id"] = [f"set/{number}.png" for number in range(count)]
    table["path"] = [f"images/{number}.png" for number in range(count)]
    with workspace.writing("add", {}) as transaction:
        transaction.write_table(MANIFEST, table)
    find(
        workspace,
        [
            {"image_id": image_id, "finder": "dark", "group": number // 3}
            for number, image_id in enumerate(table["image_id"])
        ],
    )
    read: list[Path] = []
    monkeypatch.setattr(thumbnails, "_picture", lambda path: read.append(path) or thumbnails.Picture("", "not read"))
    assert "60,000" in written(workspace).text
    assert len(read) == gallery.TILES
