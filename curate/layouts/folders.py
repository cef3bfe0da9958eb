"""Split and label from the folders an image lies in: one rule, on disk and in archives alike.

1. Wrapper folders, which alone hold folders, and in these more than half of all images, are stripped:
   `download/pets/cat/1.jpg` is `cat/1.jpg` if everything lies in `download/pets`, or a few images beside it.
2. The first folder that is called like a split (`train`, `val`, `Validation`, …) is the split. The label is the folder
   after it (`train/cat/1.jpg`), or, where split folders hold their images themselves, the one before it
   (`cat/train/1.jpg`).
3. Without such a folder the first folder is the label (`cat/young/1.jpg` is a `cat`), and the split stays open.
4. An image without a class folder is unlabelled.
"""

import re
from collections import Counter
from collections.abc import Sequence

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
    images = Counter(folders)
    parts = {folder: folder.split("/") if folder else [] for folder in images}
    wrappers = _count_wrappers([(parts[folder], count) for folder, count in images.items()])
    found = {folder: _place(components[wrappers:]) for folder, components in parts.items()}
    in_splits = [(bool(after), images[folder]) for folder, (split, after, _) in found.items() if split]
    split_first = 2 * sum(count for has_class, count in in_splits if has_class) > sum(count for _, count in in_splits)
    place = {
        folder: (split, after or ("" if split_first else before)) for folder, (split, after, before) in found.items()
    }
    return [place[folder] for folder in folders]


def split_of(name: str) -> str:
    """The split that a cell or a folder's name means, in any case of letters; "" for anything else."""
    return SPLIT_NAMES.get(name.strip().lower(), "")


def split_of_shard(file_name: str) -> str:
    """The split in a shard's name (`cifar10-train-00000.tar` -> `train`), "" where there is none."""
    words = re.split(r"[-_.]", file_name.lower())
    return next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), "")


def _count_wrappers(folders: list[tuple[list[str], int]]) -> int:
    """How many leading components are wrappers. folders: the components of each, and how many images lie in it."""
    wrappers, every = 0, sum(count for _, count in folders)
    while True:
        names = {components[wrappers] for components, _ in folders if len(components) > wrappers}
        deeper = sum(count for components, count in folders if len(components) > wrappers + 1)
        if len(names) != 1 or names.pop().lower() in SPLIT_FOLDERS or 2 * deeper <= every:
            return wrappers
        wrappers += 1


def _place(components: list[str]) -> tuple[str, str, str]:
    """The split, the folder after that of the split, and the one before it; without a split the first one is after."""
    for at, name in enumerate(components):
        if split := SPLIT_FOLDERS.get(name.lower()):
            return split, "".join(components[at + 1 : at + 2]), "".join(components[max(at - 1, 0) : at])
    return "", "".join(components[:1]), ""
