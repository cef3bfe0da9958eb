"""Jobs for CVAT: what goes out loads, what people answered comes back, and zip files that are none."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from curate import jobs
from curate.errors import UserError
from curate.jobs import cvat
from tests.conftest import png
from tests.jobs.exports import CLASSES, answers, cvat_xml, cvat_zip, manifest_of, names_of


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


def _spreadsheet(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        archive.writestr("[Content_Types].xml", "<Types/>")


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
        (_spreadsheet, "is a spreadsheet's own file; save it as CSV in UTF-8"),
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
