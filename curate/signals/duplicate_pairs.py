"""Which images show the same photo: found once per scan, used by every finder of duplicates."""

import numpy as np
import pandas as pd

from curate import duplicates


def duplicate_pairs(manifest: pd.DataFrame, thumbnail: np.ndarray) -> pd.DataFrame:
    """Pairs of rows with equal pixels, or that may show the same photo; see `curate.duplicates.find_pairs`."""
    return duplicates.find_pairs(manifest, thumbnail)
