"""The checks that need a GPU, tried out on a CPU: the runner, what it does where something is missing, its tables."""

import importlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from curate.images import encode_jpeg
from tests.benchmarks import record
from tests.benchmarks.gpu import __main__ as runner
from tests.benchmarks.gpu import airbench, data, one, parity, training
from tests.benchmarks.gpu.checks import CHECKS
from tests.benchmarks.gpu.job import Check, Figures, Job, Missing, Parts
from train.config import TrainConfig
from train.epoch import Passed, run_epoch

ROOT = Path(__file__).parents[1]
CIFAR10 = data.ARCHIVES["cifar10"][0]
QUICK = ("label_errors", "curation", "to_93", "many_networks")
WITHOUT = {"airbench94": "CURATE_PEERS is not set", "imagenette": "imagenette224.tar.xz is missing"}
"""Checks that lack something in these tests, and what they say."""


@pytest.fixture(scope="module")
def real_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an archive as CIFAR-10's, of digits: ten classes with four training and two test images each."""
    folder = tmp_path_factory.mktemp("data")
    (folder / CIFAR10).parent.mkdir()
    digits = load_digits()
    with tarfile.open(folder / CIFAR10, "w:xz") as archive:
        for label in range(10):
            for number, image in enumerate(digits.images[digits.target == label][:6]):
                pixels = (image * 15.9).astype(np.uint8).repeat(4, 0).repeat(4, 1)
                content = encode_jpeg(np.stack([pixels] * 3, 2))
                split = "train" if number < 4 else "test"
                member = tarfile.TarInfo(f"cifar10/{split}/class{label}/{number:04d}.jpg")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    lines = [
        f"train/class{label}/{number:04d}.jpg,class{label},class{label}" for label in range(10) for number in range(4)
    ]
    lines[5] = lines[5].replace(",class1", ",class2")
    (folder / "cifar10" / "cifar10n.csv").write_text("\n".join(["path,aggre,worse", *lines]))
    return folder


@pytest.fixture
def job(real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setattr(record, "DATA", real_data)
    return Job("cpu", tmp_path / "work", ends=time.monotonic() + 600)


@pytest.fixture(scope="module")
def ran(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Figures]]:
    """What the runner said of the quick checks and of some that lack something, and the files it wrote."""
    out = tmp_path_factory.mktemp("out")
    names = ",".join([*QUICK, *WITHOUT])
    environment = {name: value for name, value in os.environ.items() if name != airbench.PEERS}
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.gpu", "--device", "cpu", "--only", names, "--out", str(out)],
        cwd=ROOT,
        env={**environment, "CURATE_DATA": str(real_data)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in out.iterdir()}


def test_quick_checks_run_to_their_end(ran: tuple[str, dict[str, Figures]]) -> None:
    _, files = ran
    assert sorted(files) == sorted(f"gpu-{name}" for name in QUICK)
    for content in files.values():
        assert content["complete"]
        assert content["trial"]
        assert content["torch"] == torch.__version__
        assert content["device"] == "cpu"
        assert content["figures"]


@pytest.mark.parametrize(("name", "line"), WITHOUT.items())
def test_what_is_missing_is_said_and_the_next_check_runs(
    name: str, line: str, ran: tuple[str, dict[str, Figures]]
) -> None:
    said, _ = ran
    assert line in said
    assert f"{name}: left out" in said


def test_tables_show_what_was_measured(ran: tuple[str, dict[str, Figures]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    tables = importlib.import_module("benchmark_tables")
    text = importlib.import_module("gpu_tables").section(ran[1], tables.table)
    assert text.count("not measured yet") == len(CHECKS) - len(QUICK)
    for name in QUICK:
        assert f"### {name}" in text


def test_every_check_has_an_answer_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    answers = importlib.import_module("gpu_tables").ANSWERS
    assert set(answers) == set(CHECKS)
    assert [answer({}) for answer in answers.values()] == [""] * len(CHECKS)


def test_a_check_that_breaks_keeps_its_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(job: Job) -> Parts:
        yield "first", {"seconds": 1.0}
        raise RuntimeError("the card is gone")

    monkeypatch.setitem(CHECKS, "broken", Check(broken, 10, "nothing", "does it hold?", "no"))
    told = ["one", "broken", "--device", "cpu", "--work", str(tmp_path), "--out", str(tmp_path), "--seconds", "9"]
    monkeypatch.setattr(sys, "argv", told)
    with pytest.raises(RuntimeError, match="card"):
        one.main()
    kept = json.loads((tmp_path / "gpu-broken.json").read_text(encoding="utf-8"))
    assert kept["figures"] == {"first": {"seconds": 1.0}}
    assert not kept["complete"]


def test_nothing_starts_without_budget(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert runner.main(["--device", "cpu", "--budget", "5", "--out", str(tmp_path)]) == 0
    finally:
        signal.signal(signal.SIGTERM, before)
    assert capsys.readouterr().out.count("not started") == len(CHECKS)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("only", "skip", "names"),
    [
        (None, None, list(CHECKS)),
        ("best,parity", None, ["parity", "best"]),
        (None, "parity", list(CHECKS)[1:]),
        ("best,parity", "parity", ["best"]),
    ],
)
def test_choice(only: str | None, skip: str | None, names: list[str]) -> None:
    assert runner.chosen(only, skip) == names


def test_unknown_check_is_named() -> None:
    with pytest.raises(SystemExit, match=r"'dork'; there are: parity, "):
        runner.chosen("dork", None)


def test_a_check_ends_with_all_it_started(tmp_path: Path) -> None:
    process = subprocess.Popen(["sh", "-c", "sleep 60 & echo $! > child; wait"], cwd=tmp_path, process_group=0)
    child = tmp_path / "child"
    while not (child.exists() and child.read_text().strip()):
        time.sleep(0.01)
    runner.end(process)
    status = Path(f"/proc/{child.read_text().strip()}/stat")
    for _ in range(500):  # until the system has ended it; a process that nobody waited for stays as a zombie
        if not status.exists() or status.read_text().split()[2] == "Z":
            return
        time.sleep(0.01)
    pytest.fail("the grandchild lives on")


def test_images_and_labels_of_an_archive(job: Job) -> None:
    train_set, test_set = data.splits(job, "cifar10")
    assert (len(train_set), len(test_set), train_set.image_size) == (40, 20, 32)
    assert train_set.classes == tuple(f"class{number}" for number in range(10))
    assert torch.bincount(train_set.labels).tolist() == [4] * 10
    assert torch.equal(data.splits(job, "cifar10")[0].images, train_set.images)  # the second time from its file


@pytest.mark.parametrize("complete", [True, False])
def test_archive_in_parts(complete: bool, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = (record.DATA / CIFAR10).read_bytes()
    (tmp_path / CIFAR10).parent.mkdir()
    half = len(content) // 2
    (tmp_path / f"{CIFAR10}.partaa").write_bytes(content[:half])
    if complete:
        (tmp_path / f"{CIFAR10}.partab").write_bytes(content[half:])
    monkeypatch.setattr(record, "DATA", tmp_path)
    if complete:
        assert len(data.splits(job, "cifar10")[0]) == 40
    else:
        with pytest.raises(Missing, match="is a part missing"):
            data.splits(job, "cifar10")


@pytest.mark.parametrize(
    ("accuracies", "trained", "last"),
    [
        ({"short": 0.80, "long": 0.95, "longest": 0.96}, ["short", "long", "long"], ("long", True)),
        ({"short": 0.90, "long": 0.91}, ["short", "short", "long", "long"], ("long", True)),
        ({"short": 0.50, "long": 0.60}, ["short", "long"], ("long", False)),
    ],
)
def test_climb(
    accuracies: Mapping[str, float],
    trained: list[str],
    last: tuple[str, bool],
    job: Job,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The cheapest that reaches 0.905; one far below is trained once, one near it as often as it has to be."""
    seen: list[str] = []

    def once(job: Job, splits: training.Splits, settings: training.Settings) -> dict[str, float]:
        if "epochs" not in settings:  # the training that sets up libraries has one
            seen.append(str(settings["name"]))
        return {"accuracy": accuracies[str(settings["name"])]}

    monkeypatch.setattr(training, "once", once)
    monkeypatch.setattr(Job, "small", False)
    candidates = {name: {"name": name} for name in accuracies}
    found = dict(training.climb(job, (None, None), candidates, view="accuracy", target=0.905, seeds=2))  # type: ignore[arg-type]
    assert seen == trained
    assert (list(found)[-1], found[last[0]]["reaches"]) == last


def test_settings_that_this_version_refuses_are_not_available(job: Job) -> None:
    figures = training.measured(job, data.splits(job, "cifar10"), {"compile": "dork"})
    assert "dork" in str(figures["not_available"])


def test_same_probabilities_and_the_same_steps(job: Job) -> None:
    """On a CPU, twice the same; and bfloat16 shows that the networks tell images apart."""
    splits = data.splits(job, "cifar10")
    found = parity.probabilities(job, "resnet20", *splits)
    assert found["fp32"] == 0
    assert 0 < float(str(found["bf16"])) < 0.1
    steps = parity.three_steps(job, {"model": "resnet_fast"}, splits[0])
    assert steps["difference"] == 0
    assert float(str(steps["way"])) > 0


def test_waits_of_an_epoch_are_counted(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of torch, within the epoch: not other warnings, and not what the first epoch waits for."""
    epochs: list[str] = []

    def waits(*given: Any) -> Passed:
        epochs.append("another")
        for said in [parity.SAYS] * (5 if len(epochs) == 1 else 2) + ["something else"]:
            warnings.warn(said, UserWarning, stacklevel=1)
        return run_epoch(*given)

    monkeypatch.setattr(parity, "run_epoch", waits)
    monkeypatch.setattr(parity, "config", lambda job, settings: TrainConfig(device="cpu"))
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", lambda mode: None)
    found = parity.waiting(job, {}, data.splits(job, "cifar10")[0])
    assert len(epochs) == 2
    assert found["waits_an_epoch"] == 2
    assert [line.partition(":")[0] for line in found["where"]] == [Path(__file__).name]  # type: ignore[attr-defined]


PEER = """
import os, sys
import torch
import torchvision.transforms as T

kept = torch.load("cifar10/train.pt", map_location=torch.device("cuda"))
assert kept["images"].shape[1:] == (32, 32, 3) and kept["images"].dtype == torch.uint8
assert kept["labels"].cuda().max() == 9 and len(kept["classes"]) == 10
T.Normalize(torch.zeros(3), torch.ones(3))(kept["images"].half().permute(0, 3, 1, 2))

if __name__ == "__main__":
    assert os.path.exists(sys.argv[0])
    print("|  run     |  epoch  |  val_acc  |  tta_val_acc  |  time_seconds  |")
    for run in range(200):
        for epoch in range(3):
            print(f"|  {run}  |  {epoch}  |  0.5  |    |  {epoch}.5  |")
        print(f"|    |  eval  |  0.5  |  0.9{run}  |  2.{run}  |")
"""


def test_peer_runs_as_it_is_but_fewer_times(job: Job, tmp_path: Path) -> None:
    script = tmp_path / "peer.py"
    script.write_text(PEER)
    parts = list(airbench.peer(job, script, data.splits(job, "cifar10"), runs=2))
    assert [name for name, _ in parts] == ["peer.py", "peer.py"]
    figures = parts[-1][1]
    assert figures["accuracy"] == training.spread([0.91, 0.92])  # the first run compiles, and is left out
    assert figures["seconds"] == training.spread([2.1, 2.2])


def test_peer_that_does_not_run_says_why(job: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "peer.py"
    script.write_text("raise SystemExit('needs another torch')")
    with pytest.raises(RuntimeError, match=r"peer\.py does not run here"):
        list(airbench.peer(job, script, data.splits(job, "cifar10"), runs=2))
    assert "needs another torch" in capsys.readouterr().out
