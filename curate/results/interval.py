"""Confidence intervals: of means and differences of a few repeated measurements, and of shares of images."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit


@dataclass(frozen=True)
class Score:
    """A figure measured once per seed, an accuracy from 0 to 1, say; `mean` and `half_width` (95 %, Student t; None for
    one seed) sum up `values`."""

    values: tuple[float, ...]
    mean: float
    half_width: float | None


def score(values: Sequence[float]) -> Score:
    """Values of the seeds with their mean and its interval."""
    mean, half_width = mean_interval(values)
    return Score(tuple(values), mean, None if np.isnan(half_width) else half_width)


def mean_interval(values: Sequence[float] | np.ndarray, *, confidence: float = 0.95) -> tuple[float, float]:
    """Mean of `values` and half the width of its Student t interval; the half width of one value is nan.

    With 3 values the half width is 2.5 standard deviations, with 10 it is 0.7.
    """
    array = np.asarray(values, np.float64)
    if not len(array):
        return float("nan"), float("nan")
    if len(array) == 1:
        return float(array[0]), float("nan")
    quantile = stdtrit(len(array) - 1, (1 + confidence) / 2)
    return float(array.mean()), float(quantile * array.std(ddof=1) / np.sqrt(len(array)))


def welch_interval(
    before: np.ndarray | Sequence[float], after: np.ndarray | Sequence[float], *, confidence: float = 0.95
) -> tuple[float, float]:
    """Difference of two means of at least two values each, and half the width of its interval (Welch 1947)."""
    first, second = np.asarray(before, np.float64), np.asarray(after, np.float64)
    parts = [values.var(ddof=1) / len(values) for values in (first, second)]
    mean, variance = float(second.mean() - first.mean()), sum(parts)
    if variance == 0:
        return mean, 0.0
    freedom = variance**2 / (parts[0] ** 2 / (len(first) - 1) + parts[1] ** 2 / (len(second) - 1))
    return mean, float(stdtrit(freedom, (1 + confidence) / 2) * np.sqrt(variance))


def share_interval(right: int, n: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Limits between which the true share lies where `right` of `n` independent draws are so, 0 to 1 (Wilson 1927).

    They hold `right / n`, and lie apart where all draws are alike, too: of 355 of 355, 0.989 and 1. Of no draw, all is
    possible: 0 and 1.
    """
    if not n:
        return 0.0, 1.0
    share, z = right / n, float(ndtri((1 + confidence) / 2))
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def shares_half_width(before: float, after: float, n: int, *, confidence: float = 0.95) -> float:
    """Half the width of the interval of the difference of two shares, 0 to 1, of `n` independent draws each.

    One draw more in each share is taken for right, and one for wrong: else two shares of 1 had no interval at all.
    Source: Agresti, Caffo 2000, "Simple and Effective Confidence Intervals for Proportions and Differences".
    """
    shares = [(share * n + 1) / (n + 2) for share in (before, after)]
    variance = sum(share * (1 - share) / (n + 2) for share in shares)
    return float(ndtri((1 + confidence) / 2)) * math.sqrt(variance)
