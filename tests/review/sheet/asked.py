"""Questions for a review sheet, and the sheet."""

from pathlib import Path
from typing import Any

import pandas as pd

from curate.images import encode_png
from curate.review import sheet
from tests.pictures import digits

EVIL = '<img src=x onerror="document.title=1">'
CLASSES = ["1", "7", "bird", "big bird", "a,b", EVIL]
COMMAND = "curate decide ws --import answers.csv"
# cluster, image_id, given_label, suggested_label, prob, gain, odd
LABELS = [
    ("l", "set/l1.png", "1", "7", 0.9, 0.3, False),
    ("l", "set/l2.png", "1", "7", 0.8, 0.5, False),
    ("l", "set/l3.png", "1", "7", 0.7, 0.7, True),
    ("l", "set/l4.png", "1", "7", 0.8, 0.5, False),
    ("m", "set/m1.png", "7", "", 0.0, 0.4, False),
    ("m", "set/m2.png", "7", "bird", 0.6, 0.6, False),
]
"""In the sheet l3 comes first: it is odd."""


def question(cluster: str, image_id: str, **more: Any) -> dict[str, Any]:
    """A row of the asked table; what is not said is that of a dark image."""
    usual = {
        "image_id": image_id,
        "asked": True,
        "path": "/nowhere.png",
        "split": "train",
        "given_label": "1",
        "suggested_label": "",
        "suggested_prob": 0.0,
        "score": 0.1,
        "gain": 0.0,
        "because": "dark",
        "detail": "",
        "cluster": cluster,
        "title": cluster,
        "kind": "other",
        "odd": False,
        "proposal": "drop",
    }
    return usual | more


def questions(folder: Path) -> pd.DataFrame:
    """Two clusters of labels, a group of duplicates beside its test twin, and two dark images, one unreadable."""
    rows = [
        question(
            cluster,
            image_id,
            given_label=given,
            suggested_label=suggested,
            suggested_prob=prob,
            gain=gain,
            odd=odd,
            kind="labels",
            because="label_error;outlier",
            proposal="relabel" if suggested else "",
            title=f"{given} → {suggested or '?'}" if cluster == "l" else "disputed",
        )
        for cluster, image_id, given, suggested, prob, gain, odd in LABELS
    ]
    for name in ("d1", "d2", "d3", "twin"):
        asked = name != "twin"
        seen = "same photo with 99 %, mirrored" if name == "d2" else ""
        more = {
            "detail": seen,
            "score": 0.1 if asked else 1.0,
            "because": "near_duplicate",
            "kind": "duplicates",
            "asked": asked,
            "title": "near_duplicate",
        }
        rows.append(question("d", f"set/{name}.png", split="train" if asked else "test", **more))
    rows += [question("o", "set/o1.png"), question("o", "set/o2.png")]
    for number, row in enumerate(rows[:-1]):
        path = folder / f"{number}.png"
        path.write_bytes(encode_png(digits()[number]))
        row["path"] = str(path)
    return pd.DataFrame(rows)


def write(table: pd.DataFrame, dest: Path, *, by: str = "ada", workspace_id: str = "w1") -> sheet.Sheet:
    return sheet.write(table, dest, name="digits", workspace_id=workspace_id, classes=CLASSES, by=by, command=COMMAND)
