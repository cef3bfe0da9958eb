"""The workspace as samples of FiftyOne: which fields there are, and what each image has in them.

A sample is a document of MongoDB, as `fiftyone.Sample` would write it: labels carry their class under `_cls`. They are
made here, and written in bulk by `curate.review.dataset`, since `add_samples` takes 1.4 ms for each.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from curate.decisions import POLICY
from curate.review.asking import Asked
from curate.review.twins import groups

Document = dict[str, Any]
LABELS = ("ground_truth", "prediction", "suggestion", "decision")
"""Fields that hold a class, and are written on the pictures."""
TEXTS = ("image_id", "split", "source", "group", "given_label", "digest")
"""`given_label`: what `ground_truth` held when it was written, by which an edit is told from what `add` replaced."""
FINDING = {
    "score": "float",
    "flagged": "bool",
    "suggestion": "str",
    "group": "int",
    "related": "str",
    "detail": "str",
}
"""What each finder's field holds."""
QUEUE = {
    "position": "int",
    "cluster": "int",
    "title": "str",
    "gain": "float",
    "odd": "bool",
    "proposal": "str",
    "because": "str",
}
"""What the field `queue` holds of images that wait for an answer."""
OWN = ("filepath", "thumbnail", *LABELS, *TEXTS, "queue")
"""Fields that are ours beside the finders'; others are the user's, and stay."""
LARGE = 512
"""Pixels of the longer side from which on the grid shows a smaller copy."""


def documents(
    images: pd.DataFrame,
    paths: list[str],
    findings: pd.DataFrame,
    decisions: pd.DataFrame,
    asked: Asked,
    predicted: tuple[np.ndarray, np.ndarray, list[str]] | None,
) -> dict[str, Document]:
    """image_id -> the fields of its sample, without those that are empty.

    paths: where each file is; decisions: those that count; predicted: the class with the highest probability, shape
    (N,), -1 for none, that probability, and the class names.
    """
    table = {
        image_id: {"image_id": image_id, "filepath": path, "split": split, "source": source, "given_label": label}
        | ({"ground_truth": _classification(label)} if label else {})
        for image_id, path, split, source, label in zip(
            images["image_id"], paths, images["split"], images["source"], images["label"], strict=True
        )
    }
    for image_id, field, value in _parts(images, findings, decisions, asked, predicted):
        if image_id in table:
            table[image_id][field] = value
    for document in table.values():
        document["digest"] = digest(document)
    return table


def _parts(
    images: pd.DataFrame,
    findings: pd.DataFrame,
    decisions: pd.DataFrame,
    asked: Asked,
    predicted: tuple[np.ndarray, np.ndarray, list[str]] | None,
) -> Iterator[tuple[str, str, object]]:
    """(image_id, field, value) of all that is known beside the manifest."""
    if predicted:
        codes, probs, classes = predicted
        for image_id, code, prob in zip(images["image_id"], codes.tolist(), probs.tolist(), strict=True):
            if code >= 0:
                yield image_id, "prediction", _classification(classes[code], confidence=prob)
    columns = ("image_id", "finder", "score", "flagged", "suggested_label", "group", "related_id", "detail")
    for image_id, finder, *said in zip(*(findings[name].to_list() for name in columns), strict=True):
        values = {name: value for name, value in zip(FINDING, said, strict=True) if value not in ("", -1)}
        yield image_id, finder, {"_cls": "DynamicEmbeddedDocument", **values}
    suggested = findings[(findings["suggested_label"] != "")].sort_values(["suggested_prob", "score"], kind="stable")
    for image_id, label, prob in zip(
        *(suggested[name].to_list() for name in ("image_id", "suggested_label", "suggested_prob")), strict=True
    ):
        yield image_id, "suggestion", _classification(label, confidence=prob)
    for image_id, name in groups(findings, images).items():
        yield str(image_id), "group", name
    waiting = queued(asked)
    again = decisions["image_id"].isin(waiting) & (decisions["by"] != POLICY)  # a second look is not to be led by them
    for image_id, decision in decided(decisions[~again]).items():
        yield image_id, "decision", decision
    for image_id, value in waiting.items():
        yield image_id, "queue", value


def queued(asked: Asked) -> dict[str, Document]:
    """image_id -> its place among what waits for an answer."""
    table = asked.table[asked.table["asked"]]
    columns = [table[name].to_list() for name in ("cluster", "title", "gain", "odd", "proposal", "because")]
    return {
        image_id: {
            "_cls": "DynamicEmbeddedDocument",
            "position": position,
            **dict(zip(list(QUEUE)[1:], row, strict=True)),
        }
        for position, (image_id, *row) in enumerate(zip(table["image_id"], *columns, strict=True), 1)
    }


def decided(decisions: pd.DataFrame) -> dict[str, Document]:
    """image_id -> the decision as a class that is written on the picture: "drop", "relabel to cat", "policy: drop"."""
    columns = ("image_id", "action", "label", "by", "because", "note")
    return {
        image_id: written(
            ("policy: " if by == POLICY else "") + (f"relabel to {label}" if action == "relabel" else action),
            by=by,
            because=because,
            note=note,
        )
        for image_id, action, label, by, because, note in zip(
            *(decisions[name].to_list() for name in columns), strict=True
        )
    }


def written(text: str, **more: str) -> Document:
    """A text that is written on the picture, with what there is to say of it."""
    return _classification(text, **{name: value for name, value in more.items() if value})


def _classification(label: str, **more: object) -> Document:
    return {"_cls": "Classification", "tags": [], "label": label, **more}


def digest(document: Document) -> str:
    """By which a sample that has not changed is known, without reading it."""
    content = {name: value for name, value in document.items() if name != "digest"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).hexdigest()
