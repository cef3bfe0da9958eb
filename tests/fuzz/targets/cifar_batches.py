"""CIFAR batches and class names, pickled or binary; the first byte chooses which file it is."""

import pickle

import numpy as np

from curate.layouts import Options
from curate.sources import cifar
from tests.fuzz.contract import answered, file

FILES = ("data_batch_1", "data_batch_1.bin", "train", "train.bin", "batches.meta", "batches.meta.txt")
TEXT = b"airplane\nautomobile\n"


def seeds() -> list[bytes]:
    """Batches of one image, as Python 2 and 3 write them, names of classes, and a pickle that asks for more."""
    data = np.arange(3072, dtype=np.uint8)[None] % 7
    batch = {b"data": data, b"labels": [1], b"filenames": [b"a_1.png"], b"batch_label": b"x"}
    old = {"data": data, "labels": [1], "filenames": ["a_1.png"]}
    fine = {"data": data, "fine_labels": [0], "coarse_labels": [0]}
    pickled = [pickle.dumps(content, protocol) for content in (batch, old) for protocol in (0, 2, 4, 5)]
    return [
        *(b"\0" + content for content in pickled),
        b"\0" + pickle.dumps(print),
        b"\1" + bytes([1]) + data.tobytes(),
        b"\2" + pickle.dumps(fine, 2),
        b"\3" + bytes([0, 1]) + data.tobytes(),
        b"\4" + pickle.dumps({"label_names": ["airplane", "automobile"]}, 2),
        b"\5" + TEXT,
    ]


def one(data: bytes) -> None:
    """Every image is a PNG, and its name and class are text."""
    name = FILES[data[0] % len(FILES)] if data else FILES[0]
    contents = {"batches.meta.txt": TEXT, "data_batch_1.bin": b""} | {name: data[1:]}
    if name == "batches.meta":
        del contents["batches.meta.txt"]
    for other in FILES:
        path = file(f"cifar/{other}", b"")
        path.unlink()
    for each, content in contents.items():
        path = file(f"cifar/{each}", content)
    with answered():
        cifar.recognises(path.parent)
        for sample in cifar.read(path.parent, Options()):
            assert sample.data is not None
            assert sample.data.startswith(b"\x89PNG"), sample
            assert isinstance(sample.label, str), sample
