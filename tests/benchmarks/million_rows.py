"""A million rows of a thousand classes, named in many scripts: seconds and memory of every verb that reads tables.

`python -m tests.benchmarks.million_rows [--rows N] [--classes N]`. The tables are made up, the rows' paths are of a
thousand digits, which pages show; verbs that read every image are measured by `million`. Each command is a process of
its own.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

from curate import findings, manifest
from curate.csv_text import write_csv
from curate.images import encode_png
from curate.workspace import FINDINGS, MANIFEST, Workspace
from tests.benchmarks.record import earlier, record
from tests.benchmarks.scan_speed import CURATE, measured

IMAGES = 1000
SCRIPTS = ("cat", "кот", "γάτα", "قطة", "猫", "고양이", "बिल्ली", "แมว", "חתול", "kočka & <b>", "🐈", 'kat, "x"')
DOUBTFUL, DUPLICATES, DARK = 0.25, 0.1, 0.05
"""Shares of the rows that these finders have something to say about."""
PLACES = {"WS", "ada.csv", "bob.csv", "bundle.zip", "digits"}
"""Words of the commands that lie in the folder."""
ANSWERS = 20_000
"""Rows of a person's decisions that are taken over."""


def run(arguments: list[str] | None = None) -> None:
    """Make the workspace, then every verb in the order in which people use them."""
    asked = argparse.ArgumentParser(prog="python -m tests.benchmarks.million_rows", description=__doc__)
    asked.add_argument("--rows", type=int, default=1_000_000)
    asked.add_argument("--classes", type=int, default=1000)
    given = asked.parse_args(arguments or [])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ws = folder / "WS"
        images = _manifest(given.rows, _names(given.classes), _pictures(folder / "digits"))
        found = _findings(images)
        for by in ("ada", "bob"):
            write_csv(folder / f"{by}.csv", _answers(images, by))
        with Workspace(ws).writing("add", {"source": "made up"}) as transaction:
            transaction.write_table(MANIFEST, images)
        with Workspace(ws).writing("scan", {"only": None, "set": {}}) as transaction:
            transaction.write_table(FINDINGS, found)
        figures = {" ".join(verb): _measured(folder, verb) for verb in _verbs()}
    kept = earlier("million_rows") | {f"{given.rows} of {given.classes} classes": figures}
    record("million_rows", "made-up tables, a row per image", kept)


def _verbs() -> list[list[str]]:
    lines = """
        scan WS --only rare_class --only odd_size --only odd_aspect
        findings WS
        findings WS --at f1
        decide WS
        decide WS --import ada.csv --by ada
        decide WS --import bob.csv --by bob
        decide WS --budget 500
        apply WS
        log WS
        diff WS
        diff WS 1 4
        gate WS
        review WS
        review WS --sheet
        report WS
        runs WS
        doctor WS --bundle --out bundle.zip
        add WS digits
        restore WS 2
    """
    return [line.split() for line in lines.strip().splitlines()]


def _measured(folder: Path, verb: list[str]) -> dict[str, float]:
    command = [str(folder / word) if word in PLACES else word for word in verb]
    seconds, peak = measured(*CURATE, *command, fine=(0, 3))  # 3: a gate that is not met
    print(f"{' '.join(verb)}: {seconds:.1f} s, {peak:.2f} GB", file=sys.stderr, flush=True)
    return {"seconds": seconds, "gb": peak}


def _names(count: int) -> list[str]:
    return [f"{SCRIPTS[number % len(SCRIPTS)]} {number}" for number in range(count)]


def _pictures(folder: Path) -> list[str]:
    folder.mkdir()
    for number, image in enumerate(load_digits().images[:IMAGES]):
        pixels = cv2.cvtColor((image * 15.9).astype(np.uint8), cv2.COLOR_GRAY2RGB)
        (folder / f"{number}.png").write_bytes(encode_png(pixels))
    return [str(folder / f"{number}.png") for number in range(IMAGES)]


def _manifest(rows: int, names: list[str], paths: list[str]) -> pd.DataFrame:
    random = np.random.default_rng(0)
    numbers = np.arange(rows)
    labels = np.array(names, dtype=object)[random.integers(len(names), size=rows)]
    split = np.where(numbers % 10 == 9, "test", np.where(numbers % 10 == 8, "val", "train"))
    hashes = np.char.mod("%032x", numbers)
    columns = {
        "image_id": np.strings.add("photos/", np.char.mod("%07d", numbers)),
        "path": np.array(paths)[numbers % len(paths)],
        "split": split,
        "label": labels,
        "source": ["photos"] * rows,
        "width": np.full(rows, 8),
        "height": np.full(rows, 8),
        "content_hash": hashes,
        "pixel_hash": hashes,
    }
    return manifest.from_rows({name: list(values) for name, values in columns.items()})


def _findings(images: pd.DataFrame) -> pd.DataFrame:
    random = np.random.default_rng(1)
    names = np.array(manifest.classes(images), dtype=object)
    doubtful = images.iloc[np.flatnonzero(random.random(len(images)) < DOUBTFUL)]
    scores = random.beta(1, 1, len(doubtful)).astype(np.float32)
    label_error = doubtful[["image_id"]].assign(
        finder="label_error",
        score=scores,
        suggested_label=names[random.integers(len(names), size=len(doubtful))],
        suggested_prob=np.where(scores < 0.5, 1 - scores, 0).astype(np.float32),
        detail="networks disagree",
    )
    half = int(len(images) * DUPLICATES / 2)
    pairs = random.permutation(len(images))[: 2 * half].reshape(half, 2)
    ids = images["image_id"].to_numpy()
    twins = pd.DataFrame(
        {
            "image_id": ids[pairs[:, 1]],
            "finder": "near_duplicate",
            "score": random.random(half).astype(np.float32),
            "group": np.arange(half),
            "related_id": ids[pairs[:, 0]],
        }
    )
    dark = images[["image_id"]].iloc[np.flatnonzero(random.random(len(images)) < DARK)].assign(finder="dark")
    dark["score"] = random.random(len(dark)).astype(np.float32)
    table = pd.concat([dark, label_error, twins], ignore_index=True)
    return findings.complete(table.assign(flagged=table["score"] < findings.FLAG_BELOW))


def _answers(images: pd.DataFrame, by: str) -> pd.DataFrame:
    chosen = images.sample(ANSWERS, random_state=len(images) + ord(by[0]))
    names = manifest.classes(images)
    actions = np.array(["keep", "drop", "relabel"])[np.arange(ANSWERS) % 3]
    labels = np.where(actions == "relabel", np.array(names)[np.arange(ANSWERS) % len(names)], "")
    table = {"image_id": chosen["image_id"], "action": actions, "label": labels, "by": by}
    return pd.DataFrame(table).assign(because="", note="", at="")


if __name__ == "__main__":
    run(sys.argv[1:])
