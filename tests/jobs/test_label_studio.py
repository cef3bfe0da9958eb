"""Jobs for Label Studio: what goes out loads, and what people answered comes back."""

import base64
import json
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from curate import jobs
from curate.jobs import label_studio
from tests.conftest import png
from tests.jobs.exports import (
    CLASSES,
    WHEN,
    answers,
    question,
    studio_annotation,
    studio_choice,
    studio_file,
    studio_note,
    studio_task,
)


def test_label_studio_tasks(asked: pd.DataFrame, tmp_path: Path) -> None:
    assert jobs.write("label_studio", asked, tmp_path / "job", CLASSES) == len(asked)
    assert sorted(file.name for file in (tmp_path / "job").iterdir()) == ["README.txt", "config.xml", "tasks.json"]
    tasks = json.loads((tmp_path / "job" / "tasks.json").read_bytes())
    assert [task["data"]["image_id"] for task in tasks] == asked["image_id"].to_list()
    interface = ElementTree.fromstring((tmp_path / "job" / "config.xml").read_text("utf-8"))
    choices = [choice.get("value") for choice in interface.findall("./Choices[@name='label']/Choice")]
    assert choices == [jobs.shown(name) for name in CLASSES]
    for number, task in enumerate(tasks):
        start, data = task["data"]["image"].split(",")
        assert start == "data:image/png;base64"
        assert base64.b64decode(data) == png(number)
        (prediction,) = task["predictions"]
        (result,) = prediction["result"]
        assert prediction["score"] == 0.75
        assert result["value"]["choices"][0] in choices
        assert interface.find(f"./Choices[@name='{result['from_name']}'][@toName='{result['to_name']}']") is not None
        assert interface.find("./Image").get("value") == "$image"
    controls = {element.get("name") for element in interface if element.get("toName")}
    assert controls.isdisjoint(tasks[0]["data"]), "JSON_MIN puts both into one object"


def test_label_studio_with_large_images(asked: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_studio, "EMBEDDED_BYTES", 100)
    jobs.write("label_studio", asked, tmp_path / "job", CLASSES)
    tasks = json.loads((tmp_path / "job" / "tasks.json").read_bytes())
    for number, task in enumerate(tasks):
        relative = task["data"]["image"].removeprefix("/data/local-files/?d=")
        assert (tmp_path / "job" / relative).read_bytes() == png(number)
    assert "LOCAL_FILES_SERVING_ENABLED" in (tmp_path / "job" / "README.txt").read_text()


@pytest.mark.parametrize(
    ("given", "suggested", "prob", "says", "predictions"),
    [
        ("cat", "dog", 0.75, "Labelled cat; dog is suggested (75%).", 1),
        ("cat", "dog", 0.0, "Labelled cat; dog is suggested.", 1),
        ("cat", "", 0.0, "Labelled cat.", 0),
        ("", "dog", 0.5, "Without a label; dog is suggested (50%).", 1),
        ("", "", 0.0, "Without a label.", 0),
    ],
)
def test_what_a_task_asks(tmp_path: Path, given: str, suggested: str, prob: float, says: str, predictions: int) -> None:
    (tmp_path / "a.png").write_bytes(png(1))
    row = question(tmp_path / "a.png", "set/a.png", given, suggested, suggested_prob=prob)
    jobs.write("label_studio", pd.DataFrame([row]), tmp_path / "job", ["cat", "dog"])
    (task,) = json.loads((tmp_path / "job" / "tasks.json").read_bytes())
    assert task["data"]["question"] == says
    assert len(task.get("predictions", [])) == predictions
    assert [("score" in one) for one in task.get("predictions", [])] == [prob > 0] * predictions


def test_label_studio_answers_come_back(asked: pd.DataFrame, tmp_path: Path) -> None:
    ids = asked.set_index("given_label")["image_id"]
    ada, bob = {"id": 1, "email": "ada@example.com", "first_name": "", "last_name": ""}, {"id": 2, "username": "bob"}
    drop = studio_choice("drop", label_studio.DROP_CHOICE)
    tasks = [
        studio_task(ids["cat"], studio_annotation(studio_choice("label", "cat"), who=ada)),
        studio_task(ids["dog"], studio_annotation(studio_choice("label", "cat"), studio_note('hm "<&"\nno'), who=bob)),
        studio_task(ids["猫 ü"], studio_annotation(studio_choice("label", "cat"), drop)),
        studio_task(
            ids["$price"],
            studio_annotation(studio_choice("label", jobs.shown("x" * 80)), who=ada),
            studio_annotation(studio_choice("label", jobs.shown("$price")), who=3),
            studio_annotation(studio_choice("label", "cat"), cancelled=True, who=4),
            studio_annotation(studio_note("only a note"), who=5),
        ),
        studio_task(ids["  blanks "]),
    ]
    at = "2026-11-26T15:57:35Z"
    assert answers(studio_file(tmp_path / "export.json", tasks), asked) == [
        (ids["cat"], "keep", "", "ada@example.com", "", at),
        (ids["dog"], "relabel", "cat", "bob", 'hm "<&" no', at),
        (ids["猫 ü"], "drop", "", "annotator 1", "", at),
        (ids["$price"], "relabel", "x" * 80, "ada@example.com", "", at),
        (ids["$price"], "keep", "", "annotator 3", "", at),
    ]


def test_label_studio_minimal_export(asked: pd.DataFrame, tmp_path: Path) -> None:
    about = {"image": "", "annotation_id": 1, "created_at": WHEN, "updated_at": WHEN, "lead_time": 3.2}
    ids = asked["image_id"]
    tasks = [
        {**about, "image_id": ids[0], "id": 1, "label": "cat", "note": "one", "annotator": 1},
        {
            **about,
            "image_id": ids[0],
            "id": 1,
            "label": "dog",
            "note": {"text": ["two", "three"]},
            "annotator": "a@b.c",
        },
        {**about, "image_id": ids[1], "id": 2, "label": "cat", "drop": label_studio.DROP_CHOICE, "annotator": 1},
        {**about, "image_id": ids[2], "id": 3, "annotator": 1},
    ]
    found = answers(studio_file(tmp_path / "export.json", tasks), asked)
    assert [row[:5] for row in found] == [
        (ids[0], "relabel", "cat", "annotator 1", "one"),
        (ids[0], "relabel", "dog", "a@b.c", "two; three"),
        (ids[1], "drop", "", "annotator 1", ""),
    ]


def test_the_last_answer_of_a_person_counts(asked: pd.DataFrame, tmp_path: Path) -> None:
    image_id = asked["image_id"][0]
    earlier = studio_annotation(studio_choice("label", "dog"), when="2026-11-26T15:00:00Z")
    later = studio_annotation(studio_choice("label", "cat"), when="2026-11-26T15:57:35.2Z")
    for annotations in ([earlier, later], [later, earlier]):
        found = answers(studio_file(tmp_path / "export.json", [studio_task(image_id, *annotations)]), asked)
        assert [(row[1], row[2]) for row in found] == [("relabel", "cat")]


def test_names_notes_and_times_that_no_table_can_hold(tmp_path: Path) -> None:
    long_ago = studio_annotation(studio_choice("label", "dog"), studio_note("a\nb"), when="0001-01-01T00:00:00+10:00")
    long_ago["completed_by"] = {"email": "a\ud800\nb"}
    images = pd.DataFrame({"image_id": ["set/a.png"], "label": ["cat"], "split": "train"})
    path = tmp_path / "export.json"
    path.write_text(json.dumps([studio_task("set/a.png", long_ago)]))
    (row,) = jobs.read(path, images).to_dict("records")
    assert (row["by"], row["note"], row["at"]) == ("a  b", "a b", "")
