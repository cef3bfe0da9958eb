"""The images of a workspace that are augmented: in which order a seed takes them, and what is drawn for them."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from curate.augment.fused import Scaling
from curate.augment.program import Program
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
    """The pipeline without what makes floats of levels, and the names of these steps. All else is drawn as before."""
    floats = [step.transform.name == "ToTensorV2" or isinstance(step.transform, Scaling) for step in program.steps]
    kept = [step for step, scaled in zip(program.steps, floats, strict=True) if not scaled]
    names = [step.transform.name for step, scaled in zip(program.steps, floats, strict=True) if scaled]
    return replace(program, steps=kept), names


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
