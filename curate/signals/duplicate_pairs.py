"""Which images show the same photo: found once, used by every finder of duplicates."""

from pathlib import Path

import numpy as np
import pandas as pd

from curate import duplicates
from curate.engine import Engine

VERSION = 3
"""Raised whenever other pairs would be found: those of another version are looked for again."""


def duplicate_pairs(manifest: pd.DataFrame, thumbnail: np.ndarray, store: Path, engine: Engine) -> pd.DataFrame:
    """Pairs of rows with equal pixels, or that may show the same photo; see `curate.duplicates.find_pairs`."""
    return duplicates.find_pairs(manifest, thumbnail, store, engine)
