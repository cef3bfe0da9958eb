"""Too light to see anything."""

import numpy as np
import pandas as pd

from curate.scores import halving, is_usual, wrong_limits


def light(tones: np.ndarray, *, limit: float = 0.65, fine: float = 0.5, most: float = 0.5) -> pd.DataFrame:
    """Image whose darkest parts are still light: washed out, or overexposed.

    Judged is the luma, in [0, 1], above which 99 % of the pixels lie: at `limit` the score is 0.5, up to `fine` 1.
    Measured: of 8,000 CIFAR-10 images, 1,500 of Imagenette and 200 photos, the lightest thousandth lies above 0.41 to
    0.57. A bird before a white sky is not light; a white page is. Nothing is flagged where more than `most` of the
    images are light, as drawings are. `tones`: shape (N, 5), see the signal.
    """
    if not 0 <= fine < limit < 1:
        raise wrong_limits("light", fine=fine, limit=limit, bad="high", most=1)
    darkest = tones[:, 0]
    score = halving(1 - darkest, fine=1 - fine, limit=1 - limit, bad="low", finder="light", most=1)
    rows = np.flatnonzero(score < 1)
    details = [f"99 % of the pixels have {value:.0%} of full brightness at least" for value in darkest[rows]]
    flagged = (score[rows] < 0.5) & ~is_usual(score, most, finder="light")
    return pd.DataFrame({"row": rows, "score": score[rows], "flagged": flagged, "detail": details})
