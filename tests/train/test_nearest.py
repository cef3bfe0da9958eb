"""Neighbours and pairs are those of a float64 product of all with all, whatever the blocks."""

from itertools import product

import numpy as np
import pytest
import torch

from curate.errors import UserError
from curate.predictions import NEIGHBORS
from train import crossval
from train import nearest as module
from train.nearest import above, nearest

SIGNS = np.array(list(product([0.5, -0.5], repeat=4)), np.float32)
"""Sixteen unit vectors whose products are 1, 0.5, 0, -0.5 and -1, exactly."""


@pytest.fixture(params=[(2**25, 65_536, 64, 2**14), (3000, 50, 4, 3), (200, 7, 3, 1)], ids=["whole", "blocks", "tiny"])
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module.BYTES, "cpu", request.param[0])
    for name, value in zip(("COLUMNS", "CHUNK", "HITS"), request.param[1:], strict=True):
        monkeypatch.setattr(module, name, value)


@pytest.fixture(params=["float32", "half"])
def coarse(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs chosen as on a CPU, and by half precision as on CUDA."""
    if request.param == "half":
        monkeypatch.setattr(module, "_coarse", lambda unit: unit.half())


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


def pairs_by_float64(vectors: np.ndarray, least: float) -> set[tuple[int, int]]:
    similarity = (vectors.astype(np.float64) @ vectors.astype(np.float64).T).astype(np.float32)
    return set(zip(*(side.tolist() for side in np.triu(similarity >= np.float32(least), 1).nonzero()), strict=True))


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


@pytest.mark.parametrize("count", [0, 1, 2, 50, 301])
@pytest.mark.parametrize("least", [0.3, 0.9, 0.999])
@pytest.mark.usefixtures("blocks", "coarse")
def test_above_is_every_pair(count: int, least: float) -> None:
    vectors = clustered(count, 24)
    a, b, similarity = above(vectors, least=least, device="cpu")
    assert (a.dtype, b.dtype, similarity.dtype) == (np.int64, np.int64, np.float32)
    found = list(zip(a.tolist(), b.tolist(), strict=True))
    assert found == sorted(pairs_by_float64(vectors, least))
    exact = (vectors[a].astype(np.float64) * vectors[b]).sum(1)
    np.testing.assert_allclose(similarity, exact, atol=1e-7)
    assert len(found) > 20 or count < 301


@pytest.mark.parametrize(
    ("least", "pairs"),
    [
        (0.5, [(0, 1)]),
        (float(np.nextafter(np.float32(0.5), np.float32(1))), []),
        (float(np.nextafter(np.float32(0.5), np.float32(0))), [(0, 1)]),
        (0.0, [(0, 1), (0, 2)]),
        (-1.0, [(0, 1), (0, 2), (1, 2)]),
    ],
)
@pytest.mark.usefixtures("blocks", "coarse")
def test_at_the_threshold(least: float, pairs: list[tuple[int, int]]) -> None:
    """The products are 0.5, 0 and -0.5."""
    vectors = np.array([[0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, -0.5], [0.5, -0.5, -0.5, 0.5]], np.float32)
    a, b, _ = above(vectors, least=least, device="cpu")
    assert list(zip(a.tolist(), b.tolist(), strict=True)) == pairs


@pytest.mark.usefixtures("coarse")
def test_pairs_around_the_threshold_are_told_apart() -> None:
    """Where half precision sees no difference: products from 0.9 - 1e-5 to 0.9 + 1e-5."""
    cosines = np.linspace(0.9 - 1e-5, 0.9 + 1e-5, 400)
    vectors = np.stack([cosines, np.sqrt(1 - cosines**2)], axis=1).astype(np.float32)
    vectors = np.concatenate([[[1, 0]], vectors]).astype(np.float32)
    a, b, _ = above(vectors, least=0.9, device="cpu")
    assert set(b[a == 0].tolist()) == {1 + place for place in np.flatnonzero(vectors[1:, 0] >= np.float32(0.9))}
    assert 100 < (a == 0).sum() < 300


@pytest.mark.parametrize("size", [1, 8, 512, 1100])
def test_no_rounding_error_exceeds_the_margin(size: int) -> None:
    """Of random vectors, and of one whose factors are all rounded by half of their last bit, the same way."""
    worst = np.zeros((1, size), np.float32)
    worst[:, :1022] = 2**-5 * (1 + 2**-11)
    vectors = torch.from_numpy(np.concatenate([unit(np.random.default_rng(0).normal(size=(200, size))), worst]))
    exact = vectors.double() @ vectors.double().T
    half = ((vectors.half() @ vectors.half().T).double() - exact).abs()
    assert float(half.max()) < module._margin(size, torch.float16)
    single = ((vectors @ vectors.T).double() - exact).abs()
    assert float(single.max()) < module._margin(size, torch.float32)
    if size == 1100:
        assert float(half[-1, -1]) > 0.9 * 2**-10


@pytest.mark.usefixtures("blocks", "coarse")
def test_too_many_pairs_are_refused() -> None:
    vectors = np.repeat(SIGNS[:1], 30, axis=0)
    assert len(above(vectors, least=0.9, device="cpu", most_pairs=435)[0]) == 435
    with pytest.raises(UserError, match=r"more than 434 pairs of 30 vectors .* 0\.9 or more; raise the threshold"):
        above(vectors, least=0.9, device="cpu", most_pairs=434)


@pytest.mark.parametrize(("value", "length"), [(np.nan, "nan"), (np.inf, "inf"), (1.5, "1.5")])
def test_what_is_no_unit_vector_is_named(value: float, length: str) -> None:
    vectors = np.eye(4, dtype=np.float32)
    vectors[2, 2] = value
    for call in (lambda: nearest(vectors, most=1, device="cpu"), lambda: above(vectors, least=0.5, device="cpu")):
        with pytest.raises(UserError, match=f"1 of 4 vectors .* row 2, of length {length}; divide"):
            call()


def test_settings_of_products_are_put_back() -> None:
    torch.set_float32_matmul_precision("high")
    try:
        above(SIGNS, least=0.9, device="cpu")
        nearest(SIGNS, most=2, device="cpu")
        assert torch.get_float32_matmul_precision() == "high"
        assert torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction
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
