"""Too dark to see anything."""

import numpy as np
import pandas as pd

from curate.scores import halving, is_usual


def dark(tones: np.ndarray, *, limit: float = 0.25, fine: float = 0.4, most: float = 0.5) -> pd.DataFrame:
    """Image whose lightest parts are still dark.

    Judged is the luma, in [0, 1], below which 99 % of the pixels lie: at `limit` the score is 0.5, from `fine` on 1.
    Measured: of 8,000 CIFAR-10 images, 1,500 of Imagenette and 200 photos, the darkest thousandth lies below 0.39 to
    0.46. A night photo with one lamp is not dark; a black one is. Nothing is flagged where more than `most` of the
    images are dark, as under a microscope. `tones`: shape (N, 5), see the signal.
    """
    lightest = tones[:, 4]
    score = halving(lightest, fine=fine, limit=limit, bad="low", finder="dark", most=1)
    rows = np.flatnonzero(score < 1)
    details = [f"99 % of the pixels have {value:.0%} of full brightness at most" for value in lightest[rows]]
    flagged = (score[rows] < 0.5) & ~is_usual(score, most, finder="dark")
    return pd.DataFrame({"row": rows, "score": score[rows], "flagged": flagged, "detail": details})
