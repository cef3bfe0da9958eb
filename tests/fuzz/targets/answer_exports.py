"""Exports of Label Studio and CVAT with people's answers, as JSON, XML and zip files."""

import json
import zipfile

from curate import decisions, jobs
from tests.fuzz.contract import answered, file
from tests.fuzz.targets.archives import zipped
from tests.tables import images

IMAGES = images(("a", "train", "cat"), ("b", "train", "dog"), ("t", "test", "dog"))
RESULT = {"from_name": "label", "to_name": "image", "type": "choices", "value": {"choices": ["dog"]}}
NOTE = {"from_name": "note", "value": {"text": ["blurred"]}}
WHOLE = {
    "id": 1,
    "data": {"image_id": "a"},
    "annotations": [{"completed_by": {"email": "eve@x.org"}, "updated_at": "2026-01-01T12:00:00Z", "result": [RESULT]}],
}
DROPPED = {
    "data": {"image_id": "b"},
    "annotations": [{"completed_by": 3, "result": [NOTE, RESULT | {"from_name": "drop"}]}],
}
MINIMAL = {
    "image_id": "t",
    "label": "cat",
    "drop": {"choices": []},
    "note": "x",
    "annotator": 2,
    "updated_at": "2026-01-01",
}


def seeds() -> list[bytes]:
    """Each tool's forms of an export."""
    name = f"000001-{jobs.key('a')}.png"
    xml = f"""<?xml version="1.0" encoding="utf-8"?>
<annotations><meta><task><assignee><username>eve</username></assignee></task><dumped>2026-01-01 12:00:00+00:00</dumped>
</meta><image id="0" name="{name}"><tag label="curate_question"><attribute name="detail">x</attribute></tag>
<tag label="dog" source="manual"><attribute name="note">blurred</attribute></tag></image></annotations>""".encode()
    listed = [json.dumps(tasks).encode() for tasks in ([WHOLE], [WHOLE, DROPPED], [MINIMAL])]
    return [*listed, xml, zipped([("annotations.xml", xml)], zipfile.ZIP_STORED)]


def one(data: bytes) -> None:
    """What is read can be checked like a table of decisions, and taken over."""
    path = file("export", data)
    with answered():
        if jobs.recognise(path):
            said = decisions.check(jobs.read(path, IMAGES), IMAGES, str(path))
            decisions.merge(decisions.empty(), said, by="ada", at="2026-01-02T12:00:00Z")
