"""CIFAR-10 and CIFAR-100 as their authors pack them, and pickles that hold anything but bytes refused."""

import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest

from curate import sources
from curate.errors import UserError
from curate.images import decode
from tests.sources.reading import read


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
