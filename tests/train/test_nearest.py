"""Neighbours are those of a float64 product of all with all, whatever the blocks."""

from itertools import product

import numpy as np
import pytest
import torch

from curate.errors import UserError
from curate.predictions import NEIGHBORS
from train import crossval
from train import nearest as module
from train.nearest import nearest

SIGNS = np.array(list(product([0.5, -0.5], repeat=4)), np.float32)
"""Sixteen unit vectors whose products are 1, 0.5, 0, -0.5 and -1, exactly."""


@pytest.fixture(params=[(2**25, 65_536, 64), (3000, 50, 4), (200, 7, 3)], ids=["whole", "blocks", "tiny"])
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module.BYTES, "cpu", request.param[0])
    for name, value in zip(("COLUMNS", "CHUNK"), request.param[1:], strict=True):
        monkeypatch.setattr(module, name, value)


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def clustered(count: int, size: int, seed: int = 0) -> np.ndarray:
    """A cluster for about ten vectors, some close and some loose; a tenth are exact copies of others."""
    random = np.random.default_rng(seed)
    centres = unit(random.normal(size=(count // 10 + 1, size)))
    cluster = random.integers(0, len(centres), count)
    apart = random.uniform(0.05, 1, len(centres))[cluster, None] / size**0.5
    vectors = unit(centres[cluster] + apart * random.normal(size=(count, size)))
    vectors[random.integers(0, count, count // 10)] = vectors[random.integers(0, count, count // 10)]
    return vectors


def by_float64(vectors: np.ndarray, queries: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    similarity = (queries.astype(np.float64) @ vectors.astype(np.float64).T).astype(np.float32) + np.float32(0)
    order = np.argsort(-similarity, axis=1, kind="stable")[:, :most]
    rest = ((0, 0), (0, most - order.shape[1]))
    best = np.take_along_axis(similarity, order, axis=1)
    return np.pad(best, rest, constant_values=-1), np.pad(order, rest, constant_values=-1)


@pytest.mark.parametrize(
    ("count", "queries", "most"), [(0, 3, 2), (1, 1, 1), (1, 2, 3), (3, 0, 2), (5, 4, 8), (203, 61, 1), (203, 61, 17)]
)
@pytest.mark.parametrize("size", [1, 8, 33])
@pytest.mark.usefixtures("blocks")
def test_nearest_of_random_vectors(count: int, queries: int, most: int, size: int) -> None:
    random = np.random.default_rng(0)
    vectors, asked = unit(random.normal(size=(count, size))), unit(random.normal(size=(queries, size)))
    similarity, positions = nearest(vectors, most=most, device="cpu", queries=asked)
    assert (similarity.dtype, positions.dtype) == (np.float32, np.int64)
    best, order = by_float64(vectors, asked, most)
    np.testing.assert_allclose(similarity, best, atol=1e-7)
    np.testing.assert_array_equal(positions, order)


@pytest.mark.usefixtures("blocks")
def test_nearest_among_clusters_and_copies() -> None:
    vectors = clustered(301, 24)
    similarity, positions = nearest(vectors, most=12, device="cpu")
    best, order = by_float64(vectors, vectors, 12)
    np.testing.assert_allclose(similarity, best, atol=1e-7)
    np.testing.assert_array_equal(positions, order)


@pytest.mark.parametrize("most", [1, 5, 40, 400])
@pytest.mark.usefixtures("blocks")
def test_of_equally_near_ones_the_first_are_taken(most: int) -> None:
    vectors = SIGNS[np.random.default_rng(0).integers(0, 16, 307)]
    similarity, positions = nearest(vectors, most=most, device="cpu", queries=SIGNS)
    best, order = by_float64(vectors, SIGNS, most)
    np.testing.assert_array_equal(similarity, best)
    np.testing.assert_array_equal(positions, order)


@pytest.mark.usefixtures("blocks")
def test_zero_has_no_sign() -> None:
    vectors = np.array([[-0.0], [0.0], [-0.0], [1.0], [0.0]], np.float32)
    _, positions = nearest(vectors, most=4, device="cpu", queries=np.array([[1.0], [-1.0]]))
    assert positions.tolist() == [[3, 0, 1, 2], [0, 1, 2, 4]]


def test_vectors_may_be_tensors_or_read_only() -> None:
    vectors = clustered(40, 8)
    expected = nearest(vectors, most=3, device="cpu")[1]
    given = vectors.copy()
    given.flags.writeable = False
    for same in (torch.from_numpy(vectors), given, np.asfortranarray(vectors), vectors.astype(np.float64)):
        np.testing.assert_array_equal(nearest(same, most=3, device="cpu")[1], expected)


@pytest.mark.parametrize(("value", "length"), [(np.nan, "nan"), (np.inf, "inf"), (1.5, "1.5")])
def test_what_is_no_unit_vector_is_named(value: float, length: str) -> None:
    vectors = np.eye(4, dtype=np.float32)
    vectors[2, 2] = value
    with pytest.raises(UserError, match=f"1 of 4 vectors .* row 2, of length {length}; divide"):
        nearest(vectors, most=1, device="cpu")


def test_settings_of_products_are_put_back() -> None:
    torch.set_float32_matmul_precision("high")
    try:
        nearest(SIGNS, most=2, device="cpu")
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_of_equal_embeddings_the_row_itself_is_left_out() -> None:
    count = NEIGHBORS + 20
    embeddings = np.concatenate([np.full((count, 3), 7), np.eye(3)]).astype(np.float32)
    found = crossval.nearest(embeddings)
    for row in range(count):
        assert found[row].tolist() == [other for other in range(NEIGHBORS + 1) if other != row][:NEIGHBORS]
    assert (found[count:, 0] == 0).all()
    assert (found != np.arange(len(found))[:, None]).all()
