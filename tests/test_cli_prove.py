"""`curate prove` on the command line: what people read, JSON for machines, one line for slips, killed and run again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from curate import verbs
from curate.ingest.add import add
from curate.workspace import DECISIONS, MANIFEST, Workspace, read_table
from tests.command import invoke, run, run_json
from tests.conftest import write_digits
from tests.tables import decided

SET = {"model": "plain20", "image_size": 8, "epochs": 2, "batch_size": 16, "lr": 0.1, "flip": "false", "pad": 1}
SETTINGS = [part for name, value in SET.items() for part in ("--set", f"{name}={value}")] + ["--device", "cpu"]


def curated(root: Path, source: Path) -> Workspace:
    """A workspace in which a few digits were dropped and a few got the label 0."""
    workspace = Workspace(root)
    add(workspace, source)
    images = read_table(workspace.path(MANIFEST))
    ids = images["image_id"][(images["split"] == "train") & (images["label"] != "0")]
    rows = [(image_id, "drop", "", "policy", "blurry") for image_id in ids[2::5][:4]]
    rows += [(image_id, "relabel", "0", "policy", "label_error") for image_id in ids[4::5][:3]]
    with workspace.writing("decide", {}) as transaction:
        transaction.write_table(DECISIONS, decided(*rows))
    verbs.apply(workspace, include_test=False)
    return workspace


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources") / "digits"
    write_digits(folder, 80)
    return folder


@pytest.fixture
def ready(tmp_path: Path, digits: Path) -> Workspace:
    return curated(tmp_path / "ws", digits)


@pytest.fixture(scope="module")
def proved(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> tuple[Workspace, str]:
    """A workspace, and what `prove` said there with two seeds and every set."""
    workspace = curated(tmp_path_factory.mktemp("proved") / "ws", digits)
    images = read_table(workspace.path(MANIFEST))
    truth = workspace.root / "truth.csv"
    train = images[images["split"] == "train"]
    wrong = train["label"].where(train.index != train.index[0], "9")
    pd.DataFrame({"image_id": train["image_id"], "label": wrong}).to_csv(truth, index=False)
    asked = ["--seeds", "2", "--ablate", "--take-in", "--controls", "--truth", truth]
    return workspace, run("prove", workspace.root, *SETTINGS, *asked)


# What people read


def test_a_row_for_every_set_and_every_question(proved: tuple[Workspace, str]) -> None:
    _, said = proved
    lines = said.splitlines()
    first = [line.split()[0] for line in lines if line.strip()]
    sets = ["without-drop-blurry", "only-drop-blurry"]  # of two steps, without one is the other alone
    assert first[: first.index("what")] == ["set", first[1], "raw", "curated", "random", "clean", *sets]
    questions = ["drop-blurry", "only-drop-blurry", "relabel-label_error", "only-relabel-label_error"]
    after = first[first.index("what") :]
    assert after[:8] == ["what", after[1], "curated", "random", "clean", *questions[:3]]
    assert after[8] == questions[3]
    assert next(line for line in lines if line.split()[:2] == ["set", "images"]).split()[-2:] == ["right", "%"]


def test_the_answer_comes_before_the_next_step(proved: tuple[Workspace, str]) -> None:
    workspace, said = proved
    lines = said.splitlines()
    answer = next(number for number, line in enumerate(lines) if line.startswith("Curated minus raw: "))
    assert "(95 % interval; 2 seeds, paired)" in lines[answer]
    assert lines[answer + 1].startswith("Better with a probability of ")
    assert "Leaks were not looked for: 'curate scan' finds" in said
    assert "Trained 12 networks for " in lines[-2]
    assert lines[-1] == f"Wrote {workspace.root / 'proof.json'}. Next: curate report {workspace.root}"


def test_progress_and_notes_come_on_stderr(ready: Workspace) -> None:
    images = read_table(ready.path(MANIFEST))
    with ready.writing("decide", {}) as transaction:
        transaction.write_table(DECISIONS, decided((images["image_id"][images["split"] == "train"].iloc[1], "drop")))
    verbs.apply(ready, include_test=False)
    result = invoke("prove", ready.root, *SETTINGS, "--seeds", "2", "--ablate")
    assert result.exit_code == 0
    epochs = [line for line in result.stderr.splitlines() if " epoch " in line]
    assert len(epochs) == 10  # an image less is less than a whole batch: three epochs for the steps of two
    assert all(line.split()[0] in ("raw", "curated") for line in epochs)
    assert "curate: without-drop-people holds the images and labels of raw; raw stands for it\n" in result.stderr
    assert "epoch" not in result.stdout


# JSON


def test_json_is_the_outcome_and_nothing_else(proved: tuple[Workspace, str]) -> None:
    workspace, _ = proved
    result = invoke("prove", workspace.root, *SETTINGS, "--seeds", "2", "--json")
    assert result.exit_code == 0
    assert result.stderr == ""
    said = json.loads(result.stdout)
    assert said == json.loads(workspace.path("proof.json").read_text())
    assert [arm["name"] for arm in said["arms"]] == ["raw", "curated"]
    assert said["compared"][0]["accuracy"]["verdict"] in ("better", "worse", "unclear")
    assert said["stopped"] == "seeds"
    runs = run_json("runs", workspace.root)
    assert {"prove-raw", "prove-curated", "prove-random", "prove-clean"} <= {each["name"] for each in runs}


# Slips


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["WS", "--seeds", "1"],
        ["WS", "--seeds", "many"],
        ["WS", "--precision", "0"],
        ["WS", "--precision", "51"],
        ["WS", "--at-once", "0"],
        ["WS", "--since", "0"],
        ["WS", "--budget"],
        ["WS", "--controlls"],
        ["WS", "raw"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2(tmp_path: Path, arguments: list[str]) -> None:
    result = invoke("prove", *[tmp_path if each == "WS" else each for each in arguments])
    assert result.exit_code == 2
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budget", "soon"], "--budget = 'soon'; it has to be a time such as 90s, 16m or 2h"),
        (["--budget", "-5s"], "--budget = '-5s'"),
        (["--truth", "nowhere.csv"], "nowhere.csv is no file; --truth takes a CSV"),
        (["--set", "epochs"], "--set 'epochs' must be NAME=VALUE"),
        (["--set", "epochs=0"], "training setting epochs = 0"),
        (["--set", "epoch=3"], "no training setting is called 'epoch'"),
        (["--set", "model=resnet"], "no model is called 'resnet'"),
        (["--recipe", "quick"], "no training recipe is called 'quick'"),
        (["--device", "tpu"], "training setting device = 'tpu'"),
        (["--since", "99"], "has no version 99; there are: 1 to 3"),
        (["--since", "3"], "is that of version 3; 'curate log"),
    ],
    ids=lambda item: " ".join(item) if isinstance(item, list) else "",
)
def test_slips(ready: Workspace, fails: Callable[..., str], arguments: list[str], message: str) -> None:
    assert message in fails("prove", ready.root, *arguments)
    assert not ready.path("runs").exists()
    assert len(ready.ledger()) == 3


def test_other_settings_are_refused_by_name(proved: tuple[Workspace, str], fails: Callable[..., str]) -> None:
    workspace, _ = proved
    before = sorted(workspace.root.glob("runs/*/seed-*/*"))
    line = fails("prove", workspace.root, *SETTINGS, "--set", "epochs=3")
    assert "were trained with other settings (epochs 2 → 3): give those again, or start anew with --fresh" in line
    assert sorted(workspace.root.glob("runs/*/seed-*/*")) == before


@pytest.mark.parametrize("place", ["missing", "empty"])
def test_what_is_no_workspace(tmp_path: Path, fails: Callable[..., str], place: str) -> None:
    (tmp_path / "empty").mkdir()
    assert "is no workspace" in fails("prove", tmp_path / place)


# The process itself


def start(workspace: Workspace, *arguments: str) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-m", "curate", "prove", str(workspace.root), *SETTINGS, "--seeds", "2", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    ("kill", "status", "says"),
    [
        (
            signal.SIGINT,
            130,
            "curate: interrupted; what was there before is untouched, run the command again to go on\n",
        ),
        (signal.SIGKILL, -signal.SIGKILL, ""),
    ],
)
def test_ended_in_the_middle_it_goes_on(
    ready: Workspace, proved: tuple[Workspace, str], kill: signal.Signals, status: int, says: str
) -> None:
    first = start(ready)
    patience = time.monotonic() + 120
    while not list(ready.root.glob("runs/prove-raw/seed-0/result.json")) and first.poll() is None:
        assert time.monotonic() < patience
        time.sleep(0.01)
    first.send_signal(kill)
    assert first.communicate(timeout=120)[1].endswith(says)
    assert first.returncode == status
    assert not ready.has("proof.json")
    again = start(ready, "--json")
    said = json.loads(again.communicate(timeout=240)[0])
    assert again.returncode == 0
    whole = run_json("prove", proved[0].root, *SETTINGS, "--seeds", "2")
    assert said["compared"] == whole["compared"]
    assert [arm["accuracy"] for arm in said["arms"]] == [arm["accuracy"] for arm in whole["arms"]]
    assert not list(ready.root.glob("runs/**/.partial-*"))


def test_two_at_a_time_on_one_workspace(ready: Workspace) -> None:
    with ready.locked("runs/prove-raw"):
        other = start(ready)
        error = other.communicate(timeout=240)[1]
    assert other.returncode == 1
    assert error.splitlines()[-1] == (
        f"curate: another curate is writing to {ready.root / 'runs' / 'prove-raw'}; wait until it has ended"
    )
