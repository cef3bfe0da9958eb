"""CIFAR-10 and CIFAR-100 as their makers publish them: Python or binary version, .tar.gz or unpacked; fine labels."""

import io
import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np

from curate.errors import UserError
from curate.images import encode_png
from curate.layouts import Options, Sample, archives

PRIORITY = 30
SIDE = 32
PIXELS = 3 * SIDE * SIDE
META = {"batches.meta", "meta", "batches.meta.txt", "fine_label_names.txt"}
BATCHES = {f"data_batch_{number}{suffix}": "train" for number in range(1, 6) for suffix in ("", ".bin")}
BATCHES |= {"test_batch": "test", "test_batch.bin": "test"}
BATCHES_100 = {"train": "train", "test": "test", "train.bin": "train", "test.bin": "test"}
FOLDERS = ("cifar-10-batches-py", "cifar-10-batches-bin", "cifar-100-python", "cifar-100-binary")


def recognises(path: Path) -> bool:
    """A folder with the batches, the folder it lies in, or a tar file of it."""
    if path.is_dir():
        return _folder(path) is not None
    if not archives.is_tar(path):
        return False
    try:
        with archives.readable(path):
            members = archives.tar_members(path)
            first = next(members)[0].name.removeprefix("./").split("/")[0]
            members.close()
    except (UserError, StopIteration):
        return False
    return first in FOLDERS


def read(path: Path, options: Options) -> Iterator[Sample]:
    """Every image as PNG, called `<split>/<class>/<name>.png`: its `filenames` entry, or its position in the split.

    Raises `UserError` for a batch that is damaged, or whose pickle asks for more than arrays, numbers and text.
    """
    classes = _classes(path)
    count = {"train": 0, "test": 0}
    for name, file in _files(path):
        split = BATCHES.get(name) or BATCHES_100.get(name)
        if not split:
            continue
        images, labels, names = _binary(file, name, path) if name.endswith(".bin") else _pickled(file, name, path)
        for at, (image, label) in enumerate(zip(images, labels, strict=True)):
            if not 0 <= label < len(classes):
                raise UserError(
                    f"{path}: {name} has label {label}, but there are {len(classes)} classes; fetch it again"
                )
            stem = Path(names[at]).stem if names else f"{count[split]:05d}"
            folder = re.sub(r"/|^\.+$", "_", classes[label])  # a path of one step, whatever the class is called
            yield Sample(f"{split}/{folder}/{stem}.png", classes[label], split, data=encode_png(image))
            count[split] += 1


def _folder(path: Path) -> Path | None:
    """The folder that holds the batches: `path` or a folder in it with the makers' name."""
    for folder in (path, *(path / name for name in FOLDERS)):
        if any((folder / name).is_file() for name in META) and any(
            (folder / name).is_file() for name in BATCHES | BATCHES_100
        ):
            return folder
    return None


def _files(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """(file name, content) of everything in the folder or archive, sorted in a folder, as it comes in an archive."""
    if not path.is_dir():
        for member, content in archives.tar_members(path):
            if content is not None:
                yield archives.safe_name(path, member.name).rpartition("/")[2], content
        return
    for file in sorted((_folder(path) or path).iterdir()):
        if file.is_file():
            with file.open("rb") as content:
                yield file.name, content


def _classes(path: Path) -> list[str]:
    """Names of the (fine) classes; in an archive they may stand last, so it is gone through for them alone."""
    for name, file in _files(path):
        if name in ("batches.meta.txt", "fine_label_names.txt"):
            return file.read().decode("utf-8", "replace").split()
        if name in ("batches.meta", "meta"):
            meta = _load(file, name, path)
            names = meta.get("label_names", meta.get("fine_label_names"))
            if _is_list(names, bytes | str):
                return [_text(item) for item in names or []]
            raise UserError(f"{path}: {name} holds no list of class names; fetch it again")
    raise UserError(f"{path} has no file with the names of the classes ({', '.join(sorted(META))}); fetch it again")


Batch = tuple[np.ndarray, list[int], list[str]]
"""Images, shape (N, 32, 32, 3), uint8, RGB; labels; file names, empty where there are none."""


def _binary(file: IO[bytes], name: str, path: Path) -> Batch:
    """One label byte and 3,072 pixels a record; CIFAR-100 has the coarse label before the fine one."""
    label_bytes = 2 if name in BATCHES_100 else 1
    with archives.readable(path):
        content = np.frombuffer(file.read(), np.uint8)
    if content.size % (label_bytes + PIXELS):
        raise UserError(
            f"{path}: {name} has {content.size} bytes, no multiple of {label_bytes + PIXELS}; fetch it again"
        )
    records = content.reshape(-1, label_bytes + PIXELS)
    return _images(records[:, label_bytes:]), records[:, label_bytes - 1].tolist(), []


def _pickled(file: IO[bytes], name: str, path: Path) -> Batch:
    batch = _load(file, name, path)
    data: Any = batch.get("data")
    data = data.pixels if isinstance(data, _Array) else data
    names: Any = batch.get("filenames", [])
    labels: Any = batch.get("labels", batch.get("fine_labels"))
    if not (_is_pixels(data) and _is_list(labels, int) and _is_list(names, bytes | str)):
        raise UserError(f"{path}: {name} is no CIFAR batch (data of shape (N, {PIXELS}) with N labels); fetch it again")
    if len(labels) != len(data) or len(names) not in (0, len(data)) or not all(0 <= label < 256 for label in labels):
        raise UserError(
            f"{path}: {name} has not a label, and a name or none, for each of {len(data)} images; fetch it again"
        )
    return _images(data), labels, [_text(item) for item in names]


def _is_pixels(data: object) -> bool:
    return isinstance(data, np.ndarray) and data.dtype == np.uint8 and data.ndim == 2 and data.shape[1] == PIXELS


def _is_list(items: object, kind: Any) -> bool:
    return isinstance(items, list) and all(isinstance(item, kind) for item in items)


def _images(data: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(data.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1))


def _load(file: IO[bytes], name: str, path: Path) -> dict[str, Any]:
    """A pickled dictionary, its keys as text."""
    with archives.readable(path):
        content = io.BytesIO(file.read())
    try:
        loaded = _Unpickler(content, encoding="bytes").load()
    except _ForbiddenError as error:
        raise UserError(
            f"{path}: the pickle {name} asks for {error}, which no CIFAR file needs; it may be an attack"
        ) from None
    except Exception as error:  # a damaged pickle can raise anything
        raise UserError(f"{path}: {name} is damaged ({type(error).__name__}: {error}); fetch it again") from None
    if not isinstance(loaded, dict):
        raise UserError(f"{path}: {name} is no CIFAR file; fetch it again")
    return {_text(key): value for key, value in loaded.items() if isinstance(key, bytes | str)}


def _text(value: bytes | str) -> str:
    data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    return data.decode("utf-8", "replace").replace("\x00", "\ufffd")


class _ForbiddenError(Exception):
    """A pickle asked for something that could run code."""


def _with_plain_keys(code: bytes, keys: slice) -> Callable[[Any], None]:
    """What a pickle does at `code`, which fills a dictionary, where `keys` of its stack are text or numbers: the hash
    of tuples within tuples would take for ever."""
    load = pickle._Unpickler.dispatch[code[0]]

    def checked(unpickler: Any) -> None:
        if not all(isinstance(key, bytes | str | int) for key in unpickler.stack[keys]):
            raise _ForbiddenError("a key that is no text")
        load(unpickler)

    return checked


def _build(unpickler: Any) -> None:
    """What a pickle does at `BUILD`, for our own stand-ins alone: of functions it would set attributes."""
    if not isinstance(unpickler.stack[-2], _Bytes | _Array):
        raise _ForbiddenError("the state of something that has none")
    pickle._Unpickler.dispatch[pickle.BUILD[0]](unpickler)


FILLING = {pickle.DICT: slice(0, None, 2), pickle.SETITEMS: slice(0, None, 2), pickle.SETITEM: slice(-2, -1)}
SETS = {code[0] for code in (pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET)}
STEPS = {code: load for code, load in pickle._Unpickler.dispatch.items() if code not in SETS}
STEPS |= {code[0]: _with_plain_keys(code, keys) for code, keys in FILLING.items()}
STEPS[pickle.BUILD[0]] = _build


class _Unpickler(pickle._Unpickler):
    """Gives a pickle arrays and their types and nothing else, so that loading it cannot run code.

    It is Python's own unpickler, as that in C makes room for as many objects as a pickle says it has.
    """

    dispatch: ClassVar[dict[int, Callable]] = STEPS

    def find_class(self, module: str, name: str) -> object:
        """The few things that pickled arrays are made of. Raises `_ForbiddenError` for all else."""
        allowed = ALLOWED.get((module.replace("numpy._core", "numpy.core"), name))
        if allowed is None:
            raise _ForbiddenError(repr(f"{module}.{name}"))
        return allowed


class _Bytes:
    """Stands for `numpy.dtype("u1")`: of a real one a pickle could set flags, and have bytes taken for addresses."""

    def __setstate__(self, state: object) -> None:
        """Byte order and the like, which bytes have not."""


class _Array:
    """Stands for an array of bytes: a real one would allocate any shape that it is told."""

    pixels: np.ndarray | None = None

    def __setstate__(self, state: tuple[object, ...]) -> None:
        _, shape, kind, in_columns, data = state
        if not (isinstance(kind, _Bytes) and isinstance(data, bytes) and isinstance(shape, tuple)):
            raise _ForbiddenError("an array of anything but bytes")
        self.pixels = np.frombuffer(data, np.uint8).reshape(shape, order="F" if in_columns else "C")


def _kind(code: object, *rest: object) -> _Bytes:
    if code not in ("u1", b"u1"):
        raise _ForbiddenError("an array of anything but bytes")
    return _Bytes()


def _array(kind: object, shape: object, code: object) -> _Array:
    """Stands for numpy's `_reconstruct`."""
    return _Array()


def _no_array(*arguments: object) -> None:
    """Stands for `numpy.ndarray`, which is only named: called, it would give memory that held something else before."""
    raise _ForbiddenError("a call of numpy.ndarray")


def _encode(text: str, encoding: str) -> bytes:
    """Stands for `_codecs.encode`, by which Python 3 writes bytes for Python 2."""
    if encoding != "latin1":
        raise _ForbiddenError(f"encoding {encoding!r}")
    return text.encode("latin1")


ALLOWED: dict[tuple[str, str], Callable] = {
    ("numpy.core.multiarray", "_reconstruct"): _array,
    ("numpy", "ndarray"): _no_array,
    ("numpy", "dtype"): _kind,
    ("_codecs", "encode"): _encode,
}
