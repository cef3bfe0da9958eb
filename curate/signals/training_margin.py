"""How clearly a network came to believe the label while it was trained on the image."""

import numpy as np


def training_margin(margins: np.ndarray | None) -> np.ndarray | None:
    """Mean margin of the label over the epochs of training: shape (N,), low for wrong labels.

    `margins`: shape (N, E), logit of the label minus the highest other one, NaN for epochs without the image; None, and
    then so is the result, where nobody noted them. NaN for images that were not trained on.
    None of the finders here asks for it; it is there for finders of your own.
    Source: Pleiss et al. 2020, "Identifying Mislabeled Data using the Area Under the Margin Ranking".
    """
    if margins is None:
        return None
    seen = ~np.isnan(margins)
    total = np.where(seen, margins, 0).sum(axis=1, dtype=np.float32)
    return total / np.where(seen.any(axis=1), seen.sum(axis=1), np.nan)
