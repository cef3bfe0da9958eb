"""CIFAR archives the pickles of which call code, take memory, or hold something else; and arrays of objects as .npy."""

import io
import pickle
import random
import struct
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.hostile.pictures import File

META = {b"label_names": [b"cat", b"dog"]}
CALLS = ("os.system", "posix.system", "subprocess.call", "builtins.eval", "builtins.exec", "builtins.__import__")


class Call:
    """Pickles as a call, which whoever loads it makes."""

    def __init__(self, name: str, *arguments: object) -> None:
        self.name, self.arguments = name, arguments

    def __reduce__(self) -> tuple:
        module, _, function = self.name.rpartition(".")
        return getattr(__import__(module), function), self.arguments


def batch(**changed: object) -> dict[bytes, object]:
    """Three grey images as CIFAR-10 has them, with changes."""
    rng = np.random.default_rng(0)
    whole = {
        b"data": rng.integers(0, 255, (3, 3072), np.uint8),
        b"labels": [0, 1, 0],
        b"filenames": [b"a.png", b"b.png", b"c.png"],
    }
    return whole | {name.encode(): value for name, value in changed.items()}


def cifar(**files: object) -> bytes:
    """A tar file of CIFAR-10 with these files: bytes as they are, everything else pickled."""
    named = {"batches_meta": META, "data_batch_1": batch()} | files
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in named.items():
            data = content if isinstance(content, bytes) else pickle.dumps(content, 2)
            member = tarfile.TarInfo("cifar-10-batches-py/" + name.replace("_meta", ".meta"))
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


def calls(rng: random.Random, canary: Path) -> Iterator[File]:
    """Code in the place of a batch, of the class names, and of each of their parts."""
    touch = f"touch {canary}/ran"
    python = f"open({str(canary / 'ran')!r}, 'w')"
    for number, name in enumerate(CALLS):
        argument: object = (
            python if name.endswith(("eval", "exec")) else "antigravity" if name.endswith("__") else touch
        )
        call = Call(name, [argument], 0) if "subprocess" in name else Call(name, argument)
        if "subprocess" in name:
            call = Call(name, ["touch", f"{canary}/ran"])
        for protocol in (0, 2, 4):
            raw = pickle.dumps(call, protocol)
            yield f"batch{number}-{protocol}.tar", cifar(data_batch_1=raw)
            yield f"meta{number}-{protocol}.tar", cifar(batches_meta=raw)
        for part in ("data", "labels", "filenames"):
            yield f"{part}{number}.tar", cifar(data_batch_1=batch(**{part: call}))
        yield f"name{number}.tar", cifar(batches_meta={b"label_names": [call]})
    for number, raw in enumerate(
        (
            b"cos\nsystem\n(V" + touch.encode() + b"\ntR.",
            b"cnumpy\nload\n(V/etc/passwd\ntR.",
            b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(VO8\ntRVx\ntR.",
            b"cnumpy.f2py.diagnose\nrun\n(tR.",
            b"ccurate.sources.cifar\n_Unpickler\n.",
            b"\x80\x04\x8c\x08builtins\x8c\x07getattr\x93\x8c\x02os\x8c\x06system\x86R.",
            b"i__builtin__\neval\n(V1\n.",
            b"\x80\x02\x82\x01.",
            b"P0\n.",
        )
    ):
        yield f"raw{number}.tar", cifar(data_batch_1=raw)


def memory(rng: random.Random, canary: Path) -> Iterator[File]:
    """Pickles of a few bytes that would take gigabytes, or hours."""
    hashed = b"\x80\x02}" + b")\x85q\0" + b"".join(b"h\0h\0\x86q\0" for _ in range(60)) + b"K\1s."
    listed: list[object] = [b"x"]
    for _ in range(40):
        listed = [listed, listed]
    yield "memo.tar", cifar(data_batch_1=b"\x80\x02Nr\xff\xff\xff\x3f.")
    yield "memo-text.tar", cifar(data_batch_1=b"Np1000000000\n.")
    yield "hash.tar", cifar(data_batch_1=hashed)
    yield "text.tar", cifar(batches_meta={b"label_names": [listed, listed]})
    yield "key.tar", cifar(data_batch_1=batch(filenames=[listed, listed, listed]))
    yield "deep.tar", cifar(data_batch_1=b"(" * 200_000 + b"l" * 200_000 + b".")
    yield "bytes8.tar", cifar(data_batch_1=b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b".")
    yield "frame.tar", cifar(data_batch_1=b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"N.")
    yield "long.tar", cifar(data_batch_1=b"\x80\x02\x8b" + struct.pack("<i", 2**30) + b".")
    for number, shape in enumerate(
        ("(I1000000000\nI3072\nt", "(I-1\nt", "(L99999999999999999999L\nt", "((I1\nI3072\nt" * 1)
    ):
        raw = b"cnumpy\nndarray\n(" + shape.encode() + b"cnumpy\ndtype\n(Vu1\nI00\nI01\ntRtR."
        yield f"array{number}.tar", cifar(data_batch_1=raw)
        pair = b"(Vdata\n" + raw[:-1] + b"Vlabels\n(lI0\naVfilenames\n(ld."
        yield f"in-dictionary{number}.tar", cifar(data_batch_1=pair)
    for number, code in enumerate(
        (b"O8", b"V1000000000", b"M8[ns]", b"U999999999", b"{'names':['a'],'formats':['O']}")
    ):
        yield f"dtype{number}.tar", cifar(data_batch_1=b"cnumpy\ndtype\n(V" + code + b"\ntR.")


def wrong_types(rng: random.Random, canary: Path) -> Iterator[File]:
    """Batches the parts of which are of another type, shape or length, and names that lead out."""
    others: tuple[object, ...] = (
        None,
        5,
        2.5,
        b"x",
        "x",
        [],
        {},
        {b"a": 1},
        [None] * 3,
        ["x"] * 3,
        [[1]] * 3,
        [10**5000] * 3,
        [-1] * 3,
    )
    for part in ("data", "labels", "filenames"):
        for number, value in enumerate(others):
            yield f"{part}{number}.tar", cifar(data_batch_1=batch(**{part: value}))
    for number, value in enumerate(
        (*others, [1, 2, 0.5], (0, 1, 0), np.zeros(3), np.zeros((3, 3072)), np.zeros((3, 3072), object))
    ):
        yield f"whole{number}.tar", cifar(data_batch_1=value)
        yield f"meta{number}.tar", cifar(batches_meta=value)
        yield f"names{number}.tar", cifar(batches_meta={b"label_names": value})
        yield f"array{number}.tar", cifar(data_batch_1=batch(data=value))
    for number, name in enumerate(
        ("../../../../out", f"{canary}/out", "/absolute", "..", ".", "", "a/b", "a\0b", "x" * 300, "\udcff", "a\nb")
    ):
        text = name.encode("utf-8", "surrogateescape")
        yield f"out{number}.tar", cifar(batches_meta={b"label_names": [text, b"dog"]})
        yield f"file{number}.tar", cifar(data_batch_1=batch(filenames=[text, text, b"c.png"]))


def damaged(rng: random.Random, canary: Path) -> Iterator[File]:
    """Cut off, or with bits turned round: a pickle is a program, so that anything may come of it."""
    for number in range(60):
        data = bytearray(pickle.dumps(batch(), 2)) if number % 2 else bytearray(pickle.dumps(META, 2))
        if number % 5 == 4:
            data = data[: rng.randrange(len(data))]
        else:
            for _ in range(1 + number % 4):
                data[rng.randrange(min(len(data), 200))] ^= 1 << rng.randrange(8)
        yield f"bits{number}.tar", cifar(**{"data_batch_1" if number % 2 else "batches_meta": bytes(data)})


def arrays(rng: random.Random, canary: Path) -> Iterator[File]:
    """Arrays of objects, pickled within .npy, under the names that a source may have."""
    file = io.BytesIO()
    np.save(file, np.array([Call("os.system", f"touch {canary}/ran")], object), allow_pickle=True)
    for suffix in (".npy", ".npz", ".pkl", ".pt", ".parquet", ".tar", ".zip", ".csv"):
        yield f"objects{suffix}", file.getvalue()
