"""Intervals around means."""

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
