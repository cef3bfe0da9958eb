"""Questions for a label job, and exports of its answers as the tools write them."""

import json
import zipfile
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pandas as pd

from curate import decisions, jobs
from curate.jobs import label_studio
from tests.conftest import png

HOSTILE = [
    'a "quoted" & <b>',
    "  blanks ",
    "$price",
    "curate_drop",
    "curate_question",
    label_studio.DROP_CHOICE,
    "it's\na line",
    "x" * 80,
    "猫 ü",
]
CLASSES = sorted(["cat", "dog", *HOSTILE])


def question(path: Path, image_id: str, given: str = "cat", suggested: str = "dog", **other: object) -> dict[str, Any]:
    row = {
        "image_id": image_id,
        "asked": True,
        "path": str(path),
        "given_label": given,
        "suggested_label": suggested,
        "suggested_prob": 0.75,
        "because": "label_error",
        "detail": 'nearest are <b>"dogs"</b> & more',
    }
    return row | other


def manifest_of(asked: pd.DataFrame) -> pd.DataFrame:
    return asked[["image_id", "given_label"]].rename(columns={"given_label": "label"}).assign(split="train")


def answers(path: Path, asked: pd.DataFrame) -> list[tuple[str, ...]]:
    """What comes back, after the check that every import goes through."""
    images = manifest_of(asked)
    table = decisions.check(jobs.read(path, images), images, str(path))
    return list(table[["image_id", "action", "label", "by", "note", "at"]].itertuples(index=False, name=None))


# Label Studio: the shape of what version 1.23.2 exports.
WHEN = "2026-11-26T15:57:35.222394Z"


def studio_choice(control: str, value: str) -> dict:
    return {"from_name": control, "to_name": "image", "type": "choices", "value": {"choices": [value]}}


def studio_note(text: str) -> dict:
    return {"from_name": "note", "to_name": "image", "type": "textarea", "value": {"text": [text]}}


def studio_annotation(*result: dict, who: object = 1, when: str = WHEN, cancelled: bool = False) -> dict:
    return {
        "id": 7,
        "completed_by": who,
        "result": list(result),
        "was_cancelled": cancelled,
        "ground_truth": False,
        "created_at": when,
        "updated_at": when,
        "lead_time": 3.2,
        "task": 1,
        "project": 1,
    }


def studio_task(image_id: str, *annotations: dict) -> dict:
    data = {"image": "data:image/png;base64,", "image_id": image_id, "given_label": "cat", "suggested_label": "dog"}
    return {"id": 1, "annotations": list(annotations), "drafts": [], "predictions": [1], "data": data, "meta": {}}


def studio_file(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content, ensure_ascii=False), "utf-8")
    return path


# CVAT: as cvat/apps/dataset_manager/formats/cvat.py dumps tags.


def cvat_xml(images: dict[str, list[tuple[str, str]]], *, assignee: str = "", name: str = "{}") -> str:
    """An export of a task: each image's file name with its tags, as label and note."""
    body = "".join(
        f'  <image id="{number}" name={quoteattr(name.format(file))} width="9" height="8">\n'
        + '    <tag label="curate_question" source="file">\n'
        + '      <attribute name="image_id">not this</attribute><attribute name="detail">note</attribute>\n    </tag>\n'
        + "".join(
            f'    <tag label={quoteattr(label)} source="manual">\n'
            f'      <attribute name="note">{escape(note)}</attribute>\n'
            '      <attribute name="of theirs">no note</attribute>\n    </tag>\n'
            for label, note in tags
        )
        + "  </image>\n"
        for number, (file, tags) in enumerate(images.items())
    )
    person = f"<assignee><username>{assignee}</username><email></email></assignee>" if assignee else "<assignee/>"
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n  <meta>\n    <task>'
        f"<id>3</id><owner><username>boss</username><email></email></owner>{person}</task>\n"
        "    <dumped>2026-11-26 15:57:35.222394+01:00</dumped>\n  </meta>\n"
        f"{body}</annotations>\n"
    )


def cvat_zip(path: Path, xml: str, member: str = "annotations.xml") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images/000001-a.png", png(1))
        archive.writestr(member, xml)
    return path


def names_of(asked: pd.DataFrame) -> dict[str, str]:
    """image_id -> file name in the job."""
    return {one.image_id: one.name for one in jobs.pictures(asked)}
