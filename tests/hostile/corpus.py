"""The corpus: 2,000 and more hostile files, family by family, the same for the same seed.

python -m tests.hostile.corpus FOLDER
"""

import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.hostile import containers, names, pickles, pictures, texts
from tests.hostile.pictures import File

Given = Literal["images", "source", "folder", "recipe", "answers"]
"""As what a family is given to `curate`: as images of one folder, each file or folder as a source of its own, as one
folder, to `decide --policy`, or to `decide --import`."""


@dataclass(frozen=True)
class Family:
    """Files of one kind. `make` is given random numbers and, but for images, the folder in which nothing may appear."""

    given: Given
    make: Callable[[random.Random, Path], Iterator[File]]


def _of_images(make: Callable[[random.Random], Iterator[File]]) -> Family:
    return Family("images", lambda rng, canary: make(rng))


FAMILIES = {
    "sound": _of_images(pictures.sound),
    "truncated": _of_images(pictures.truncated),
    "flipped": _of_images(pictures.flipped),
    "spliced": _of_images(pictures.spliced),
    "no-content": _of_images(pictures.no_content),
    "claimed-sizes": _of_images(pictures.claimed_sizes),
    "image-bombs": _of_images(pictures.bombs),
    "long-and-thin": _of_images(pictures.long_and_thin),
    "other-names": _of_images(pictures.other_names),
    "metadata": _of_images(pictures.metadata),
    "archive-paths": Family("source", containers.paths),
    "archive-links": Family("source", containers.links),
    "archive-same-names": Family("source", containers.same_names),
    "archive-names": Family("source", containers.strange_names),
    "archive-sizes": Family("source", containers.sizes),
    "archive-bombs": Family("source", containers.bombs),
    "archive-damaged": Family("source", containers.damaged),
    "shards": Family("source", texts.shards),
    "pickle-calls": Family("source", pickles.calls),
    "pickle-memory": Family("source", pickles.memory),
    "pickle-types": Family("source", pickles.wrong_types),
    "pickle-damaged": Family("source", pickles.damaged),
    "object-arrays": Family("source", pickles.arrays),
    "csv": Family("source", texts.csv),
    "parquet": Family("source", texts.parquet),
    "recipes": Family("recipe", texts.recipes),
    "answers": Family("answers", texts.answers),
}
"""What `make` writes. Beside these `folders`, which need a file system for links, pipes and names that are no text."""


def make(folder: Path, canary: Path, *, seed: int = 0, families: list[str] | None = None) -> dict[str, int]:
    """Write the corpus as `folder/<given>/<family>/<file>`; counts by family. `canary`: what payloads aim at."""
    counts = {}
    for name, family in FAMILIES.items():
        if families is not None and name not in families:
            continue
        counts[name] = 0
        for path, content in family.make(random.Random(f"{seed} {name}"), canary):
            place = folder / family.given / name / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
            counts[name] += 1
    if families is None or "folders" in families:
        rng = random.Random(f"{seed} folders")
        counts["folders"] = names.named(folder / "folder" / "names", rng)
        counts["folders"] += names.on_disk(folder / "folder" / "disk", canary, rng)
    return counts


if __name__ == "__main__":
    target = Path(sys.argv[1])
    made = make(target, target / "canary")
    print(*(f"{count:6,} {name}" for name, count in made.items()), f"{sum(made.values()):6,} files", sep="\n")
