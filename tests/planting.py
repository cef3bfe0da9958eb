"""Digits with every kind of planted defect among them."""

import pandas as pd

from curate import plant
from curate.layouts import Sample

COUNTS = {
    "exact_copies": 4,
    "near_copies": 6,
    "conflicting_copies": 3,
    "leaks": 8,
    "blank": 3,
    "dark": 3,
    "light": 3,
    "blurred": 3,
    "undecodable": 6,
}


def planted_in(originals: list[Sample]) -> tuple[dict[str, Sample], pd.DataFrame]:
    """The samples by name, `COUNTS` defects of each kind among them; and the table of what was planted."""
    samples, table = plant.plant(originals, seed=1, **COUNTS)
    return {sample.name: sample for sample in samples}, table
