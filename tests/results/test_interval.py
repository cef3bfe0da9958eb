"""Intervals around means and shares."""

import numpy as np
import pytest

from curate.results import interval


def test_intervals_are_those_of_scipy():
    from scipy import stats

    before, after = np.array([0.8, 0.82, 0.81, 0.85]), np.array([0.86, 0.84, 0.87, 0.9])
    for (mean, half), expected in (
        (interval.mean_interval(after - before), stats.ttest_rel(after, before).confidence_interval()),
        (
            interval.welch_interval(before, after[:3]),
            stats.ttest_ind(after[:3], before, equal_var=False).confidence_interval(),
        ),
    ):
        assert (mean - half, mean + half) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize(("right", "n"), [(0, 1), (1, 1), (0, 20), (7, 20), (20, 20), (355, 355), (5_000, 10_000)])
def test_the_interval_of_a_share_is_that_of_scipy(right: int, n: int) -> None:
    from scipy import stats

    low, high = interval.share_interval(right, n)
    expected = stats.binomtest(right, n).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high))
    assert 0 <= low <= right / n <= high <= 1
    assert low < high


def test_the_share_of_nothing_may_be_any() -> None:
    assert interval.share_interval(0, 0) == (0, 1)


def test_interval_of_two_shares() -> None:
    """(90 + 1) / 102 and (80 + 1) / 102: 1.96 times the root of 0.000943 + 0.001603."""
    half_width = interval.shares_half_width
    assert half_width(0.9, 0.8, 100) == pytest.approx(0.0989, abs=1e-4)
    assert half_width(1, 1, 100) > 0.02
    assert half_width(0.9, 0.8, 10_000) == pytest.approx(half_width(0.9, 0.8, 100) / 10, rel=0.02)
