"""Folders: images alone are read, links do not loop, and what cannot be read is counted."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from curate.layouts import Skipped
from tests.conftest import png, write_tree
from tests.sources.reading import read


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
    loops = {item.name: item.why.removeprefix("link to a folder ") for item in skipped if item.name != "self"}
    again, around = "that is read anyway", "around one that is read"
    assert loops == {"again": again, "bird/back": again, "cat/out": around, "cat/up": again, "fish": again}


def test_links_into_hidden_folders_are_followed(tree: Callable[..., Path]) -> None:
    root = tree("dogs/1.png", ".data/cats/2.png")
    (root / "cats").symlink_to(root / ".data/cats")
    samples, skipped = read(root)
    assert [sample.name for sample in samples] == ["cats/2.png", "dogs/1.png"]
    assert skipped == []


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
