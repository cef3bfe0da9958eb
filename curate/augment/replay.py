"""Which step of a pipeline each transform was, that Albumentations says it applied."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from curate.augment.pipeline import Step
from curate.errors import UserError

Applied = tuple[str, Mapping[str, Any]]
"""Name and params of one entry of `applied_transforms`."""

TOLD = ("interpolation", "fill")
"""Settings that stand among the params, unless these hold what was drawn from a range."""


def matched(steps: Sequence[Step], applied: Sequence[Sequence[Applied]]) -> list[list[Mapping[str, Any] | None]]:
    """For each step, what was drawn for each image; None where it was not applied.

    Entries are in the order in which they were applied, which is that of the steps: each is that of the first step left
    that is called so, has its settings and may have drawn its numbers. Raises `UserError` for an entry without one.
    """
    found: list[list[Mapping[str, Any] | None]] = [[None] * len(applied) for _ in steps]
    for image, entries in enumerate(applied):
        number = 0
        for name, params in entries:
            if name == "NoOp":  # which is no step
                continue
            while number < len(steps) and not _fits(steps[number], name, params):
                number += 1
            if number == len(steps):
                listed = ", ".join(entry[0] for entry in entries)
                raise UserError(f"image {image}: {name} was applied ({listed}), but has no place in the pipeline there")
            found[number][image] = params
            number += 1
    return found


def _fits(step: Step, name: str, params: Mapping[str, Any]) -> bool:
    settings = step.transform.settings
    if type(settings).__name__ != name:
        return False
    ranges = {key: getattr(settings, key) for key in params if isinstance(getattr(settings, key, None), tuple)}
    drawn = [(params[key], limits) for key, limits in ranges.items() if len(limits) == 2]
    if any(np.ndim(number) == 0 and not low <= number <= high for number, (low, high) in drawn):
        return False
    told = [(params[key], getattr(settings, key)) for key in TOLD if key in params and hasattr(settings, key)]
    return all(np.array_equal(*pair) for pair in told if np.shape(pair[0]) == np.shape(pair[1]))
