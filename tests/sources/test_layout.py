"""Which layout reads a source, and which split and label the names of files and folders say."""

from pathlib import Path

import pytest

from curate import sources
from curate.errors import UserError
from curate.ingest import layout
from curate.sources import Named

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
