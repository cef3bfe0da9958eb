"""Which images show the same photo: found once, used by every finder of duplicates."""

from pathlib import Path

import numpy as np
import pandas as pd

from curate.engine import Engine
from curate.likeness import duplicates

VERSION = 6
"""Raised whenever other pairs would be found: those of another version are looked for again."""


def duplicate_pairs(manifest: pd.DataFrame, thumbnail: np.ndarray, store: Path, engine: Engine) -> pd.DataFrame:
    """Pairs of rows with equal pixels, or that may show the same photo; see `curate.likeness.duplicates.find_pairs`."""
    return duplicates.find_pairs(manifest, thumbnail, store, engine)
