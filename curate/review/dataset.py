"""A workspace as a FiftyOne dataset: made once, then brought up to date; its views, embeddings, and edits by hand."""

import datetime
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from curate import finders, registry
from curate.decisions import POLICY
from curate.errors import UserError
from curate.review.asking import DISPUTED
from curate.review.desk import Answer
from curate.review.samples import FINDING, LABELS, OWN, QUEUE, TEXTS, Document, written
from curate.workspace import Workspace

if TYPE_CHECKING:
    import fiftyone as fo

BATCH = 2_000
"""Documents per write; MongoDB takes up to 48 MB."""
MARK = "curate"
"""Key of the dataset's `info` that says that it is ours, and of which workspace."""
TAG = re.compile(r"curate:(keep|drop|relabel)(?::(.+))?$")
"""Tags by which an image is decided on in the App by hand: `curate:drop`, `curate:keep`, `curate:relabel:cat`."""
COLORS = {"ground_truth": "#0072B2", "suggestion": "#D55E00", "decision": "#007A5A"}
"""Of what is written on the pictures: Okabe & Ito 2008, the last darker, to bear white letters."""
SIMILARITY, PCA, UMAP = "curate_similarity", "curate_pca", "curate_umap"
"""Names of what FiftyOne's brain keeps."""


@dataclass(frozen=True)
class Synced:
    """What opening a dataset took."""

    name: str
    images: int
    written: int
    """Samples that were new or had changed."""
    removed: int


@dataclass(frozen=True)
class ByHand:
    """What was decided in the App by tags and by editing labels."""

    answers: list[Answer]
    refused: list[str]
    """A line for each that cannot be carried out: the sample stays as it was edited, until it is mended."""


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
        raise UserError(f"FiftyOne has a dataset called {name!r} that is not of {root} and {by}; {way_out}")
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
    for batch in _batches(new.values()):
        collection.insert_many([_sample(dataset, document, now, mark["openings"]) for document in batch], ordered=False)
    _update(
        dataset, {there[image_id]["_id"]: document for image_id, document in changed.items()}, now, mark["openings"]
    )
    for batch in _batches(gone):
        collection.delete_many({"_id": {"$in": batch}})
    dataset.info[MARK] = mark
    dataset.save()
    dataset.reload()
    return Synced(dataset.name, len(documents), len(new) + len(changed), len(gone))


def decide(dataset: "fo.Dataset", values: dict[str, tuple[Document | None, Document | None]]) -> None:
    """Show decisions on their samples: image_id -> the fields `decision` and `queue`, None for none."""
    from pymongo import UpdateOne

    writes = [
        UpdateOne({"image_id": image_id}, {"$set": {"decision": _with_id(decided), "queue": waiting}})
        for image_id, (decided, waiting) in values.items()
    ]
    for batch in _batches(writes):
        dataset._sample_collection.bulk_write(batch, ordered=False)


def save_views(dataset: "fo.Dataset") -> list[str]:
    """Save the views: what needs a person, twins, leaks, what the policy did, what changed, each finder worst first."""
    from fiftyone import ViewField as F

    views = {
        "needs a person": dataset.exists("queue.position").sort_by("queue.position"),
        "people disagree": dataset.match(F("queue.title") == DISPUTED),
        "twins side by side": dataset.exists("group").sort_by("group"),
        "twins as groups": dataset.exists("group").group_by("group"),
        "leaks": _with_twins(dataset, "split_leak"),
        "dropped by policy": dataset.match(F("decision.label") == f"{POLICY}: drop"),
        "relabelled by policy": dataset.match(F("decision.label").starts_with(f"{POLICY}: relabel")),
        "changed since last time": dataset.match(F("changed") == max(dataset.info[MARK]["openings"], 2)),
    }
    for finder in registry.functions(finders):
        if dataset.has_field(f"{finder}.score"):
            flagged = dataset.match(F(f"{finder}.flagged") == True)  # noqa: E712  (an expression, not a comparison)
            views[f"{finder}, worst first"] = flagged.sort_by(f"{finder}.score")
    for name in set(dataset.list_saved_views()) - set(views):
        if name.endswith(", worst first"):
            dataset.delete_saved_view(name)
    for name, view in views.items():
        dataset.save_view(name, view, overwrite=True)
    return list(views)


def embed(dataset: "fo.Dataset", embeddings: dict[str, np.ndarray], version: str) -> None:
    """Similarity search and a map by principal components, by embeddings of our own: nothing is downloaded.

    embeddings: image_id -> shape (D,); version: what they are of. With those of the same version nothing is done.
    """
    import fiftyone.brain as fob

    done = f"{version} {len(dataset)}"
    if dataset.info[MARK].get("embedded") == done or len(embeddings) < 3:
        return
    ids = dict(zip(*dataset.values(["image_id", "id"]), strict=True))
    known = [image_id for image_id in embeddings if image_id in ids]
    samples = dataset.select([ids[image_id] for image_id in known], ordered=True)
    values = np.stack([embeddings[image_id] for image_id in known])
    for key in (SIMILARITY, PCA, UMAP):
        if key in dataset.list_brain_runs():
            dataset.delete_brain_run(key)
    fob.compute_visualization(samples, embeddings=values, method="pca", brain_key=PCA, num_dims=2, seed=0)
    fob.compute_similarity(samples, embeddings=values, backend="sklearn", brain_key=SIMILARITY)
    dataset.info[MARK] = dict(dataset.info[MARK]) | {"embedded": done}
    dataset.save()


def embed_by_umap(dataset: "fo.Dataset") -> None:
    """The map by UMAP beside that by principal components, of the same embeddings; once."""
    import fiftyone.brain as fob

    if UMAP in dataset.list_brain_runs() or SIMILARITY not in dataset.list_brain_runs():
        return
    index = dataset.load_brain_results(SIMILARITY)
    values, ids, _ = index.get_embeddings()
    samples = dataset.select(list(ids), ordered=True)
    fob.compute_visualization(samples, embeddings=values, method="umap", brain_key=UMAP, num_dims=2, seed=0)


def show_fields(dataset: "fo.Dataset", *, thumbnails: bool) -> None:
    """What the App shows at first: labels on the pictures, finders folded, the small copies in the grid."""
    import fiftyone as fo

    config = dataset.app_config
    if thumbnails:
        config.media_fields = ["filepath", "thumbnail"]
        config.grid_media_field = "thumbnail"
    config.active_fields = fo.ActiveFields(exclude=False, paths=list(COLORS))
    config.color_scheme = fo.ColorScheme(
        color_by="field", fields=[{"path": path, "fieldColor": color} for path, color in COLORS.items()]
    )
    own = [*LABELS, "image_id", "split", "source", "group"]
    queued = [f"queue.{name}" for name in QUEUE]
    others = [
        fo.SidebarGroupDocument(
            name=group.name, paths=[path for path in group.paths if path not in [*own, *queued]], expanded=False
        )
        for group in fo.DatasetAppConfig.default_sidebar_groups(dataset)
        if group.name != "queue"
    ]
    config.sidebar_groups = [
        fo.SidebarGroupDocument(name="image", paths=own),
        fo.SidebarGroupDocument(name="waits for an answer", paths=queued),
        *others,
    ]
    dataset.save()


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
    for batch in _batches(image_ids):
        collection.update_many({"image_id": {"$in": batch}}, {"$pull": {"tags": {"$regex": "^curate:"}}})
        collection.bulk_write([UpdateOne(*write) for image_id in batch for write in _given(image_id, labels[image_id])])


def _given(image_id: str, label: str) -> list[tuple[Document, Document]]:
    """Filters and updates that bring back the given label, "" for none, with what else the field says of it."""
    if not label:
        return [({"image_id": image_id}, {"$set": {"ground_truth": None}})]
    whole = _with_id(written(label))
    return [
        ({"image_id": image_id, "ground_truth": None}, {"$set": {"ground_truth": whole}}),
        ({"image_id": image_id, "ground_truth": {"$ne": None}}, {"$set": {"ground_truth.label": label}}),
    ]


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
        **{name: _with_id(value) if name in LABELS else value for name, value in document.items()},
    }


def _update(dataset: "fo.Dataset", documents: dict[Any, Document], now: datetime.datetime, opening: int) -> None:
    from pymongo import UpdateOne

    ours = [name for name in dataset.get_field_schema() if name in OWN or _is_finder(dataset, name)]
    for batch in _batches(documents.items()):
        dataset._sample_collection.bulk_write(
            [
                UpdateOne(
                    {"_id": key},
                    {
                        "$set": {
                            "last_modified_at": now,
                            "changed": opening,
                            **{
                                name: _with_id(document.get(name)) if name in LABELS else document.get(name)
                                for name in ours
                            },
                        }
                    },
                )
                for key, document in batch
            ],
            ordered=False,
        )


def _is_finder(dataset: "fo.Dataset", name: str) -> bool:
    return dataset.has_field(f"{name}.score") and dataset.has_field(f"{name}.flagged")


def _with_id(label: Document | None) -> Document | None:
    """A label with an id of its own, which FiftyOne gives each."""
    from bson import ObjectId

    return None if label is None else {"_id": ObjectId(), **label}


def _with_twins(dataset: "fo.Dataset", finder: str) -> "fo.DatasetView":
    """What a finder flagged, with all that show the same photo, one group after another."""
    from fiftyone import ViewField as F

    if not dataset.has_field(f"{finder}.flagged"):
        return dataset.limit(0)
    names = dataset.match(F(f"{finder}.flagged") == True).distinct("group")  # noqa: E712
    return dataset.match(F("group").is_in(names)).sort_by("group")


def _batches(items: Iterable[Any]) -> Iterable[list[Any]]:
    source = iter(items)
    while batch := list(islice(source, BATCH)):
        yield batch
