"""Smaller copies of large images, for a grid that is quick to look through."""

import os
from pathlib import Path

import pandas as pd

from curate.engine import Local
from curate.files import write_bytes_atomic
from curate.images import ImageError, encode_jpeg, read_image, thumbnail
from curate.review import samples
from curate.workspace import Workspace

THUMBNAILS = Path("signals") / "review_thumbnails"
PLAIN = {"image_id", "filepath", "split", "source", "given_label", "ground_truth", "prediction", "digest"}
"""Fields that every image may have; with others there is something to look at."""


def give_thumbnails(
    workspace: Workspace, images: pd.DataFrame, paths: list[str], documents: dict[str, samples.Document]
) -> bool:
    """Give large images that something is said of a smaller copy; whether there is any. Made once, by content."""
    said = {image_id for image_id, document in documents.items() if document.keys() - PLAIN}
    large = (images[["width", "height"]].max(axis=1) > samples.LARGE).to_numpy()
    if not large.any():
        return False
    folder = workspace.root / THUMBNAILS
    wanted = []
    for image_id, path, digest, is_large in zip(images["image_id"], paths, images["content_hash"], large, strict=True):
        document = documents[image_id]
        document["thumbnail"] = path
        if is_large and image_id in said:
            document["thumbnail"] = str((folder / f"{digest}.jpg").resolve())
            wanted.append((path, document["thumbnail"]))
        document["digest"] = samples.digest(document)
    missing = [pair for pair in wanted if not os.path.exists(pair[1])]  # noqa: PTH110
    folder.mkdir(parents=True, exist_ok=True)
    made = Local().map_batches(
        _make, missing, batch_size=16, describe="thumbnails", total=len(missing), crashed=lambda _: [False]
    )
    for _ in made:
        pass
    return True


def _make(pairs: list[tuple[str, str]]) -> list[bool]:
    made = []
    for path, small in pairs:
        try:
            write_bytes_atomic(Path(small), encode_jpeg(thumbnail(read_image(path), samples.LARGE), quality=85))
            made.append(True)
        except (ImageError, OSError):  # the App shows that there is nothing; `corrupt` says why
            made.append(False)
    return made
