"""CVAT: images, labels and questions as "CVAT for images 1.1", and its export, a zip or annotations.xml, read back.

Every image carries a tag `curate_question`, whose attributes say what is asked. It is no answer: an answer is a tag
that a person adds, of a class or `curate_drop`, so that an image nobody touched has none. CVAT has no "submit", and a
class tagged beforehand could not be told from one that was looked at. The export is enough, without the job's folder:
file names hold a hash of the image_id. Format: docs.cvat.ai, "XML annotation format"; CVAT finds an image by its name.
"""

import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO
from xml.etree.ElementTree import ParseError, XMLParser
from xml.sax.saxutils import escape, quoteattr

import pandas as pd

from curate import jobs
from curate.csv_text import WAY_OUT
from curate.errors import UserError
from curate.jobs import OWN, Picture, Said
from curate.layouts.archives import DAMAGE, is_zip
from curate.wording import pasted

QUESTION, DROP = f"{OWN}question", f"{OWN}drop"
ANNOTATIONS = "annotations.xml"
NAMED = re.compile(r"\d+-([0-9a-f]{16})\.\w+")
"""File names of a job."""
OFFICE = {"[Content_Types].xml", "mimetype"}
"""Members of an .xlsx and an .ods file, which are zip files, too."""
MAX_BYTES = 1 << 30
"""Larger annotations are not read: 1 GB, a million images and more."""
LONGEST_VALUE = 4000
"""So many letters of an attribute are written; CVAT's API takes 4096."""
ASKED = ("image_id", "given_label", "suggested_label", "because", "detail")
"""Attributes of the question, as fields of `Picture`."""
LABELS = ("given_label", "suggested_label")
"""Those that are classes."""


def write(asked: pd.DataFrame, dest: Path, *, classes: list[str]) -> int:
    """`images/`, `labels.json`, `annotations.xml` with the questions, and `README.txt`."""
    folder = dest / "images"
    folder.mkdir()
    images = []
    for number, picture in enumerate(jobs.pictures(asked)):
        (folder / picture.name).write_bytes(picture.data)
        images.append(_image(number, picture))
    labels = _labels(classes)
    (dest / "labels.json").write_text(json.dumps(labels, indent=1) + "\n", "ascii")
    (dest / ANNOTATIONS).write_text(_annotations(images, labels), "utf-8")
    (dest / "README.txt").write_text(READ_ME, "ascii")
    return len(images)


def recognises(path: Path) -> bool:
    """A zip file, an XML file, or a folder with `annotations.xml`."""
    if path.is_dir():
        return (path / ANNOTATIONS).is_file()
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return is_zip(path) or file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<"


def read(path: Path, images: pd.DataFrame) -> list[Said]:
    """The tags that people added. CVAT does not say who: `by` is the assignee, where the export names one alone."""
    with _opened(path) as stream:
        found = _parsed(stream, path)
    ids = {jobs.key(image_id): image_id for image_id in images["image_id"]}
    by = next(iter(found.assignees)) if len(found.assignees) == 1 else ""
    said = []
    for image, tags in found.images:
        answers = [tag for tag in tags if tag.label != QUESTION]
        if not answers:
            continue
        match = NAMED.fullmatch(PurePosixPath(image).name)
        if not match or match[1] not in ids:
            raise UserError(
                f"{pasted(path)}: image {image!r} is none of this workspace; is it the export of another job?"
            )
        image_id = ids[match[1]]
        choice = jobs.one_choice({None if tag.label == DROP else tag.label for tag in answers}, image_id, path)
        note = "; ".join(dict.fromkeys(tag.note for tag in answers if tag.note))
        said.append(Said(image_id, choice, by, note, jobs.moment(found.dumped)))
    return said


def _labels(classes: list[str]) -> list[dict]:
    """For the raw label constructor: the classes, so that keys 1 to 9 are the first of them, then what the job adds."""
    names = [*map(jobs.shown, classes), DROP, QUESTION]
    return [
        {
            "name": name,
            "type": "tag",
            "attributes": [
                {"name": attribute, "input_type": "text", "mutable": False, "values": [""]}
                for attribute in (ASKED if name == QUESTION else ("note",))
            ],
        }
        for name in names
    ]


def _annotations(images: list[str], labels: list[dict]) -> str:
    named = "\n".join(f"   <label><name>{escape(label['name'])}</name><type>tag</type></label>" for label in labels)
    return f"""<?xml version="1.0" encoding="utf-8"?>
<annotations>
 <version>1.1</version>
 <meta><task><name>curate</name><size>{len(images)}</size><mode>annotation</mode>
  <labels>
{named}
  </labels>
 </task></meta>
{"".join(images)}</annotations>
"""


def _image(number: int, picture: Picture) -> str:
    said = {name: jobs.plain(getattr(picture, name))[:LONGEST_VALUE] for name in ASKED}
    said |= {name: jobs.shown(getattr(picture, name)) for name in LABELS if said[name]}
    attributes = "\n".join(f'   <attribute name="{name}">{escape(value)}</attribute>' for name, value in said.items())
    return f""" <image id="{number}" name={quoteattr(picture.name)} width="{picture.width}" height="{picture.height}">
  <tag label="{QUESTION}" source="file">
{attributes}
  </tag>
 </image>
"""


READ_ME = f"""1. Create a task; Labels, Raw: paste labels.json. Select files: all of images/. Sorting: lexicographical.
2. In the task: Actions, Upload annotations, CVAT 1.1: annotations.xml. Each image then carries a tag {QUESTION}.
3. Open the job, choose Tag annotation, and give each image one tag: the label it has, if that is right, another one, or
   {DROP} for an image of none of the classes. An image without such a tag is not answered. Save.
4. Actions, Export task dataset, CVAT for images 1.1, and: curate decide WORKSPACE --import FILE.zip
"""


@dataclass
class _Tag:
    label: str
    note: str = ""


@dataclass
class _Found:
    """Builds itself as the target of an XMLParser: nothing else of the file is kept."""

    images: list[tuple[str, list[_Tag]]] = field(default_factory=list)
    assignees: set[str] = field(default_factory=set)
    dumped: str = ""
    _open: list[str] = field(default_factory=list)
    _name: str = ""
    _text: str = ""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ParseError("it declares a document type, which CVAT never does")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._open.append(tag)
        self._text = ""
        if tag == "image":
            self.images.append((attributes.get("name", ""), []))
        elif tag == "tag" and "image" in self._open:
            self.images[-1][1].append(_Tag(attributes.get("label", "")))
        elif tag == "attribute":
            self._name = attributes.get("name", "")

    def data(self, text: str) -> None:
        if self._open[-1] in ("attribute", "username", "dumped"):
            self._text += text

    def end(self, tag: str) -> None:
        if self._open[-2:] == ["tag", "attribute"] and "image" in self._open and self._name == "note":
            self.images[-1][1][-1].note = self._text.strip()
        elif self._open[-2:] == ["assignee", "username"]:
            self.assignees |= {self._text.strip()} - {""}
        elif tag == "dumped":
            self.dumped = self._text.strip()
        self._open.pop()


def _parsed(stream: IO[bytes], path: Path) -> _Found:
    """What `annotations.xml` says. Raises `UserError` for what is no "CVAT for images", is cut or declares a DTD."""
    found = _Found()
    parser = XMLParser(target=found)
    try:
        while block := stream.read(1 << 16):
            parser.feed(block)
        parser.close()
    except (ParseError, ValueError, LookupError) as error:
        raise UserError(f"{pasted(path)} is no XML of CVAT, or cut short ({error}); export it again") from None
    if not found.images:
        raise UserError(f"{pasted(path)} is XML, but names no image; export as 'CVAT for images 1.1'")
    return found


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """`annotations.xml`, wherever it lies. Nothing of a zip file is unpacked to disk."""
    if path.is_dir():
        path = path / ANNOTATIONS
    if not is_zip(path):
        with path.open("rb") as file:
            yield file
        return
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [one for one in archive.infolist() if PurePosixPath(one.filename).name == ANNOTATIONS]
            if not inside and OFFICE & set(archive.namelist()):
                raise UserError(f"{pasted(path)} is a spreadsheet's own file; {WAY_OUT}")
            if not inside:
                raise UserError(f"{pasted(path)} holds no {ANNOTATIONS}; export as 'CVAT for images 1.1'")
            if inside[0].file_size > MAX_BYTES:
                raise UserError(
                    f"{pasted(path)}: {ANNOTATIONS} has more than the {MAX_BYTES >> 30} GB that are read; export it in "
                    "parts"
                )
            with archive.open(inside[0]) as file:
                yield file
    except (*DAMAGE, RuntimeError) as error:
        raise UserError(f"{pasted(path)} is damaged, cut short or encrypted ({error}); export it again") from None
