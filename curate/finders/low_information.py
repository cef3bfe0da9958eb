"""Nothing to see."""

import numpy as np
import pandas as pd

from curate.scores import halving, is_usual


def low_information(color: np.ndarray, *, limit: float = 0.012, fine: float = 0.03, most: float = 0.5) -> pd.DataFrame:
    """Blank, or almost: all pixels nearly the same.

    Judged is the standard deviation, in [0, 1], of the colour channel where it is largest: at `limit` (3 of 255 levels)
    the score is 0.5, from `fine` on 1. Measured: the lowest of 8,000 CIFAR-10 images has 0.034. A small thing on a
    blank page is information: one thousandth of black on white gives 0.03. Where more than `most` of the images
    are almost blank, as under a microscope, only those are flagged whose pixels are all the same. `color`: shape
    (N, 2), see the signal.
    """
    contrast = color[:, 0]
    score = halving(contrast, fine=fine, limit=limit, bad="low", finder="low_information", most=1)
    rows = np.flatnonzero(score < 1)
    details = [f"pixels differ by {value * 255:.1f} of 255 levels (standard deviation)" for value in contrast[rows]]
    flagged = (score[rows] < 0.5) & ((contrast[rows] == 0) | ~is_usual(score, most, finder="low_information"))
    return pd.DataFrame({"row": rows, "score": score[rows], "flagged": flagged, "detail": details})
