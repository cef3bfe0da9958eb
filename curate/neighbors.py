"""Images that look alike, found by their descriptors without comparing each with each."""

import faiss
import numpy as np

EXACT_UP_TO = 20_000
"""Vectors that are all compared with each other; more are sorted into cells around centres, the nearest of which are
searched."""
CELLS_PER_ROOT = 4
"""Cells for N vectors: so many times the square root of N (faiss's own advice is 4 to 16)."""
PROBES = 48
"""Cells searched per image."""
SEEN = 40
"""Vectors per cell that the centres are learned from."""


class Index:
    """Unit vectors, to be searched by their inner product. Repeats bit for bit."""

    def __init__(self, vectors: np.ndarray) -> None:
        """vectors: shape (N, D), float32."""
        count, size = vectors.shape
        if count <= EXACT_UP_TO:
            self.index: faiss.Index = faiss.IndexFlatIP(size)
        else:
            cells = int(CELLS_PER_ROOT * count**0.5)
            self.index = faiss.index_factory(size, f"IVF{cells},SQfp16", faiss.METRIC_INNER_PRODUCT)
            faiss.extract_index_ivf(self.index).nprobe = PROBES
            some = np.random.default_rng(0).choice(count, min(count, SEEN * cells), replace=False)
            self.index.train(vectors[np.sort(some)])
        self.index.add(vectors)

    def search(self, queries: np.ndarray, *, most: int, least: float) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of a query's position and that of a vector with an inner product of at least `least`, the `most`
        highest of each query: two arrays of shape (P,). queries: shape (Q, D), float32."""
        alike, found = self.index.search(queries, min(most, self.index.ntotal))
        query, place = np.nonzero((alike >= least) & (found >= 0))
        return query, found[query, place]
