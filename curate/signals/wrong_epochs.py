"""In how many epochs a network took an image for another class while it was trained on it."""

import numpy as np


def wrong_epochs(margins: np.ndarray | None) -> np.ndarray | None:
    """Share of the epochs in which another class was above the label: shape (N,), 0 to 1, high for wrong labels.

    `margins`: as for `training_margin`. NaN for images that were not trained on.
    None of the finders here asks for it; it is there for finders of your own.
    Source: Toneva et al. 2019, "An Empirical Study of Example Forgetting during Deep Neural Network Learning".
    """
    if margins is None:
        return None
    seen = ~np.isnan(margins)
    wrong = (np.where(seen, margins, 0) < 0).sum(axis=1)
    return wrong / np.where(seen.any(axis=1), seen.sum(axis=1), np.nan)
