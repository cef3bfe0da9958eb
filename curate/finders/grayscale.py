"""Without colour in a set of colour images."""

import numpy as np
import pandas as pd

from curate.scores import halving, is_usual
from curate.signals.color import GREY


def grayscale(color: np.ndarray, *, limit: float = GREY, fine: float = 0.04, most: float = 0.5) -> pd.DataFrame:
    """Grey image in a set that is mostly in colour.

    Judged is the chroma, in [0, 1], below which 99 % of the pixels lie: at `limit` (5 of 255 levels, more than JPEG
    adds to grey) the score is 0.5, from `fine` on 1. Nothing is said where more than `most` of the images are grey.
    Limits: chosen by eye. `color`: shape (N, 2), see the signal.
    """
    chroma = color[:, 1]
    score = halving(chroma, fine=fine, limit=limit, bad="low", finder="grayscale", most=1)
    if is_usual(score, most, finder="grayscale"):
        score[:] = np.nan
    rows = np.flatnonzero(score < 1)
    details = [f"99 % of the pixels have a chroma of {value * 255:.0f} of 255 at most" for value in chroma[rows]]
    return pd.DataFrame({"row": rows, "score": score[rows], "detail": details})
