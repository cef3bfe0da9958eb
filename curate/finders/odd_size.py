"""Of another size than the rest."""

import numpy as np
import pandas as pd

from curate.errors import UserError
from curate.manifest import decodable
from curate.scores import by_factor


def odd_size(manifest: pd.DataFrame, *, limit: float = 4.0, fence: float = 3.0) -> pd.DataFrame:
    """Much larger or smaller than the images of this set are.

    Judged is by what factor the side (square root of width x height) differs from the set's median: the score is 0.5
    where it is `limit`, or `fence` interquartile ranges (of its logarithm) where that is more, and 1 up to the square
    root of that. `limit`: chosen by eye. `fence`: Tukey 1977, "Exploratory Data Analysis".
    """
    if not limit > 1:
        raise UserError(f"odd_size.limit must lie above 1, as it is a factor, not {limit:g}; by default it is 4")
    rows = np.flatnonzero(decodable(manifest))
    width, height = (manifest[name].to_numpy(np.float64)[rows] for name in ("width", "height"))
    side = np.log(width * height) / 2
    if not len(rows):
        return pd.DataFrame({"row": [], "score": []})
    score, middle = by_factor(side, limit=limit, fence=fence, finder="odd_size")
    odd = score < 1
    details = [
        f"{w:.0f} × {h:.0f} pixels; the usual side is {np.exp(middle):.0f}"
        for w, h in zip(width[odd], height[odd], strict=True)
    ]
    return pd.DataFrame({"row": rows[odd], "score": score[odd], "detail": details})
