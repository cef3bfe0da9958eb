"""Vectors that are alike, found without comparing each with each."""

import faiss
import numpy as np

EXACT_UP_TO = 20_000
"""Vectors that are all compared; more are sorted into cells around centres, the nearest of which are searched."""
CELLS_PER_ROOT = 4
"""Cells for N vectors: so many times the square root of N (faiss's own advice is 4 to 16)."""
PROBES = 128
"""Cells searched per image."""
SEEN = 40
"""Vectors per cell that the centres are learned from."""
SORTING = 4
"""To sort a vector into its cell is as dear as to search a vector in so many times as many cells: an index is built
where there are enough queries."""


class Index:
    """Unit vectors, to be searched by their inner product. Repeats bit for bit."""

    def __init__(self, vectors: np.ndarray, *, queries: int | None = None) -> None:
        """vectors: shape (N, D), float32. queries: how many will be searched for, where that is known."""
        count, size = vectors.shape
        cells = int(CELLS_PER_ROOT * count**0.5)
        if count <= EXACT_UP_TO or (queries is not None and queries <= SORTING * cells):
            self.index: faiss.Index = faiss.IndexFlatIP(size)
        else:
            self.index = faiss.index_factory(size, f"IVF{cells},SQfp16", faiss.METRIC_INNER_PRODUCT)
            faiss.extract_index_ivf(self.index).nprobe = PROBES
            some = np.random.default_rng(0).choice(count, min(count, SEEN * cells), replace=False)
            self.index.train(vectors[np.sort(some)])
        self.index.add(vectors)

    def search(self, queries: np.ndarray, *, most: int) -> tuple[np.ndarray, np.ndarray]:
        """The vectors with the highest inner products: these, float32, and their positions, -1 where there are fewer.

        queries: shape (Q, D), float32. Both have shape (Q, most), best first.
        """
        found: tuple[np.ndarray, np.ndarray] = self.index.search(queries, most)
        return found
