"""What people decide in FiftyOne by hand, without our keys: by tags, and by editing labels."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from curate.review.dataset import batches, with_id
from curate.review.desk import Answer
from curate.review.samples import Document, written

if TYPE_CHECKING:
    import fiftyone as fo

TAG = re.compile(r"curate:(keep|drop|relabel)(?::(.+))?$")
"""Tags by which an image is decided on in the App by hand: `curate:drop`, `curate:keep`, `curate:relabel:cat`."""


@dataclass(frozen=True)
class ByHand:
    """What was decided in the App by tags and by editing labels."""

    answers: list[Answer]
    refused: list[str]
    """A line for each that cannot be carried out: the sample stays as it was edited, until it is mended."""


def by_hand(dataset: "fo.Dataset", labels: dict[str, str], decided: Iterable[str]) -> ByHand:
    """What was decided by tags and by editing `ground_truth` in the App since the last look.

    labels: image_id -> the label that the workspace gives it; decided: all class names that may be given.
    """
    classes = set(decided)
    answers, refused = [], []
    collection = dataset._sample_collection
    tagged: set[str] = set()
    for row in collection.find({"tags": {"$regex": "^curate:"}, "image_id": {"$ne": None}}, {"image_id": 1, "tags": 1}):
        image_id, tags = row["image_id"], [tag for tag in row["tags"] if tag.startswith("curate:")]
        said = TAG.match(tags[0])
        if image_id not in labels:
            refused.append(f"{image_id}: tagged in FiftyOne, but no longer in the workspace")
        elif len(tags) > 1:
            refused.append(f"{image_id}: tags {' and '.join(map(repr, tags))} say different things; leave one of them")
        elif not said or (said[1] == "relabel") != bool(said[2]):
            refused.append(f"{image_id}: tag {tags[0]!r} must be curate:keep, curate:drop or curate:relabel:CLASS")
        elif said[2] and said[2] not in classes:
            refused.append(f"{image_id}: tag {tags[0]!r} names no class of this workspace")
        else:
            answers.append(Answer(image_id, said[1], said[2] or "", note="tagged in FiftyOne"))  # type: ignore[arg-type]
        tagged.add(image_id)
    for image_id, label in zip(*dataset.values(["image_id", "ground_truth.label"]), strict=True):
        label = label or ""
        if image_id in tagged or label == labels.get(image_id, label):
            continue
        if label in classes:
            answers.append(Answer(image_id, "relabel", label, note="label edited in FiftyOne"))
        elif label:
            refused.append(f"{image_id}: label {label!r}, edited in FiftyOne, is no class of this workspace")
        else:
            refused.append(
                f"{image_id}: its label was taken away in FiftyOne; to leave the image out, tag it curate:drop"
            )
    return ByHand(answers, refused)


def taken_over(dataset: "fo.Dataset", labels: dict[str, str], image_ids: Sequence[str]) -> None:
    """Take tags off that were read, and put edited labels back: what is decided stands in the field `decision`."""
    from pymongo import UpdateOne

    collection = dataset._sample_collection
    for batch in batches(image_ids):
        collection.update_many({"image_id": {"$in": batch}}, {"$pull": {"tags": {"$regex": "^curate:"}}})
        collection.bulk_write([UpdateOne(*write) for image_id in batch for write in _given(image_id, labels[image_id])])


def _given(image_id: str, label: str) -> list[tuple[Document, Document]]:
    """Filters and updates that bring back the given label, "" for none, with what else the field says of it."""
    if not label:
        return [({"image_id": image_id}, {"$set": {"ground_truth": None}})]
    whole = with_id(written(label))
    return [
        ({"image_id": image_id, "ground_truth": None}, {"$set": {"ground_truth": whole}}),
        ({"image_id": image_id, "ground_truth": {"$ne": None}}, {"$set": {"ground_truth.label": label}}),
    ]
