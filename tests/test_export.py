"""Exporting: what leaves comes back the same, in every layout; and what is refused."""

import io
import json
import resource
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import pandas as pd
import pyarrow.parquet as pq
import pytest

from curate import sources
from curate.errors import UserError
from curate.export import export
from curate.images import content_hash
from curate.ingest.add import add
from curate.layouts import leaving
from curate.portable import MAX_PATH, same, why_not
from curate.sources import parquet
from curate.workspace import MANIFEST, Workspace
from tests.command import run
from tests.conftest import picture, png, write_tree

LAYOUTS = sorted(set(sources.writable()) - set(sources.databases()))


def read(ws: Workspace) -> pd.DataFrame:
    return ws.read_table(MANIFEST, written_by="curate add")


def contents(table: pd.DataFrame) -> Counter:
    """What a round trip must keep: the rows without paths and ids."""
    columns = ["split", "label", "content_hash", "pixel_hash", "width", "height", "error"]
    return Counter(table[columns].itertuples(index=False, name=None))


@pytest.fixture(autouse=True)
def no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests need not wait until everything on the machine is on its disk."""
    monkeypatch.setattr("os.sync", lambda: None)
    monkeypatch.setattr("os.fsync", lambda file: None)


@pytest.fixture
def full(tmp_path: Path) -> Workspace:
    """A workspace with every split, odd names, copies, a broken image and an unlabelled one."""
    names = ["train/cat/1.png", "train/d og/1.png", "train/d og/more/1.png", "val/cat/ü\n'\".png", "test/猫/1.png"]
    root = write_tree(tmp_path / "photos", [*names, "train/cat/A.png", "train/cat/a.png", "unlabelled/1.png"])
    (root / "train/cat/copy.png").write_bytes((root / "train/cat/1.png").read_bytes())
    (root / "train/cat/broken.JPG").write_bytes(b"no image")
    (root / "train/cat/empty.png").touch()
    ws = Workspace(tmp_path / "ws")
    add(ws, root)
    return ws


@pytest.mark.parametrize("layout", LAYOUTS)
def test_round_trip(full: Workspace, tmp_path: Path, layout: str) -> None:
    exported = export(read(full), full.root, tmp_path / "out", layout)
    assert (exported.images, exported.left_out) == (11, 0)
    assert sources.recognise(tmp_path / "out") == layout
    again = Workspace(tmp_path / "again")
    add(again, tmp_path / "out")
    assert contents(read(again)) == contents(read(full))


def generated(ws: Workspace) -> pd.DataFrame:
    """The manifest with two more images, which were made from the first training image, and from the last."""
    table = read(ws)
    cats = table[(table["split"] == "train") & (table["error"] == "")].iloc[[0, -1]]
    (ws.root / "images/augmented").mkdir(parents=True)
    ids = [f"augmented/{seed}.png" for seed in (80, 81)]
    for seed, name in zip((80, 81), ids, strict=True):
        (ws.root / "images" / name).write_bytes(png(seed))
    hashes, where = [content_hash(png(seed)) for seed in (80, 81)], [f"images/{name}" for name in ids]
    made = cats.assign(parent_id=cats["image_id"], image_id=ids, path=where, content_hash=hashes, source="augmented")
    return pd.concat([table, made], ignore_index=True)


def made_from(table: pd.DataFrame) -> set[tuple[str, str]]:
    """(content of a generated image, that of its original)."""
    digest = table.set_index("image_id")["content_hash"]
    made = table[table["parent_id"] != ""]
    return set(zip(made["content_hash"], digest.reindex(made["parent_id"]), strict=True))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_generated_images_come_back_as_such_or_a_line_says_that_they_do_not(
    full: Workspace, tmp_path: Path, layout: str
) -> None:
    table = generated(full)
    exported = export(table, full.root, tmp_path / "out", layout)
    again = Workspace(tmp_path / "again")
    for _ in range(2):
        add(again, tmp_path / "out")
        if hasattr(sources.pick(layout), "ORIGINALS"):
            assert (exported.generated, exported.warnings) == (2, [])
            assert made_from(read(again)) == made_from(table)
        else:
            assert exported.warnings[0].startswith("2 images are generated ones, which folder does not say: added")
            assert made_from(read(again)) == set()
    add(full, tmp_path / "out")  # where the originals are under other names
    assert made_from(read(full)) == made_from(read(again))


def test_what_is_no_name_of_an_image_is_no_original(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "photos", ["1.png", "2.png", "3.png"])
    lines = ["a,1.png,cat,train,x", "b,2.png,cat,train,a", "c,3.png,cat,test,a"]
    (root / "labels.csv").write_text("\n".join(["image_id,path,label,split,parent_id", *lines]))
    ws = Workspace(tmp_path / "ws")
    add(ws, root)  # of `b` alone the original is there, and in its split
    assert read(ws)["parent_id"].to_list() == ["", "", ""]
    (root / "labels.csv").write_text("\n".join(["image_id,path,label,split,parent_id", lines[0][:-1], *lines[1:]]))
    add(ws, root)
    assert read(ws)["parent_id"].to_list() == ["", "photos/1.png", ""]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_set_without_labels_comes_back_without(tmp_path: Path, layout: str) -> None:
    ws, again = Workspace(tmp_path / "ws"), Workspace(tmp_path / "again")
    add(ws, write_tree(tmp_path / "photos", ["1.png", "2.png"]))
    export(read(ws), ws.root, tmp_path / "out", layout)
    add(again, tmp_path / "out")
    assert contents(read(again)) == contents(read(ws))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "label", ["a/b", "..", ".hidden", 'with "quotes", commas', " space ", "line\nbreak", "train", "7", "%2F", "x" * 300]
)
def test_awkward_labels_come_back_or_are_refused(tmp_path: Path, layout: str, label: str) -> None:
    ws, again = Workspace(tmp_path / "ws"), Workspace(tmp_path / "again")
    add(ws, write_tree(tmp_path / "photos", ["train/1.png"]), label=label)
    try:
        export(read(ws), ws.root, tmp_path / "out", layout)
    except UserError as error:
        assert repr(label) in str(error)  # noqa: PT017  (either it comes back, or the error names it)
        assert not (tmp_path / "out").exists()
        return
    add(again, tmp_path / "out")
    assert contents(read(again)) == contents(read(ws))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_many_shards(tmp_path: Path, layout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving, "SHARD_BYTES", 2000)
    monkeypatch.setattr(parquet, "ROWS_AT_ONCE", 3)
    ws, again = Workspace(tmp_path / "ws"), Workspace(tmp_path / "again")
    add(
        ws,
        write_tree(
            tmp_path / "photos", [f"train/{label}/{number}.png" for label in ("cat", "dog") for number in range(20)]
        ),
    )
    export(read(ws), ws.root, tmp_path / "out", layout)
    add(again, tmp_path / "out")
    assert contents(read(again)) == contents(read(ws))


def test_parquet_is_what_hugging_face_reads(full: Workspace, tmp_path: Path) -> None:
    export(read(full), full.root, tmp_path / "out", "parquet")
    files = sorted(path.name for path in (tmp_path / "out/data").iterdir())
    assert files == [f"{split}-00000-of-00001.parquet" for split in ("pool", "test", "train", "val")]
    table = pq.read_table(tmp_path / "out/data/train-00000-of-00001.parquet")
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert features["image"] == {"_type": "Image"}
    assert features["label"] == {"names": ["cat", "d og", "猫"], "_type": "ClassLabel"}
    assert set(features) == set(table.column_names)
    assert table["image"][0].as_py()["bytes"].startswith(b"\x89PNG")
    assert pq.read_table(tmp_path / "out/data/pool-00000-of-00001.parquet")["label"].to_pylist() == [-1]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_two_exports_are_the_same(full: Workspace, tmp_path: Path, layout: str) -> None:
    def files(root: Path) -> dict[str, bytes]:
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    for name in ("one", "two"):
        export(read(full), full.root, tmp_path / name, layout)
    assert files(tmp_path / "one") == files(tmp_path / "two")


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a file that has gone": (lambda root: (root / "photos/train/cat/1.png").unlink(), "cannot be read any more"),
    "a file that has changed": (lambda root: (root / "photos/train/cat/1.png").write_bytes(png(77)), "has changed"),
    "a full folder": (lambda root: write_tree(root / "out", ["x.png"]), "not empty"),
    "a file": (lambda root: (root / "out").touch(), "not empty"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_refused_and_nothing_written(full: Workspace, tmp_path: Path, layout: str, case: str) -> None:
    change, message = REFUSED[case]
    change(tmp_path)
    before = set(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=message):
        export(read(full), full.root, tmp_path / "out", layout)
    assert set(tmp_path.rglob("*")) == before


def test_a_disk_that_takes_no_more_is_one_line_and_leaves_nothing(full: Workspace, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-m", "curate", "export", str(full.root), str(out), "--data", "raw"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr == f"curate: File too large: {out}; nothing that was there is lost, mend that and try again\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "ws"]


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_followed(full: Workspace, tmp_path: Path, there: bool) -> None:
    if there:
        (tmp_path / "large").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "large")
    assert export(read(full), full.root, tmp_path / "out", "folder").images == 11
    assert (tmp_path / "out").is_symlink()
    assert any((tmp_path / "large").iterdir())


def test_an_empty_folder_will_do(full: Workspace, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert export(read(full), full.root, tmp_path / "out", "folder").images == 11


def test_unknown_layouts_and_empty_tables(full: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="csv, fiftyone, folder, parquet, webdataset"):
        export(read(full), full.root, tmp_path / "out", "tar")
    with pytest.raises(UserError, match="no images"):
        export(read(full).head(0), full.root, tmp_path / "out", "folder")


def test_what_has_no_file_is_left_out(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "photos", ["cat/1.png", "cat/2.png"])
    (root / "cat/gone.png").symlink_to(tmp_path / "nothing")
    ws = Workspace(tmp_path / "ws")
    add(ws, root)
    (root / "cat/2.png").unlink()
    add(ws, root)  # and so it is known
    exported = export(read(ws), ws.root, tmp_path / "out", "folder")
    assert (exported.images, exported.left_out) == (1, 2)
    said = run("export", ws.root, tmp_path / "again", "--data", "raw")
    assert said.startswith(f"Wrote 1 image to {tmp_path / 'again'} as folder; 2 without a file are left out. Next: ")


WRITTEN_BY_OPENCV = [".jpg", ".png", ".webp", ".gif", ".bmp", ".tiff", ".pbm", ".pgm", ".ppm", ".pnm", ".pam", ".jp2"]


@pytest.mark.parametrize("suffix", [*WRITTEN_BY_OPENCV, ".avif", ".jfif"])
def test_what_is_decoded_is_added_and_leaves_under_its_name(tmp_path: Path, suffix: str) -> None:
    data = avif() if suffix == ".avif" else encoded(".jpg" if suffix == ".jfif" else suffix)
    (tmp_path / "photos" / "train" / "cat").mkdir(parents=True)
    (tmp_path / "photos" / "train" / "cat" / f"1{suffix.upper()}").write_bytes(data)
    ws = Workspace(tmp_path / "ws")
    added = add(ws, tmp_path / "photos")
    assert (added.added, added.undecodable) == (1, 0)
    export(read(ws), ws.root, tmp_path / "out", "folder")
    assert [path.name for path in (tmp_path / "out").rglob("*.*")] == [f"1{suffix.upper()}"]


def encoded(suffix: str) -> bytes:
    shown = picture(0, 64, 64)  # of fewer pixels OpenCV writes no JPEG 2000
    return cv2.imencode(suffix, shown[:, :, 0] if suffix in (".pbm", ".pgm") else shown)[1].tobytes()


def avif() -> bytes:
    if not pytest.importorskip("PIL.features").check("avif"):
        pytest.skip("this Pillow writes no AVIF")
    file = io.BytesIO()
    pytest.importorskip("PIL.Image").fromarray(picture(0)).save(file, "AVIF", speed=10)
    return file.getvalue()


def test_what_has_no_suffix_gets_the_one_of_its_format() -> None:
    for suffix in WRITTEN_BY_OPENCV:
        image = leaving.Image("set/1", "train", "cat", encoded(suffix))
        expected = ".pnm" if suffix in (".pbm", ".pgm", ".ppm", ".pnm", ".pam") else suffix
        assert leaving.file_name(image) == f"1{expected}"
    assert leaving.file_name(leaving.Image("set/1", "train", "cat", avif())) == "1.avif"
    assert leaving.file_name(leaving.Image("set/1", "train", "cat", b"no image")) == "1.jpg"


NAMES = ["a.png", "12:30?.png", "aux.png", "A.png", "caf\u00e9.png", "cafe\u0301.png", "x" * 240 + ".png", "St..png"]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("label", ["cat", "ü" * 60])
def test_what_leaves_arrives_on_every_system(tmp_path: Path, layout: str, label: str) -> None:
    ws, again = Workspace(tmp_path / "ws"), Workspace(tmp_path / "again")
    add(ws, write_tree(tmp_path / "photos", [f"train/{label}/{name}" for name in NAMES]))
    export(read(ws), ws.root, tmp_path / "out", layout)
    written = [path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*")]
    assert not any(why_not(path.name) for path in written)
    assert len({same(str(path)) for path in written}) == len(written)
    assert max(len(str(path)) for path in written) <= MAX_PATH
    add(again, tmp_path / "out")
    assert contents(read(again)) == contents(read(ws))


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        (["what?"], "Windows takes no '\\?' in a name"),
        (["St."], "drops a dot or space"),
        (["con"], "keeps this name for a device"),
        ([".git"], "hides it"),
        (["Cat", "cat"], "labels 'Cat' and 'cat' are one folder"),
        (["caf\u00e9", "cafe\u0301"], "are one folder"),
    ],
)
def test_labels_that_would_not_come_back_from_a_folder(tmp_path: Path, labels: list[str], why: str) -> None:
    ws, again = Workspace(tmp_path / "ws"), Workspace(tmp_path / "again")
    for label in labels:
        add(ws, write_tree(tmp_path / f"photos-{labels.index(label)}", ["train/1.png"]), label=label)
    with pytest.raises(UserError, match=f"{why}.*; rename it, or export as csv, parquet or webdataset"):
        export(read(ws), ws.root, tmp_path / "out", "folder")
    assert not (tmp_path / "out").exists()
    export(read(ws), ws.root, tmp_path / "out", "csv")
    add(again, tmp_path / "out")
    assert contents(read(again)) == contents(read(ws))


def test_the_same_class_of_two_splits_may_be_written_differently(tmp_path: Path) -> None:
    ws = Workspace(tmp_path / "ws")
    add(ws, write_tree(tmp_path / "photos", ["train/Cat/1.png", "test/cat/1.png"]))
    assert export(read(ws), ws.root, tmp_path / "out", "folder").images == 2


def test_twins_in_an_archive_get_files_of_their_own(tmp_path: Path) -> None:
    names = ["cat/caf\u00e9.png", "cat/cafe\u0301.png", "Cat/CAF\u00c9.png"]
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for seed, name in enumerate(names):
            archive.writestr(name, png(seed))
    ws = Workspace(tmp_path / "ws")
    add(ws, tmp_path / "set.zip")
    table = read(ws)
    assert table["path"].map(same).nunique() == len(names)
    assert sorted(table["label"]) == ["Cat", "cat", "cat"]


def test_the_folder_one_stands_in_stays(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    with pytest.raises(UserError, match="is the folder that you are in; export to a new folder in it"):
        export(read(workspace), workspace.root, Path(), "folder")
