"""What people decide in FiftyOne by hand, without our keys: by tags, and by editing labels."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from curate.review.dataset import batches, edited, with_id
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


def by_hand(dataset: "fo.Dataset", images: Iterable[str], decided: Iterable[str]) -> ByHand:
    """What was decided by tags and by editing `ground_truth` in the App since the last look.

    images: every image_id of the workspace; decided: all class names that may be given. A label was edited where it is
    another than the one that the sample was written with, whatever label the workspace gives the image by now.
    """
    there = set(images)
    classes = set(decided)
    answers, refused = [], []
    collection = dataset._sample_collection
    tagged: set[str] = set()
    for row in collection.find({"tags": {"$regex": "^curate:"}, "image_id": {"$ne": None}}, {"image_id": 1, "tags": 1}):
        image_id, tags = row["image_id"], [tag for tag in row["tags"] if tag.startswith("curate:")]
        said = TAG.match(tags[0])
        if image_id not in there:
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
    for image_id, label in edited(dataset):
        if image_id in tagged or image_id not in there:
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


def taken_over(dataset: "fo.Dataset", image_ids: Sequence[str]) -> None:
    """Take tags off that were read, and put edited labels back: what is decided stands in the field `decision`."""
    from pymongo import UpdateOne

    collection = dataset._sample_collection
    for batch in batches(image_ids):
        collection.update_many({"image_id": {"$in": batch}}, {"$pull": {"tags": {"$regex": "^curate:"}}})
        about = collection.find({"image_id": {"$in": batch}}, {"image_id": 1, "given_label": 1})
        given = {row["image_id"]: row["given_label"] for row in about if row.get("given_label") is not None}
        writes = [UpdateOne(*write) for image_id, label in given.items() for write in _given(image_id, label)]
        if writes:
            collection.bulk_write(writes)


def _given(image_id: str, label: str) -> list[tuple[Document, Document]]:
    """Filters and updates that bring back the label that was shown, "" for none, with what else the field says."""
    if not label:
        return [({"image_id": image_id}, {"$set": {"ground_truth": None}})]
    whole = with_id(written(label))
    return [
        ({"image_id": image_id, "ground_truth": None}, {"$set": {"ground_truth": whole}}),
        ({"image_id": image_id, "ground_truth": {"$ne": None}}, {"$set": {"ground_truth.label": label}}),
    ]
