"""Label jobs: what goes out loads, and what people answered comes back, from exports as the tools write them."""

import base64
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

import cv2
import pandas as pd
import pytest

from curate import decisions
from curate.errors import UserError
from curate.images import decode
from curate.review import jobs
from curate.review.jobs import cvat, label_studio
from tests.conftest import picture, png

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


@pytest.fixture(autouse=True)
def no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests need not wait until everything on the machine is on its disk."""
    monkeypatch.setattr("os.sync", lambda: None)


@pytest.fixture
def asked(tmp_path: Path) -> pd.DataFrame:
    """An image of each class, the next class suggested; names as hostile as the classes."""
    rows = []
    for number, label in enumerate(CLASSES):
        path = tmp_path / f"{number}.png"
        path.write_bytes(png(number))
        rows.append(question(path, f"set/{label}/{number} ü'\"&<.png", label, CLASSES[number - 1]))
    return pd.DataFrame(rows)


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


def test_every_tool_has_its_module() -> None:
    for module in jobs.tools().values():
        assert {"write", "recognises", "read"} <= set(vars(module))
        assert (module.__doc__ or "").strip()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_classes_are_shown_as_tools_keep_them(name: str) -> None:
    shown = jobs.shown(name)
    assert shown == shown.strip()
    assert len(shown) <= jobs.LONGEST
    assert "\n" not in shown
    assert shown not in (cvat.DROP, cvat.QUESTION)
    assert not shown.startswith("$")
    assert shown == jobs.shown(name)


def test_harmless_classes_are_shown_as_they_are() -> None:
    harmless = ["cat", 'a "quoted" & <b>', "猫 ü", "x" * 64]
    assert [jobs.shown(name) for name in harmless] == harmless
    assert len({jobs.shown(name) for name in [" cat", "cat", "cat ", "ca\nt", "ca t"]}) == 5


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


def test_cvat_job(asked: pd.DataFrame, tmp_path: Path) -> None:
    job = tmp_path / "job"
    assert jobs.write("cvat", asked, job, CLASSES) == len(asked)
    labels = json.loads((job / "labels.json").read_bytes())
    assert [label["name"] for label in labels] == [*map(jobs.shown, CLASSES), "curate_drop", "curate_question"]
    assert len({label["name"].strip()[:64] for label in labels}) == len(CLASSES) + 2
    root = ElementTree.fromstring((job / "annotations.xml").read_text("utf-8"))
    files = sorted((job / "images").iterdir())
    assert [image.get("name") for image in root.findall("image")] == [file.name for file in files]
    assert [file.read_bytes() for file in files] == [png(number) for number in range(len(asked))]
    for image, row in zip(root.findall("image"), asked.itertuples(), strict=True):
        assert (image.get("width"), image.get("height")) == ("9", "8")
        assert [tag.get("label") for tag in image] == ["curate_question"]
        values = {attribute.get("name"): attribute.text for attribute in image[0]}
        assert set(values) == {attribute["name"] for attribute in labels[-1]["attributes"]}
        assert values["given_label"] == jobs.shown(row.given_label)
        assert values["image_id"] == row.image_id.replace("\n", " ")
    with pytest.raises(UserError, match="holds no answer"):
        jobs.read(job, manifest_of(asked))


@pytest.mark.parametrize("where", ["zip", "xml", "folder"])
@pytest.mark.parametrize("name", ["{}", "images/{}", "sub set/{}"])
def test_cvat_answers_come_back(asked: pd.DataFrame, tmp_path: Path, where: str, name: str) -> None:
    ids, files = asked.set_index("given_label")["image_id"], names_of(asked)
    tags = {
        "cat": [("cat", "")],
        "dog": [("cat", 'hm "<&"')],
        "猫 ü": [("curate_drop", "")],
        "curate_drop": [(jobs.shown("curate_drop"), ""), (jobs.shown("curate_drop"), "")],
        "$price": [(jobs.shown("it's\na line"), "")],
        "  blanks ": [],
    }
    xml = cvat_xml({files[ids[label]]: value for label, value in tags.items()}, assignee="ada", name=name)
    if where == "zip":
        path = cvat_zip(tmp_path / "export.zip", xml)
    else:
        path = tmp_path / "annotations.xml"
        path.write_text(xml, "utf-8")
        path = tmp_path if where == "folder" else path
    at = "2026-11-26T14:57:35Z"
    assert answers(path, asked) == [
        (ids["cat"], "keep", "", "ada", "", at),
        (ids["dog"], "relabel", "cat", "ada", 'hm "<&"', at),
        (ids["猫 ü"], "drop", "", "ada", "", at),
        (ids["curate_drop"], "keep", "", "ada", "", at),
        (ids["$price"], "relabel", "it's\na line", "ada", "", at),
    ]


def test_without_an_assignee_the_person_who_imports_signs(asked: pd.DataFrame, tmp_path: Path) -> None:
    xml = cvat_xml({names_of(asked)[asked["image_id"][0]]: [("cat", "")]})
    assert answers(cvat_zip(tmp_path / "export.zip", xml), asked)[0][3] == ""


@pytest.mark.parametrize("tool", sorted(jobs.tools()))
def test_what_cannot_be_shown_is_left_out(asked: pd.DataFrame, tmp_path: Path, tool: str) -> None:
    broken, gone = tmp_path / "broken.png", tmp_path / "gone.png"
    broken.write_bytes(png(1)[:-40])
    twin = question(tmp_path / "0.png", "set/twin.png", asked=False)
    extra = [question(broken, "set/broken.png"), question(gone, "set/gone.png"), twin]
    table = pd.concat([asked, pd.DataFrame(extra)], ignore_index=True)
    assert jobs.write(tool, table, tmp_path / "job", CLASSES) == len(asked)
    with pytest.raises(UserError, match="none of 2 images can be shown"):
        jobs.write(tool, pd.DataFrame(extra), tmp_path / "none", CLASSES)
    assert not (tmp_path / "none").exists()
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".partial")]


def test_what_browsers_do_not_show_becomes_png(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    cv2.imwrite(str(path), picture(3)[:, :, ::-1])
    (one,) = jobs.pictures(pd.DataFrame([question(path, "set/a.tif")]))
    assert one.name.endswith(".png")
    assert (decode(one.data) == picture(3)).all()


def test_file_names_say_where_they_belong(tmp_path: Path) -> None:
    """Names alike but for case, and one too long for any file system, are told apart."""
    (tmp_path / "a.png").write_bytes(png(1))
    ids = ["set/A.png", "set/a.png", "set/" + "long" * 300, "set/ü\n'\".png"]
    names = [one.name for one in jobs.pictures(pd.DataFrame([question(tmp_path / "a.png", one) for one in ids]))]
    assert len({name.casefold() for name in names}) == len(ids)
    assert all(cvat.NAMED.fullmatch(name) and name.isascii() for name in names)
    assert names == sorted(names)


@pytest.mark.parametrize("tool", sorted(jobs.tools()))
def test_all_or_nothing(asked: pd.DataFrame, tmp_path: Path, tool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        jobs.write(tool, asked, full, CLASSES)
    assert [file.name for file in full.iterdir()] == ["mine.txt"]
    with pytest.raises(UserError, match="nothing is asked"):
        jobs.write(tool, asked.assign(asked=False), tmp_path / "new", CLASSES)
    with pytest.raises(UserError, match="there are: cvat, label_studio"):
        jobs.write("excel", asked, tmp_path / "new", CLASSES)
    monkeypatch.setattr(jobs.tools()[tool], "_read_me" if tool == "label_studio" else "_annotations", None)
    with pytest.raises(TypeError):
        jobs.write(tool, asked, tmp_path / "new", CLASSES)
    assert sorted(file.name for file in tmp_path.iterdir() if file.suffix != ".png") == ["full"]


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;">]><annotations>&c;</annotations>'
)
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE a SYSTEM "file:///etc/passwd"><annotations/>'
CAT = [studio_annotation(studio_choice("label", "cat")), studio_annotation(studio_choice("label", "zebra"))]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[{", "no JSON, or cut short"),
        ("[" * 100_000, "no JSON, or cut short"),
        ('{"images": [], "annotations": []}', "no export of Label Studio"),
        ("[1, 2]", "no export of Label Studio"),
        ("[]", "holds no answer"),
        ('[{"filename": "a.png", "regions": []}]', "has no image_id"),
        ('[{"id": 3, "data": {"image": "a.png"}, "annotations": []}]', "task 3 has no image_id"),
        ('[{"data": {"image_id": "set/a.png"}, "annotations": [7]}]', "task 1 .* not as Label Studio writes it"),
        ('[{"data": {"image_id": "set/a.png"}, "predictions": [{"result": []}]}]', "holds no answer"),
        (json.dumps([studio_task("set/none.png", CAT[0])]), "'set/none.png'.*not in this manifest"),
        (json.dumps([studio_task("set/a.png", CAT[1])]), "'zebra'.*no such class; there are: cat, dog"),
        ("<annotations><image", "no XML of CVAT, or cut short"),
        ("<html><body></body></html>", "names no image"),
        ("<annotations><track><box/></track></annotations>", "names no image"),
        (BOMB, "declares a document type"),
        (OUTSIDE, "declares a document type"),
        ('<?xml version="1.0" encoding="klingon"?><annotations/>', "no XML of CVAT"),
        (cvat_xml({"000001-0123456789abcdef.png": [("cat", "")]}), "is none of this workspace"),
        (cvat_xml({"photo.jpg": [("cat", "")]}), "is none of this workspace"),
        (
            cvat_xml({f"000001-{jobs.key('set/a.png')}.png": [("cat", ""), ("curate_drop", "")]}),
            "'cat', drop; leave one",
        ),
        (cvat_xml({f"000001-{jobs.key('set/a.png')}.png": [("zebra", "")]}), "'zebra'.*no such class"),
        (cvat_xml({f"000001-{jobs.key('set/a.png')}.png": []}), "holds no answer"),
        ("image_id,action\n", "no export that is read here"),
        ("", "no export that is read here"),
    ],
)
def test_wrong_input_gets_one_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "export"
    path.write_text(content, "utf-8")
    images = pd.DataFrame({"image_id": ["set/a.png", "set/b.png"], "label": ["cat", "dog"], "split": "train"})
    with pytest.raises(UserError, match=message) as raised:
        decisions.check(jobs.read(path, images), images, str(path))
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_names_notes_and_times_that_no_table_can_hold(tmp_path: Path) -> None:
    long_ago = studio_annotation(studio_choice("label", "dog"), studio_note("a\nb"), when="0001-01-01T00:00:00+10:00")
    long_ago["completed_by"] = {"email": "a\ud800\nb"}
    images = pd.DataFrame({"image_id": ["set/a.png"], "label": ["cat"], "split": "train"})
    path = tmp_path / "export.json"
    path.write_text(json.dumps([studio_task("set/a.png", long_ago)]))
    (row,) = jobs.read(path, images).to_dict("records")
    assert (row["by"], row["note"], row["at"]) == ("a  b", "a b", "")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-60])


def _flip(path: Path) -> None:
    """One bit of the annotations, packed."""
    with zipfile.ZipFile(path) as archive:
        at = archive.getinfo("annotations.xml").header_offset + 60
    data = bytearray(path.read_bytes())
    data[at] ^= 255
    path.write_bytes(bytes(data))


def _other(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("instances_default.json", "{}")


def _encrypt(path: Path) -> None:
    """The bit in both headers that says so."""
    data = path.read_bytes()
    for start, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.rindex(start) + flags
        data = data[:at] + bytes([data[at] | 1]) + data[at + 1 :]
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_cut, "damaged, cut short or encrypted"),
        (_flip, "damaged, cut short or encrypted|no XML of CVAT"),
        (_encrypt, "damaged, cut short or encrypted"),
        (_other, "holds no annotations.xml; export as 'CVAT for images 1.1'"),
    ],
)
def test_zip_files_that_are_none(
    asked: pd.DataFrame, tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    path = cvat_zip(tmp_path / "export.zip", cvat_xml({name: [("cat", "")] for name in names_of(asked).values()}))
    assert len(answers(path, asked)) == len(asked)
    spoil(path)
    with pytest.raises(UserError, match=message):
        jobs.read(path, manifest_of(asked))


def test_a_zip_file_that_would_be_huge(tmp_path: Path, asked: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cvat, "MAX_BYTES", 1000)
    path = cvat_zip(tmp_path / "export.zip", cvat_xml({}) + " " * 2000)
    with pytest.raises(UserError, match="more than the"):
        jobs.read(path, manifest_of(asked))


@pytest.mark.parametrize(
    ("content", "tool"),
    [
        (b" \n[{}]", "label_studio"),
        (b"\xef\xbb\xbf[]", "label_studio"),
        (b'<?xml version="1.0"?>', "cvat"),
        (b"PK\x03\x04", "cvat"),
        (b"image_id,action\nset/a.png,keep\n", None),
        (b"", None),
    ],
)
def test_what_an_export_looks_like(tmp_path: Path, content: bytes, tool: str | None) -> None:
    (tmp_path / "file").write_bytes(content)
    assert jobs.recognise(tmp_path / "file") == tool
    assert jobs.recognise(tmp_path) is None
    assert jobs.recognise(tmp_path / "missing") is None
