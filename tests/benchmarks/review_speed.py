"""Time to open `curate review` on 60,000 images, and from a key to the decision that is kept; FiftyOne alone beside it.

The images are those of CIFAR-10; the findings on 8,000 of them and the embeddings are drawn by chance, as what they say
costs no time. Each round opens the App twice as a process of its own: with an empty database, and after five decisions
have changed. Chromium then opens the view of what needs a person, and drops the first image by a key, again and again;
a decision counts as kept when `decisions.csv` has been replaced. The peer is a script that adds the same samples, with
the same fields, by FiftyOne's own `add_samples`, to an empty database.
"""

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from curate import findings, predictions, tables
from curate.review.desk import Answer, Desk
from curate.workspace import DECISIONS, FINDINGS, Workspace
from tests.benchmarks import label_sets
from tests.benchmarks.record import record, spread
from tests.benchmarks.review_command import REVIEWER, SECONDS, chromium, end, environment, free_port, opened
from tests.review.sheet.page import settled

ROUNDS = 2
LABELS, DUPLICATES, DARK = 6000, 1500, 500
"""Findings of each kind."""
DIMENSIONS = 128
CHANGED, KEYS, SHEET_KEYS = 5, 30, 60
SHEET_LABELS = 3000
"""Budget of the sheet: with the other findings it shows 5,000 images, and the twins of the duplicates."""
PEER = """
import json, sys, time
import fiftyone as fo
with open(sys.argv[1]) as file:
    rows = json.load(file)
def finding(fields):
    return fo.DynamicEmbeddedDocument(**fields)
def label(fields):
    return fo.Classification(**fields)
started = time.perf_counter()
samples = []
for row in rows:
    labels = {name: label(fields) for name, fields in row.pop("labels").items()}
    found = {name: finding(fields) for name, fields in row.pop("found").items()}
    samples.append(fo.Sample(**row, **labels, **found))
dataset = fo.Dataset("peer", persistent=True)
dataset.add_samples(samples, dynamic=True, progress=False)
assert len(dataset) == len(rows)
print(time.perf_counter() - started)
"""
"""What a user would write: a `Sample` for each image, all added in one call."""
PHASED = """
import json, sys, time
started = time.perf_counter()
from curate.cli import main
from curate.review import app, asking, dataset, samples, serving, views
took = {}
def timed(module, name, shown):
    function = getattr(module, name)
    def run(*arguments, **more):
        begun = time.perf_counter()
        try:
            return function(*arguments, **more)
        finally:
            took[shown] = took.get(shown, 0) + time.perf_counter() - begun
    setattr(module, name, run)
timed(app, "fiftyone", "importing FiftyOne and starting mongod")
timed(asking, "asked", "what to ask")
timed(samples, "documents", "documents")
timed(dataset, "sync", "writing what is new")
timed(views, "embed", "map and similarity")
timed(serving, "wait_until_it_answers", "waiting for the server, which starts meanwhile")
def watch(*arguments):
    took["the rest"] = time.perf_counter() - started - sum(took.values())
    print(json.dumps(took))
    raise KeyboardInterrupt
app.watch = watch
sys.argv[0] = "curate"
main()
"""
"""The command with its parts timed; it ends by itself once the App is open."""


def run() -> None:
    """Rounds of ours, the peer once between them, then the sheet."""
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        ws = workspace(Path(folder) / "ws")
        rounds, keys, peer = [], [], {}
        with chromium() as browser:
            for number in range(ROUNDS):
                row, pressed = app(ws, Path(folder) / f"db{number}", browser)
                rounds.append(row)
                keys += pressed
                print(row, spread(pressed), flush=True)
                if not peer:
                    peer = plain_fiftyone(ws, Path(folder))
                    print(peer, flush=True)
            page = sheet(ws, Path(folder) / "sheet.html", browser)
        figures["phases"] = {name: phases(ws, Path(folder) / "phased") for name in ("first", "again")}
    figures |= {name: spread([row[name] for row in rounds]) for name in rounds[0]}
    figures["key_to_disk_ms"] = late(keys)
    figures["peer"] = peer
    first = statistics.median(row["first"] for row in rounds)
    figures["peer_times_as_long"] = peer["whole"] / first
    figures["sheet"] = page
    what = f"60,000 images of CIFAR-10 (JPEG, 32x32), findings on {LABELS + DUPLICATES + DARK:,} of them"
    record("review_speed", what, figures)


def workspace(root: Path) -> Workspace:
    """CIFAR-10 with findings of three kinds, which all wait for a person, and predictions."""
    shutil.copytree(label_sets.workspace("clean").root, root)
    ws, random = Workspace(root), np.random.default_rng(0)
    images = tables.read_manifest(ws)
    classes = sorted(images["label"].unique())
    train = images[images["split"] == "train"]
    drawn = random.permutation(len(train))[: LABELS + 2 * DUPLICATES + DARK]
    ids, given = train["image_id"].to_numpy()[drawn], train["label"].to_numpy()[drawn]
    by = random.integers(1, len(classes), len(given))
    others = np.array(classes)[(np.searchsorted(classes, given.astype(str)) + by) % len(classes)]
    scores, probabilities = random.uniform(0, 0.5, LABELS), random.uniform(0.3, 0.95, LABELS)
    rows: list[tuple[object, ...]] = [
        (ids[at], "label_error", scores[at], True, -1, "", others[at], probabilities[at], f"rather {others[at]}")
        for at in range(LABELS)
    ]
    twins = ids[LABELS + DUPLICATES :]
    rows += [
        (ids[LABELS + at], "near_duplicate", 0.1, True, at, twins[at], "", 0.0, f"shows what {twins[at]} shows")
        for at in range(DUPLICATES)
    ]
    rows += [(image_id, "dark", 0.2, True, -1, "", "", 0.0, "dark") for image_id in ids[-DARK:]]
    table = pd.DataFrame(rows, columns=list(findings.COLUMNS)).astype(findings.COLUMNS)
    with ws.writing("scan", {}) as transaction:
        transaction.write_table(FINDINGS, table)
    kinds = ("label_error", "near_duplicate", "dark")
    lines = "".join(f"- {{finder: {name}, action: review}}\n" for name in kinds)
    (ws.root / "recipe.yaml").write_text(f"policy:\n{lines}")
    probs = random.dirichlet(np.ones(len(classes)), len(images))
    embeddings = random.normal(size=(len(images), DIMENSIONS)).astype(np.float32)
    fold = np.zeros(len(images), np.int64)
    predictions.write(ws, images, predictions.Predictions(classes, probs, embeddings, fold, {}))
    return ws


def app(ws: Workspace, database: Path, browser: Any) -> tuple[dict[str, float], list[float]]:
    """Seconds of a round, and milliseconds of each key."""
    port = free_port()
    first = opened(ws.root, database, port)
    end(first.process)
    change(ws)
    again = opened(ws.root, database, port)
    row = {"first": first.seconds, "again": again.seconds}
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    started = time.perf_counter()
    page.goto(f"{again.url}?view=needs-a-person")
    page.wait_for_selector("[data-cy=looker] [canvas-loaded=true]", timeout=SECONDS * 1000)
    row["pictures"] = time.perf_counter() - started
    page.get_by_text("Dismiss").click(timeout=SECONDS * 1000)
    page.get_by_text("Dismiss").wait_for(state="detached", timeout=SECONDS * 1000)
    pressed = [press(page, ws) for _ in range(KEYS)]
    context.close()
    end(again.process)
    return row, pressed


def phases(ws: Workspace, database: Path) -> dict[str, float]:
    """Seconds of each part of opening, as the command goes through them; apart from the rounds."""
    command = [sys.executable, "-c", PHASED, "review", str(ws.root), "--fiftyone", "--no-open", "--by", REVIEWER]
    done = subprocess.run(
        [*command, "--port", str(free_port())], capture_output=True, text=True, env=environment(database)
    )
    if done.returncode:
        sys.exit(f"opening failed: {done.stderr}")
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("{")]
    found: dict[str, float] = json.loads(line)
    return found


def change(ws: Workspace) -> None:
    """Five decisions of an earlier day, on other images each time."""
    desk = Desk(ws, REVIEWER)
    flagged = tables.read_findings(ws)
    waiting = flagged["image_id"][~flagged["image_id"].isin(desk.decisions()["image_id"])]
    desk.take([Answer(image_id, "keep") for image_id in waiting.iloc[-CHANGED:]])


def press(page: Any, ws: Workspace) -> float:
    """Milliseconds from the key that drops the first picture until the decisions have been replaced."""
    tick(page)
    path = ws.path(DECISIONS)
    seen: list[float] = []
    before = _signature(path)

    def watch() -> None:
        until = time.perf_counter() + SECONDS
        while _signature(path) == before and time.perf_counter() < until:
            time.sleep(0.001)
        seen.append(time.perf_counter())

    watcher = threading.Thread(target=watch)
    watcher.start()
    pressed = time.perf_counter()
    page.keyboard.press("d")
    watcher.join()
    page.locator("[data-cy=looker] input:checked").wait_for(state="detached")
    return 1000 * (seen[0] - pressed)


def tick(page: Any) -> None:
    """Select the first picture of the grid; again where the grid was just being drawn anew."""
    ticked = page.locator("[data-cy=looker] input:checked")
    until = time.perf_counter() + SECONDS
    while not ticked.count() and time.perf_counter() < until:
        if box := page.locator("[data-cy=looker]").first.bounding_box():
            page.mouse.click(box["x"] + 12, box["y"] + 12)
        for _ in range(40):
            if ticked.count():
                break
            page.wait_for_timeout(50)


def _signature(path: Path) -> tuple[int, int]:
    about = path.stat()
    return about.st_ino, about.st_mtime_ns


def late(times: list[float]) -> dict[str, float]:
    """Median, and what 19 of 20 stay below."""
    return {"median": statistics.median(times), "95_percent": float(np.quantile(times, 0.95)), "n": len(times)}


def plain_fiftyone(ws: Workspace, folder: Path) -> dict[str, float]:
    """Seconds of the peer: those of the whole process, and of making and adding the samples alone."""
    rows = folder / "rows.json"
    rows.write_text(json.dumps(samples(ws)))
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", PEER, str(rows)], capture_output=True, text=True, env=environment(folder / "peer")
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        sys.exit(f"the peer failed: {done.stderr}")
    return {"whole": seconds, "adding": float(done.stdout.split()[-1])}


def samples(ws: Workspace) -> list[dict[str, Any]]:
    """What our samples hold, by kind of field, for the peer to read."""
    from curate import manifest
    from curate.review import app as apps
    from curate.review import asking
    from curate.review import samples as ours

    images, found = tables.read_manifest(ws), tables.read_findings(ws)
    asked = asking.asked(ws, "nobody")
    predicted, _ = apps._predicted(predictions.read(ws, images), images)
    paths = manifest.locate(images, ws.root)
    documents = ours.documents(images, paths, found, tables.read_decisions(ws, images), asked, predicted)
    rows = []
    for document in documents.values():
        row: dict[str, Any] = {"labels": {}, "found": {}}
        for name, value in document.items():
            if isinstance(value, dict):
                fields = {key: item for key, item in value.items() if key not in ("_cls", "tags")}
                row["labels" if name in ours.LABELS else "found"][name] = fields
            else:
                row[name] = value
        rows.append(row)
    return rows


def sheet(ws: Workspace, path: Path, browser: Any) -> dict[str, object]:
    """Writing the sheet as a whole process, and in Chromium the time until it can be used, and from key to kept."""
    command = [sys.executable, "-m", "curate", "review", str(ws.root), "--sheet", "--to", str(path), "--json"]
    started = time.perf_counter()
    done = subprocess.run([*command, "--budget", str(SHEET_LABELS), "--by", "bob"], capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if done.returncode:
        sys.exit(f"the sheet failed: {done.stderr}")
    images = json.loads(done.stdout)["images"]
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    started = time.perf_counter()
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]")
    ready = time.perf_counter() - started
    page.evaluate("void (window.times = [])")
    page.evaluate("void document.addEventListener('kept', (event) => times.push(event.detail.ms))")
    for key in ("nad" * SHEET_KEYS)[:SHEET_KEYS]:
        page.keyboard.press(key)
        settled(page)
    times = page.evaluate("times")
    page.context.close()
    return {
        "images": images,
        "megabytes": path.stat().st_size / 1e6,
        "writing": seconds,
        "ready": ready,
        "key_to_kept_ms": late(times),
    }


if __name__ == "__main__":
    run()
