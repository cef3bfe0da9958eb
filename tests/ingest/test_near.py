"""New images that show a photo which is there already."""

import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from curate import tables, verbs
from curate.engine import Local
from curate.images import encode_jpeg, encode_png
from curate.ingest import near
from curate.ingest.add import NEAR, add
from curate.ingest.added import Added, NearDuplicate
from curate.workspace import Workspace
from tests.command import run
from tests.pictures import photos


def write(folder: Path, images: dict[str, np.ndarray]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in images.items():
        (folder / f"{name}.png").write_bytes(encode_png(image))
    return folder


def half(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "ws")
    add(workspace, write(tmp_path / "there", {f"{at}": photo for at, photo in enumerate(photos()[:8])}), label="a")
    return workspace


@pytest.fixture
def more(tmp_path: Path) -> Path:
    """A photo that is there, made smaller; one mirrored; one with the same pixels in another file; a new one."""
    real = photos()
    folder = write(tmp_path / "more", {"small": half(real[0]), "mirror": real[1][:, ::-1], "new": real[9]})
    (folder / "same.png").write_bytes(encode_png(real[2]) + b"\0")
    return folder


def added(workspace: Workspace, source: Path, *, leave_out: list[str]) -> tuple[Added, list[NearDuplicate]]:
    told: list[NearDuplicate] = []

    def chosen(found: list[NearDuplicate]) -> list[str]:
        told.extend(found)
        return leave_out

    return add(workspace, source, label="a", leave_out=chosen), told


def names(workspace: Workspace) -> set[str]:
    return {name for name in tables.read_manifest(workspace)["image_id"] if name.startswith("more/")}


def test_new_images_of_photos_that_are_there_are_told(ws: Workspace, more: Path) -> None:
    result, told = added(ws, more, leave_out=["more/small.png"])
    assert {(one.image_id, one.like) for one in told} == {
        ("more/small.png", "there/0.png"),
        ("more/mirror.png", "there/1.png"),
        ("more/same.png", "there/2.png"),
    }
    assert all(one.probability > 0.9 for one in told)
    assert {one.image_id: one.detail for one in told}["more/mirror.png"].endswith(", mirrored")
    assert names(ws) == {"more/mirror.png", "more/same.png", "more/new.png"}
    assert (result.added, result.left_out) == (3, {NEAR: 1})
    assert result.near == told


def test_generated_images_are_left_out_with_their_original(ws: Workspace, tmp_path: Path) -> None:
    folder = write(tmp_path / "made", {"orig": half(photos()[0]), "aug": photos()[10], "new": photos()[11]})
    rows = ["path,label,image_id,parent_id", "orig.png,a,o,", "aug.png,a,c,o", "new.png,a,n,"]
    (folder / "t.csv").write_text("\n".join(rows))
    added(ws, folder / "t.csv", leave_out=["t/orig.png"])
    assert set(tables.read_manifest(ws)["image_id"].str.split("/").str[0]) == {"there", "t"}
    assert "t/new.png" in set(tables.read_manifest(ws)["image_id"])
    assert not {"t/orig.png", "t/aug.png"} & set(tables.read_manifest(ws)["image_id"])


def test_what_is_left_out_can_be_added_later(ws: Workspace, more: Path) -> None:
    added(ws, more, leave_out=["more/small.png", "more/mirror.png", "more/same.png", "more/new.png"])
    assert names(ws) == set()
    result, told = added(ws, more, leave_out=[])
    assert (result.added, len(told)) == (4, 3)
    assert added(ws, more, leave_out=[])[1] == []  # all there already


def test_a_changed_file_is_not_compared_with_what_it_replaces(ws: Workspace, tmp_path: Path) -> None:
    write(tmp_path / "there", {"0": half(photos()[0])})
    result, told = added(ws, tmp_path / "there", leave_out=[])
    assert (result.changed, told) == (1, [])


def test_what_is_known_is_not_left_out(ws: Workspace, more: Path) -> None:
    """Files that were changed or moved are looked for no more than those that stay."""
    added(ws, more, leave_out=[])
    (more / "small.png").write_bytes(encode_png(half(photos()[0])[1:]))
    (more / "same.png").rename(more / "moved.png")
    result, told = added(ws, more, leave_out=["more/small.png", "more/same.png"])
    assert (result.changed, result.left_out, told) == (2, {}, [])


def test_nothing_is_there_and_what_cannot_be_decoded(ws: Workspace, tmp_path: Path, more: Path) -> None:
    (more / "broken.png").write_bytes(encode_jpeg(photos()[3])[:100])
    assert len(added(ws, more, leave_out=[])[1]) == 3
    assert added(Workspace(tmp_path / "other"), more, leave_out=[])[1] == []


def test_what_is_gone_is_not_there(ws: Workspace, tmp_path: Path, more: Path) -> None:
    (tmp_path / "there" / "0.png").unlink()
    add(ws, tmp_path / "there", label="a")
    assert {one.like for one in added(ws, more, leave_out=[])[1]} == {"there/1.png", "there/2.png"}


def test_copies_out_of_an_archive_leave_no_file(ws: Workspace, more: Path, tmp_path: Path) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "more"), "zip", more))
    added(ws, archive, leave_out=["more/same.png"])
    assert sorted(path.name for path in (ws.root / "images" / "more").iterdir()) == [
        "mirror.png",
        "new.png",
        "small.png",
    ]


@pytest.mark.parametrize(
    ("options", "left", "said"),
    [
        (["--near", "skip"], 1, "3 left out (near-duplicate of what is there: "),
        (["--near", "keep"], 4, "Near-duplicates of what was there, 3:"),
        ([], 4, ""),
    ],
)
def test_on_the_command_line(ws: Workspace, more: Path, options: list[str], left: int, said: str) -> None:
    told = run("add", ws.root, more, *options)
    assert len(names(ws)) == left
    assert said in told
    assert ("Near-duplicates" in told) == bool(options)


def test_told_without_being_asked_where_duplicates_were_looked_for(ws: Workspace, more: Path) -> None:
    assert not near.searched(ws)
    verbs.scan(ws, only=["near_duplicate"], settings={}, engine=Local(1))
    assert near.searched(ws)
    assert "Near-duplicates of what was there, 3:" in run("add", ws.root, more)
    assert len(names(ws)) == 4


@pytest.mark.parametrize("choice", ["maybe", "ask"])
def test_a_choice_that_there_is_not(ws: Workspace, more: Path, choice: str) -> None:
    command = [sys.executable, "-m", "curate", "add", str(ws.root), str(more), "--near", choice]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert f"--near {choice}" in result.stderr.replace("'", "")
    assert result.stderr.count("\n") == 1
    assert names(ws) == set()


@pytest.mark.parametrize(("answers", "left"), [("a\n", 4), ("l\n", 1), ("\n", 1), ("x\ne\ny\nn\nn\n", 2)])
def test_asked_in_a_terminal(ws: Workspace, more: Path, answers: str, left: int) -> None:
    mine, theirs = pty.openpty()
    command = [sys.executable, "-m", "curate", "add", str(ws.root), str(more), "--near", "ask"]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True)
    os.close(theirs)
    os.write(mine, answers.encode())
    said = b""
    while True:
        try:
            block = os.read(mine, 4096)
        except OSError:  # the other side is closed
            break
        if not block:
            break
        said += block
    os.close(mine)
    assert process.wait() == 0, said.decode()
    assert len(names(ws)) == left, said.decode()
