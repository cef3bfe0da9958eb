"""Images that look alike, found by their descriptors."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from curate.likeness import neighbors

NOWHERE = Path("not written")


def vectors(count: int, *, copies: int, seed: int = 0) -> np.ndarray:
    """Unit vectors in clusters, the last `copies` of which are the first ones, a little changed."""
    random = np.random.default_rng(seed)
    centers = random.normal(size=(60, 32))
    made = centers[random.integers(0, 60, count)] + random.normal(size=(count, 32))
    made[-copies:] = made[:copies] + 0.2 * random.normal(size=(copies, 32))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def found(index: neighbors.Index, queries: np.ndarray, *, most: int, least: float) -> set[tuple[int, int]]:
    alike, places = index.search(queries, most=most)
    query, place = np.nonzero((alike >= least) & (places >= 0))
    return set(zip(query, places[query, place], strict=True))


def test_all_vectors_that_are_alike_enough_are_found() -> None:
    made = vectors(600, copies=50)
    every = {(a, b) for a, b in np.argwhere(made @ made.T >= 0.8)}
    assert found(neighbors.Index.built(made, NOWHERE), made, most=600, least=0.8) == every


def test_only_the_most_alike_are_taken() -> None:
    made = vectors(600, copies=50)
    pairs = found(neighbors.Index.built(made, NOWHERE), made, most=2, least=-1.0)
    assert len(pairs) == 1200
    assert {(row, row) for row in range(600)} <= pairs
    assert {(row, row + 550) for row in range(50)} <= pairs


def test_cells_lose_hardly_any_copy_and_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbors, "EXACT_UP_TO", 1000)
    made = vectors(5000, copies=500)
    first, second = (found(neighbors.Index.built(made, NOWHERE), made, most=10, least=0.9) for _ in range(2))
    assert first == second
    assert len({(row, row + 4500) for row in range(500)} & first) >= 495


def test_fewer_vectors_than_are_asked_for() -> None:
    made = vectors(3, copies=1)
    assert found(neighbors.Index.built(made, NOWHERE), made, most=30, least=-1.0) == {
        (a, b) for a in range(3) for b in range(3)
    }


def test_few_queries_are_compared_with_all_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbors, "EXACT_UP_TO", 1000)
    made = vectors(5000, copies=500)
    few = found(neighbors.Index.built(made, NOWHERE, queries=100), made[:100], most=10, least=0.9)
    assert few == {(a, b) for a, b in np.argwhere(made[:100] @ made.T >= 0.9)}


@pytest.mark.parametrize("exact_up_to", [1000, 10_000])
def test_a_worker_reads_the_same_index_from_a_file(
    exact_up_to: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(neighbors, "EXACT_UP_TO", exact_up_to)
    made = vectors(5000, copies=500)
    index = neighbors.Index.built(made, tmp_path / "index.faiss")
    sent = pickle.dumps(index)
    assert len(sent) < 1000
    for here, there in zip(index.search(made, most=10), pickle.loads(sent).search(made, most=10), strict=True):
        assert here.tobytes() == there.tobytes()


def test_cells_hold_what_is_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbors, "EXACT_UP_TO", 1000)
    made = vectors(5000, copies=500)
    cells = neighbors.Index.built(made, NOWHERE).cells
    assert (cells[:500] == cells[-500:]).mean() > 20 * (cells[:500] == np.roll(cells, 1)[:500]).mean()
