"""Label Studio: tasks with the suggestion chosen beforehand, the labelling interface, and its JSON export read back.

"Submit" is the answer: the suggestion is a prediction, which Label Studio shows as chosen, and which counts for nothing
until somebody submits it. A class is chosen, or "drop"; "drop" counts where both are, since the suggestion stays chosen
beside it. Formats: labelstud.io/guide/predictions, labelstud.io/guide/task_format; tried with Label Studio 1.23.2.
"""

import base64
import json
import shutil
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import pandas as pd

from curate import jobs
from curate.errors import UserError
from curate.jobs import Picture, Said
from curate.wording import pasted

EMBEDDED_BYTES = 32 << 20
"""Images of so many bytes together lie in `tasks.json` itself, as data URIs, and any Label Studio loads that one file
without further settings. More would slow down every page of the project, and Label Studio refuses files of 250 MB
(TASKS_MAX_FILE_SIZE): then they lie in `images/`, which Label Studio must be allowed to read. Chosen by eye."""
LISTED = 30
"""More classes than these become a menu to type into. Chosen by eye."""
LABEL, DROP, NOTE = "label", "drop", "note"
"""Names of the controls. They must not be those of a task's data: JSON_MIN puts both into one object."""
DROP_CHOICE = "drop: shows none of the classes"
TYPES = {".jpg": "jpeg", ".png": "png", ".gif": "gif", ".bmp": "bmp", ".webp": "webp"}


def write(asked: pd.DataFrame, dest: Path, *, classes: list[str]) -> int:
    """`tasks.json`, `config.xml`, `README.txt`, and `images/` where the images are too large for `tasks.json`."""
    folder = dest / "images"
    folder.mkdir()
    tasks: list[dict[str, Any]] = []
    size = 0
    for picture in jobs.pictures(asked):
        (folder / picture.name).write_bytes(picture.data)
        size += len(picture.data)
        tasks.append(_task(picture))
    embedded = size <= EMBEDDED_BYTES
    if embedded:
        for task in tasks:
            file = folder / Path(str(task["data"]["image"])).name
            task["data"]["image"] = (
                f"data:image/{TYPES[file.suffix]};base64,{base64.b64encode(file.read_bytes()).decode()}"
            )
        shutil.rmtree(folder)
    (dest / "tasks.json").write_text(json.dumps(tasks, indent=1) + "\n", "ascii")
    (dest / "config.xml").write_text(_interface(classes), "utf-8")
    (dest / "README.txt").write_text(_read_me(embedded), "ascii")
    return len(tasks)


def recognises(path: Path) -> bool:
    """A file that begins as JSON does."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"[", b"{")


def read(path: Path, images: pd.DataFrame) -> list[Said]:
    """The answers of an export as JSON, all of it or JSON_MIN. Several annotators give an answer each.

    `by` is the e-mail address where the export has it, as snapshots may; "annotator 3" else.
    """
    said = []
    for number, task in enumerate(_tasks(path), 1):
        try:
            said += _answers(task, path)
        except (AttributeError, TypeError):
            raise UserError(
                f"{pasted(path)}: task {number} of the list is not as Label Studio writes it; export again"
            ) from None
    return said


def _task(picture: Picture) -> dict[str, Any]:
    suggested = jobs.shown(picture.suggested_label) if picture.suggested_label else ""
    chance = f" ({picture.suggested_prob:.0%})" if suggested and picture.suggested_prob else ""
    question = f"Labelled {jobs.shown(picture.given_label)}" if picture.given_label else "Without a label"
    question += f"; {suggested} is suggested{chance}." if suggested else "."
    data = {
        "image": f"/data/local-files/?d=images/{picture.name}",
        "image_id": picture.image_id,
        "question": question,
        "given_label": picture.given_label,
        "suggested_label": picture.suggested_label,
        "because": picture.because,
        "detail": jobs.plain(f"{picture.because}: {picture.detail}" if picture.detail else picture.because),
    }
    if not suggested:
        return {"data": data}
    choice = {"from_name": LABEL, "to_name": "image", "type": "choices", "value": {"choices": [suggested]}}
    prediction: dict = {"model_version": "curate", "result": [choice]}
    if picture.suggested_prob:
        prediction["score"] = float(picture.suggested_prob)
    return {"data": data, "predictions": [prediction]}


def _interface(classes: list[str]) -> str:
    layout = ' layout="select"' if len(classes) > LISTED else ' showInline="true"'
    choices = "\n".join(f"    <Choice value={quoteattr(jobs.shown(name))}/>" for name in classes)
    return f"""<View>
  <Header value="$question" size="4"/>
  <Choices name="{LABEL}" toName="image" choice="single"{layout}>
{choices}
  </Choices>
  <Choices name="{DROP}" toName="image" choice="single">
    <Choice value="{DROP_CHOICE}"/>
  </Choices>
  <Image name="image" value="$image" maxWidth="600px"/>
  <Text name="detail" value="$detail"/>
  <TextArea name="{NOTE}" toName="image" maxSubmissions="1" editable="true" placeholder="Note"/>
</View>
"""


def _read_me(embedded: bool) -> str:
    serving = """0. The images stay in this folder, FOLDER below, and Label Studio must be allowed to read it: start
   LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT=FOLDER label-studio
   and after 1: Settings, Cloud Storage, Add Source Storage, Local Files, FOLDER/images; save it without "Sync".
"""
    return f"""{"" if embedded else serving}1. Create a project; Settings, Labeling Interface, Code: paste config.xml.
2. Import tasks.json.
3. Label. What is suggested is chosen already. Submit is the answer: the label the image has, another one, or "drop",
   which counts whatever else is chosen. Skip gives no answer.
4. Export as JSON, and: curate decide WORKSPACE --import FILE.json
"""


def _tasks(path: Path) -> list[dict]:
    """The tasks of an export. Raises `UserError` for what is none."""
    try:
        tasks = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UserError(f"{pasted(path)} is no JSON, or cut short ({error}); export it again") from None
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise UserError(
            f"{pasted(path)} is JSON, but no export of Label Studio, which is a list of tasks; export as JSON"
        )
    return tasks


def _answers(task: dict, path: Path) -> list[Said]:
    is_whole = isinstance(task.get("data"), dict)
    image_id = (task["data"] if is_whole else task).get("image_id")
    if not isinstance(image_id, str):
        raise UserError(
            f"{pasted(path)}: task {task.get('id', '?')} has no image_id; is the project made from a tasks.json of "
            "curate?"
        )
    if not is_whole:
        return _said(image_id, _minimal(task), task.get("annotator"), task.get("updated_at"), path)
    answers = []
    for annotation in task.get("annotations") or []:
        if not annotation.get("was_cancelled"):
            who, when = annotation.get("completed_by"), annotation.get("updated_at")
            answers += _said(image_id, _chosen(annotation.get("result") or []), who, when, path)
    return answers


def _chosen(result: list[dict]) -> dict[str, list[str]]:
    """What stands in each control of an annotation."""
    chosen: dict[str, list[str]] = {}
    for item in result:
        value = item.get("value", {})
        chosen.setdefault(item.get("from_name", ""), []).extend(value.get("choices") or value.get("text") or [])
    return chosen


def _minimal(task: dict) -> dict[str, list[str]]:
    """The same of a task in JSON_MIN."""
    return {name: _texts(task.get(name)) for name in (LABEL, DROP, NOTE)}


def _texts(value: object) -> list[str]:
    """The texts of a control in JSON_MIN: a lone one stands for itself, several in a list or an object."""
    if isinstance(value, dict):
        value = value.get("choices") or value.get("text")
    return [text for one in value for text in _texts(one)] if isinstance(value, list) else [str(value)] if value else []


def _said(image_id: str, chosen: dict[str, list[str]], who: object, when: object, path: Path) -> list[Said]:
    """The answer, or none where nothing was chosen."""
    labels: set[str | None] = {str(label) for label in chosen.get(LABEL, [])}
    if chosen.get(DROP):
        labels = {None}
    if not labels:
        return []
    choice = jobs.one_choice(labels, image_id, path)
    return [Said(image_id, choice, _name(who), "; ".join(chosen.get(NOTE, [])), jobs.moment(when))]


def _name(who: object) -> str:
    """E-mail or user name of an annotator, or the number that Label Studio gives without them."""
    if isinstance(who, dict):
        return str(who.get("email") or who.get("username") or f"annotator {who.get('id')}")
    return who if isinstance(who, str) else f"annotator {who}" if who is not None else ""
