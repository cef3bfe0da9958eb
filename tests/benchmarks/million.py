"""A million small images: from files to pairs of one photo, on how much time and memory; and a thousand more.

`python -m tests.benchmarks.million [--images N]`. Real images of 32 x 32 pixels with planted, recorded copies: 60,000
of CIFAR-10; the photos of Imagenette and 200 others, whole, their quarters, ninths and so on, each scaled down; and
every 25th image a copy of an earlier one, compressed again, mirrored, brighter or shifted by a pixel. Written as JPEG
into a temporary folder ($TMPDIR, 4 GB for a million); `curate add`, `curate scan --only near_duplicate`, `curate add
--near skip` of 1,000 more of which 100 are copies, each as a process of its own.
"""

import argparse
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from tests.benchmarks.record import circumstances, data, earlier, record, signals_of
from tests.benchmarks.scan_speed import CURATE, measured

SIDE = 32
PHOTO, MOST_WINDOWS = 224, 6
"""Photos are cut into windows of 224 pixels, of 112 and so on, down to a sixth."""
COPY_EVERY = 25
ADDED, ADDED_COPIES = 1_000, 100
CHANGES = ("compressed", "mirrored", "brighter", "shifted")
"""What is done to a copy, by a random amount; each is compressed again, too."""


def run(arguments: list[str] | None = None) -> None:
    """Write the images, run the verbs, count the planted copies that were found."""
    asked = argparse.ArgumentParser(prog="python -m tests.benchmarks.million", description=__doc__)
    asked.add_argument("--images", type=int, default=1_000_000)
    count = asked.parse_args(arguments or []).images
    with tempfile.TemporaryDirectory() as folder:
        images, more, ws = Path(folder) / "images", Path(folder) / "more", Path(folder) / "ws"
        copies = _write(images, more, count)
        found: dict[str, object] = {}
        found["add_seconds"], found["add_gb"] = measured(*CURATE, "add", str(ws), str(images))
        found["scan_seconds"], found["scan_gb"] = measured(*CURATE, "scan", str(ws), "--only", "near_duplicate")
        found["again_seconds"], _ = measured(*CURATE, "scan", str(ws), "--only", "near_duplicate")
        found |= _found(ws, copies)
        command = (*CURATE, "add", str(ws), str(more), "--near", "skip")
        found["add_near_seconds"], found["add_near_gb"] = measured(*command)
        left = pd.read_parquet(ws / "manifest.parquet", columns=["source"])
        found["added_of_1000"] = int((left["source"] == "more").sum())
    signals = signals_of("near_duplicate")
    figures = earlier("million") | {f"{count}": found | {"measured": circumstances(signals)}}
    what = "real images of 32 x 32 pixels (CIFAR-10, windows of photos), 4 % planted copies"
    record("million", what, figures, signals=signals)


def _write(images: Path, more: Path, count: int) -> dict[str, str]:
    """Folders of images, and of more; for each copy among them the image that it is a copy of."""
    random, copies, kept = np.random.default_rng(0), {}, []
    stream = _images()
    for number in range(count + ADDED):
        folder = images / f"{number // 1000:04d}" if number < count else more
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{number:07d}.jpg"
        of_more = number >= count and number - count < ADDED_COPIES
        if kept and (of_more or (number < count and number % COPY_EVERY == COPY_EVERY - 1)):
            original, image = kept[random.integers(len(kept))]
            image = _changed(image, CHANGES[random.integers(len(CHANGES))], random)
            if number < count:
                copies[name] = original
        else:
            image = next(stream)
            if number < count and random.random() < 0.02:
                kept.append((name, image))
        cv2.imwrite(str(folder / name), image, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return copies


def _changed(image: np.ndarray, change: str, random: np.random.Generator) -> np.ndarray:
    if change == "mirrored":
        image = image[:, ::-1]
    elif change == "brighter":
        image = np.clip(image * random.uniform(0.8, 1.2) + random.uniform(-10, 10), 0, 255).astype(np.uint8)
    elif change == "shifted":
        image = np.roll(image, random.choice([-1, 1]), axis=random.integers(2))
    quality = int(random.integers(40, 90))
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def _images() -> Iterator[np.ndarray]:
    yield from _archive("cifar10/cifar10_jpeg.tar.xz")
    for grid in range(1, MOST_WINDOWS + 1):
        for archive in ("imagenette/imagenette224.tar.xz", "photos/photos200.tar.xz"):
            for photo in _archive(archive):
                window = PHOTO // grid
                for top in range(0, photo.shape[0] - window + 1, window):
                    for left in range(0, photo.shape[1] - window + 1, window):
                        seen = photo[top : top + window, left : left + window]
                        yield cv2.resize(seen, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    sys.exit("there are no more real images; ask for fewer")


def _archive(name: str) -> Iterator[np.ndarray]:
    with tarfile.open(data(name)) as packed:
        for item in packed:
            if item.isfile():
                yield cv2.imdecode(np.frombuffer(packed.extractfile(item).read(), np.uint8), 1)  # type: ignore[union-attr]


def _found(ws: Path, copies: dict[str, str]) -> dict[str, object]:
    """How many of the planted copies were flagged beside their original, or another copy of it."""
    table = pd.read_parquet(ws / "findings.parquet")
    table = table[table["flagged"]]
    family = {**copies, **{original: original for original in copies.values()}}
    name, related = (table[column].str.rpartition("/")[2].to_numpy() for column in ("image_id", "related_id"))
    linked = {(a, b) for a, b in zip(name, related, strict=True)}
    true = sum(a in family and family.get(a) == family.get(b) for a, b in linked)
    return {"planted": len(copies), "found": true, "flagged": len(table)}


if __name__ == "__main__":
    run(sys.argv[1:])
