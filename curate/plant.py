"""Defects planted on purpose, and recorded: what `curate demo` and the tests measure the finders against.

Everything is planted in the training split and in images that nothing else was done to, so that each defect stands
alone: an image with a planted wrong label has no planted copy. Files lie in the folders of the labels they get, as if
somebody had sorted them so.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import PurePosixPath

import cv2
import numpy as np
import pandas as pd

from curate.errors import UserError
from curate.images import ImageError, decode, encode_jpeg, encode_png, read_bytes
from curate.layouts import Sample
from curate.planted import COLUMNS, DEFECTS

NEAR_KINDS = ("shifted by 1 px", "brightened by 20 levels", "recompressed as JPEG")
CONTRAST_LEFT = 0.08
"""Of dark and light images: 20 of 255 grey levels, which a screen in a bright room does not show."""
BRIGHTER_BY = 20
JPEG_QUALITY = 75


def plant(
    samples: list[Sample],
    *,
    seed: int,
    wrong_labels: float = 0.05,
    exact_copies: int = 30,
    near_copies: int = 30,
    conflicting_copies: int = 10,
    leaks: int = 30,
    blank: int = 12,
    dark: int = 12,
    light: int = 12,
    blurred: int = 12,
    undecodable: int = 8,
) -> tuple[list[Sample], pd.DataFrame]:
    """The samples with defects planted, and the table that says which (`COLUMNS`, one row per defect).

    `wrong_labels` is a fraction of the labelled training images; the rest are numbers of images. Wrong labels are drawn
    uniformly from the other classes. Copies come on top of the samples, in PNG or JPEG; leaks, half of them exact, are
    copies of test images in training; the other defects take the place of the image they spoil. Same samples and seed,
    same result. Raises `UserError` where there are too few images or classes for it.
    """
    rng = np.random.default_rng(seed)
    classes = sorted({sample.label for sample in samples if sample.label})
    train, test = (_originals(samples, split, rng) for split in ("train", "test"))
    count = sum(1 for sample in samples if sample.split == "train" and sample.label)
    result, rows, used = list(samples), [], {sample.name for sample in samples}

    def note(sample: Sample, defect: str, original: Sample, detail: str = "") -> Sample:
        rows.append((sample.name, defect, DEFECTS[defect].finder, original.label, original.name, detail))
        used.add(sample.name)
        return sample

    for _ in range(round(wrong_labels * count)):
        at, _image = _take(train, "train")
        label = _other(classes, samples[at].label, rng)
        name = _free(_moved(samples[at], label, PurePosixPath(samples[at].name).name), used)
        result[at] = note(replace(samples[at], label=label, name=name), "wrong_label", samples[at])

    spoils: list[tuple[str, int, Callable[[np.ndarray, np.random.Generator], bytes]]] = [
        ("blank", blank, _blank),
        ("dark", dark, _dark),
        ("light", light, _light),
        ("blurred", blurred, _blurred),
        ("undecodable", undecodable, _undecodable),
    ]
    for defect, number, spoil in spoils:
        for _ in range(number):
            at, image = _take(train, "train")
            name = str(PurePosixPath(samples[at].name).with_suffix(".png"))
            if name != samples[at].name:
                name = _free(name, used)
            result[at] = note(replace(samples[at], name=name, path="", data=spoil(image, rng)), defect, samples[at])

    copies = [
        *[("exact_copy", "same pixels")] * exact_copies,
        *[("near_copy", NEAR_KINDS[number % 3]) for number in range(near_copies)],
        *[("conflicting_copy", "same pixels")] * conflicting_copies,
        *[("exact_leak", "same pixels")] * (leaks - leaks // 2),
        *[("near_leak", NEAR_KINDS[number % 3]) for number in range(leaks // 2)],
    ]
    for number, (defect, kind) in enumerate(copies, 1):
        at, image = _take(test, "test") if defect.endswith("leak") else _take(train, "train")
        original = samples[at]
        label = _other(classes, original.label, rng) if defect == "conflicting_copy" else original.label or ""
        data, suffix = _copy(image, kind, original)
        name = _free(_moved(original, label, f"planted-{number:04d}{suffix}"), used)
        result.append(note(Sample(name, label, "train", data=data), defect, original, kind))
    return result, pd.DataFrame(rows, columns=list(COLUMNS)).astype("str")


def _originals(samples: list[Sample], split: str, rng: np.random.Generator) -> Iterator[tuple[int, np.ndarray]]:
    """Labelled images of a split in random order, as (position, RGB); what cannot be decoded is left out."""
    usable = [at for at, sample in enumerate(samples) if sample.split == split and sample.label]
    for at in rng.permutation(usable):
        try:
            yield int(at), decode(_bytes(samples[at]))
        except ImageError:
            continue


def _bytes(sample: Sample) -> bytes:
    if sample.data is not None:
        return sample.data
    if sample.path:
        return read_bytes(sample.path)
    raise ImageError(sample.error or "no image")


def _take(originals: Iterator[tuple[int, np.ndarray]], split: str) -> tuple[int, np.ndarray]:
    taken = next(originals, None)
    if taken is None:
        raise UserError(f"too few labelled images in {split} to plant that many defects; plant fewer")
    return taken


def _other(classes: list[str], label: str | None, rng: np.random.Generator) -> str:
    others = [name for name in classes if name != label]
    if not others:
        raise UserError("wrong labels take at least 2 classes; plant none (wrong_labels=0, conflicting_copies=0)")
    return str(rng.choice(others))


def _moved(sample: Sample, label: str | None, file_name: str) -> str:
    """The sample's place in training under `label`: test/3/0001.png as train/7/`file_name`."""
    folders = [
        "train" if part == sample.split else str(label) if part == sample.label else part
        for part in PurePosixPath(sample.name).parent.parts
    ]
    return str(PurePosixPath(*folders, file_name))


def _free(name: str, used: set[str]) -> str:
    """`name`, or with a number behind its stem if it is in use."""
    path, number, free = PurePosixPath(name), 2, name
    while free in used:
        free = str(path.with_name(f"{path.stem}-{number}{path.suffix}"))
        number += 1
    return free


def _copy(image: np.ndarray, kind: str, original: Sample) -> tuple[bytes, str]:
    """A copy of the kind as (file bytes, suffix). "same pixels": in other bytes, as another program would save them."""
    if kind == "recompressed as JPEG":
        return encode_jpeg(image, quality=JPEG_QUALITY), ".jpg"
    if kind == "shifted by 1 px":
        padded = np.pad(image, ((0, 0), (1, 0), (0, 0)), mode="edge")
        return encode_png(padded[:, :-1]), ".png"
    if kind == "brightened by 20 levels":
        return encode_png(cv2.add(image, np.full_like(image, BRIGHTER_BY))), ".png"
    assert kind == "same pixels", kind
    pixels, before = cv2.cvtColor(image, cv2.COLOR_RGB2BGR), _bytes(original)
    files = (cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, level])[1].tobytes() for level in (9, 0))
    return next(data for data in files if data != before), ".png"


def _blank(image: np.ndarray, rng: np.random.Generator) -> bytes:
    """One colour all over."""
    return encode_png(np.full_like(image, rng.integers(0, 256, 3, np.uint8)))


def _dark(image: np.ndarray, rng: np.random.Generator) -> bytes:
    return encode_png(np.round(image * CONTRAST_LEFT).astype(np.uint8))


def _light(image: np.ndarray, rng: np.random.Generator) -> bytes:
    return encode_png(np.round(255 - (255 - image.astype(np.float32)) * CONTRAST_LEFT).astype(np.uint8))


def _blurred(image: np.ndarray, rng: np.random.Generator) -> bytes:
    """Blurred with a standard deviation of an eighth of the shorter side: shapes are gone, colours are left."""
    return encode_png(cv2.GaussianBlur(image, (0, 0), max(min(image.shape[:2]) / 8, 1)))


def _undecodable(image: np.ndarray, rng: np.random.Generator) -> bytes:
    """A PNG cut in half, or bytes that are no image at all."""
    data = encode_png(image)
    return data[: len(data) // 2] if rng.random() < 0.5 else rng.bytes(len(data))
