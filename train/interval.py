"""Mean and confidence interval of a few repeated measurements."""

from collections.abc import Sequence

import numpy as np
from scipy import stats


def mean_interval(values: Sequence[float] | np.ndarray, *, confidence: float = 0.95) -> tuple[float, float]:
    """Mean of `values` and half the width of its Student t interval; the half width of one value is nan.

    With 3 values the half width is 2.5 standard deviations, with 10 it is 0.7.
    """
    array = np.asarray(values, np.float64)
    if not len(array):
        return float("nan"), float("nan")
    if len(array) == 1:
        return float(array[0]), float("nan")
    quantile = stats.t.ppf((1 + confidence) / 2, len(array) - 1)
    return float(array.mean()), float(quantile * array.std(ddof=1) / np.sqrt(len(array)))
