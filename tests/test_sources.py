"""What every layout must read, and how; what it must refuse, and with which way out."""

import io
import json
import os
import pickle
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate import layout, sources
from curate.errors import UserError
from curate.images import decode
from curate.sources import Named, Options, Sample, Skipped
from tests.conftest import png, write_tree


def read(path: Path, name: str = "", **options: object) -> tuple[list[Sample], list[Skipped]]:
    """All samples, then all that was skipped, of the layout that recognises the path."""
    found = list(sources.pick(name or sources.recognise(path)).read(path, Options(**options)))
    return [item for item in found if isinstance(item, Sample)], [item for item in found if isinstance(item, Skipped)]


PLACES = {
    "split, class": (["train/cat/1.jpg", "Test/dog/2.jpg"], [("train", "cat"), ("test", "dog")]),
    "class, split": (["cat/train/1.jpg", "dog/valid/2.jpg"], [("train", "cat"), ("val", "dog")]),
    "class alone": (["cat/1.jpg", "dog/2.jpg"], [("", "cat"), ("", "dog")]),
    "one class": (["cat/1.jpg", "cat/2.jpg"], [("", "cat"), ("", "cat")]),
    "one image": (["1.jpg"], [("", "")]),
    "folders in a class": (["cat/young/1.jpg", "dog/2.jpg"], [("", "cat"), ("", "dog")]),
    "wrappers": (["a/b/cat/1.jpg", "a/b/dog/2.jpg"], [("", "cat"), ("", "dog")]),
    "wrapper over splits": (["set/VALIDATION/cat/1.jpg", "set/train/dog/2.jpg"], [("val", "cat"), ("train", "dog")]),
    "wrapper over class, split": (["set/cat/train/1.jpg", "set/dog/train/2.jpg"], [("train", "cat"), ("train", "dog")]),
    "one split": (["train/cat/1.jpg"], [("train", "cat")]),
    "no class in a split": (["test/1.jpg", "train/cat/2.jpg"], [("test", ""), ("train", "cat")]),
    "beside classes": (["1.jpg", "cat/2.jpg"], [("", ""), ("", "cat")]),
    "a pool is a room": (["pool/1.jpg", "kitchen/2.jpg"], [("", "pool"), ("", "kitchen")]),
    "unlabelled": (["unlabelled/1.jpg", "train/cat/2.jpg"], [("pool", ""), ("train", "cat")]),
    "a class called like a split": (["train/test/1.jpg", "train/cat/2.jpg"], [("train", "test"), ("train", "cat")]),
}


@pytest.mark.parametrize("case", PLACES)
def test_split_and_label_from_folders(case: str) -> None:
    names, expected = PLACES[case]
    assert layout.places(names) == expected


def test_shard_names_say_splits() -> None:
    shards = {"train-00000-of-00001.parquet": "train", "cifar10-validation-0001.tar": "val", "shard-1.tar": ""}
    assert {name: layout.split_of_shard(name) for name in shards} == shards


def test_every_layout_keeps_the_contract() -> None:
    for name, module in sources.layouts().items():
        assert callable(module.recognises), name
        assert callable(module.read), name
        assert isinstance(module.PRIORITY, int), name
        assert (module.__doc__ or "").strip().endswith("."), name
    assert {"folder", "csv", "parquet", "webdataset", "fiftyone"} <= set(sources.writable())


def test_sets_in_databases_have_a_name_and_no_path(tmp_path: Path) -> None:
    assert sources.databases() == ["fiftyone"]
    for name in sources.databases():
        assert not sources.layouts()[name].recognises(tmp_path)
        assert sources.named(f"{name}:a b/c") == Named(name, "a b/c")
        assert sources.choose(Named(name, "x"), None) == sources.choose(Named(name, "x"), name) == name
        with pytest.raises(UserError, match=f"{name}:NAME"):
            sources.choose(tmp_path, name)
        with pytest.raises(UserError, match="leave out --as"):
            sources.choose(Named(name, "x"), "folder")
    assert [sources.named(text) for text in ("photos", "folder:x", "fiftyone:", ":x", "s3://x/y")] == [None] * 5


def test_missing_and_unknown_sources_say_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "notes.odt").write_bytes(b"text")
    with pytest.raises(UserError, match="does not exist"):
        sources.recognise(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"--as.*cifar.*folder"):
        sources.recognise(tmp_path / "notes.odt")
    with pytest.raises(UserError, match=r"no layout is called 'floder'"):
        sources.pick("floder")


# --- folder


def test_folder_reads_images_alone(tree: Callable[..., Path]) -> None:
    root = tree("cat/b.png", "cat/A.JPG", 'cat/it\'s "1"\n.png', "日本/ü.webp", ".hidden/1.png", "__MACOSX/._1.png")
    (root / "cat/readme.txt").write_text("no image")
    samples, skipped = read(root)
    assert [sample.name for sample in samples] == ["cat/A.JPG", "cat/b.png", 'cat/it\'s "1"\n.png', "日本/ü.webp"]
    assert [sample.path for sample in samples] == [str(root / sample.name) for sample in samples]
    assert skipped == [Skipped("cat/readme.txt", "not an image")]


def test_folder_links_do_not_loop(tree: Callable[..., Path], tmp_path: Path) -> None:
    root = tree("cat/1.png", "dog/2.png")
    elsewhere = write_tree(tmp_path / "elsewhere", ["3.png", "deep/4.png"])
    (elsewhere / "back").symlink_to(root)
    for name, target in {"cat/up": root, "cat/out": tmp_path, "again": root / "dog", "self": root / "self"}.items():
        (root / name).symlink_to(target)
    (root / "bird").symlink_to(elsewhere)
    (root / "fish").symlink_to(elsewhere)
    (root / "dog/gone.png").symlink_to(tmp_path / "nothing.png")
    samples, skipped = read(root)
    names = [sample.name for sample in samples]
    assert names == ["bird/3.png", "bird/deep/4.png", "cat/1.png", "dog/2.png", "dog/gone.png"]
    loops = {item.name for item in skipped if item.why == "link to a folder that is read anyway"}
    assert loops == {"again", "bird/back", "cat/out", "cat/up", "fish"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_folder_that_cannot_be_read_is_counted(tree: Callable[..., Path]) -> None:
    root = tree("cat/1.png", "dog/2.png")
    (root / "dog").chmod(0)
    samples, skipped = read(root)
    (root / "dog").chmod(0o755)
    assert [sample.name for sample in samples] == ["cat/1.png"]
    assert skipped == [Skipped("dog/", "folder that cannot be read")]


def test_folder_name_that_is_not_utf8_is_counted(tree: Callable[..., Path]) -> None:
    root = tree("cat/1.png")
    with open(os.fsencode(root) + b"/cat/\xff.png", "wb") as file:
        file.write(png(1))
    samples, skipped = read(root)
    assert [sample.name for sample in samples] == ["cat/1.png"]
    assert skipped[0].why == "name that is not UTF-8"


# --- archives


def make_tar(path: Path, members: dict[str, bytes | tarfile.TarInfo], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def make_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return path


CLASS_FOLDERS = {"./set/cat/1.png": png(1), "set/dog/ü 2.png": png(2), "set/dog/._2.png": b"", "set/notes.txt": b"no"}


@pytest.mark.parametrize(
    ("name", "mode"), [("a.tar", "w"), ("a.tar.gz", "w:gz"), ("a.tbz2", "w:bz2"), ("a.tar.xz", "w:xz")]
)
def test_tar_in_any_compression(tmp_path: Path, name: str, mode: str) -> None:
    samples, skipped = read(make_tar(tmp_path / name, CLASS_FOLDERS, mode))
    assert {sample.name: sample.data for sample in samples} == {"set/cat/1.png": png(1), "set/dog/ü 2.png": png(2)}
    assert skipped == [Skipped("set/notes.txt", "not an image")]


def test_tar_zst(tmp_path: Path) -> None:
    plain = make_tar(tmp_path / "a.tar", CLASS_FOLDERS).read_bytes()
    with pa.CompressedOutputStream(str(tmp_path / "b.tar.zst"), "zstd") as file:
        file.write(plain)
    assert len(read(tmp_path / "b.tar.zst")[0]) == 2


def test_zip(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {**CLASS_FOLDERS, "set\\cow\\3.png": png(3), "__MACOSX/set/._1.png": b"x"})
    samples, skipped = read(path)
    assert [sample.name for sample in samples] == ["set/cat/1.png", "set/dog/ü 2.png", "set/cow/3.png"]
    assert skipped == [Skipped("set/notes.txt", "not an image")]


EVIL_NAMES = ["../1.png", "cat/../../1.png", "/etc/1.png", "C:\\1.png", "c:1.png", "..\\1.png", "\\\\host\\1.png"]


@pytest.mark.parametrize("name", EVIL_NAMES)
@pytest.mark.parametrize("make", [make_tar, make_zip])
def test_archives_whose_names_lead_out_are_refused(tmp_path: Path, make: Callable[..., Path], name: str) -> None:
    path = make(tmp_path / ("a.tar" if make is make_tar else "a.zip"), {"cat/0.png": png(0), name: png(1)})
    with pytest.raises(UserError, match="leads out"):
        read(path)


def test_links_and_devices_in_archives_are_counted(tmp_path: Path) -> None:
    odd = {
        "cat/link.png": special("cat/link.png", tarfile.SYMTYPE, "/etc/passwd"),
        "cat/hard.png": special("cat/hard.png", tarfile.LNKTYPE, "/etc/passwd"),
        "cat/pipe.png": special("cat/pipe.png", tarfile.FIFOTYPE),
        "cat/disk.png": special("cat/disk.png", tarfile.BLKTYPE),
    }
    samples, skipped = read(make_tar(tmp_path / "a.tar", {"cat/1.png": png(1), **odd}))
    assert [sample.name for sample in samples] == ["cat/1.png"]
    assert [item.why for item in skipped] == ["link or device"] * 4

    link = zipfile.ZipInfo("cat/link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("cat/1.png", png(1))
    samples, skipped = read(tmp_path / "a.zip")
    assert [item.why for item in skipped] == ["link or device"]


@pytest.mark.parametrize(
    ("name", "mode"), [("a.tar", "w"), ("a.tar.gz", "w:gz"), ("a.tar.bz2", "w:bz2"), ("a.tar.xz", "w:xz")]
)
@pytest.mark.parametrize("part", [0.0, 0.3, 0.7, 0.95])
def test_truncated_tar_is_refused(tmp_path: Path, name: str, mode: str, part: float) -> None:
    rng = np.random.default_rng(0)
    members = {f"cat/{number}.png": rng.bytes(3000) for number in range(40)}
    whole = make_tar(tmp_path / name, members, mode).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(len(whole.rstrip(b"\0")) * part)])
    with pytest.raises(UserError, match="cut short"):
        read(tmp_path / name)


def test_tar_cut_between_members_is_refused(tmp_path: Path) -> None:
    whole = make_tar(
        tmp_path / "a.tar", {f"cat/{number}.png": bytes([number + 1]) * 512 for number in range(4)}
    ).read_bytes()
    (tmp_path / "a.tar").write_bytes(whole[:2048])
    with pytest.raises(UserError, match="cut short"):
        read(tmp_path / "a.tar")


def test_truncated_and_encrypted_zip_are_refused(tmp_path: Path) -> None:
    whole = make_zip(tmp_path / "a.zip", {"cat/1.png": png(1)}).read_bytes()
    (tmp_path / "a.zip").write_bytes(whole[:-30])
    with pytest.raises(UserError, match="cut short"):
        read(tmp_path / "a.zip")
    locked = bytearray(whole)
    locked[6] |= 1
    locked[whole.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "b.zip").write_bytes(locked)
    with pytest.raises(UserError, match="encrypted"):
        read(tmp_path / "b.zip")
    damaged = bytearray(whole)
    damaged[60] ^= 255
    (tmp_path / "c.zip").write_bytes(damaged)
    with pytest.raises(UserError, match="damaged"):
        read(tmp_path / "c.zip")


# --- tables


def make_csv(root: Path, text: str, name: str = "table.csv") -> Path:
    write_tree(root, ["a.png", "sub/b.png"])
    (root / name).write_bytes(text.encode())
    return root / name


def test_csv(tmp_path: Path) -> None:
    path = make_csv(tmp_path, '\ufeffpath,label,split\na.png,"cat, young",train\n\nsub/b.png,,VALID\nc.png,dog,\n')
    samples, _ = read(path)
    assert [(sample.name, sample.label, sample.split) for sample in samples] == [
        ("a.png", "cat, young", "train"),
        ("sub/b.png", "", "val"),
        ("c.png", "dog", ""),
    ]
    assert samples[0].path == str(tmp_path / "a.png")


def test_csv_columns_and_root(tmp_path: Path) -> None:
    samples, _ = read(
        make_csv(tmp_path, "file,class\nb.png,cat\n"), columns={"path": "file", "label": "class"}, root=tmp_path / "sub"
    )
    assert samples == [Sample("b.png", "cat", "", str(tmp_path / "sub/b.png"))]
    samples, _ = read(make_csv(tmp_path, "path\na.png\n"), columns={"label": ""})
    assert samples[0].label == ""


CSV_PROBLEMS = {
    "no label": ("path,class\na.png,cat\n", r"no column 'label'; there are: 'path', 'class'"),
    "empty": ("", "table.csv is empty; its first line must name the columns"),
    "column twice": ("path,label,label\na.png,cat,dog\n", "column 'label' stands twice"),
    "twice": ("path,label\na.png,cat\nsub/b.png,dog\n./a.png,dog\n", "line 4: './a.png' stands in line 2"),
    "leaves the root": ("path,label\na.png,cat\n../x.png,cat\n", r"line 3: .*--root"),
    "absolute": ("path,label\n/etc/passwd,cat\n", r"line 2: .*--root"),
    "empty path": ("path,label\n,cat\n", "line 2"),
    "unknown split": ("path,label,split\na.png,cat,dev\n", "line 2: no split is called 'dev'"),
    "too many cells": ("path,label\na.png,cat,young\n", "line 2: 3 cells"),
}


@pytest.mark.parametrize("case", CSV_PROBLEMS)
def test_csv_problems_name_the_line(tmp_path: Path, case: str) -> None:
    text, message = CSV_PROBLEMS[case]
    with pytest.raises(UserError, match=message):
        read(make_csv(tmp_path, text))


def test_csv_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes("path,label\na.png,Bär\n".encode("latin1"))
    with pytest.raises(UserError, match="UTF-8"):
        read(tmp_path / "table.csv")


def hugging_face(path: Path, columns: dict[str, list], features: dict) -> Path:
    table = pa.table(columns)
    note = json.dumps({"info": {"features": features}})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata({"huggingface": note}), path)
    return path


def test_parquet_of_hugging_face(tmp_path: Path) -> None:
    features = {"img": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["cat", "a/b"]}}
    struct = [{"bytes": png(1), "path": "1.png"}, {"bytes": png(2), "path": None}, {"bytes": png(3), "path": "1.png"}]
    hugging_face(tmp_path / "hub/data/train-00000-of-00001.parquet", {"img": struct, "label": [0, 1, -1]}, features)
    hugging_face(tmp_path / "hub/data/test-00000-of-00001.parquet", {"img": struct[:1], "label": [0]}, features)
    samples, _ = read(tmp_path / "hub")
    assert [(sample.split, sample.label, sample.data) for sample in samples] == [
        ("test", "cat", png(1)),
        ("train", "cat", png(1)),
        ("train", "a/b", png(2)),
        ("train", "", png(3)),
    ]
    assert samples[1].name == "train/cat/1.png"


def test_parquet_of_paths(tmp_path: Path) -> None:
    write_tree(tmp_path, ["a.png"])
    pq.write_table(pa.table({"path": ["a.png"], "label": [3], "split": ["test"]}), tmp_path / "t.parquet")
    assert read(tmp_path / "t.parquet")[0] == [Sample("a.png", "3", "test", str(tmp_path / "a.png"))]
    pq.write_table(pa.table({"path": ["../a.png"], "label": ["x"]}), tmp_path / "t.parquet")
    with pytest.raises(UserError, match=r"row 1.*--root"):
        read(tmp_path / "t.parquet")
    pq.write_table(pa.table({"file": ["a.png"], "label": ["x"]}), tmp_path / "t.parquet")
    with pytest.raises(UserError, match=r"there are: 'file', 'label'"):
        read(tmp_path / "t.parquet")
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and nothing")
    with pytest.raises(UserError, match="damaged"):
        read(tmp_path / "t.parquet")


# --- webdataset


def test_webdataset(tmp_path: Path) -> None:
    root = tmp_path / "shards"
    root.mkdir()
    (root / "classes.txt").write_text("cat\ndog\n")
    first = {"000.jpg": png(0), "000.cls": b"1", "001.png": png(1), "001.json": b'{"label": "a/b"}'}
    make_tar(root / "x-train-0.tar", {**first, "002.JPG": png(2), "003.cls": b"0"})
    make_tar(root / "x-val-0.tar", {"000.jpg": png(3), "000.txt": b"cow\n"})
    samples, skipped = read(root)
    assert [(sample.name, sample.split, sample.label) for sample in samples] == [
        ("x-train-0/000.jpg", "train", "dog"),
        ("x-train-0/001.png", "train", "a/b"),
        ("x-train-0/002.jpg", "train", ""),
        ("x-val-0/000.jpg", "val", "cow"),
    ]
    assert len(skipped) == 1
    assert sources.recognise(root / "x-val-0.tar") == "webdataset"


def test_class_folders_with_notes_beside_images_are_no_webdataset(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "a.tar", {"cat/1.png": png(1), "cat/1.json": b"{}", "dog/2.png": png(2)})
    assert sources.recognise(path) == "tar"


# --- CIFAR


def cifar_pixels(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 3072), dtype=np.uint8)


def make_cifar10(root: Path) -> Path:
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for number, name in enumerate(["data_batch_1", "test_batch"]):
        names = [f"cat_s_{number}.png".encode(), f"dog_s_{number}.png".encode()]
        batch = {b"data": cifar_pixels(2, number), b"labels": [0, 1], b"filenames": names, b"batch_label": b"x"}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    (folder / "batches.meta").write_bytes(pickle.dumps({b"label_names": [b"cat", b"dog"]}, protocol=2))
    return root


def test_cifar10_in_its_python_version(tmp_path: Path) -> None:
    make_cifar10(tmp_path / "x")
    with tarfile.open(tmp_path / "c.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "x/cifar-10-batches-py", "cifar-10-batches-py")
    for path in (tmp_path / "x", tmp_path / "x/cifar-10-batches-py", tmp_path / "c.tar.gz"):
        assert sources.recognise(path) == "cifar"
        samples = {sample.name: sample for sample in read(path)[0]}
        assert set(samples) == {
            f"{split}/{c}/{c}_s_{n}.png" for n, split in enumerate(["train", "test"]) for c in ("cat", "dog")
        }
        expected = cifar_pixels(2, 0)[1].reshape(3, 32, 32).transpose(1, 2, 0)
        assert np.array_equal(decode(samples["train/dog/dog_s_0.png"].data or b""), expected)


def test_cifar100_in_its_python_version(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    for name in ("train", "test"):
        batch = {"data": cifar_pixels(1, 0), "fine_labels": [1], "coarse_labels": [0], "filenames": ["bee_1.png"]}
        (folder / name).write_bytes(pickle.dumps(batch))
    (folder / "meta").write_bytes(pickle.dumps({"fine_label_names": ["ant", "bee"], "coarse_label_names": ["insect"]}))
    assert [sample.name for sample in read(folder)[0]] == ["test/bee/bee_1.png", "train/bee/bee_1.png"]


def test_cifar_in_its_binary_version(tmp_path: Path) -> None:
    ten, hundred = tmp_path / "cifar-10-batches-bin", tmp_path / "cifar-100-binary"
    ten.mkdir()
    hundred.mkdir()
    pixels = cifar_pixels(2, 4)
    (ten / "batches.meta.txt").write_text("cat\ndog\n\n")
    (ten / "data_batch_1.bin").write_bytes(b"".join(bytes([1]) + row.tobytes() for row in pixels))
    (hundred / "fine_label_names.txt").write_text("ant\nbee\n")
    (hundred / "train.bin").write_bytes(b"".join(bytes([0, 1]) + row.tobytes() for row in pixels))
    assert [sample.name for sample in read(ten)[0]] == ["train/dog/00000.png", "train/dog/00001.png"]
    assert [sample.name for sample in read(hundred)[0]] == ["train/bee/00000.png", "train/bee/00001.png"]
    (ten / "data_batch_1.bin").write_bytes(b"short")
    with pytest.raises(UserError, match="5 bytes"):
        read(ten)


class Hostile:
    def __init__(self, call: tuple) -> None:
        self.call = call

    def __reduce__(self) -> tuple:
        return self.call


HOSTILE = {
    "a command": ((os.system, ("touch owned",)), "system"),
    "eval": ((eval, ("1",)), "eval"),
    "numpy's file reader": ((np.load, ("x",)), "load"),
    "a class": ((Path, ("x",)), "Path"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_pickles_are_refused(tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    call, asked = HOSTILE[case]
    folder = make_cifar10(tmp_path / "x") / "cifar-10-batches-py"
    for name in ("test_batch", "batches.meta"):
        (folder / name).write_bytes(pickle.dumps({b"data": Hostile(call)}, protocol=2))
        with pytest.raises(UserError, match=rf"asks for \S*{asked}"):
            read(folder)
    assert not (tmp_path / "owned").exists()


TYPE = b"cnumpy\ndtype\n(%s K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb".replace(b" ", b"")
"""A pickled type, of this name, whose flags say that its items are no objects."""


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(pickle.dumps(np.zeros((1, 3072), object), protocol=2), id="objects"),
        pytest.param(pickle.dumps(np.zeros((1, 3072), np.int64), protocol=2), id="numbers"),
        pytest.param(b"\x80\x02" + TYPE % b"U\x02O8" + b".", id="addresses"),
        pytest.param(b"\x80\x02c_codecs\nencode\n}U\x01aK\x01sb.", id="attributes of a function"),
    ],
)
def test_pickles_hold_bytes_alone(tmp_path: Path, data: bytes) -> None:
    folder = make_cifar10(tmp_path / "x") / "cifar-10-batches-py"
    (folder / "test_batch").write_bytes(data)
    with pytest.raises(UserError, match="may be an attack"):
        read(folder)


@pytest.mark.parametrize("content", [b"", b"\x80\x02}", b"no pickle", pickle.dumps([1]), pickle.dumps({"data": 1})])
def test_damaged_pickles_are_refused(tmp_path: Path, content: bytes) -> None:
    folder = make_cifar10(tmp_path / "x") / "cifar-10-batches-py"
    (folder / "data_batch_1").write_bytes(content)
    with pytest.raises(UserError, match="data_batch_1"):
        read(folder)
