"""Which images show the same photo: found once, used by every finder of duplicates."""

import numpy as np
import pandas as pd

from curate import duplicates

VERSION = 1
DEPENDS_ON = ("pixel_hash", "split", "width", "height")
"""Columns of the manifest: labels and decisions change no pair. See `curate.kept`."""


def duplicate_pairs(manifest: pd.DataFrame, thumbnail: np.ndarray) -> pd.DataFrame:
    """Pairs of rows with equal pixels, or that may show the same photo; see `curate.duplicates.find_pairs`."""
    return duplicates.find_pairs(manifest, thumbnail)
