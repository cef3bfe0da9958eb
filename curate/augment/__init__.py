"""Pipelines of Albumentations on whole batches, on a CPU or a GPU: the same pixels, random numbers for each image."""

from typing import Any

from curate.augment.compiling import compile
from curate.augment.program import Program

__all__ = ["Program", "compile"]


def __getattr__(name: str) -> Any:
    """RandAugment, MixUp, … of `curate.augment.policies`: imported when asked for, as Albumentations takes a second."""
    from curate.augment.pipeline import added

    if name[:1].isupper() and name in added():
        return added()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
