"""Adding: what becomes a row, and what is refused."""

import io
import itertools
import os
import re
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from curate import manifest, sources, tables
from curate.errors import UserError
from curate.images import encode_jpeg
from curate.ingest import incoming, split_rule
from curate.ingest.add import add
from curate.ingest.incoming import Request, add_source
from curate.layouts import Options, Sample
from curate.layouts.unpack import unique
from curate.workspace import MANIFEST, RECIPE, Workspace
from tests import pictures
from tests.conftest import png, write_tree
from tests.ingest.conftest import rows
from tests.sources.reading import EVIL_NAMES, make_tar, make_zip

Tree = Callable[..., Path]


@pytest.fixture(scope="module")
def data_folder() -> Path:
    """The folder with real data; tests that need it are skipped where there is none."""
    folder = pictures.data_folder()
    if not (folder / "cifar10" / "cifar10_jpeg.tar.xz").is_file():
        pytest.skip(f"{folder} has no real data; CURATE_DATA names the folder")
    return folder


def test_a_folder_becomes_rows(ws: Workspace, tree: Tree) -> None:
    root = tree("train/cat/1.png", "test/dog/2.png", "unlabelled/3.png")
    (root / "train/cat/note.txt").write_text("x")
    added = add(ws, root)
    assert (added.source, added.layout, added.added, added.left_out) == ("photos", "folder", 3, {"not an image": 1})
    assert added.by_split == {"pool": 1, "test": 1, "train": 1}
    assert added.by_class == {"": 1, "cat": 1, "dog": 1}
    table = rows(ws)
    assert table.columns.tolist() == list(manifest.COLUMNS)
    assert table["image_id"].tolist() == ["photos/test/dog/2.png", "photos/train/cat/1.png", "photos/unlabelled/3.png"]
    assert table["path"].tolist() == [str(root / name.removeprefix("photos/")) for name in table["image_id"]]
    assert table[["width", "height"]].to_numpy().tolist() == [[9, 8]] * 3
    assert not (ws.root / "images").exists()


@pytest.mark.parametrize("make", [make_tar, make_zip])
def test_an_archive_is_unpacked(ws: Workspace, tmp_path: Path, make: Callable[..., Path]) -> None:
    path = make(
        tmp_path / ("set.tar" if make is make_tar else "set.zip"), {"train/cat/1.png": png(1), "test/ü/2.png": png(2)}
    )
    add(ws, path)
    table = rows(ws)
    assert table["path"].tolist() == ["images/set/train/cat/1.png", "images/set/test/ü/2.png"]
    assert [Path(located).read_bytes() for located in manifest.locate(table, ws.root)] == [png(1), png(2)]


SPLITS = {
    "labelled goes to train": (["cat/1.png"], None, ["train"]),
    "unlabelled goes to pool": (["1.png"], None, ["pool"]),
    "folders say it": (["val/cat/1.png"], None, ["val"]),
    "a name holds for all": (["train/cat/1.png", "2.png"], "test", ["test", "test"]),
    "shares leave folders alone": (["test/cat/1.png"], "train=1", ["test"]),
    "without a label nothing is for training": (["train/1.png", "train/cat/2.png"], None, ["pool", "train"]),
    "not even if a name says so": (["1.png"], "train", ["pool"]),
    "without a label it may be in test": (["test/1.png", "train/cat/2.png"], None, ["test", "train"]),
    "shares leave unlabelled ones alone": (["1.png"], "train=1", ["pool"]),
    "shares": (["cat/1.png", "dog/2.png"], "val=1", ["val", "val"]),
}


@pytest.mark.parametrize("case", SPLITS)
def test_which_split(ws: Workspace, tree: Tree, case: str) -> None:
    names, rule, expected = SPLITS[case]
    add(ws, tree(*names), split=rule)
    assert sorted(rows(ws)["split"]) == sorted(expected)


def test_a_folder_called_test_does_not_go_to_train(ws: Workspace, tree: Tree) -> None:
    add(ws, tree("cat/1.png", root="Test"))
    assert rows(ws)["split"].tolist() == ["test"]


def test_shares_go_by_content(ws: Workspace, tmp_path: Path) -> None:
    root = write_tree(tmp_path / "many", [f"cat/{number}.png" for number in range(200)])
    for number in range(200):
        shutil.copy(root / f"cat/{number}.png", root / f"cat/{number}-copy.png")
    add(ws, root, split="train=0.7,test=0.3")
    table = rows(ws)
    assert (table.groupby("content_hash")["split"].nunique() == 1).all()
    assert 0.6 < (table["split"] == "train").mean() < 0.8


@pytest.mark.parametrize("rule", ["dev", "train=0.5", "train=x", "dev=1", "train=2,test=-1", ""])
def test_rules_that_make_no_sense(rule: str) -> None:
    with pytest.raises(UserError):
        split_rule.parse(rule)


@pytest.mark.parametrize("name", ["a/b", "..", ".x", "\\", " ", "x" * 200])
def test_names_that_are_no_folder(ws: Workspace, tree: Tree, name: str) -> None:
    with pytest.raises(UserError, match="cannot name a source"):
        add(ws, tree("cat/1.png"), name=name)


@pytest.mark.parametrize("options", [["--name", "\udcff"], ["--root", "r\udcff"]])
def test_names_that_are_no_text_are_refused(tmp_path: Path, options: list[str], fails: Callable[..., str]) -> None:
    (tmp_path / "t.csv").write_text("path,label\n1.png,cat\n")
    assert re.search("UTF-8|cannot name a source", fails("add", tmp_path / "ws", tmp_path / "t.csv", *options))


def test_a_recipe_that_cannot_be_read_stops_before_anything_is_added(ws: Workspace, tree: Tree) -> None:
    add_source(ws, str(tree("cat/1.png")), Request())
    ws.path(RECIPE).write_text("policy: 3\n")
    with pytest.raises(UserError, match=r"recipe\.yaml: policy"):
        add_source(ws, str(tree("cat/2.png", root="more")), Request())
    assert len(tables.read_manifest(ws)) == 1


def test_broken_images_are_rows(ws: Workspace, tree: Tree, tmp_path: Path) -> None:
    root = tree("cat/good.png")
    (root / "cat/empty.png").touch()
    (root / "cat/cut.png").write_bytes(png(1)[:100])
    (root / "cat/text.jpg").write_text("404 not found")
    (root / "cat/gone.jpg").symlink_to(tmp_path / "nothing")
    (root / "cat/one.png").write_bytes(encode_jpeg(np.zeros((1, 1, 3), np.uint8)))
    os.mkfifo(tmp_path / "pipe")
    (root / "cat/pipe.png").symlink_to(tmp_path / "pipe")
    added = add(ws, root)
    assert (added.added, added.undecodable, added.missing) == (7, 5, 1)
    assert "; 4 cannot be decoded; 1 without its file (" in incoming.told(added)
    looked_for = root / "cat/gone.jpg"
    assert added.warnings[0].startswith(f"1 file is not there; looked for {looked_for}; bring them back, or")
    table = rows(ws).set_index("image_id")
    broken = table[table["error"] != ""]
    assert (broken[["width", "height"]] == 0).all(axis=None)
    assert (broken["pixel_hash"] == "").all()
    assert table.loc["photos/cat/empty.png", "error"] == "empty file"
    assert table.loc["photos/cat/gone.jpg", "error"] == "No such file or directory"
    again = add(ws, root)
    assert (again.skipped, again.warnings) == (7, [])


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["1.png"], "the only image, photos/1.png, cannot be decoded: empty file"),
        (["1.png", "2.png"], "none of the 2 images can be decoded; the first, photos/1.png: empty file"),
    ],
)
def test_nothing_that_can_be_decoded(ws: Workspace, tmp_path: Path, names: list[str], says: str) -> None:
    (tmp_path / "photos").mkdir()
    for name in names:
        (tmp_path / "photos" / name).touch()
    assert add(ws, tmp_path / "photos").warnings == [says]


@pytest.mark.parametrize(("top", "dim"), [(1500, True), (4095, True), (8191, False), (65_535, False)])
@pytest.mark.parametrize("suffix", [".png", ".tiff", ".pgm"])
def test_sixteen_bits_that_hold_twelve(ws: Workspace, tmp_path: Path, suffix: str, top: int, dim: bool) -> None:
    levels = np.linspace(0, top, 64).astype(np.uint16).reshape(8, 8)
    write_tree(tmp_path / "photos", [f"1{suffix}", "2.png"])
    (tmp_path / "photos" / f"1{suffix}").write_bytes(cv2.imencode(suffix, levels)[1].tobytes())
    says = (
        "1 image of 16 bits a channel uses a sixteenth of the levels at most, which is nearly black; multiply their "
        "values to fill 16 bits, and add them again"
    )
    assert add(ws, tmp_path / "photos").warnings == [says] * dim


def test_nothing_to_add(ws: Workspace, tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "empty/cat").mkdir(parents=True)
    (tmp_path / "empty/cat/a.txt").touch()
    for source in (tmp_path / "empty", make_tar(tmp_path / "none.tar", {}), make_zip(tmp_path / "none.zip", {})):
        with pytest.raises(UserError, match="holds no images"):
            add(ws, source)
    assert not ws.has(MANIFEST)


@pytest.mark.parametrize("name", EVIL_NAMES)
@pytest.mark.parametrize("make", [make_tar, make_zip])
def test_an_evil_archive_leaves_no_trace(ws: Workspace, tmp_path: Path, make: Callable[..., Path], name: str) -> None:
    path = make(tmp_path / ("a.tar" if make is make_tar else "a.zip"), {"cat/0.png": png(0), name: png(1)})
    before = set(tmp_path.rglob("*"))
    with pytest.raises(UserError):
        add(ws, path)
    assert {found.name for found in set(tmp_path.rglob("*")) - before} <= {"ws", ".lock"}


def test_odd_names_in_archives(ws: Workspace, tmp_path: Path) -> None:
    names = [
        "cat/a b.png",
        'cat/it\'s "1"\n.png',
        "猫/ü.png",
        "cat/" + "x" * 300 + ".png",
        "CAT/a b.png",
        "cat/a b.png",
    ]
    names += ["cat/-rf.png", "cat/a\tb.png", "cat/" + "ü" * 150 + ".png"]
    with tarfile.open(tmp_path / "odd.tar", "w") as archive:
        for seed, name in enumerate(names):
            member = tarfile.TarInfo(name)
            member.size = len(png(seed))
            archive.addfile(member, io.BytesIO(png(seed)))
    added = add(ws, tmp_path / "odd.tar")
    table = rows(ws)
    assert added.added == len(names) == table["image_id"].nunique() == table["path"].str.casefold().nunique()
    assert [Path(path).read_bytes() for path in manifest.locate(table, ws.root)] == [
        png(seed) for seed in range(len(names))
    ]
    assert table["image_id"].iloc[5] == "odd/cat/a b~2.png"
    assert max(len(part.encode()) for path in table["path"] for part in path.split("/")) <= 255
    assert add(ws, tmp_path / "odd.tar").skipped == len(names)


def test_equal_names_are_told_apart_without_trying_each() -> None:
    taken: dict[str, int] = {}
    names = [unique("a.png", taken) for _ in range(50_000)]  # a minute and more where each begins at ~2
    assert names[:3] == ["a.png", "a~2.png", "a~3.png"]
    assert len(set(names)) == len(names)
    taken = {}
    found = [unique(name, taken, ignore_case=True) for name in ("a~2.png", "A.png", "a.png", "A~2.PNG", "a.png")]
    assert found == ["a~2.png", "A.png", "a~3.png", "A~2~2.PNG", "a~4.png"]


def test_a_killed_add_leaves_nothing_that_the_next_one_keeps(ws: Workspace, tmp_path: Path) -> None:
    left = ws.root / "images/.partial-set/cat"
    left.mkdir(parents=True)
    (left / "1.png").write_bytes(b"half")
    add(ws, make_tar(tmp_path / "set.tar", {"cat/1.png": png(1)}))
    assert sorted(path.name for path in (ws.root / "images").rglob("*")) == ["1.png", "cat", "set"]


def test_a_workspace_within_its_source_is_left_out(tree: Tree) -> None:
    root = tree("cat/1.png")
    inside = Workspace(root / "ws")
    write_tree(inside.root / "images", ["x/2.png"])
    added = add(inside, root)
    assert (added.added, added.left_out) == (1, {"in the workspace itself": 1})


def test_a_label_for_all(ws: Workspace, tree: Tree) -> None:
    add(ws, tree("1.png", "a/2.png"), label="cat")
    assert set(rows(ws)["label"]) == {"cat"}


def test_many_go_to_workers_in_order(ws: Workspace, tmp_path: Path) -> None:
    root = tmp_path / "many"
    (root / "cat").mkdir(parents=True)
    for number in range(700):
        (root / f"cat/{number:04d}.png").write_bytes(png(number % 50))
    add(ws, root, workers=2)
    table = rows(ws)
    assert table["image_id"].is_monotonic_increasing
    assert table["content_hash"].tolist()[:50] * 14 == table["content_hash"].tolist()


def test_real_images(ws: Workspace, data_folder: Path, tmp_path: Path) -> None:
    """A few of the real CIFAR-10 JPEGs, out of the real archive."""
    path = data_folder / "cifar10" / "cifar10_jpeg.tar.xz"
    assert sources.recognise(path) == "tar"
    some = itertools.islice(sources.pick("tar").read(path, Options()), 50)
    members = {item.name: item.data for item in some if isinstance(item, Sample) and item.data}
    added = add(ws, make_tar(tmp_path / "some.tar", members))
    assert (added.added, added.undecodable) == (50, 0)
    assert set(rows(ws)["width"]) == {32}
    assert set(rows(ws)["split"]) <= {"train", "test"}


@pytest.mark.parametrize("source", ["", " ", "\n"])
def test_a_source_without_a_name_is_not_the_folder_here(
    ws: Workspace, tree: Tree, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.chdir(tree("cat/1.png"))
    with pytest.raises(UserError, match=r"a source has no name; is a variable empty\? The folder here is '\.'"):
        incoming.add_source(ws, source, Request())
    assert not ws.root.exists()
    assert incoming.add_source(ws, ".", Request()).added == 1


def test_a_folder_whose_own_path_is_not_utf8(ws: Workspace, tmp_path: Path) -> None:
    root = write_tree(tmp_path / os.fsdecode(b"caf\xe9") / "photos", ["cat/1.png"])
    with pytest.raises(UserError, match=r"the name of '.*/caf\\udce9' is not UTF-8; rename it"):
        add(ws, root)


TABLES = {
    "folders say it": ("path,label\ntest/1.png,cat\n", "test"),
    "a column says it": ("path,label,split\ntest/1.png,cat,val\n", "val"),
    "a class called so": ("path,label\ntest/1.png,test\n", "train"),
}


@pytest.mark.parametrize("case", TABLES)
def test_which_split_of_a_table(ws: Workspace, tree: Tree, case: str) -> None:
    text, expected = TABLES[case]
    (tree("test/1.png") / "labels.csv").write_text(text)
    add(ws, ws.root.parent / "photos/labels.csv")
    assert rows(ws)["split"].tolist() == [expected]


LABELS = {
    "outer spaces": ("path,label\n1.png,cat\n2.png,cat \n3.png, cat\n4.png, \n", ["cat", "cat", "cat", ""]),
    "inner ones": ("path,label\n1.png,a cat\n", ["a cat"]),
}


@pytest.mark.parametrize("case", LABELS)
def test_spaces_around_a_label_make_no_class(ws: Workspace, tree: Tree, case: str) -> None:
    text, expected = LABELS[case]
    (tree("1.png", "2.png", "3.png", "4.png") / "labels.csv").write_text(text)
    assert add(ws, ws.root.parent / "photos/labels.csv").warnings == []
    assert rows(ws)["label"].tolist() == expected
