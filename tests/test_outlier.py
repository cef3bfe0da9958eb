"""The finder of images unlike all others, on embeddings whose outliers are known."""

import numpy as np
import pandas as pd
import pytest

from curate.finders.outlier import outlier as finder


def cluster(count: int, *, seed: int = 0, spread: float = 0.05) -> np.ndarray:
    """Directions around (1, 1, 1, 1, 0, 0, 0, 0): shape (count, 8)."""
    rng = np.random.default_rng(seed)
    return np.repeat([[1, 0]], count, 0).repeat(4, 1) + rng.normal(0, spread, (count, 8))


def outlier(embeddings: np.ndarray, parents: dict[int, int] | None = None, **settings: int) -> np.ndarray:
    """Scores of images of which some were generated, row -> row of the original."""
    made = {row: f"set/{original}" for row, original in (parents or {}).items()}
    parent_id = [made.get(row, "") for row in range(len(embeddings))]
    return finder(pd.DataFrame({"parent_id": pd.Series(parent_id, dtype="str")}), embeddings, **settings)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_images_have_no_neighbours(count: int) -> None:
    assert np.isnan(outlier(cluster(count))).all()
    assert outlier(cluster(count)).shape == (count,)


@pytest.mark.parametrize("count", [2, 5, 10, 11, 12, 100])
def test_few_images_take_as_many_neighbours_as_there_are(count: int) -> None:
    score = outlier(cluster(count), neighbours=10)
    assert ((score > 0) & (score <= 1)).all()


def test_planted_outliers_rank_first_and_alone_are_flagged() -> None:
    embeddings = cluster(200)
    embeddings[[3, 77]] = [[-1, 0, 1, 0, -1, 0, 1, 0], [0, 0, 0, 0, 0, 0, 0, 1]]
    score = outlier(embeddings)
    assert set(np.argsort(score)[:2]) == {3, 77}
    assert set(np.flatnonzero(score < 0.5)) == {3, 77}


def test_farther_away_never_raises_the_score() -> None:
    scores = []
    for step in np.linspace(0, 1, 11):
        embeddings = cluster(100)
        embeddings[0] = (1 - step) * embeddings[0] + step * np.array([0, 0, 0, 0, 1, 0, 0, 0])
        scores.append(outlier(embeddings)[0])
    assert (np.diff(scores) <= 1e-6).all()


def test_images_without_embedding_have_no_score_and_do_not_count() -> None:
    embeddings = cluster(50)
    with_gap = np.insert(embeddings, 7, np.nan, axis=0)
    score = outlier(with_gap)
    assert np.isnan(score[7])
    assert np.array_equal(np.delete(score, 7), outlier(embeddings))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_the_same_are_no_outliers(value: float) -> None:
    score = outlier(np.full((30, 8), value))
    assert ((score >= 0.5) & (score <= 1)).all()


def test_length_of_an_embedding_does_not_matter() -> None:
    embeddings = cluster(50)
    lengths = np.random.default_rng(1).uniform(0.1, 10, (50, 1))
    assert np.allclose(outlier(embeddings), outlier(embeddings * lengths), atol=1e-3)


def test_copies_count_as_one_another_but_not_as_themselves() -> None:
    embeddings = cluster(50)
    embeddings[0] = -embeddings[0]
    embeddings[1] = embeddings[0]
    score = outlier(embeddings)
    assert score[0] == pytest.approx(score[1], abs=1e-4)
    assert score[0] < 0.5


def test_what_was_generated_from_an_outlier_does_not_hide_it() -> None:
    embeddings = cluster(100)
    embeddings[0] = -embeddings[0]
    copies = np.repeat(embeddings[:2], 12, axis=0)
    score = outlier(np.concatenate([embeddings, copies]), {100 + copy: copy // 12 for copy in range(24)})
    assert np.array_equal(score[:100], outlier(embeddings))
    assert np.flatnonzero(score < 0.5).tolist() == [0]
    assert np.isnan(score[100:]).all()
