"""Pipelines of Albumentations on whole batches, on a CPU or a GPU: the same pixels, random numbers for each image."""

from curate.augment.program import Program, compile

__all__ = ["Program", "compile"]
