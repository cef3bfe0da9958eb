"""Decisions lost when what takes them is killed at any moment: App, database, command, or the browser of the sheet.

Decisions go to the running App one after another, as its own pages send them, each with a number as its note, until the
kill (SIGKILL). One that was acknowledged must then be in `decisions.csv` and, for undo, in the journal, and the command
must start again on the same port and go on. Kills while the command opens, on a database that is not there yet, come on
top. Of the sheet Chromium is killed while keys are pressed: what the page said was kept must be there when it opens
again.
"""

import json
import random
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

from curate import journal, tables
from curate.review import sheet
from curate.workspace import Workspace
from tests.benchmarks.record import record
from tests.benchmarks.review_command import Review, chromium, end, ended, free_port, launch, mongod, opened, server
from tests.review.browser import Own
from tests.review.sheet.asked import question
from tests.review.small import CLASSES, workspace

TRIALS = 20
OPENING, SHEETS = 5, 5
"""Trials that kill while the command opens, and while a sheet takes keys."""
TARGETS = ("server", "mongod", "command", "all three")
IMAGES = 60
"""Of each class."""
LONGEST = 3.0
"""Seconds of deciding before a kill, at most; drawn evenly. A decision takes 0.1."""
TRIES = 5
"""Starts after a kill until it counts as failed, a second between them."""
SEED = 0


@dataclass
class Feeder:
    """Decides in the App, image after image, until it does not answer."""

    url: str
    ids: list[str]
    number: int = 0
    """Of the decision that was sent last."""
    acknowledged: dict[int, str] = field(default_factory=dict)
    """Number -> image_id."""
    ended: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.ended.is_set():
            self.number += 1
            image_id = self.ids[self.number % len(self.ids)]
            try:
                if not decide(self.url, image_id, self.number):
                    break
            except (OSError, ValueError):  # what urllib raises, and an answer that was cut short
                break
            self.acknowledged[self.number] = image_id


def decide(url: str, image_id: str, number: int) -> bool:
    """Send one decision as the App does; whether it was acknowledged."""
    base, name = url.split("/datasets/")
    verdict = ("drop", "fine", "relabel")[number % 3]
    request = {
        "operator_uri": f"@curate/review/{verdict}",
        "dataset_name": name,
        "view": [{"_cls": "fiftyone.core.stages.Match", "kwargs": [["filter", {"image_id": image_id}]]}],
        "params": {"whole_view": True, "note": str(number), "label": CLASSES[number % 2]},
    }
    sent = urllib.request.Request(
        f"{base}/operators/execute", json.dumps(request).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(sent, timeout=60) as answer:
        return bool((json.load(answer).get("result") or {}).get("done"))


def run() -> None:
    """All targets in turn, then the openings, then the sheet."""
    drawn = random.Random(SEED)
    with tempfile.TemporaryDirectory() as folder:
        app = while_deciding(Path(folder) / "app", drawn)
        opening = while_opening(Path(folder) / "opening", drawn)
        page = of_the_sheet(Path(folder) / "sheet", drawn)
    what = "decisions sent to the running App one after another, and a kill (SIGKILL) at a random moment"
    record("review_kills", what, {"app": app, "opening": opening, "sheet": page})


def while_deciding(folder: Path, drawn: random.Random) -> dict[str, dict[str, float]]:
    """By target: trials, acknowledged decisions, those lost, and how the command started again."""
    ws, database, port = workspace(folder, count=IMAGES), folder / "db", free_port()
    ids = tables.read_manifest(ws)["image_id"].to_list()
    found: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(int))
    review = opened(ws.root, database, port)
    feeder = Feeder(review.url, ids)
    for trial in range(TRIALS):
        target = TARGETS[trial % len(TARGETS)]
        before = len(feeder.acknowledged)
        feeder.ended.clear()
        thread = threading.Thread(target=feeder.run)
        thread.start()
        time.sleep(drawn.uniform(0, LONGEST))
        killed = time.perf_counter()
        kill(target, review, database)
        said = ended(review.process)
        noticed = time.perf_counter() - killed
        review, tries = again(ws, database, port)
        feeder.ended.set()
        thread.join()
        row = found[target]
        row["trials"] += 1
        row["acknowledged"] += len(feeder.acknowledged) - before
        for what, count in missing(ws, feeder).items():
            row[what] += count
        row["started_at_once"] += tries == 1
        row["slowest_start_seconds"] = max(row["slowest_start_seconds"], review.seconds)
        row["ended_after_seconds"] = max(row["ended_after_seconds"], noticed)
        feeder.number += 1
        row["went_on"] += decide(review.url, ids[feeder.number % len(ids)], feeder.number)
        feeder.acknowledged[feeder.number] = ids[feeder.number % len(ids)]
        print(trial, target, dict(row), said[-1:], flush=True)
    end(review.process)
    return {target: dict(row) for target, row in found.items()}


def kill(target: str, review: Review, database: Path) -> None:
    """SIGKILL to what is named, and to nothing around it."""
    named: dict[str, Any] = {
        "server": server(review.process),
        "mongod": mongod(database),
        "command": psutil.Process(review.process.pid),
    }
    for process in named.values() if target == "all three" else [named[target]]:
        process.kill()


def again(ws: Workspace, database: Path, port: int) -> tuple[Review, int]:
    """The command started once more, at once; and how many tries that took."""
    for tries in range(1, TRIES + 1):
        try:
            return opened(ws.root, database, port), tries
        except RuntimeError as error:
            print(f"start {tries}: {error}", flush=True)
            time.sleep(1)
    raise RuntimeError(f"the command does not start again in {TRIES} tries; see above")


def missing(ws: Workspace, feeder: Feeder) -> dict[str, int]:
    """Acknowledged decisions that the file has not, nor a later one in their place; and those that undo cannot reach.

    Raises `UserError` where one of the files cannot be read.
    """
    table = tables.read_answers(ws, tables.read_manifest(ws))
    there = {image_id: int(note) for image_id, note in zip(table["image_id"], table["note"], strict=True)}
    acts = {int(row["note"]) for act in journal.read(ws) for row in act.after}
    return {
        "lost": sum(there.get(image_id, 0) < number for number, image_id in feeder.acknowledged.items()),
        "not_in_the_journal": len(feeder.acknowledged.keys() - acts),
    }


def while_opening(folder: Path, drawn: random.Random) -> dict[str, float]:
    """Kills of command and mongod while the database is made: whether the command then starts, and nothing is lost."""
    ws = workspace(folder, count=IMAGES)
    ids = tables.read_manifest(ws)["image_id"].to_list()
    feeder = Feeder("", ids)
    found: dict[str, float] = {"trials": OPENING, "started_at_once": 0, "acknowledged": 0, "lost": 0}
    seconds = 10.0
    for trial in range(OPENING):
        database, port = folder / f"db{trial}", free_port()
        process = launch(ws.root, database, port)
        time.sleep(drawn.uniform(0, seconds))
        process.kill()
        if running := mongod(database):
            running.kill()
        end(process)
        review, tries = again(ws, database, port)
        feeder.url, seconds = review.url, review.seconds
        for _ in range(5):
            feeder.number += 1
            assert decide(review.url, ids[feeder.number], feeder.number)
            feeder.acknowledged[feeder.number] = ids[feeder.number]
        end(review.process)
        found["started_at_once"] += tries == 1
        found["lost"] += missing(ws, feeder)["lost"]
        print("opening", trial, found, flush=True)
    found["acknowledged"] = len(feeder.acknowledged)
    return found


def of_the_sheet(folder: Path, drawn: random.Random) -> dict[str, float]:
    """Answers that the page had called kept when Chromium was killed, and those that were not there afterwards."""
    path = folder / "sheet.html"
    ws = workspace(folder, count=IMAGES)
    images = tables.read_manifest(ws)
    rows = [
        question(str(number // 16), row.image_id, path=row.path, suggested_label="7", kind="labels", proposal="relabel")
        for number, row in enumerate(images.itertuples())
    ]
    sheet.write(
        pd.DataFrame(rows), path, name="digits", workspace_id="kills", classes=["1", "7"], by="ada", command="none"
    )
    kept, lost = 0, 0
    with chromium() as browser:
        for trial in range(SHEETS):
            own = Own(browser.browser_type, folder / f"profile{trial}")
            page = own.open(path)
            page.wait_for_selector("html[data-ready]")
            for key in drawn.choices("nad", k=drawn.randint(5, 60)):
                page.keyboard.press(key)
            said = int(page.evaluate("document.documentElement.dataset.kept") or 0)
            own.kill()
            page = own.open(path)
            page.wait_for_selector("html[data-ready]")
            kept += said
            lost += max(0, said - page.locator(".shot[data-action]").count())
            page.context.close()
            print("sheet", trial, said, lost, flush=True)
    return {"trials": SHEETS, "acknowledged": kept, "lost": lost}


if __name__ == "__main__":
    run()
