"""Files that are no image."""

import numpy as np
import pandas as pd


def corrupt(manifest: pd.DataFrame) -> pd.DataFrame:
    """File that cannot be decoded: empty, cut off, or no image at all.

    Score 0 for each of them; nothing is said about the others. The detail is the reason.
    """
    rows = np.flatnonzero((manifest["error"] != "").to_numpy())
    return pd.DataFrame({"row": rows, "score": np.zeros(len(rows)), "detail": manifest["error"].to_numpy()[rows]})
