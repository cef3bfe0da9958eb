"""Alike findings go together, and those that do not belong are named."""

import numpy as np
import pytest

from curate.review import clusters
from curate.review.clusters import cluster, odd


def blobs(*counts: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points around directions far from each other, mixed: features, and which blob each is of."""
    random = np.random.default_rng(seed)
    of = random.permutation(np.repeat(np.arange(len(counts)), counts))
    return np.eye(8)[of] + random.normal(0, 0.02, (len(of), 8)), of


def test_what_lies_near_goes_together() -> None:
    features, of = blobs(16, 16, 16)
    found = cluster(np.full(48, "cat -> dog"), features)
    assert len(set(zip(found, of, strict=True))) == len(set(found)) == 3


def test_of_many_parts_are_split_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "MANY", 200)
    monkeypatch.setattr(clusters, "PART", 100)
    features, of = blobs(*[64] * 8)
    features[5] = np.nan
    found = cluster(np.full(512, "cat -> dog"), features)
    assert 24 <= found.max() + 1 <= 40
    known = np.arange(512) != 5
    assert len(set(zip(found[known], of[known], strict=True))) == len(set(found[known]))
    assert (found == found[5]).sum() == 1


def test_many_equal_images_are_one_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "MANY", 200)
    monkeypatch.setattr(clusters, "PART", 100)
    equal = np.tile(np.eye(8)[0], (300, 1))
    assert set(cluster(np.full(300, "dark"), equal)) == {0}
    found = cluster(np.full(500, "dark"), np.concatenate([equal, blobs(100, 100)[0][:, ::-1]]))
    assert len(set(found[:300])) == 1


def test_another_question_is_another_cluster() -> None:
    features, _ = blobs(10)
    groups = np.array(["cat -> dog"] * 5 + ["dog -> cat"] * 5)
    assert cluster(groups, features).tolist() == [0] * 5 + [1] * 5


@pytest.mark.parametrize("features", [None, np.full((40, 4), np.nan)])
def test_without_embeddings_they_go_in_order(features: np.ndarray | None) -> None:
    assert cluster(np.full(40, "dark"), features).tolist() == [0] * 16 + [1] * 16 + [2] * 8


def test_some_without_embeddings() -> None:
    features, _ = blobs(16, 16)
    features[:3] = np.nan
    found = cluster(np.full(32, "a"), features)
    assert len(set(found[:3])) == 1
    assert set(found[:3]).isdisjoint(found[3:])


def test_numbers_follow_the_order_that_they_come_in() -> None:
    features, _ = blobs(20, 20, 20)
    found = cluster(np.repeat(["b", "a", "c"], 20), features)
    firsts = [int(np.flatnonzero(found == number)[0]) for number in range(found.max() + 1)]
    assert firsts == sorted(firsts)
    assert np.array_equal(found, cluster(np.repeat(["b", "a", "c"], 20), features))


def test_the_odd_one_out_is_named() -> None:
    features, _ = blobs(12)
    features[5] = np.eye(8)[3]
    sure = np.full(12, 0.8)
    sure[7] = 0.2
    assert np.flatnonzero(odd(np.zeros(12, int), features, sure)).tolist() == [5, 7]
    assert np.flatnonzero(odd(np.zeros(12, int), None, sure)).tolist() == [7]


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_of_few_none_is_odd(count: int) -> None:
    features = np.eye(8)[:count]
    assert not odd(np.zeros(count, int), features, np.linspace(0, 1, count)).any()
    assert cluster(np.full(count, "a"), features).tolist() == [0] * count


def test_equal_images_are_one_cluster_without_odd_ones() -> None:
    features = np.tile(np.eye(8)[:1], (10, 1))
    assert cluster(np.full(10, "a"), features).tolist() == [0] * 10
    assert not odd(np.zeros(10, int), features, np.full(10, 0.5)).any()
