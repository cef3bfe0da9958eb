"""Makes a program of a pipeline, however that is given."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch

from curate.augment.batches import Layout
from curate.augment.fallback import Fallback
from curate.augment.fused import Scaling
from curate.augment.pipeline import Step, from_dict, read_pipeline, steps
from curate.augment.program import Mode, Program
from curate.augment.upstream import albumentations
from curate.errors import UserError


def compile(
    pipeline: Any,
    *,
    seed: int = 0,
    mode: Mode = "exact",
    dtype: torch.dtype | None = None,
    layout: Layout = "auto",
    fallback: Literal["cpu"] | None = None,
) -> Program:
    """A pipeline of Albumentations made ready for batches.

    pipeline: an `A.Compose`, or any transform; what `A.to_dict` gives; a list of transforms; or the path of a JSON or
    YAML file, see `curate.augment.pipeline.read_pipeline`. mode: "exact" gives the pixels of Albumentations; "fused"
    composes what can be composed, which is faster and differs as docs/augment.md says. fallback: "cpu" runs transforms
    that have no version for batches through Albumentations, one image after the other.

    Raises `UserError` for a pipeline that cannot be read or run.
    """
    if mode not in ("exact", "fused"):
        raise UserError(f'mode is "exact" or "fused", not {mode!r}')
    if layout not in ("auto", "NHWC", "NCHW"):
        raise UserError(f'layout is "auto", "NHWC" or "NCHW", not {layout!r}')
    if fallback not in (None, "cpu"):
        raise UserError(f'fallback is None or "cpu", not {fallback!r}')
    if not isinstance(seed, int) or not 0 <= seed < 2**64:
        raise UserError(f"seed is {seed!r}; it has to be a whole number from 0 to 2**64 - 1")
    if dtype is not None and not (isinstance(dtype, torch.dtype) and (dtype.is_floating_point or dtype == torch.uint8)):
        raise UserError(f"dtype is {dtype!r}; it has to be torch.uint8, or one of floats such as torch.bfloat16")
    if isinstance(pipeline, str | Path):
        pipeline = read_pipeline(Path(pipeline))
    elif isinstance(pipeline, list) and pipeline and all(hasattr(each, "p") for each in pipeline):
        pipeline = albumentations().Compose(pipeline)
    elif isinstance(pipeline, Mapping | list):
        pipeline = from_dict(pipeline)
    found = steps(pipeline, Fallback if fallback else None)
    _check_order(found)
    scaling = [step.transform.name for step in found if isinstance(step.transform, Scaling)]
    if dtype == torch.uint8 and scaling:
        raise UserError(
            f"dtype is torch.uint8, but {scaling[0]} makes floats of levels; ask for floats, or take {scaling[0]} out"
        )
    return Program(found, seed, mode, dtype, layout)


def _check_order(steps: Sequence[Step]) -> None:
    """Raises `UserError` for a step that is for levels, but comes when these are floats already, and for one that would
    make floats or planes of some images of a batch alone."""
    scaled = ""
    for step in steps:
        transform = step.transform
        if step.gates and (isinstance(transform, Scaling) or transform.name == "ToTensorV2"):
            what = "floats" if isinstance(transform, Scaling) else "planes"
            raise UserError(
                f"{transform.name} makes {what} of some images alone; give it p=1, and take it out of OneOf"
            )
        if scaled and not transform.floats:
            raise UserError(f"{transform.name} comes after {scaled}, and takes levels from 0 to 255; put {scaled} last")
        scaled = transform.name if isinstance(transform, Scaling) else scaled
