"""Which layout reads a source, and which split and label the names of files and folders say."""

import re
from pathlib import Path
from types import ModuleType

import pytest

from curate import sources
from curate.errors import UserError
from curate.export import export
from curate.ingest.add import add
from curate.layouts import Options, Sample, folders
from curate.sources import Named
from curate.workspace import MANIFEST, Workspace
from tests.tables import images

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
    "beside folders of classes": (
        ["a/b/cat/1.jpg", "a/b/dog/2.jpg", "a/b/3.jpg"],
        [("", "cat"), ("", "dog"), ("", "")],
    ),
    "beside a wrapper": (["a/b/cat/1.jpg", "a/b/dog/2.jpg", "3.jpg"], [("", "cat"), ("", "dog"), ("", "")]),
    "most beside a folder": (["a/cat/1.jpg", "a/2.jpg", "a/3.jpg"], [("", "a"), ("", "a"), ("", "a")]),
    "beside splits": (
        ["a/train/cat/1.jpg", "a/train/dog/2.jpg", "a/train/3.jpg", "a/4.jpg"],
        [("train", "cat"), ("train", "dog"), ("train", ""), ("", "")],
    ),
    "beside the classes of several sites": (
        ["a/train/cat/1.jpg", "b/train/cat/2.jpg", "b/train/3.jpg"],
        [("train", "cat"), ("train", "cat"), ("train", "")],
    ),
    "more of a split without classes": (
        ["train/cat/1.jpg", "test/2.jpg", "test/3.jpg"],
        [("train", "cat"), ("test", ""), ("test", "")],
    ),
    "a pool is a room": (["pool/1.jpg", "kitchen/2.jpg"], [("", "pool"), ("", "kitchen")]),
    "unlabelled": (["unlabelled/1.jpg", "train/cat/2.jpg"], [("pool", ""), ("train", "cat")]),
    "a class called like a split": (["train/test/1.jpg", "train/cat/2.jpg"], [("train", "test"), ("train", "cat")]),
}


@pytest.mark.parametrize("case", PLACES)
def test_split_and_label_from_folders(case: str) -> None:
    names, expected = PLACES[case]
    assert folders.places(names) == expected


def test_shard_names_say_splits() -> None:
    shards = {"train-00000-of-00001.parquet": "train", "cifar10-validation-0001.tar": "val", "shard-1.tar": ""}
    assert {name: folders.split_of_shard(name) for name in shards} == shards


def test_every_layout_keeps_the_contract() -> None:
    for name, module in sources.layouts().items():
        assert callable(module.recognises), name
        assert callable(module.read), name
        assert isinstance(module.PRIORITY, int), name
        assert (module.__doc__ or "").strip().endswith("."), name
    assert {"folder", "csv", "parquet", "webdataset", "fiftyone"} <= set(sources.writable())


def layout_of(monkeypatch: pytest.MonkeyPatch, **has: object) -> None:
    """A layout `theirs` of an installed package, in the place of all others."""
    module = ModuleType("theirs")
    vars(module).update({"recognises": lambda path: True, "PRIORITY": 1, "read": None, **has})
    monkeypatch.setattr(sources.registry, "modules", lambda package: {"theirs": module})
    monkeypatch.setattr(sources.registry, "package_of", lambda part: "their-package")


@pytest.mark.parametrize(
    ("sample", "says"),
    [
        (Sample("1.png", "cat", "validation", "/1.png"), "gave '1.png' the split 'validation'; there are: train"),
        (Sample("1.png", 3, path="/1.png"), "gave '1.png' the label 3; it has to be a text, or None"),  # type: ignore[arg-type]
        (Sample("1.png", path="1.png"), "gave '1.png' the path '1.png'; it has to be absolute, or a URL"),
        (Sample("", data=b""), "gave the name ''; it has to be a path within the source"),
        (Sample("/etc/a", data=b""), "gave the name '/etc/a'"),
        (Sample("a/../../b", data=b""), "gave the name 'a/../../b'"),
        (Sample("1.png", data="text"), "gave '1.png' the data 'text'; they have to be bytes"),  # type: ignore[arg-type]
        (("1.png", "cat"), "gave ('1.png', 'cat'), which is no Sample"),
        (1 / 2, "gave 0.5, which is no Sample"),
    ],
)
def test_a_sample_that_no_manifest_can_hold_is_refused(
    sample: object, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout_of(monkeypatch, read=lambda path, options: iter([sample]))
    with pytest.raises(UserError, match=re.escape(f"layout 'theirs' of the package their-package {says}")):
        add(Workspace(tmp_path / "ws"), tmp_path, layout="theirs")
    assert not Workspace(tmp_path / "ws").has(MANIFEST)


def test_a_layout_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: object) -> None:
        raise KeyError("x")

    failed = "layout 'theirs' of the package their-package failed: KeyError: 'x'"
    layout_of(monkeypatch, read=fail, write=lambda table, root, dest: None)
    with pytest.raises(UserError, match=failed):
        list(sources.read("theirs", tmp_path, Options()))
    with pytest.raises(UserError, match="gave None; it has to be the number of images"):
        export(images(("a", "train", "cat")), tmp_path, tmp_path / "dest", "theirs")
    assert not (tmp_path / "dest").exists()
    layout_of(monkeypatch, recognises=fail)
    assert [item.summary for item in sources.describe()] == [""]
    with pytest.raises(UserError, match=failed):
        sources.recognise(tmp_path)
    layout_of(monkeypatch)
    del sources.registry.modules(sources)["theirs"].PRIORITY
    with pytest.raises(UserError, match=r"layout 'theirs' \(theirs of the package their-package\) has no PRIORITY"):
        sources.layouts()


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
