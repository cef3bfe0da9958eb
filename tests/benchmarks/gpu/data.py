"""The real data, decoded once for all checks of a run."""

import shutil
import tarfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import numpy as np
import torch

from curate.files import replacing
from curate.images import decode
from tests.benchmarks import record
from tests.benchmarks.gpu.job import Job, Missing
from train.data import ImageSet
from train.pixels import resize

ARCHIVES = {"cifar10": ("cifar10/cifar10_jpeg.tar.xz", 32), "imagenette": ("imagenette/imagenette224.tar.xz", 128)}
"""Data -> the archive, with images as `train/<class>/<name>` and `test/…` or `val/…`, and the side to bring them to in
pixels: 128 of the 224 that Imagenette has, which is what its leaderboard has the longest list of results for."""
SMALL_PER_CLASS = 5
"""Images of each class and split in a trial on a CPU."""
Item = tuple[str, str, str, bytes]
"""Split, class, name and bytes of an image file."""


def splits(job: Job, name: str) -> tuple[ImageSet, ImageSet]:
    """Training and test images; decoded by the first check that asks, read from its file by the others."""
    path = job.work / f"{name}{'-small' if job.small else ''}.npz"
    if not path.exists():
        write_decoded(path, archive(ARCHIVES[name][0], job.work), ARCHIVES[name][1], small=job.small)
    with np.load(path) as kept:
        classes = tuple(map(str, kept["classes"]))
        train_set, test_set = (
            ImageSet(
                images=torch.from_numpy(kept[f"{split}_images"]).permute(0, 3, 1, 2),
                labels=torch.from_numpy(kept[f"{split}_labels"]),
                image_ids=tuple(f"{split}/{number}" for number in range(len(kept[f"{split}_labels"]))),
                classes=classes,
            )
            for split in ("train", "test")
        )
    return train_set, test_set


def names(job: Job, name: str, split: str) -> list[str]:
    """`<class>/<file>` of each image of a split, in the order of `splits`."""
    items = read(archive(ARCHIVES[name][0], job.work), small=job.small)
    return [f"{label}/{file}" for each, label, file, _ in items if each == split]


def archive(relative: str, work: Path) -> Path:
    """The archive in `$CURATE_DATA`, whole or put together from its parts: `NAME.part…`, joined in order of name."""
    whole = record.DATA / relative
    if whole.exists():
        return whole
    parts = sorted(whole.parent.glob(f"{whole.name}.part*"))
    if not parts:
        raise Missing(f"{whole} is missing, and so are parts of it; set CURATE_DATA to the folder with {relative}")
    with replacing(work / whole.name) as joined, joined.open("wb") as file:
        for part in parts:
            with part.open("rb") as piece:
                shutil.copyfileobj(piece, file)
    return work / whole.name


def write_decoded(path: Path, source: Path, side: int, *, small: bool) -> None:
    """Decode the images of an archive into one file: `<split>_images`, shape (N, side, side, 3), uint8, RGB;
    `<split>_labels`, shape (N,), int64, positions in `classes`; in the archive's order."""
    try:
        items = list(read(source, small=small))
    except (EOFError, tarfile.ReadError) as error:
        raise Missing(f"{source} cannot be read to its end ({error}); is a part missing?") from None
    classes = sorted({label for _, label, _, _ in items})
    arrays: dict[str, np.ndarray] = {"classes": np.array(classes)}
    with ThreadPoolExecutor() as pool:  # OpenCV lets go of the interpreter's lock
        for split in ("train", "test"):
            own = [(label, content) for each, label, _, content in items if each == split]
            images = list(pool.map(lambda item: resize(decode(item[1]), side), own))
            arrays[f"{split}_images"] = np.stack(images)
            arrays[f"{split}_labels"] = np.array([classes.index(label) for label, _ in own], np.int64)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # the stubs take `allow_pickle` for one of the arrays


def read(source: Path, *, small: bool) -> Iterator[Item]:
    """The image files of an archive; `small`: the first few of each class and split."""
    seen: Counter[tuple[str, str]] = Counter()
    with tarfile.open(source) as opened:
        for member in opened:
            if not member.isfile():
                continue
            split, label, name = PurePosixPath(member.name).parts[-3:]
            split = "test" if split == "val" else split
            seen[split, label] += 1
            file = opened.extractfile(member)
            if file and not (small and seen[split, label] > SMALL_PER_CLASS):
                yield split, label, name, file.read()
