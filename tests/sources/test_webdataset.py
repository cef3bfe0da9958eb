"""WebDataset: shards of images with a label beside each."""

from pathlib import Path

import pytest

from curate import sources
from curate.errors import UserError
from tests.conftest import png
from tests.sources.reading import make_tar, read


def test_webdataset(tmp_path: Path) -> None:
    root = tmp_path / "shards"
    root.mkdir()
    (root / "classes.txt").write_text("cat\ndog\n")
    first = {"000.jpg": png(0), "000.JPG": png(9), "000.cls": b"1", "001.png": png(1), "001.json": b'{"label": "a/b"}'}
    make_tar(root / "x-train-0.tar", {**first, "002.JPG": png(2), "003.cls": b"0"})
    for stray in ("._x-train-0.tar", "x-train-0.tar.md5"):
        (root / stray).write_bytes(b"no shard")
    make_tar(root / "x-val-0.tar", {"000.jpg": png(3), "000.txt": b"cow\n"})
    samples, skipped = read(root)
    assert [(sample.name, sample.split, sample.label) for sample in samples] == [
        ("x-train-0/000.jpg", "train", "dog"),
        ("x-train-0/001.png", "train", "a/b"),
        ("x-train-0/002.jpg", "train", ""),
        ("x-val-0/000.jpg", "val", "cow"),
    ]
    assert samples[0].data == png(0)
    assert len(skipped) == 1
    assert sources.recognise(root / "x-val-0.tar") == "webdataset"


def test_class_folders_with_notes_beside_images_are_no_webdataset(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "a.tar", {"cat/1.png": png(1), "cat/1.json": b"{}", "dog/2.png": png(2)})
    assert sources.recognise(path) == "tar"


@pytest.mark.parametrize("name", ["classes.txt", "000.txt"])
def test_names_of_classes_begin_after_a_byte_order_mark(tmp_path: Path, name: str) -> None:
    members = {"000.png": png(0), "000.cls": b"0"}
    if name == "classes.txt":
        (tmp_path / name).write_bytes("\ufeffcat\r\ndog\r\n".encode())
    else:
        members = {"000.png": png(0), name: "\ufeffcat".encode()}
    make_tar(tmp_path / "train-0.tar", members)
    samples, _ = read(tmp_path, "webdataset")
    assert [sample.label for sample in samples] == ["cat"]


def test_names_of_classes_that_are_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_bytes("B\u00e4r\n".encode("latin-1"))
    make_tar(tmp_path / "train-0.tar", {"000.png": png(0), "000.cls": b"0"})
    with pytest.raises(UserError, match=r"classes\.txt is not UTF-8 \(byte 1\); save it as UTF-8"):
        read(tmp_path)
