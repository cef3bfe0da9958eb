"""What holds for the jobs of every tool: classes and file names, all or nothing, and a line for wrong input."""

import json
from pathlib import Path

import cv2
import pandas as pd
import pytest

from curate import decisions, jobs
from curate.errors import UserError
from curate.images import decode
from curate.jobs import cvat
from tests.conftest import picture, png
from tests.jobs.exports import (
    CLASSES,
    HOSTILE,
    cvat_xml,
    question,
    studio_annotation,
    studio_choice,
    studio_task,
)

# What goes out


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


# What comes back
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
