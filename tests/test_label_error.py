"""The finder of wrong labels, on probabilities whose answer is known."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from curate import verbs
from curate.errors import UserError
from curate.finders.label_error import FILTERS, METHODS, label_error
from curate.signals.label_doubt import label_doubt
from curate.workspace import FINDINGS, MANIFEST, Workspace
from tests.tables import found as findings_of
from tests.tables import images

CLASSES = ["bird", "cat", "dog"]
PLAIN = {"method": "confident_learning"}
NO_TWINS = pd.DataFrame({"row": pd.Series(dtype=int), "label": pd.Series(dtype=int)})


def doubt_of(table: pd.DataFrame, labels: np.ndarray, probs: np.ndarray) -> pd.DataFrame:
    """What the signal makes of predictions alone."""
    return label_doubt(table, labels, probs, None, NO_TWINS)


def run(labels: list[int], probs: list[list[float]], splits: list[str] | None = None, **settings: str) -> pd.DataFrame:
    splits = splits or ["train"] * len(labels)
    table = images(
        *(
            (str(at), split, CLASSES[label] if label >= 0 else "")
            for at, (label, split) in enumerate(zip(labels, splits, strict=True))
        )
    )
    matrix = np.array(probs, np.float32).reshape(len(labels), -1)
    codes = np.array(labels, int)
    return label_error(
        table, codes, CLASSES[: matrix.shape[1]], matrix, doubt_of(table, codes, matrix), None, None, **PLAIN | settings
    )


def simulated(
    count: int, share: float, *, classes: int = 5, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, true labels and probabilities, shape (N, K), of a network that is sure where it is right."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, classes, count)
    logits = rng.normal(0, 1, (count, classes))
    logits[np.arange(count), true] += rng.gamma(4, 1.2, count)
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    wrong = rng.random(count) < share
    labels = np.where(wrong, (true + rng.integers(1, classes, count)) % classes, true)
    return labels, true, probs.astype(np.float32)


def fused(labels: np.ndarray, probs: np.ndarray, *, splits: list[str] | None = None, **settings: str) -> pd.DataFrame:
    """The finder's table for simulated labels of the classes "0", "1", …"""
    names = [str(k) for k in range(probs.shape[1])]
    splits = splits or ["train"] * len(labels)
    table = images(*((str(at), split, names[k]) for at, (split, k) in enumerate(zip(splits, labels, strict=True))))
    return label_error(table, labels, names, probs, doubt_of(table, labels, probs), None, None, **settings)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3])
def test_probabilities_are_calibrated_and_the_cut_is_near_the_best(share: float) -> None:
    labels, true, probs = simulated(6000, share)
    table = fused(labels, probs)
    wrong = labels != true
    p_wrong = 1 - table["score"].to_numpy()
    assert p_wrong.mean() == pytest.approx(wrong.mean(), abs=0.02)
    for part in np.array_split(np.argsort(p_wrong), 10):
        assert p_wrong[part].mean() == pytest.approx(wrong[part].mean(), abs=0.08)
    order = np.argsort(-p_wrong)
    hits, taken = np.cumsum(wrong[order]), np.arange(1, len(order) + 1)
    best = (2 * hits / (taken + wrong.sum())).max()
    flagged = table["flagged"].to_numpy()
    assert 2 * (flagged & wrong).sum() / (flagged.sum() + wrong.sum()) >= best - 0.08


def test_clean_labels_raise_hardly_any_alarm() -> None:
    labels, _, probs = simulated(6000, 0.0)
    assert fused(labels, probs)["flagged"].mean() <= 0.01


@pytest.mark.parametrize(
    ("at", "low", "high"), [("budget=50", 50, 50), ("precision=0.95", 1, 600), ("recall=0.5", 150, 600)]
)
def test_at_says_what_is_flagged(at: str, low: int, high: int) -> None:
    labels, true, probs = simulated(4000, 0.1)
    table = fused(labels, probs, at=at)
    assert low <= table["flagged"].sum() <= high
    worst = table[~table["flagged"]]["score"].min()
    assert table[table["flagged"]]["score"].max() <= worst
    if at.startswith("precision"):
        assert (labels != true)[table["row"][table["flagged"]]].mean() >= 0.85


def test_each_split_has_its_own_rate() -> None:
    labels, true, probs = simulated(4000, 0.2)
    labels[2000:] = true[2000:]
    table = fused(labels, probs, splits=["train"] * 2000 + ["test"] * 2000)
    assert 1 - table["score"][:2000].mean() > 0.15
    assert 1 - table["score"][2000:].mean() < 0.02


def test_suggestions_say_how_sure_they_are() -> None:
    labels, true, probs = simulated(6000, 0.2)
    table = fused(labels, probs)
    sure = table[table["suggested_prob"] > 0.9]
    assert len(sure) > 500
    assert (sure["suggested_label"].astype(int).to_numpy() == true[sure["row"]]).mean() > 0.88
    assert (table["suggested_prob"] <= 1 - table["score"] + 1e-6).all()


def test_where_no_class_fits_none_is_suggested() -> None:
    labels, _, probs = simulated(3000, 0.2)
    probs[0] = [0.004, 0.249, 0.249, 0.249, 0.249]
    labels[0] = 0
    row = fused(labels, probs).iloc[0]
    assert row["score"] < 0.5
    assert row["suggested_label"] == ""
    assert row["detail"].startswith("no class fits")


def test_two_plausible_classes_are_called_ambiguous() -> None:
    labels, _, probs = simulated(3000, 0.05)
    probs[0], labels[0] = [0.48, 0.46, 0.02, 0.02, 0.02], 1
    assert fused(labels, probs).iloc[0]["detail"].startswith("ambiguous")


def test_the_detail_says_what_there_is_to_see() -> None:
    labels, _, probs = simulated(3000, 0.05)
    probs[:2], labels[:2] = [0.96, 0.01, 0.01, 0.01, 0.01], [1, 0]
    names = [str(k) for k in range(5)]
    table = images(*((str(at), "train", names[k]) for at, k in enumerate(labels)))
    near, late = np.full(3000, np.nan), np.full(3000, 0.25)
    near[0] = 0.1
    twins = pd.DataFrame({"row": [0], "label": [0]})
    doubt = label_doubt(table, labels, probs, None, twins)
    assert doubt["twins"][0] > 0.5
    assert doubt["twins"][1:].abs().max() < 1e-6
    found = label_error(table, labels, names, probs, doubt, near, late)["detail"]
    said = r"networks say 0 1\.00, 1 0\.00; twins \+\d\.\d; 10% of neighbours agree; learned late 0\.25"
    assert re.fullmatch(said, found[0])
    assert found[1] == "networks say 0 1.00; learned late 0.25"


def test_rare_classes_are_not_called_wrong() -> None:
    """30 images of a class that the network rarely dares to name, beside 4,000 of the others."""
    labels, _, probs = simulated(4000, 0.02, classes=4)
    probs = np.concatenate([probs * 0.995, np.full((4000, 1), 0.005)], axis=1)
    rare = np.full((30, 5), 0.1)
    rare[:, 4], rare[:, 0] = 0.2, 0.5
    table = fused(np.append(labels, np.full(30, 4)), np.concatenate([probs, rare]).astype(np.float32))
    assert table["flagged"][-30:].mean() < 0.2


@pytest.mark.parametrize("method", METHODS)
def test_generated_images_are_no_labels_of_their_own(method: str) -> None:
    """Six of each of a few images: neither judged, nor counted where rates of errors are learned."""
    labels, _, probs = simulated(200, 0.1, classes=3)
    rows = [(str(at), "train", str(k)) for at, k in enumerate(labels)]
    made = {f"{at}-{draw}": str(at) for at in range(20) for draw in range(6)}
    both = images(*rows, *((name, "train", str(labels[int(of)])) for name, of in made.items()), parents=made)
    again = np.concatenate([labels, labels[:20].repeat(6)]), np.concatenate([probs, probs[:20].repeat(6, axis=0)])
    names = [str(k) for k in range(3)]
    found, alone = (
        label_error(table, codes, names, said, doubt_of(table, codes, said), None, None, method=method)
        for table, (codes, said) in ((both, again), (images(*rows), (labels, probs)))
    )
    assert alone["flagged"].any()
    pd.testing.assert_frame_equal(found, alone)


def test_generated_images_do_not_dilute_the_rate_of_errors(tmp_path: Path) -> None:
    """One label of two originals is wrong, however many images were generated from the other. A third is not judged."""
    made = {f"made{draw}": "b" for draw in range(6)}
    workspace = Workspace(tmp_path)
    with workspace.writing("scan", {}) as transaction:
        rows = [(name, "train", "cat") for name in ("a", "b", "c", *made)]
        transaction.write_table(MANIFEST, images(*rows, parents=made))
        judged = findings_of(("a", "label_error", 0.0, "dog"), ("b", "label_error", 0.999999, ""))
        judged = judged.assign(flagged=[True, False], suggested_prob=np.float32([1, 0]))
        transaction.write_table(FINDINGS, judged)
    expected = verbs.summarise(workspace, finder="label_error").expected
    assert expected is not None
    assert expected.noise_rate.expected == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(("name", "value"), [("method", "best"), ("at", "f2"), ("at", "precision=2")])
def test_unknown_settings_are_named(name: str, value: str) -> None:
    labels, _, probs = simulated(100, 0.1)
    with pytest.raises(UserError, match=value):
        fused(labels, probs, **{name: value})


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
@pytest.mark.parametrize("method", METHODS)
def test_edge_cases_flag_nothing(labels: list[int], probs: list[list[float]], method: str) -> None:
    if not labels:
        none, nobody = np.empty((0, 3), np.float32), np.empty(0, int)
        table = label_error(
            images(), nobody, CLASSES, none, doubt_of(images(), nobody, none), None, None, method=method
        )
    else:
        table = run(labels, probs, method=method)
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
