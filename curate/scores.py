"""From a measured value to a score."""

import numpy as np

from curate.errors import UserError


def halving(values: np.ndarray, *, fine: float, limit: float) -> np.ndarray:
    """Scores in [0, 1]: 1 on the good side of `fine`, 0.5 at `limit`, halved again with every such step beyond.

    Steps are ratios, so that a blur of 8 pixels is as much worse than 4 as 4 is than 2. `limit` above `fine` says that
    large values are bad, below it that small ones are. `values`: shape (N,), not negative; NaN stays NaN.
    """
    if limit == fine:
        raise UserError(f"limit and fine are both {limit:g}; a score falls from one to the other, so they must differ")
    with np.errstate(divide="ignore"):
        steps = np.log(np.asarray(values, np.float64) / fine) / np.log(limit / fine)
    return 0.5 ** np.maximum(steps, 0.0)
