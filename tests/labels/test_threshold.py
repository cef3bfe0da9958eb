"""Where a list of probabilities is cut, what can be expected there, and what answers change."""

import numpy as np
import pytest
from scipy.special import expit, logit

from curate.errors import UserError
from curate.labels.threshold import LEAST, Calibration, cut, learn, parse


def probabilities(count: int, seed: int = 0) -> np.ndarray:
    """Most low, some high, as of a set with 15 % wrong labels."""
    random = np.random.default_rng(seed)
    return expit(random.normal(-3.5, 3, count))


# Places


@pytest.mark.parametrize(
    ("at", "means"),
    [
        ("f1", ("f1", 0)),
        ("precision=0.9", ("precision", 0.9)),
        ("recall=.8", ("recall", 0.8)),
        ("recall=1", ("recall", 1)),
        ("probability=0.5", ("probability", 0.5)),
        ("budget=500", ("budget", 500)),
        ("budget=0", ("budget", 0)),
    ],
)
def test_places(at: str, means: tuple[str, float]) -> None:
    assert parse(at) == means


@pytest.mark.parametrize(
    ("at", "says"),
    [
        ("", "is no place to cut; there are: f1, precision=0.9"),
        ("f2", "is no place to cut"),
        ("f1=0.5", "is no place to cut"),
        ("precision", "is no place to cut"),
        ("precision=", "is no place to cut"),
        ("precision=high", "is no place to cut"),
        ("precision=nan", "is no place to cut"),
        ("recall=-0.5", "is no place to cut"),
        ("recall=0", "recall lies above 0 and not above 1, for instance recall=0.9"),
        ("probability=50", "probability lies above 0"),
        ("precision=1.01", "precision lies above 0"),
        ("budget=2.5", "a whole number of images"),
        ("budget=-1", "is no place to cut"),
    ],
)
def test_what_is_no_place(at: str, says: str) -> None:
    with pytest.raises(UserError, match=rf"^label_error\.at '{at}'.*{says}"):
        cut(np.array([0.5]), at)
    with pytest.raises(UserError, match=rf"^--at '{at}'"):
        parse(at, "--at")


# Cuts


@pytest.mark.parametrize("seed", range(5))
def test_f1_is_the_best_expected_one(seed: int) -> None:
    probs = probabilities(300, seed)
    ranked = np.sort(probs)[::-1]
    scores = [2 * ranked[:count].sum() / (count + ranked.sum()) for count in range(1, 301)]
    assert cut(probs, "f1").flagged == min(1 + int(np.argmax(scores)), int((probs >= LEAST).sum()))


@pytest.mark.parametrize(
    ("probs", "at", "flagged"),
    [
        ([0.2, 0.9, 0.5], "probability=0.5", 2),
        ([0.2, 0.9, 0.5], "probability=1", 0),
        ([0.2, 0.9, 0.5], "budget=2", 2),
        ([0.2, 0.9, 0.5], "budget=0", 0),
        ([0.2, 0.9, 0.5], "budget=99", 3),
        ([0.2, 0.9, 0.5], "precision=0.7", 2),  # (0.9 + 0.5) / 2
        ([0.2, 0.9, 0.5], "precision=0.71", 1),
        ([0.2, 0.9, 0.5], "precision=0.95", 0),
        ([0.9] * 1000, "precision=0.9", 1000),  # whatever the rounding of sums
        ([0.7] * 999, "precision=0.7", 999),
        ([1.0, 1.0, 0.0], "precision=1", 2),
        ([0.25, 0.5, 0.25], "recall=0.5", 1),
        ([0.25, 0.5, 0.25], "recall=0.51", 2),
        ([0.25, 0.5, 0.25], "recall=1", 3),
        ([1.0, 0.0, 0.0], "recall=1", 1),
        ([0.0, 0.0], "recall=1", 0),
        ([0.0, 0.0], "f1", 0),
        ([1.0, 1.0], "f1", 2),
        ([0.3], "f1", 0),  # probably right
        ([0.45], "f1", 1),
        ([], "f1", 0),
        ([], "budget=3", 0),
        ([], "precision=0.5", 0),
        ([], "recall=0.5", 0),
    ],
)
def test_how_many_are_flagged(probs: list[float], at: str, flagged: int) -> None:
    found = cut(np.array(probs, float), at)
    assert found.flagged == flagged
    ranked = sorted(probs, reverse=True)
    assert found.probability == (ranked[flagged - 1] if flagged else 1)
    for interval in (found.precision, found.recall, found.noise_rate):
        assert 0 <= interval.low <= interval.expected <= interval.high <= 1


def test_what_is_expected() -> None:
    found = cut(np.array([0.8, 0.1, 0.6, 0.1]), "budget=2")
    assert found.precision.expected == pytest.approx(0.7)
    assert found.recall.expected == pytest.approx(1.4 / 1.6)
    assert found.noise_rate.expected == pytest.approx(0.4)


def test_nothing_taken_and_nothing_there() -> None:
    empty = cut(np.zeros(0), "f1")
    assert (empty.precision.low, empty.recall.low, empty.noise_rate.high) == (1, 1, 0)
    certain = cut(np.array([0.0, 1.0, 1.0, 0.0]), "f1")
    for interval in (certain.precision, certain.recall):
        assert (interval.low, interval.high) == (1, 1)
    assert (certain.noise_rate.low, certain.noise_rate.high) == (0.5, 0.5)
    assert str(certain.noise_rate) == "50.0 % (50.0 to 50.0)"


# Intervals


@pytest.mark.parametrize("at", ["f1", "precision=0.8"])
@pytest.mark.parametrize("count", [300, 3000])
def test_intervals_cover_what_comes_true(at: str, count: int) -> None:
    """Probabilities are off by as much as is assumed: the truth lies in 95 % of the intervals, 90 % at least of 200."""
    random = np.random.default_rng(0)
    probs = probabilities(count, seed=2)
    found = cut(probs, at)
    assert found.flagged > 3
    taken = np.argsort(-probs, kind="stable")[: found.flagged]
    covered = np.zeros(3)
    for _ in range(200):
        off = expit(logit(probs) * random.normal(1, 0.2) + random.normal(0, 0.35))
        wrong = random.random(count) < off
        hits, total = wrong[taken].sum(), wrong.sum()
        values = (hits / max(len(taken), 1), hits / max(total, 1), total / count)
        for number, interval in enumerate((found.precision, found.recall, found.noise_rate)):
            covered[number] += interval.low - 1e-9 <= values[number] <= interval.high + 1e-9
    assert (covered / 200 >= 0.9).all(), covered / 200


def test_answers_narrow_the_interval() -> None:
    probs, random = probabilities(3000), np.random.default_rng(0)
    asked = random.choice(3000, 300, replace=False)
    calibration = learn(probs[asked], random.random(300) < probs[asked])
    before, after = (cut(probs, "f1", known).noise_rate for known in (None, calibration))
    assert after.high - after.low < 0.8 * (before.high - before.low)


# Answers


def test_without_answers_nothing_changes() -> None:
    none = learn(np.zeros(0), np.zeros(0, bool))
    assert none == Calibration()
    assert (none.apply(np.array([0, 0.3, 1])) == [0, 0.3, 1]).all()


@pytest.mark.parametrize(("shift", "slope"), [(-1.0, 1.0), (1.0, 1.0), (0.0, 0.6), (0.5, 1.3)])
def test_answers_move_probabilities_towards_what_was_so(shift: float, slope: float) -> None:
    random = np.random.default_rng(0)
    probs = probabilities(2000)
    true = expit(slope * logit(probs) + shift)
    calibration = learn(probs, random.random(2000) < true)
    learned = calibration.apply(probs)
    assert np.abs(learned - true).mean() < np.abs(probs - true).mean() / 2
    assert calibration.answers == 2000


@pytest.mark.parametrize("wrong", [True, False])
def test_a_single_answer_moves_a_little(wrong: bool) -> None:
    after = float(learn(np.array([0.5]), np.array([wrong])).apply(np.array([0.5]))[0])
    assert 0.5 < (after if wrong else 1 - after) < 0.55


@pytest.mark.parametrize("wrong", [True, False])
def test_answers_that_are_all_the_same_or_certain_stay_finite(wrong: bool) -> None:
    calibration = learn(np.array([0.0, 1.0] * 50), np.full(100, wrong))
    assert np.isfinite(calibration.apply(np.array([0, 0.5, 1]))).all()
    assert np.isfinite(cut(calibration.apply(probabilities(100)), "f1", calibration).recall.high)


def test_answers_keep_the_order() -> None:
    random = np.random.default_rng(1)
    probs = np.sort(probabilities(500))
    assert (np.diff(learn(probs, random.random(500) < probs).apply(probs)) >= 0).all()
