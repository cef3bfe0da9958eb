"""Large arrays for workers: a process has them in memory, and what it sends maps a file, which is written then."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from curate.files import replacing

OPEN = 16
"""Files that a worker keeps open: more than one search needs."""


class Shared:
    """An array, and the file that it is sent as: only work that leaves this process has it written."""

    def __init__(self, values: np.ndarray, path: Path) -> None:
        self.values, self.path = values, path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        if not self.path.exists():
            with replacing(self.path) as temporary, temporary.open("wb") as file:
                np.save(file, self.values, allow_pickle=False)
        return _mapped, (self.path,)


@lru_cache(maxsize=OPEN)
def _mapped(path: Path) -> Shared:
    return Shared(np.load(path, mmap_mode="r", allow_pickle=False), path)
