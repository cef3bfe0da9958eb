"""`kill -9` in the middle of the long verbs: what was there stays, and the same command goes on to the same end."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors import SafetensorError, safe_open

from curate import predictions
from curate.ingest.add import add
from curate.workspace import MANIFEST, Workspace, read_table
from tests.conftest import write_digits

SETTINGS = (
    "--set",
    "epochs=4",
    "--set",
    "model=resnet20",
    "--set",
    "image_size=8",
    "--set",
    "flip=false",
    "--device",
    "cpu",
)
PREDICT = ("predict", "ws", "--profile", "plain", "--folds", "2", *SETTINGS)
TRAIN = ("train", "ws", "--name", "run", *SETTINGS)


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    """A `curate` command in a process of its own, on one thread, so that it computes the same each time."""
    with (folder / "said.txt").open("w") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "curate", *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            stdout=said,
            stderr=said,
        )


def run(folder: Path, *arguments: str) -> None:
    assert start(folder, *arguments).wait(timeout=240) == 0, (folder / "said.txt").read_text()


def epochs_done(folder: Path) -> list[str]:
    """The lines of the learning curve in the newest checkpoint under `folder`."""
    found = sorted(folder.rglob("checkpoint.safetensors"), key=lambda path: path.stat().st_mtime)
    if not found:
        return []
    try:
        with safe_open(found[-1], "pt") as file:
            return [json.dumps(line) for line in json.loads(file.metadata()["history"])]
    except (SafetensorError, OSError):  # moved away meanwhile
        return []


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders with the same small workspace."""
    for name in ("undisturbed", "killed"):
        write_digits(tmp_path / name / "digits", 80)
        add(Workspace(tmp_path / name / "ws"), tmp_path / name / "digits")
    return tmp_path / "undisturbed", tmp_path / "killed"


def predicted(folder: Path) -> list[bytes]:
    """What `predict` wrote, but for its seconds."""
    ws = Workspace(folder / "ws")
    result = predictions.read(ws, read_table(ws.path(MANIFEST)))
    assert result.margins is not None
    return [values.tobytes() for values in (result.pred_probs, result.embeddings, result.fold, result.margins)]


def trained(folder: Path) -> list[bytes]:
    """The weights of the run, and its accuracy."""
    run = folder / "ws" / "runs" / "run"
    return [
        (run / "model.safetensors").read_bytes(),
        json.dumps(json.loads((run / "result.json").read_text())["accuracy"]).encode(),
    ]


@pytest.mark.parametrize(("command", "result"), [(PREDICT, predicted), (TRAIN, trained)], ids=["predict", "train"])
def test_killed_while_it_trains(
    two: tuple[Path, Path], command: tuple[str, ...], result: Callable[[Path], list[bytes]]
) -> None:
    undisturbed, killed = two
    run(undisturbed, *command)

    before = (killed / "ws" / MANIFEST).read_bytes()
    process = start(killed, *command)
    while len(epochs_done(killed)) < 2 and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -9, (killed / "said.txt").read_text()
    done = epochs_done(killed)
    assert done
    assert (killed / "ws" / MANIFEST).read_bytes() == before
    run(killed, "report", "ws")  # what is there can be looked at

    run(killed, *command)
    assert result(killed) == result(undisturbed)
    if command is TRAIN:
        curve = (killed / "ws" / "runs" / "run" / "metrics.jsonl").read_text().splitlines()
        assert curve[: len(done)] == done  # with its seconds: these epochs were not trained again


@pytest.mark.parametrize("layout", ["folder", "parquet", "webdataset"])
def test_killed_while_it_exports(two: tuple[Path, Path], layout: str) -> None:
    """Either all of it is there or nothing, and the next export writes the same."""
    undisturbed, killed = two
    command = ("export", "ws", "out", "--as", layout, "--data", "raw")
    run(undisturbed, *command)
    process = start(killed, *command)
    while (
        len(list(killed.iterdir())) == 2 and process.poll() is None
    ):  # until something stands beside set, workspace and said.txt
        time.sleep(0.001)
    process.kill()
    process.wait()
    if not (killed / "out").exists():
        run(killed, *command)
    assert files(killed / "out") == files(undisturbed / "out")


def files(folder: Path) -> dict[str, bytes]:
    """Every file under the folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
