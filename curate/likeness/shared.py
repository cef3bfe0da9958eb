"""Large things for workers: a process has them in memory, and what it sends is a file, which is written then."""

from abc import ABC, abstractmethod
from functools import lru_cache
from pathlib import Path
from typing import Self

import numpy as np

from curate.files import replacing

OPEN = 16
"""Files that a worker keeps open: more than one search needs."""


class AsFile(ABC):
    """Something that pickles as the file at `path`: only work that leaves this process has it written."""

    path: Path

    @abstractmethod
    def write(self, path: Path) -> None:
        """Write the file, under a temporary name."""

    @classmethod
    @abstractmethod
    def opened(cls, path: Path) -> Self:
        """What was written, mapped: of a large file only that is read which is needed."""

    def __reduce__(self) -> tuple[object, tuple[object, Path]]:
        if not self.path.exists():
            with replacing(self.path) as temporary:
                self.write(temporary)
        return _opened, (type(self), self.path)


@lru_cache(maxsize=OPEN)
def _opened(kind: type[AsFile], path: Path) -> AsFile:
    return kind.opened(path)


class Shared(AsFile):
    """An array that workers map."""

    def __init__(self, values: np.ndarray, path: Path) -> None:
        self.values, self.path = values, path

    def write(self, path: Path) -> None:
        """See `AsFile`."""
        with path.open("wb") as file:  # np.save would put a suffix after the temporary name
            np.save(file, self.values, allow_pickle=False)

    @classmethod
    def opened(cls, path: Path) -> Self:
        """See `AsFile`."""
        return cls(np.load(path, mmap_mode="r", allow_pickle=False), path)
