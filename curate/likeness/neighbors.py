"""Vectors that are alike, found without comparing each with each."""

from pathlib import Path
from typing import Self

import faiss
import numpy as np
from threadpoolctl import threadpool_limits

from curate.engine import threads
from curate.likeness.shared import AsFile

EXACT_UP_TO = 20_000
"""Vectors that are all compared; more are sorted into cells around centres, the nearest of which are searched."""
CELLS_PER_ROOT = 4
"""Cells for N vectors: so many times the square root of N (faiss's own advice is 4 to 16)."""
PROBES = 128
"""Cells searched per image: its own and those around it, so that no border parts what is alike."""
SEEN = 40
"""Vectors per cell that the centres are learned from."""
SORTING = 4
"""To sort a vector into its cell is as dear as to search a vector in so many times as many cells: an index is built
where there are enough queries."""


def unit(vectors: np.ndarray) -> np.ndarray:
    """The vectors with a length of 1, by which an inner product is a cosine; 0 stays 0: shape (N, D), float32."""
    length = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return np.ascontiguousarray(vectors / length, np.float32)


def most_similar(queries: np.ndarray, vectors: np.ndarray, *, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The vectors with the highest inner products with each query, of all: these, float32, and their positions.

    queries: shape (Q, D); vectors: shape (N, D), float32. Both have shape (Q, most), best first.
    """
    flat = faiss.IndexFlatIP(vectors.shape[1])
    flat.add(vectors)
    found: tuple[np.ndarray, np.ndarray] = flat.search(queries, most)
    return found


class Index(AsFile):
    """Unit vectors, to be searched by their inner product. Repeats bit for bit. Sent to a worker, it is a file."""

    def __init__(self, index: faiss.Index, cells: np.ndarray, path: Path) -> None:
        """See `built`."""
        self.index, self.cells, self.path = index, cells, path

    @classmethod
    def built(cls, vectors: np.ndarray, path: Path, *, queries: int | None = None) -> Self:
        """An index of vectors of shape (N, D), float32.

        path: the file to be. queries: how many will be searched for, where that is known. `cells` says for each vector
        in which one it is, shape (N,), int64: those of one cell are alike.
        """
        count, size = vectors.shape
        number = int(CELLS_PER_ROOT * count**0.5)
        if count <= EXACT_UP_TO or (queries is not None and queries <= SORTING * number):
            flat = faiss.IndexFlatIP(size)
            flat.add(vectors)
            return cls(flat, np.zeros(count, np.int64), path)
        index = faiss.index_factory(size, f"IVF{number},SQfp16", faiss.METRIC_INNER_PRODUCT)
        inverted = faiss.extract_index_ivf(index)
        inverted.nprobe = PROBES
        inverted.cp.min_points_per_centroid = 1  # of fewer than 39 it warns
        some = np.random.default_rng(0).choice(count, min(count, SEEN * number), replace=False)
        index.train(vectors[np.sort(some)])
        cells = inverted.quantizer.search(vectors, 1)[1].ravel()
        inverted.add_core(count, faiss.swig_ptr(vectors), None, faiss.swig_ptr(cells))
        return cls(index, cells, path)

    def search(self, queries: np.ndarray, *, most: int) -> tuple[np.ndarray, np.ndarray]:
        """The vectors with the highest inner products: these, float32, and their positions, -1 where there are fewer.

        queries: shape (Q, D), float32. Both have shape (Q, most), best first.
        """
        with threadpool_limits(1 if threads() == 1 else None):
            found: tuple[np.ndarray, np.ndarray] = self.index.search(queries, most)
        return found

    def write(self, path: Path) -> None:
        """See `AsFile`."""
        faiss.write_index(self.index, str(path))

    @classmethod
    def opened(cls, path: Path) -> Self:
        """An index without its `cells`, for searching alone."""
        return cls(
            faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY), np.zeros(0, np.int64), path
        )
