"""The images of a workspace that are augmented: in which order a seed takes them, and what is drawn for them."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pandas as pd
import torch

from curate.augment.fused import Scaling
from curate.augment.lattice import per_channel
from curate.augment.pipeline import Step
from curate.augment.program import Program
from curate.augment.transform import Lattice, Transform
from curate.engine import threads
from curate.errors import UserError
from curate.images import ImageError, decode, encode_png, read_unchanged

RGB = 3


@dataclass(frozen=True, slots=True)
class Job:
    """An augmented image that is to be made."""

    image_id: str
    parent: int
    """Row of its original in the manifest."""
    parent_id: str
    path: str
    """Of the original, as its `content_hash`."""
    content_hash: str
    draw: int


def shuffled(images: pd.DataFrame, seed: int) -> np.ndarray:
    """Positions of the rows in an order that the seed draws: shape (N,), int64.

    Of two images the same one comes first whatever else is there, so that a set that grows keeps its order.
    """
    keys = [hashlib.blake2b(f"{seed} {name}".encode(), digest_size=8).digest() for name in images["image_id"]]
    return np.argsort(np.array(keys, dtype="S8"), kind="stable")


def in_levels(program: Program) -> tuple[Program, list[str]]:
    """The pipeline without what makes floats of levels, and the names of these steps.

    All else is drawn as before; what is filled after them is filled with the levels nearest to its floats.
    Raises `UserError` for what is filled after a Normalize by each image's own levels: no level is the same in all.
    """
    kept: list[Step] = []
    formats: list[Transform] = []
    for step in program.steps:
        transform = step.transform
        if transform.name == "ToTensorV2" or isinstance(transform, Scaling):
            formats.append(transform)
        elif formats and isinstance(transform, Lattice) and transform.fills():
            kept.append(replace(step, transform=_filled_with_levels(transform, formats)))
        else:
            kept.append(step)
    return replace(program, steps=kept), [each.name for each in formats]


def why_not_in_files(program: Program) -> str:
    """Why files cannot hold what the pipeline gives, to stand behind its name; "" where they can."""
    if not program.steps:
        return " has no transforms: what it adds would be copies; put some in"
    if names := " and ".join(in_levels(program)[1]):
        return f": {names} makes no levels from 0 to 255, which files hold; take {names} out"
    return " mixes images and their labels, which files cannot say; leave that to training" if program.mixes else ""


def _filled_with_levels(transform: Lattice, formats: Sequence[Transform]) -> Lattice:
    """The same transform, for RGB levels of which `formats` would have made floats."""
    if transform.settings.border_mode != cv2.BORDER_CONSTANT:
        return transform
    for each in formats:
        if isinstance(each, Scaling) and each.scale_shift(RGB) is None:
            raise UserError(
                f"{transform.name} fills a border after {each.name}, whose floats are other levels in each image; put "
                f"{transform.name} first"
            )
    floats = torch.arange(256, dtype=torch.uint8)[:, None, None, None].repeat(1, 1, 1, RGB)
    for each in formats:
        floats = each.apply(floats, {})
    off = floats[:, 0, 0] - per_channel(transform.fill(), RGB, floats.device)
    settings = deepcopy(transform.settings)
    settings.fill = tuple(off.abs().argmin(0).tolist())
    return type(transform)(settings)


def drawn(program: Program, images: Sequence[np.ndarray], ids: Sequence[str], draw: int) -> list[np.ndarray]:
    """One draw for each image: RGB, uint8, of whatever size comes out. images: RGB, uint8, of any sizes.

    Raises `UserError` for images that the pipeline is not for.
    """
    if program.mixes:
        both = program(list(images), list(ids), draw, labels=np.zeros(len(images), np.int64), classes=1)
        return [_rgb(image) for image in both[0]]
    alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for number, image in enumerate(images):
        alike[image.shape].append(number)
    result: dict[int, np.ndarray] = {}
    for numbers in alike.values():
        batch = program(np.stack([images[number] for number in numbers]), [ids[number] for number in numbers], draw)
        result.update(zip(numbers, map(_rgb, np.asarray(batch)), strict=True))
    return [result[number] for number in range(len(images))]


def files(program: Program, jobs: list[Job]) -> list[tuple[Job, bytes, np.ndarray]]:
    """Each job with the PNG that came of it, and its pixels; left out where the original is not what was added."""
    with ThreadPoolExecutor(threads()) as pool:
        read = [(job, image) for job, image in zip(jobs, pool.map(_original, jobs), strict=True) if image is not None]
        done: list[tuple[Job, np.ndarray]] = []
        for draw in dict.fromkeys(job.draw for job, _ in read):
            alike = [(job, image) for job, image in read if job.draw == draw]
            results = drawn(program, [image for _, image in alike], [job.parent_id for job, _ in alike], draw)
            done += [(job, image) for (job, _), image in zip(alike, results, strict=True)]
        encoded = pool.map(encode_png, [image for _, image in done])
        return [(job, data, image) for (job, image), data in zip(done, encoded, strict=True)]


def _original(job: Job) -> np.ndarray | None:
    try:
        data = read_unchanged(job.path, job.content_hash)
        return None if data is None else decode(data)
    except ImageError:
        return None


def _rgb(image: np.ndarray) -> np.ndarray:
    """Shape (H, W, 3), contiguous."""
    if image.shape[2] not in (1, RGB):
        raise UserError(
            f"the pipeline leaves images of {image.shape[2]} channels; a file holds 1 or 3: take out what changes them"
        )
    return np.ascontiguousarray(np.broadcast_to(image, (*image.shape[:2], RGB)))
