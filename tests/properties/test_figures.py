"""Figures: cuts are monotone and take the most probable, intervals are those of scipy, splits are shares."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from curate.ingest import split_rule
from curate.labels import threshold
from curate.manifest import SPLITS
from curate.results import paired
from curate.results.interval import mean_interval, welch_interval
from curate.results.paired import ALPHA, EFFECTS, MOST, half_width, least_deviation, seeds_needed

PROBS = st.lists(st.floats(0, 1), max_size=30).map(lambda values: np.array(values, np.float64))
ASKED = st.floats(0.01, 1)
VALUES = st.lists(st.floats(-1, 1).map(lambda value: round(value, 6)), min_size=2, max_size=8)


# Cuts


@pytest.mark.parametrize(("what", "more"), [("precision", False), ("recall", True), ("probability", False)])
@given(probs=PROBS, first=ASKED, second=ASKED)
def test_who_asks_for_more_gets_no_less(what: str, more: bool, probs: np.ndarray, first: float, second: float) -> None:
    low, high = (threshold.cut(probs, f"{what}={at:.6f}").flagged for at in sorted([first, second]))
    assert low <= high if more else high <= low


@given(PROBS, st.sampled_from(["f1", "precision=0.9", "recall=0.8", "probability=0.5", "budget=7"]))
def test_a_cut_takes_the_most_probable_and_says_what_it_takes(probs: np.ndarray, at: str) -> None:
    cut = threshold.cut(probs, at)
    taken = threshold.taken(probs, cut)
    assert taken.sum() == cut.flagged
    if 0 < cut.flagged < len(probs):
        assert probs[taken].min() >= probs[~taken].max()
    for interval in (cut.precision, cut.recall, cut.noise_rate):
        assert 0 <= interval.low <= interval.expected <= interval.high <= 1 + 1e-9
    ranked = np.sort(probs)[::-1]
    sums = np.cumsum(ranked)
    if at == "precision=0.9" and ranked[:1].sum() > 0:
        good = [count for count in range(1, len(probs) + 1) if sums[count - 1] / count >= 0.9 * (1 - 1e-9)]
        assert cut.flagged == max(good, default=0)
    if at == "recall=0.8" and ranked[:1].sum() > 0:
        assert cut.flagged == min(
            count for count in range(1, len(probs) + 1) if sums[count - 1] >= 0.8 * sums[-1] * (1 - 1e-12)
        )
    if at == "budget=7":
        assert cut.flagged == min(7, len(probs))


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=12), PROBS)
def test_answers_leave_probabilities_what_they_are(answers: list[tuple[float, bool]], probs: np.ndarray) -> None:
    given_ = np.array([prob for prob, _ in answers], np.float64)
    calibration = threshold.learn(given_, np.array([wrong for _, wrong in answers], bool))
    read = calibration.apply(probs)
    assert ((read >= 0) & (read <= 1)).all()
    if not answers:
        assert read.tolist() == probs.tolist()
    elif calibration.slope > 0:
        assert (np.diff(read[np.argsort(probs, kind="stable")]) >= -1e-12).all()


# Intervals


@given(VALUES, st.floats(0.5, 0.99))
def test_the_interval_of_a_mean_is_scipys(values: list[float], confidence: float) -> None:
    mean, half = mean_interval(values, confidence=confidence)
    spread = float(np.std(values, ddof=1)) / np.sqrt(len(values))
    if spread:
        low, high = stats.t.interval(confidence, len(values) - 1, np.mean(values), spread)
        assert (mean - half, mean + half) == pytest.approx((low, high), abs=1e-9)
    else:
        assert half == 0


@given(VALUES, VALUES)
def test_the_interval_of_a_difference_is_scipys(before: list[float], after: list[float]) -> None:
    mean, half = welch_interval(before, after)
    assert mean == pytest.approx(np.mean(after) - np.mean(before), abs=1e-9)
    if min(np.std(before), np.std(after)) > 1e-6:
        found = stats.ttest_ind(after, before, equal_var=False).confidence_interval(0.95)
        assert (mean - half, mean + half) == pytest.approx((found.low, found.high), abs=1e-6)


@given(st.integers(2, 200), st.floats(0.001, 0.2))
def test_at_all_times_is_where_the_bayes_factor_is_reached(count: int, alpha: float) -> None:
    """With a normal prior on the effect, t under "a difference" is Student's, stretched by the prior's spread."""
    t = paired.at_all_times_quantile(count, alpha)
    if not np.isfinite(t):
        return
    stretch = np.sqrt(1 + count * EFFECTS)
    free = count - 1
    log_factor = stats.t.logpdf(t / stretch, free) - np.log(stretch) - stats.t.logpdf(t, free)
    assert log_factor == pytest.approx(-np.log(alpha), rel=1e-6)
    assert t > stats.t.ppf(1 - alpha / 2, free)


RIGHT = (
    st.integers(2, 4)
    .flatmap(
        lambda seeds: st.lists(
            st.lists(st.sampled_from([-1, 0, 1]), min_size=12, max_size=12), min_size=seeds, max_size=seeds
        )
    )
    .map(lambda rows: np.array(rows, np.int8))
)


@given(RIGHT, st.floats(0.02, 1), st.booleans())
def test_seeds_needed_are_the_fewest(right: np.ndarray, precision: float, at_all_times: bool) -> None:
    found = seeds_needed(right, precision, at_all_times=at_all_times)
    least = max(float(right.mean(1).std(ddof=1)), least_deviation(right))

    def half(count: int) -> float:
        quantile = paired.at_all_times_quantile(count) if at_all_times else stats.t.ppf(1 - ALPHA / 2, count - 1)
        return float(quantile * least / np.sqrt(count))

    assert half(MOST if found is None else found) > precision if found is None else half(found) <= precision
    assert found in (None, 2) or half(found - 1) > precision


@given(RIGHT, st.booleans(), st.none() | st.floats(0, 1))
def test_a_difference_and_its_opposite(right: np.ndarray, at_all_times: bool, margin: float | None) -> None:
    opposite = {"better": "worse", "worse": "better"}
    one, other = (paired.answer(each, at_all_times=at_all_times, margin=margin) for each in (right, -right))
    assert other == opposite.get(one, one)
    widths = [half_width(right.mean(1), least=least_deviation(right), at_all_times=way) for way in (False, True)]
    assert widths[0] <= widths[1]


# Splits


@given(st.text("0123456789abcdef", min_size=12, max_size=32), st.permutations(SPLITS), st.data())
def test_shares_give_a_split_that_has_one(digest: str, names: list[str], data: st.DataObject) -> None:
    parts = data.draw(st.lists(st.integers(0, 5), min_size=4, max_size=4).filter(any))
    text = ",".join(f"{name}={part / sum(parts):.9f}" for name, part in zip(names, parts, strict=True))
    shares = split_rule.parse(text)
    assert isinstance(shares, dict)
    split = split_rule.by_hash(digest, shares)
    assert shares[split] > 0
    assert split_rule.by_hash(digest[:12] + "0", shares) == split


def test_shares_are_met() -> None:
    shares = split_rule.parse("train=0.7,val=0.1,test=0.2")
    assert isinstance(shares, dict)
    given_ = [split_rule.by_hash(f"{place * 2654435761 % 2**48:012x}", shares) for place in range(0, 10**7, 1000)]
    assert {name: round(given_.count(name) / len(given_), 1) for name in shares} == shares
