"""Which step of a pipeline each transform was, that Albumentations says it applied."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from curate.augment.pipeline import Step
from curate.errors import UserError

Applied = tuple[str, Mapping[str, Any]]
"""Name and params of one entry of `applied_transforms`."""


def matched(steps: Sequence[Step], applied: Sequence[Sequence[Applied]]) -> list[list[Mapping[str, Any] | None]]:
    """For each step, what was drawn for each image; None where it was not applied.

    Entries are in the order in which they were applied, which is that of the steps: each is that of the first step left
    that is called so and has its settings. Raises `UserError` for an entry without such a step.
    """
    found: list[list[Mapping[str, Any] | None]] = [[None] * len(applied) for _ in steps]
    for image, entries in enumerate(applied):
        number = 0
        for name, params in entries:
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
    return type(settings).__name__ == name and all(
        np.array_equal(params[key], getattr(settings, key))
        for key in ("interpolation", "fill")
        if key in params and hasattr(settings, key)
    )
