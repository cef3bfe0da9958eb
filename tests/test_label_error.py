"""The finder of wrong labels, on probabilities whose answer is known."""

import numpy as np
import pandas as pd
import pytest

from curate.errors import UserError
from curate.finders.label_error import FILTERS, label_error
from tests.tables import images

CLASSES = ["bird", "cat", "dog"]


def run(labels: list[int], probs: list[list[float]], splits: list[str] | None = None, **settings: str) -> pd.DataFrame:
    splits = splits or ["train"] * len(labels)
    table = images(
        *(
            (str(at), split, CLASSES[label] if label >= 0 else "")
            for at, (label, split) in enumerate(zip(labels, splits, strict=True))
        )
    )
    matrix = np.array(probs, np.float32).reshape(len(labels), -1)
    return label_error(table, np.array(labels, int), CLASSES[: matrix.shape[1]], matrix, **settings)


@pytest.mark.parametrize(
    ("label", "probs", "score", "suggested"),
    [
        (0, [1, 0, 0], 1, ""),
        (0, [0, 1, 0], 0, "cat"),
        (1, [0.1, 0.3, 0.6], 1 / 3, "dog"),
        (1, [0.1, 0.6, 0.3], 2 / 3, ""),
        (2, [0.45, 0.45, 0.1], 0.1 / 0.55, "bird"),
        (0, [0.5, 0.5, 0], 0.5, ""),
        (0, [1 / 3, 1 / 3, 1 / 3], 0.5, ""),
    ],
)
def test_score_and_suggestion(label: int, probs: list[float], score: float, suggested: str) -> None:
    table = run([label, 0, 1, 2], [probs, [1, 0, 0], [0, 1, 0], [0, 0, 1]], filter_by="predicted_neq_given")
    row = table.iloc[0]
    assert row["score"] == pytest.approx(score, abs=1e-6)
    assert row["suggested_label"] == suggested
    assert row["flagged"] == (score < 0.5)


def test_more_doubt_never_raises_the_score() -> None:
    given = np.linspace(1, 0, 21)
    table = run([0] * 21 + [1], [[p, 1 - p, 0] for p in given] + [[0, 1, 0]])
    assert (np.diff(table["score"][:21]) <= 0).all()


def test_images_without_label_or_prediction_have_no_row() -> None:
    table = run([0, -1, 1, 2], [[1, 0, 0], [0, 1, 0], [np.nan] * 3, [0, 0, 1]])
    assert table["row"].to_list() == [0, 3]


@pytest.mark.parametrize(
    ("labels", "probs"),
    [
        ([], np.empty((0, 3)).tolist()),
        ([-1, -1], [[1, 0, 0]] * 2),
        ([0], [[0, 1, 0]]),
        ([0, 0], [[1.0], [1.0]]),
        ([0, 0], [[0, 0, 0]] * 2),
    ],
)
def test_edge_cases_flag_nothing(labels: list[int], probs: list[list[float]]) -> None:
    if not labels:
        table = label_error(images(), np.empty(0, int), CLASSES, np.empty((0, 3), np.float32))
    else:
        table = run(labels, probs)
    assert not table["flagged"].any()
    assert table["score"].between(0, 1).all()


@pytest.mark.parametrize("filter_by", FILTERS)
def test_planted_wrong_labels_rank_first(filter_by: str) -> None:
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, 300)
    probs = np.full((300, 3), 0.03)
    probs[np.arange(300), true] = 0.94
    probs += rng.uniform(0, 0.02, probs.shape)
    probs /= probs.sum(axis=1, keepdims=True)
    labels = true.copy()
    wrong = rng.choice(300, 20, replace=False)
    labels[wrong] = (labels[wrong] + 1) % 3
    table = run(labels.tolist(), probs.tolist(), filter_by=filter_by)
    assert set(table.nsmallest(20, "score")["row"]) == set(wrong)
    assert table["flagged"].to_numpy()[wrong].mean() >= 0.9
    assert (table["suggested_label"].to_numpy()[wrong] == np.array(CLASSES)[true[wrong]]).all()


@pytest.mark.parametrize("filter_by", FILTERS)
def test_a_class_that_a_split_lacks_is_no_obstacle(filter_by: str) -> None:
    labels, splits = [0, 0, 2, 2, 0, 0], ["train"] * 4 + ["test"] * 2
    probs = [
        [0.9, 0.05, 0.05],
        [0.05, 0.05, 0.9],
        [0.05, 0.05, 0.9],
        [0.1, 0.1, 0.8],
        [0.9, 0.05, 0.05],
        [0.05, 0.05, 0.9],
    ]
    table = run(labels, probs, splits, filter_by=filter_by)
    assert len(table) == 6


def test_unknown_filter_is_named() -> None:
    with pytest.raises(UserError, match=r"label_error\.filter_by.*'best'.*both"):
        run([0, 1], [[1, 0, 0], [0, 1, 0]], filter_by="best")
