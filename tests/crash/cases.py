"""Every verb that writes, on a small workspace that has much to lose: what it starts from and how it is called."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from sklearn.datasets import load_digits

from curate.csv_text import write_csv
from curate.images import encode_png
from tests.crash.server import Server
from tests.tables import decided

SOURCES = "../sources"
"""Beside the place in which commands run; nothing there changes."""
TINY = (
    *("--device", "cpu", "--set", "model=resnet20", "--set", "image_size=8", "--set", "epochs=1"),
    *("--set", "flip=false", "--set", "batch_size=16"),
)
RECIPE = """name: small
summary: What a user wrote, comments and all
train: {flip: false}  # digits
"""
STRICT = """name: strict
policy:
  - {finder: exact_duplicate, action: drop}
  - {finder: outlier, below: 0.9, action: drop}
  - {finder: label_error, below: 0.9, action: relabel}
  - {finder: dark, action: review}
"""
CLASSES = 4


def make_sources(folder: Path) -> None:
    """Digits of four classes with some labels wrong, one stored twice, one black; more of them, also packed; a pool; a
    policy, a pipeline, and answers of two people."""
    digits = load_digits(n_class=CLASSES)
    pixels = (digits.images * 15.9).astype(np.uint8).repeat(2, 1).repeat(2, 2)
    labels = digits.target.copy()
    for at in (8, 17, 26):
        labels[at] = (labels[at] + 1) % CLASSES
    pixels[20] = pixels[4]
    pixels[21] = 0

    def put(name: str, first: int, count: int, *, labelled: bool = True) -> None:
        for at in range(first, first + count):
            split = "test" if at % 4 == 3 else "train"
            path = folder / name / (f"{split}/{labels[at]}/{at}.png" if labelled else f"{at}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_png(cv2.cvtColor(pixels[at], cv2.COLOR_GRAY2RGB)))

    put("digits", 0, 48)
    put("more", 48, 8)
    put("to pack", 56, 8)
    put("pool", 64, 6, labelled=False)
    shutil.make_archive(str(folder / "packed"), "tar", folder / "to pack")
    (folder / "strict.yaml").write_text(STRICT)
    (folder / "flips.yaml").write_text("- HorizontalFlip\n")
    ids = [f"digits/train/{labels[at]}/{at}.png" for at in (0, 1, 2, 4)]
    write_csv(folder / "ada.csv", decided((ids[0], "keep"), (ids[1], "drop"), (ids[3], "drop")))
    write_csv(folder / "bob.csv", decided((ids[1], "keep"), (ids[2], "relabel", "3")))


def write_by_hand(place: Path) -> None:
    """What users keep in a workspace themselves."""
    (place / "ws" / "recipe.yaml").write_text(RECIPE)
    (place / "ws" / "notes.txt").write_text("ask bob about the sevens\n")


Step = tuple[str, ...] | Callable[[Path], None]
STATES: dict[str, tuple[str | None, tuple[Step, ...]]] = {
    "nothing": (None, ()),
    "added": (
        "nothing",
        (
            ("add", "ws", f"{SOURCES}/digits"),
            ("add", "ws", f"{SOURCES}/pool", "--split", "pool"),
            write_by_hand,
        ),
    ),
    "plain": (
        "added",
        (
            ("scan", "ws", "--only", "dark", "--only", "exact_duplicate"),
            ("decide", "ws", "--policy", f"{SOURCES}/strict.yaml"),
            ("decide", "ws", "--import", f"{SOURCES}/ada.csv", "--by", "ada"),
            ("apply", "ws"),
        ),
    ),
    "predicted": ("added", (("predict", "ws", "--profile", "plain", "--folds", "2", *TINY),)),
    "applied": (
        "predicted",
        (
            ("scan", "ws"),
            ("decide", "ws"),
            ("decide", "ws", "--import", f"{SOURCES}/ada.csv", "--by", "ada"),
            ("apply", "ws"),
            ("select", "ws", "--budget", "3"),
            ("report", "ws"),
            ("review", "ws", "--sheet"),
        ),
    ),
    "trained": (
        "applied",
        (
            ("train", "ws", "--name", "run", *TINY),
            ("prove", "ws", "--seeds", "2", *TINY),
            ("runs", "ws", "--tensorboard"),
        ),
    ),
    "grown": ("trained", (("add", "ws", f"{SOURCES}/more"),)),
}
"""What a state is made of: another one, and what is done to it. `plain` takes no torch; `trained` has something in
every file there is."""


@dataclass(frozen=True)
class Case:
    """A verb in a state."""

    name: str
    state: str
    arguments: tuple[str, ...]
    refused: str = ""
    """What a repeated call may say, where all was done before."""


def _case(name: str, state: str, *arguments: str, refused: str = "") -> Case:
    return Case(name, state, arguments, refused)


CASES = (
    _case("add, the first", "nothing", "add", "ws", f"{SOURCES}/digits"),
    _case("add, an archive", "trained", "add", "ws", f"{SOURCES}/packed.tar"),
    _case("add, without near-duplicates", "applied", "add", "ws", f"{SOURCES}/more", "--near", "skip"),
    _case("predict, the first", "added", "predict", "ws", "--profile", "plain", "--folds", "2", *TINY),
    _case("predict", "grown", "predict", "ws", "--profile", "plain", "--folds", "2", *TINY),
    _case("scan, the first", "predicted", "scan", "ws"),
    _case("scan, by workers", "added", "scan", "ws", "--workers", "2"),
    _case("scan", "grown", "scan", "ws"),
    _case("decide", "trained", "decide", "ws", "--policy", f"{SOURCES}/strict.yaml"),
    _case("decide --import", "trained", "decide", "ws", "--import", f"{SOURCES}/bob.csv", "--by", "bob"),
    _case("apply", "grown", "apply", "ws"),
    _case("restore", "trained", "restore", "ws", "1"),
    _case("select", "trained", "select", "ws", "--budget", "2"),
    _case("pseudo", "trained", "pseudo", "ws", "--sure", "0.1"),
    _case("augment add", "trained", "augment", "add", "ws", "--pipeline", f"{SOURCES}/flips.yaml", "--total", "50"),
    _case("augment preview", "trained", "augment", "preview", "ws", "--pipeline", f"{SOURCES}/flips.yaml"),
    _case("augment search", "trained", "augment", "search", "ws", *TINY),
    _case("export", "applied", "export", "ws", "out", refused="is not empty"),
    _case("export --as parquet", "applied", "export", "ws", "out", "--as", "parquet", refused="is not empty"),
    _case("export --as webdataset", "applied", "export", "ws", "out", "--as", "webdataset", refused="is not empty"),
    _case("review --sheet", "trained", "review", "ws", "--sheet", "--budget", "2"),
    _case("review --as", "applied", "review", "ws", "--as", "label_studio", "--to", "out", refused="is not empty"),
    _case("report", "grown", "report", "ws"),
    _case("train, the first", "applied", "train", "ws", "--name", "run", *TINY),
    _case("train, the same name", "trained", "train", "ws", "--name", "run", "--tensorboard", *TINY, "--set", "seed=7"),
    _case("prove", "applied", "prove", "ws", "--seeds", "2", *TINY),
    _case("prove --fresh", "trained", "prove", "ws", "--seeds", "2", "--fresh", *TINY, "--set", "seed=7"),
    _case("onnx", "trained", "onnx", "ws", "run"),
    _case("doctor --bundle", "trained", "doctor", "ws", "--bundle", "--out", "bundle.zip", refused="is there already"),
)


def prepare(server: Server, place: Path, states: Path, wanted: str) -> Path:
    """The folder `states/wanted`, made by the commands themselves; `place` is used for it, and holds it afterwards."""
    kept = states / wanted
    if not kept.exists():
        before, steps = STATES[wanted]
        put_back(prepare(server, place, states, before) if before else None, place)
        for step in steps:
            if callable(step):
                step(place)
            else:
                ended = server.run(*step)
                assert ended.status == 0, (step, ended.stderr)
        shutil.copytree(place, kept, symlinks=True)
    return kept


def put_back(state: Path | None, place: Path) -> None:
    """Make `place` hold what `state` holds, and nothing else. The folder itself stays: commands work in it."""
    place.mkdir(parents=True, exist_ok=True)
    for each in os.scandir(place):
        if each.is_dir(follow_symlinks=False):
            shutil.rmtree(each.path)
        else:
            Path(each.path).unlink()
    if state:
        shutil.copytree(state, place, dirs_exist_ok=True, symlinks=True)
