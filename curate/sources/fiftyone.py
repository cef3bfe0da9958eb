"""A dataset of FiftyOne, `fiftyone:NAME`, or a saved view of one, `fiftyone:NAME/VIEW`; files stay where they are."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from curate import manifest, remote
from curate.errors import UserError, first_line, known
from curate.layouts import Options, Sample, leaving, tables
from curate.layouts.folders import SPLIT_FOLDERS

PRIORITY = 0
DATABASE = True
LABEL = "ground_truth"
"""The field of the labels unless another is named, and that `write` makes: FiftyOne's own importers call it so."""
AT_ONCE = 10_000
"""Samples added together: some 30 MB."""


def recognises(path: Path) -> bool:
    """Never: no file or folder is a dataset of FiftyOne."""
    return False


def read(name: str, options: Options) -> Iterator[Sample]:
    """The samples of a dataset or saved view of images, in its order.

    The label is that of the only Classification field, or of `ground_truth` among several; a text field may be named as
    well. The split is that of a text field `split`, or the tag `train`, `val`, `test` or `unlabelled`. Names are
    relative to the folder that holds all files.

    Raises `UserError` for videos, groups and patches, and where two fields may be the label.
    """
    from curate.mongo import database

    fo = database.fiftyone()
    with database.reachable():
        samples = _opened(fo, name)
        path, label, split = (_field(fo, samples, name, options, what) for what in ("path", "label", "split"))
        columns = samples.values([path, label or "id", split or "id", "tags"])
    files, labels, splits, tags = columns
    root = tables.root_of(Path(_common(files)) / "any", options)
    for at, (file, given, cell, marks) in enumerate(zip(files, labels, splits, tags, strict=True), 1):
        where = f"fiftyone:{name}, sample {at}"
        file = tables.path_within(root, file or "", where)
        said = tables.split_cell(cell or "", where) if split else ""
        yield Sample(
            tables.name_within(root, file), (given or "") if label else "", said or _tagged(marks, where), file
        )


def write(table: pd.DataFrame, root: Path, name: str) -> int:
    """A new dataset that stays: `filepath`, `ground_truth`, `split` (a tag as well) and `image_id`.

    Raises `UserError` where there is a dataset of that name; it is left alone.
    """
    from curate.mongo import database

    paths = dict(zip(table["image_id"], manifest.locate(table, root), strict=True))
    if away := next((path for path in paths.values() if remote.is_url(path)), None):
        raise UserError(
            f"{away} is not on this machine, and FiftyOne shows files; export to a folder and add that first"
        )
    fo = database.fiftyone()
    with database.reachable():
        _refuse_taken(fo, name)
        dataset = fo.Dataset()  # until it is complete it has a name of FiftyOne's, and goes if we are killed
        try:
            dataset.add_sample_field(LABEL, fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification)
            dataset.add_sample_field("split", fo.StringField)
            dataset.add_sample_field("image_id", fo.StringField)
            batch: list[Any] = []
            for image in leaving.images(table, root):
                batch.append(
                    fo.Sample(
                        os.path.abspath(paths[image.image_id]),
                        tags=[image.split],
                        split=image.split,
                        image_id=image.image_id,
                        ground_truth=fo.Classification(label=image.label) if image.label else None,
                    )
                )
                if len(batch) == AT_ONCE:
                    dataset.add_samples(batch, dynamic=False, progress=False)
                    batch = []
            dataset.add_samples(batch, dynamic=False, progress=False)
            dataset.name = name
            dataset.persistent = True
            return len(dataset)
        except ValueError as error:  # of a name that was taken meanwhile
            dataset.delete()
            raise UserError(f"{error}; export under another name") from None
        except BaseException:
            dataset.delete()
            raise


def _refuse_taken(fo: ModuleType, name: str) -> None:
    from fiftyone.core.utils import to_slug

    if fo.dataset_exists(name):
        raise UserError(f"FiftyOne has a dataset {name!r} already, and it is left alone; export under another name")
    try:
        slug = to_slug(name)
    except ValueError:
        raise UserError(f"FiftyOne takes no dataset called {name!r}; use Latin letters and digits") from None
    if twin := next((other for other in fo.list_datasets() if to_slug(other) == slug), None):
        raise UserError(f"{name!r} is too much like FiftyOne's dataset {twin!r}; export under another name")


def _opened(fo: ModuleType, name: str) -> Any:
    """The dataset or saved view that is called so, if it is one of images."""
    dataset_name, _, view = (name, "", "") if fo.dataset_exists(name) else name.rpartition("/")
    if not fo.dataset_exists(dataset_name):
        raise known("dataset of FiftyOne", name, fo.list_datasets())
    try:
        samples = fo.load_dataset(dataset_name)
    except OSError as error:  # of a newer FiftyOne
        told = first_line(error)
        raise UserError(f"fiftyone:{name} is a dataset of another FiftyOne: {told}") from None
    if view:
        if not samples.has_saved_view(view):
            raise known(f"saved view of {dataset_name}", view, samples.list_saved_views())
        samples = samples.load_saved_view(view)
    if type(samples) not in (fo.Dataset, fo.DatasetView):
        raise UserError(f"fiftyone:{name} shows parts of images or videos; add a dataset or view of whole images")
    if samples.media_type == "group":
        raise UserError(
            f"fiftyone:{name} holds groups; save one slice of it as a view, "
            f"dataset.save_view('left', dataset.select_group_slices('left')), and add fiftyone:{name}/left"
        )
    if samples.media_type not in ("image", None):  # None: no samples yet
        raise UserError(f"fiftyone:{name} holds media of the type {samples.media_type!r}; add a dataset of images")
    return samples


def _field(fo: ModuleType, samples: Any, name: str, options: Options, what: str) -> str:
    """Where the samples hold `what`, as `values()` wants it; "" where nothing does and nothing need."""
    schema = samples.get_field_schema
    classes = list(schema(ftype=fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification))
    texts = list(schema(ftype=fo.StringField))
    defaults = {
        "path": "filepath",
        "label": classes[0] if len(classes) == 1 else LABEL,
        "split": "split" if "split" in texts else "",
    }
    field = options.columns.get(what, defaults[what])
    if not field or field in texts:
        return field
    if field in classes:
        return f"{field}.label"
    there = ", ".join(map(repr, classes + texts if what in options.columns else classes)) or "none"
    kind = "Classification or text field" if what in options.columns else "Classification field"
    raise UserError(f"fiftyone:{name} has no {kind} {field!r}; there are: {there} (--column {what}=NAME)")


def _common(files: list[str]) -> str:
    """The folder that holds all files, as far down as it goes."""
    return os.path.commonpath({os.path.dirname(file) for file in files}) if files else os.sep


def _tagged(tags: list[str], where: str) -> str:
    """The split that the tags of a sample say, "" for none."""
    splits = {SPLIT_FOLDERS[tag.lower()] for tag in tags if tag.lower() in SPLIT_FOLDERS}
    if len(splits) > 1:
        raise UserError(
            f"{where} is tagged {' and '.join(sorted(splits))}; take one away, or name a field: --column split=…"
        )
    return next(iter(splits), "")
