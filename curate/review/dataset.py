"""A workspace as a FiftyOne dataset: made once, then brought up to date by what has changed, in bulk."""

import datetime
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING, Any

from curate.errors import UserError
from curate.review.samples import FINDING, LABELS, OWN, QUEUE, TEXTS, Document
from curate.wording import pasted
from curate.workspace import Workspace

if TYPE_CHECKING:
    import fiftyone as fo

BATCH = 2_000
"""Documents per write; MongoDB takes up to 48 MB."""
LABEL_FIELDS = ("ground_truth", "given_label", "digest")
"""The label that people may edit, the one that was shown, and by what a sample is known that says all it should."""
MARK = "curate"
"""Key of the dataset's `info` that says that it is ours, and of which workspace."""


@dataclass(frozen=True)
class Synced:
    """What opening a dataset took."""

    name: str
    images: int
    written: int
    """Samples that were new or had changed."""
    removed: int


def name_of(workspace: Workspace, by: str) -> str:
    """The dataset's name: folder and reviewer, and what tells them from others that read alike.

    Each reviewer has one: what waits differs, and nothing in a tag or an edited label says whose it is.
    """
    path = workspace.root.resolve()
    readable = re.sub(r"[^A-Za-z0-9_]+", "-", f"{path.name}-{by}").strip("-") or "workspace"
    told_apart = f"{path}\0{by}".encode(errors="surrogateescape")
    return f"curate-{readable}-{blake2b(told_apart, digest_size=3).hexdigest()}"


def open_dataset(workspace: Workspace, by: str) -> "fo.Dataset":
    """The reviewer's dataset of the workspace, made if there is none. One of that name that isn't ours is left alone:
    `UserError`."""
    import fiftyone as fo

    name, root = name_of(workspace, by), str(workspace.root.resolve())
    if name not in fo.list_datasets():
        dataset = fo.Dataset(name, persistent=True)
        dataset.media_type = "image"
        dataset.info = {MARK: {"workspace": root, "by": by, "openings": 0}}
        dataset.save()
    dataset = fo.load_dataset(name)
    mark = dataset.info.get(MARK) or {}
    if (mark.get("workspace"), mark.get("by")) != (root, by):
        way_out = f"rename it ('fiftyone datasets rename {name} NEW_NAME'), or rename the workspace's folder"
        raise UserError(f"FiftyOne has a dataset called {name!r} that is not of {pasted(root)} and {by}; {way_out}")
    return dataset


def sync(dataset: "fo.Dataset", documents: dict[str, Document]) -> Synced:
    """Write what is new or changed, take out what has gone; fields and tags of the user's own stay.

    documents: image_id -> fields, see `curate.review.samples`. The samples that were written carry the number of this
    opening in their field `changed`.
    """
    _declare(dataset, documents)
    mark = dict(dataset.info[MARK])
    mark["openings"] += 1
    collection = dataset._sample_collection
    there = {row["image_id"]: row for row in collection.find({}, {"image_id": 1, "digest": 1}) if "image_id" in row}
    new = {image_id: document for image_id, document in documents.items() if image_id not in there}
    changed = {
        image_id: document
        for image_id, document in documents.items()
        if image_id in there and there[image_id].get("digest") != document["digest"]
    }
    gone = [there[image_id]["_id"] for image_id in there.keys() - documents.keys()]
    now = datetime.datetime.now(datetime.UTC)
    for batch in batches(new.values()):
        collection.insert_many([_sample(dataset, document, now, mark["openings"]) for document in batch], ordered=False)
    kept = {image_id for image_id, _ in edited(dataset)}
    known = {there[image_id]["_id"]: document for image_id, document in changed.items()}
    _update(dataset, known, {there[image_id]["_id"] for image_id in kept & changed.keys()}, now, mark["openings"])
    for batch in batches(gone):
        collection.delete_many({"_id": {"$in": batch}})
    dataset.info[MARK] = mark
    dataset.save()
    dataset.reload()
    return Synced(dataset.name, len(documents), len(new) + len(changed), len(gone))


def decide(dataset: "fo.Dataset", values: dict[str, tuple[Document | None, Document | None]]) -> None:
    """Show decisions on their samples: image_id -> the fields `decision` and `queue`, None for none."""
    from pymongo import UpdateOne

    writes = [
        UpdateOne({"image_id": image_id}, {"$set": {"decision": with_id(decided), "queue": waiting}})
        for image_id, (decided, waiting) in values.items()
    ]
    for batch in batches(writes):
        dataset._sample_collection.bulk_write(batch, ordered=False)


def _declare(dataset: "fo.Dataset", documents: dict[str, Document]) -> None:
    """The fields, for those finders that say something; FiftyOne knows only what is declared."""
    import fiftyone as fo

    kinds = {"float": fo.FloatField, "bool": fo.BooleanField, "str": fo.StringField, "int": fo.IntField}
    schema = dataset.get_field_schema(flat=True)
    texts = [*TEXTS, "thumbnail"] if any("thumbnail" in document for document in documents.values()) else TEXTS
    for name in texts:
        if name not in schema:
            dataset.add_sample_field(name, fo.StringField)
    if "changed" not in schema:
        dataset.add_sample_field("changed", fo.IntField)
    for name in LABELS:
        if name not in schema:
            dataset.add_sample_field(name, fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification)
    for name in ("by", "because", "note"):
        if f"decision.{name}" not in schema:
            dataset.add_sample_field(f"decision.{name}", fo.StringField)
    said = {field for document in documents.values() for field in document} - set(OWN)
    for field, parts in [("queue", QUEUE), *((finder, FINDING) for finder in sorted(said))]:
        if field not in schema:
            dataset.add_sample_field(field, fo.EmbeddedDocumentField, embedded_doc_type=fo.DynamicEmbeddedDocument)
        for part, kind in parts.items():
            if f"{field}.{part}" not in schema:
                dataset.add_sample_field(f"{field}.{part}", kinds[kind])
    if "image_id" not in dataset.list_indexes():
        dataset.create_index("image_id", unique=True, sparse=True)  # samples of the user's own have none
        dataset.create_index("queue.position")


def _sample(dataset: "fo.Dataset", document: Document, now: datetime.datetime, opening: int) -> Document:
    """A whole document, as FiftyOne writes it for a sample."""
    from bson import ObjectId

    return {
        "_id": ObjectId(),
        "_media_type": "image",
        "_rand": random.random(),
        "_dataset_id": dataset._doc.id,
        "tags": [],
        "created_at": now,
        "last_modified_at": now,
        "changed": opening,
        **{name: with_id(value) if name in LABELS else value for name, value in document.items()},
    }


def edited(dataset: "fo.Dataset") -> list[tuple[str, str]]:
    """image_id and label, "" for none, of samples whose label is not the one that they were written with.

    Samples that do not say which that was, as versions of before wrote them, are left out.
    """
    label = {"$ifNull": ["$ground_truth.label", ""]}
    known = {"image_id": {"$ne": None}, "given_label": {"$type": "string"}}
    differs = {"$expr": {"$ne": [label, "$given_label"]}}
    found = dataset._sample_collection.find(known | differs, {"image_id": 1, "ground_truth.label": 1})
    return [(row["image_id"], (row.get("ground_truth") or {}).get("label") or "") for row in found]


def _update(
    dataset: "fo.Dataset", documents: dict[Any, Document], kept: set[Any], now: datetime.datetime, opening: int
) -> None:
    """Write our fields anew, but for the labels of samples that are `kept` as they were edited."""
    from pymongo import UpdateOne

    ours = [name for name in dataset.get_field_schema() if name in OWN or _is_finder(dataset, name)]

    def fields(key: Any, document: Document) -> Document:
        written = [name for name in ours if key not in kept or name not in LABEL_FIELDS]
        return {name: with_id(document.get(name)) if name in LABELS else document.get(name) for name in written}

    for batch in batches(documents.items()):
        writes = [
            UpdateOne({"_id": key}, {"$set": {"last_modified_at": now, "changed": opening, **fields(key, document)}})
            for key, document in batch
        ]
        dataset._sample_collection.bulk_write(writes, ordered=False)


def _is_finder(dataset: "fo.Dataset", name: str) -> bool:
    return dataset.has_field(f"{name}.score") and dataset.has_field(f"{name}.flagged")


def with_id(label: Document | None) -> Document | None:
    """A label with an id of its own, which FiftyOne gives each."""
    from bson import ObjectId

    return None if label is None else {"_id": ObjectId(), **label}


def batches(items: Iterable[Any]) -> Iterable[list[Any]]:
    source = iter(items)
    while batch := list(islice(source, BATCH)):
        yield batch
