"""Split and label from the folders an image lies in: one rule, on disk and in archives alike.

1. Wrapper folders, which alone hold all images and hold folders themselves, are stripped: `download/pets/cat/1.jpg`
   is `cat/1.jpg` if everything lies in `download/pets`.
2. The first folder that is called like a split (`train`, `val`, `Validation`, …) is the split. The label is the folder
   after it (`train/cat/1.jpg`), or, where the split folder holds the images, the one before it (`cat/train/1.jpg`).
3. Without such a folder the first folder is the label (`cat/young/1.jpg` is a `cat`), and the split stays open.
4. An image without a class folder is unlabelled.
"""

import os
import re
from collections.abc import Iterable, Sequence

SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
    "unlabelled": "pool",
    "unlabeled": "pool",
}
"""Folder names that are splits. `pool` is not among them: it may be a class of a set of rooms."""
SPLIT_NAMES = SPLIT_FOLDERS | {"pool": "pool"}
"""What is a split in a column, or in the name of a shard."""
UNLABELLED_FOLDER = "unlabelled"
"""The folder that stands for the split `pool` where images leave as folders."""


def places(names: Sequence[str]) -> list[tuple[str, str]]:
    """(split, label) of every relative path of a source, "" where the folders do not say."""
    folders = [name.rpartition("/")[0] for name in names]
    parts = {folder: folder.split("/") if folder else [] for folder in set(folders)}
    wrappers = _count_wrappers(parts.values())
    place = {folder: _place(components[wrappers:]) for folder, components in parts.items()}
    return [place[folder] for folder in folders]


def split_of(name: str) -> str:
    """The split that a cell or a folder's name means, in any case of letters; "" for anything else."""
    return SPLIT_NAMES.get(name.strip().lower(), "")


def split_of_shard(file_name: str) -> str:
    """The split in a shard's name (`cifar10-train-00000.tar` -> `train`), "" where there is none."""
    words = re.split(r"[-_.]", file_name.lower())
    return next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), "")


def _count_wrappers(folders: Iterable[list[str]]) -> int:
    """How many leading components all folders share, short of a split folder and of the last component of any."""
    listed = list(folders)
    shared = os.path.commonprefix(listed)  # noqa: RUF071  (of lists of components, not of text)
    count = next((at for at, name in enumerate(shared) if name.lower() in SPLIT_FOLDERS), len(shared))
    return max(0, min([count, *(len(components) - 1 for components in listed)]))


def _place(components: list[str]) -> tuple[str, str]:
    for at, name in enumerate(components):
        if split := SPLIT_FOLDERS.get(name.lower()):
            after, before = components[at + 1 : at + 2], components[max(at - 1, 0) : at]
            return split, (after or before or [""])[0]
    return "", components[0] if components else ""
