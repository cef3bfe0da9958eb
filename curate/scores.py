"""From a measured value to a score, and settings by which there is none."""

import math
from typing import Literal

import numpy as np

from curate.errors import UserError

Bad = Literal["low", "high"]
"""Which values are the bad ones."""


def halving(
    values: np.ndarray, *, fine: float, limit: float, bad: Bad, finder: str, most: float = math.inf
) -> np.ndarray:
    """Scores in [0, 1]: 1 on the good side of `fine`, 0.5 at `limit`, halved again with every such step beyond.

    Steps are ratios, so that a blur of 8 pixels is as much worse than 4 as 4 is than 2. `values`: shape (N,), from 0 to
    `most`; NaN stays NaN. Raises `UserError`, which names the settings of `finder`, where `limit` does not lie on the
    bad side of `fine`, or one of them not above 0 and up to `most`: else all images would be bad, or none.
    """
    low, high = (limit, fine) if bad == "low" else (fine, limit)
    if not (0 < low < high <= most and high < math.inf):
        raise wrong_limits(finder, fine=fine, limit=limit, bad=bad, most=most)
    with np.errstate(divide="ignore"):
        steps = np.log(np.asarray(values, np.float64) / fine) / np.log(limit / fine)
    return 0.5 ** np.maximum(steps, 0.0)


def by_factor(logs: np.ndarray, *, limit: float, fence: float, finder: str) -> tuple[np.ndarray, float]:
    """Scores by the factor in which values differ from their median, either way, and the logarithm of that median.

    0.5 where the factor is `limit`, or `fence` interquartile ranges (of its logarithm) where that is more, and 1 up to
    the square root of that. logs: logarithms of the values, shape (N,), at least one.
    """
    low, middle, high = np.quantile(logs, [0.25, 0.5, 0.75])
    limit = max(limit, float(np.exp(min(fence * (high - low), 99))))  # nothing differs by e^99: no overflow
    factor = np.exp(np.abs(logs - middle))
    return halving(factor, fine=limit**0.5, limit=limit, bad="high", finder=finder), float(middle)


def wrong_limits(finder: str, *, fine: float, limit: float, bad: Bad, most: float) -> UserError:
    """The error for a `limit` and a `fine` of a finder by which `halving` can score nothing."""
    side = "below" if bad == "low" else "above"
    between = f"from 0 to {most:g}" if most < math.inf else "above 0"
    return UserError(
        f"{finder}.limit ({limit:g}) must lie {side} {finder}.fine ({fine:g}), as {bad} values are the bad ones, and "
        f"both {between}; set both of them"
    )


def is_usual(score: np.ndarray, most: float, *, finder: str) -> bool:
    """Whether more than `most` of the images, those that have a score, have one below 0.5: that is how the set is, and
    no defect.

    Raises `UserError`, which names the setting of `finder`, where that is no share.
    """
    if not 0 <= most <= 1:
        raise UserError(f"{finder}.most must lie from 0 to 1, not {most:g}; 0.5 is half of the images")
    return bool((score < 0.5).sum() > most * (~np.isnan(score)).sum())
