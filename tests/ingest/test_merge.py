"""Adding again: what is skipped, replaced, followed where it was moved, and what a file that is gone counts as."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from curate import manifest, tables
from curate.errors import UserError
from curate.images import encode_jpeg
from curate.ingest.add import add
from curate.workspace import MANIFEST, Workspace
from tests.command import invoke
from tests.conftest import picture, png
from tests.ingest.conftest import ids, rows
from tests.sources.reading import make_tar, make_zip

Tree = Callable[..., Path]


def test_adding_again_skips(ws: Workspace, tree: Tree) -> None:
    root = tree("train/cat/1.png", "test/cat/2.png")
    shutil.copy(root / "train/cat/1.png", root / "train/cat/copy.png")  # a copy within the source stays
    shutil.copy(root / "train/cat/1.png", root / "test/cat/leak.png")  # and so does one across splits
    assert add(ws, root).added == 4
    before = (ws.root / MANIFEST).read_bytes()
    again = add(ws, root)
    assert (again.added, again.skipped, again.changed) == (0, 4, 0)
    assert (ws.root / MANIFEST).read_bytes() == before


def test_only_the_new_is_added(ws: Workspace, tree: Tree) -> None:
    root = tree("cat/1.png")
    add(ws, root)
    (root / "cat/2.png").write_bytes(png(99))
    added = add(ws, root)
    assert (added.added, added.skipped) == (1, 1)
    assert ids(ws) == ["photos/cat/1.png", "photos/cat/2.png"]


def test_copies_in_another_source(ws: Workspace, tree: Tree) -> None:
    """Skipped in the same split with the same label; kept, as a finding, with another."""
    add(ws, tree("train/cat/1.png"))
    assert add(ws, tree("train/cat/x.png", root="same")).copies == 1
    assert add(ws, tree("train/dog/x.png", root="label")).added == 1
    assert add(ws, tree("test/cat/x.png", root="split")).added == 1
    assert add(ws, tree("cat/x.png", root="open")).copies == 1


def test_a_changed_file_replaces_its_row(ws: Workspace, tree: Tree) -> None:
    root = tree("cat/1.png", "cat/2.png")
    add(ws, root)
    (root / "cat/1.png").write_bytes(encode_jpeg(picture(7, 20, 30)))
    added = add(ws, root)
    assert (added.added, added.changed, added.skipped) == (0, 1, 1)
    table = rows(ws)
    assert table["image_id"].tolist() == ["photos/cat/1.png", "photos/cat/2.png"]
    assert table["width"].tolist() == [30, 9]


def test_a_split_is_not_lost_when_nothing_says_one(ws: Workspace, tree: Tree) -> None:
    root = tree("cat/1.png")
    add(ws, root, split="test")
    assert add(ws, root).skipped == 1
    assert add(ws, root, split="val").changed == 1
    assert rows(ws)["split"].tolist() == ["val"]


@pytest.mark.parametrize(
    ("names", "split", "after"),
    [
        (("1.png", "cat/1.png"), None, "train"),
        (("cat/1.png", "unlabelled/1.png"), None, "pool"),
        (("cat/1.png", "1.png"), None, "train"),  # nothing says that it is no cat any more
        (("cat/1.png", "dog/1.png"), "pool", "pool"),  # somebody said so
        (("1.png", "cat/1.png"), "test", "test"),
    ],
)
def test_a_split_that_nobody_said_follows_the_label(
    ws: Workspace, tree: Tree, names: tuple[str, str], split: str | None, after: str
) -> None:
    root = tree(names[0], *(f"{name}/0.png" for name in ("cat", "dog")))
    add(ws, root, split=split)
    (root / names[1]).parent.mkdir(exist_ok=True)
    (root / names[0]).rename(root / names[1])
    assert add(ws, root).changed == 1
    assert rows(ws).set_index("path").loc[str(root / names[1]), "split"] == after


def test_an_archive_with_another_file_of_the_same_name_overwrites_nothing(ws: Workspace, tmp_path: Path) -> None:
    path = make_tar(tmp_path / "set.tar", {"cat/1.png": png(1)})
    add(ws, path)
    make_tar(path, {"cat/1.png": png(2)})
    assert add(ws, path).changed == 1
    assert (ws.root / "images/set/cat/1.png").read_bytes() == png(1)
    assert [Path(located).read_bytes() for located in manifest.locate(rows(ws), ws.root)] == [png(2)]
    assert add(ws, path).skipped == 1


def test_sources_of_the_same_name(ws: Workspace, tree: Tree, tmp_path: Path) -> None:
    first, second = tree("cat/1.png", root="a/photos"), tree("cat/0.png", "cat/1.png", root="b/photos")
    assert add(ws, first).source == "photos"
    assert add(ws, second).source == "photos-2"
    assert add(ws, first).source == "photos"
    with pytest.raises(UserError, match="--name"):
        add(ws, second, name="photos")
    second.rename(tmp_path / "photos-2")
    moved = add(ws, tmp_path / "photos-2")
    assert (moved.source, moved.added) == ("photos-2", 0)


def test_archives_of_one_name(ws: Workspace, tmp_path: Path) -> None:
    """They may lie side by side; neither replaces the images of the other."""
    add(ws, make_tar(tmp_path / "a.tar", {"cat/1.png": png(1)}), name="pets")
    assert add(ws, make_tar(tmp_path / "b.tar", {"cat/2.png": png(2)}), name="pets").warnings == []
    with pytest.raises(UserError, match=r"'pets/cat/1.png' is images/pets/cat/1.png already; .* another --name"):
        add(ws, make_tar(tmp_path / "c.tar", {"cat/1.png": png(3)}), name="pets")
    (tmp_path / "a.tar").unlink()
    (tmp_path / "b.tar").unlink()
    assert add(ws, tmp_path / "c.tar", name="pets").changed == 1  # it took their place


def test_lost_files_come_back_with_their_archive(ws: Workspace, tmp_path: Path) -> None:
    path = make_zip(tmp_path / "set.zip", {"cat/1.png": png(1), "cat/2.png": png(2)})
    add(ws, path)
    (ws.root / "images/set/cat/1.png").unlink()
    assert (add(ws, path).restored, add(ws, path).restored) == (1, 0)
    shutil.rmtree(ws.root / "images")
    assert add(ws, path).restored == 2
    assert [Path(located).read_bytes() for located in manifest.locate(rows(ws), ws.root)] == [png(1), png(2)]


def test_a_corrected_archive(ws: Workspace, tmp_path: Path) -> None:
    """What has another name in it keeps its row; what is not in it any more is told."""
    path = make_zip(tmp_path / "set.zip", {f"cat/{seed}.png": png(seed) for seed in range(3)})
    add(ws, path)
    make_zip(path, {"cat/0.png": png(0), "dog/1.png": png(1)})
    added = add(ws, path)
    assert (added.added, added.changed, added.skipped) == (0, 1, 1)
    (told,) = added.warnings
    assert told.startswith("1 image is not in the source any more: set/cat/2.png; until ")
    assert rows(ws)["label"].tolist() == ["cat", "dog", "cat"]
    assert ids(ws) == [f"set/cat/{seed}.png" for seed in range(3)]
    assert [Path(located).read_bytes() for located in manifest.locate(rows(ws), ws.root)] == [png(0), png(1), png(2)]
    assert add(ws, path).skipped == 2


def test_another_folder_of_the_name_of_one_that_is_away(ws: Workspace, tree: Tree, tmp_path: Path) -> None:
    """On a disk that is not there today, say."""
    add(ws, tree("cat/1.png", "dog/2.png", root="disk/images"))
    (tmp_path / "disk").rename(tmp_path / "hidden")
    other = tree("pig/a.png", "pig/b.png", "cat/1.png", "dog/2.png", root="home/images")
    shutil.rmtree(other / "pig")  # the first two pictures: the others are no copies
    assert (add(ws, other).source, len(rows(ws))) == ("images-2", 4)


def test_a_moved_folder_keeps_its_name(ws: Workspace, tree: Tree, tmp_path: Path) -> None:
    root = tree("cat/1.png", root="a/photos")
    add(ws, root)
    (tmp_path / "b").mkdir()
    root.rename(tmp_path / "b/photos")
    assert add(ws, tmp_path / "b/photos").changed == 1
    assert rows(ws)["path"].tolist() == [str(tmp_path / "b/photos/cat/1.png")]


def test_a_moved_folder_of_another_name_is_the_same_images(ws: Workspace, tree: Tree, tmp_path: Path) -> None:
    """Their names stay, and so what was decided about them."""
    root = tree("cat/1.png", "dog/2.png", root="photos")
    add(ws, root)
    root.rename(tmp_path / "elsewhere")
    added = add(ws, tmp_path / "elsewhere")
    assert (added.added, added.changed, added.warnings) == (0, 2, [])
    assert ids(ws) == ["photos/cat/1.png", "photos/dog/2.png"]
    assert rows(ws)["path"].tolist() == [str(tmp_path / "elsewhere/cat/1.png"), str(tmp_path / "elsewhere/dog/2.png")]
    assert add(ws, tmp_path / "elsewhere").skipped == 2
    (tmp_path / "elsewhere/dog/2.png").unlink()
    assert add(ws, tmp_path / "elsewhere").gone == 1
    assert add(ws, tree("cat/3.png", root="photos")).source == "photos-2"


def test_a_label_that_was_mended_by_moving_the_file(ws: Workspace, tree: Tree) -> None:
    root = tree("cat/1.png", "dog/2.png")
    add(ws, root)
    (root / "cat/1.png").rename(root / "dog/1.png")
    added = add(ws, root)
    assert (added.added, added.changed, added.skipped, added.warnings) == (0, 1, 1, [])
    table = rows(ws)
    assert table["image_id"].tolist() == ["photos/cat/1.png", "photos/dog/2.png"]
    assert table["label"].tolist() == ["dog", "dog"]
    assert table["path"].tolist() == [str(root / "dog/1.png"), str(root / "dog/2.png")]
    assert add(ws, root).skipped == 2
    (root / "cat/1.png").write_bytes(png(7))  # a new picture under the old name
    assert add(ws, root).added == 1
    assert ids(ws) == ["photos/cat/1.png", "photos/dog/2.png", "photos/cat/1~2.png"]
    assert add(ws, root).skipped == 3


def test_of_copies_that_were_moved_each_keeps_its_label(ws: Workspace, tree: Tree, tmp_path: Path) -> None:
    root = tree("train/cat/1.png", root="photos")
    for folder in ("train/dog", "test/cat"):
        (root / folder).mkdir(parents=True)
        shutil.copy(root / "train/cat/1.png", root / folder / "copy.png")
    add(ws, root)
    before = rows(ws)
    root.rename(tmp_path / "elsewhere")
    assert add(ws, tmp_path / "elsewhere").changed == 3
    assert rows(ws).drop(columns="path").equals(before.drop(columns="path"))
    assert not rows(ws)["path"].duplicated().any()


def test_a_name_whose_file_has_moved_to_another_source_is_free(ws: Workspace, tree: Tree, tmp_path: Path) -> None:
    inbox, by_class = tree("cat/1.png", "cat/2.png", root="inbox"), tree("cat/9.png", root="sorted")
    (by_class / "cat/9.png").write_bytes(png(9))
    for source in (inbox, by_class):
        add(ws, source)
    (inbox / "cat/1.png").rename(by_class / "cat/1.png")
    add(ws, by_class)
    assert add(ws, inbox).warnings == []  # what has moved is no image that the source lacks
    (inbox / "cat/1.png").write_bytes(png(10))
    (inbox / "cat/3.png").write_bytes(png(11))
    assert add(ws, inbox).added == 2
    names = tables.read_manifest(ws).set_index("image_id")["path"]
    assert names["inbox/cat/1.png"] == str(by_class / "cat/1.png")
    assert names["inbox/cat/1~2.png"] == str(inbox / "cat/1.png")
    assert (add(ws, inbox).skipped, add(ws, by_class).added) == (3, 0)


def test_what_a_table_does_not_name_any_more_is_told(ws: Workspace, tree: Tree) -> None:
    folder = tree("cat/1.png", "cat/2.png")
    table = folder.parent / "t.csv"
    table.write_text("path,label\nphotos/cat/1.png,dog\nphotos/cat/2.png,dog\n")
    add(ws, folder)
    add(ws, table)
    table.write_text("path,label\nphotos/cat/1.png,dog\n")
    (told,) = add(ws, table).warnings
    assert told.startswith("1 image is not in the source any more: t/photos/cat/2.png")


def test_a_copy_of_what_is_there_is_no_move(ws: Workspace, tree: Tree) -> None:
    root = tree("cat/1.png", "cat/2.png")
    add(ws, root)
    shutil.copy(root / "cat/1.png", root / "cat/3.png")
    (root / "cat/2.png").unlink()
    added = add(ws, root)
    assert (added.added, added.changed, added.skipped, added.copies) == (0, 0, 1, 1)
    assert [("2.png" in line, "no file any more" in line) for line in added.warnings] == [(True, True)]


def test_a_file_that_is_gone_counts_as_undecodable_until_it_is_back(ws: Workspace, tree: Tree, tmp_path: Path) -> None:
    root = tree("cat/1.png", "dog/2.png", "dog/3.png")
    add(ws, root)
    (root / "dog/2.png").rename(tmp_path / "2.png")
    said = invoke("add", ws.root, root)
    assert said.stdout.splitlines()[1].startswith("Wrote ")
    assert said.stderr == (
        f"curate: 1 image has no file any more: {root / 'dog/2.png'}; until added again, from where it is, each counts "
        "as one that cannot be decoded\n"
    )
    assert rows(ws)["error"].tolist() == ["", "the file is gone", ""]
    assert add(ws, root).warnings == []  # it is known
    (tmp_path / "2.png").rename(root / "dog/2.png")
    assert add(ws, root).changed == 1
    assert rows(ws)["error"].tolist() == ["", "", ""]


def test_other_sources_may_be_away(ws: Workspace, tree: Tree, tmp_path: Path) -> None:
    """On a disk that is not there today, say."""
    away = tree("cat/1.png", root="away")
    add(ws, away)
    away.rename(tmp_path / "hidden")
    assert add(ws, tree("cat/1.png", "cat/2.png", "cat/3.png", root="here")).warnings == []
    assert rows(ws)["error"].tolist() == [""] * 3


@pytest.mark.parametrize(
    ("folder", "split", "label"),
    [("flat", "train", "cat"), ("flat/test", "test", "cat"), ("flat/unlabelled", "pool", "")],
)
def test_a_file_moved_to_where_nothing_says_a_label_keeps_its_own(
    ws: Workspace, tree: Tree, tmp_path: Path, folder: str, split: str, label: str
) -> None:
    root = tree("train/cat/1.png")
    add(ws, root)
    (tmp_path / folder).mkdir(parents=True)
    (root / "train/cat/1.png").rename(tmp_path / folder / "1.png")
    assert add(ws, tmp_path / "flat").changed == 1
    assert rows(ws)[["split", "label"]].to_numpy().tolist() == [[split, label]]


def test_a_class_folder_alone_adds_nothing_new(ws: Workspace, tree: Tree) -> None:
    root = tree("cat/1.png", "dog/2.png")
    add(ws, root)
    assert add(ws, root / "cat").skipped == 1
    assert rows(ws)["label"].tolist() == ["cat", "dog"]


@pytest.mark.parametrize(
    ("table", "split", "kept"),
    [("", None, "cat"), ("", "train", "cat"), ("path,label\n1.png,\n2.png,dog\n", None, "")],
    ids=["flat", "flat, for training", "a table says that it has none"],
)
def test_a_label_is_taken_away_only_where_it_is_said_and_then_told(
    ws: Workspace, tree: Tree, tmp_path: Path, table: str, split: str | None, kept: str
) -> None:
    root = tree("cat/1.png", "dog/2.png")
    add(ws, root)
    flat = tmp_path / "flat"
    flat.mkdir()
    for name in ("cat/1.png", "dog/2.png"):
        (root / name).rename(flat / Path(name).name)
    if table:
        (flat / "labels.csv").write_text(table)
    told = add(ws, flat, split=split).warnings
    table_now = rows(ws)
    assert table_now["image_id"].tolist() == ["photos/cat/1.png", "photos/dog/2.png"]
    assert table_now["label"].tolist() == [kept, "dog"]
    assert table_now["split"].tolist() == ["train" if kept else "pool", "train"]
    assert [line.split(":")[0] for line in told] == ([] if kept else ["1 image has no label any more"])


def test_a_class_folder_alone_for_another_split_moves_its_images(ws: Workspace, tree: Tree) -> None:
    root = tree("cat/1.png", "dog/2.png")
    add(ws, root)
    assert add(ws, root / "cat", split="test").changed == 1
    assert rows(ws)[["split", "label"]].to_numpy().tolist() == [["test", "cat"], ["train", "dog"]]


def test_what_keeps_its_label_is_not_put_into_the_pool(ws: Workspace, tree: Tree) -> None:
    root = tree("cat/1.png", "dog/2.png")
    add(ws, root)
    assert add(ws, root / "cat", split="pool").changed == 0
    assert rows(ws)["split"].tolist() == ["train", "train"]
