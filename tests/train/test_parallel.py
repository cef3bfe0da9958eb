"""Trainings at the same time come to what they come to one after the other, and end with what started them."""

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from curate.errors import UserError
from curate.workspace import Workspace
from tests.test_engine import alive
from tests.train.digits import QUICK, digits
from tests.train.jobs import begin, fail, odd, place
from train import verbs
from train.config import TrainConfig
from train.crossval import cross_validate
from train.data import ImageSet
from train.mapped import MappedImages
from train.parallel import SMALL, choose, each, outcome, share_threads, shared
from train.predict import predict
from train.result import RunResult

ROOT = Path(__file__).parents[2]
SETTINGS = {"epochs": 2, "image_size": 16, "device": "cpu", "flip": False}


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


# How many


@pytest.mark.parametrize(
    ("trainings", "at_once", "threads", "shares"),
    [
        (5, 2, 2, [1, 1, 1, 1, 2]),  # the last is alone
        (4, 2, 2, [1, 1, 1, 1]),
        (5, 5, 16, [3, 3, 3, 3, 3]),
        (5, 3, 8, [2, 2, 2, 4, 4]),
        (3, 1, 4, [4, 4, 4]),
        (3, 4, 2, [1, 1, 1]),  # more at once than threads
        (1, 1, 1, [1]),
    ],
)
def test_threads_are_shared_out(trainings: int, at_once: int, threads: int, shares: list[int]) -> None:
    assert share_threads(trainings, at_once, threads) == shares


@pytest.mark.parametrize(
    ("at_once", "trainings", "images", "settings", "chosen"),
    [
        (None, 5, SMALL, {}, 2),
        (None, 5, SMALL // 5, {}, 1),  # little to do
        (None, 5, SMALL // 5, {"epochs": 2}, 2),
        (None, 1, SMALL, {"epochs": 9}, 1),
        (None, 5, SMALL, {"time_budget": 60}, 1),  # with half the threads each would learn half as much
        (2, 5, 10, {}, 2),  # who asks for it gets it
        (9, 5, SMALL, {}, 5),
        (1, 5, SMALL, {}, 1),
    ],
)
def test_how_many_run_at_the_same_time(
    at_once: int | None, trainings: int, images: int, settings: dict[str, object], chosen: int, two_threads: None
) -> None:
    config = TrainConfig.from_mapping({"device": "cpu", "epochs": 1, **settings})
    assert choose(at_once, [config] * trainings, images=images, side=32) == chosen


def test_less_than_one_at_a_time_is_an_error() -> None:
    with pytest.raises(UserError, match="at_once = 0; at least 1"):
        choose(0, [QUICK], images=10, side=32)


# What is run, and what it says


@pytest.mark.parametrize("at_once", [1, 2])
def test_results_come_in_order_and_news_at_once(at_once: int, tmp_path: Path) -> None:
    heard: list[tuple[int, str]] = []

    def hear(number: int, path: Path) -> None:
        heard.append((number, path.name))
        path.touch()

    done = each(begin, [tmp_path / "b", tmp_path / "a", tmp_path / "c"], at_once=at_once, hear=hear)
    assert list(done) == [("b", True), ("a", True), ("c", True)]
    assert sorted(heard) == [(0, "b"), (1, "a"), (2, "c")]
    assert multiprocessing.active_children() == []


def test_no_jobs() -> None:
    assert list(each(place, [], at_once=2)) == []


def test_processes_are_used_again_and_the_last_round_has_more_threads(two_threads: None) -> None:
    where, threads = zip(*each(place, range(3), at_once=2), strict=True)
    assert threads == (1, 1, 2)
    assert len(set(where)) <= 2
    assert os.getpid() not in where
    assert list(each(place, range(2))) == [(os.getpid(), 2)] * 2


@pytest.mark.parametrize(
    ("job", "says"),
    [
        (UserError("lr is too high"), "^lr is too high$"),
        (signal.SIGKILL, "ended by SIGKILL, most likely because memory ran out; .* --at-once 1$"),
    ],
    ids=["error", "killed"],
)
def test_what_goes_wrong_in_one_ends_all(job: object, says: str) -> None:
    began = time.monotonic()
    with pytest.raises(UserError, match=says):
        list(each(fail, [0, job], at_once=2))
    assert time.monotonic() - began < 200  # the other would take 300 s
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(
    ("error", "note"),
    [
        (UserError("lr is too high"), False),
        (OSError(28, "No space left on device", "model"), True),
        (ZeroDivisionError("ours"), True),
    ],
    ids=["user", "disk", "ours"],
)
def test_errors_travel_as_they_are_and_say_where_they_were_made(error: Exception, note: bool) -> None:
    what, sent = pickle.loads(outcome(fail, error, print))
    assert what == "failed"
    assert type(sent) is type(error)
    assert str(sent) == str(error)
    assert ["in fail\n" in line for line in getattr(sent, "__notes__", [])] == [True] * note


def test_an_error_that_cannot_travel_is_told() -> None:
    _, sent = pickle.loads(outcome(odd, 1, print))
    assert isinstance(sent, RuntimeError)
    assert "in odd\n" in str(sent)


# Images are shared


def test_images_travel_as_the_name_of_a_file() -> None:
    images = digits(100)
    with shared(images, images.subset(torch.arange(0)), at_once=2) as (in_file, empty):
        some = in_file.subset(torch.tensor([7, 3, 98]))
        sent = pickle.dumps(some)
        assert len(sent) < 4000  # an image has 3072 bytes
        back: ImageSet = pickle.loads(sent)
        assert back.fingerprint() == images.subset(torch.tensor([7, 3, 98])).fingerprint()
        assert isinstance(back.images, MappedImages)
        assert len(back.images.pixels) == 100
        assert len(pickle.loads(pickle.dumps(empty))) == 0
        with shared(in_file, at_once=2) as (again,):
            assert again.images is in_file.images
    assert in_file.fingerprint() == images.fingerprint()  # whoever has the file open can read on
    with shared(images, at_once=1) as (same,):
        assert same is images


def test_images_without_a_file_travel_with_their_pixels() -> None:
    images = MappedImages(digits(3).images.permute(0, 2, 3, 1), torch.tensor([2, 0]))
    assert torch.equal(pickle.loads(pickle.dumps(images))[:], images[:])


# Trainings


def test_folds_come_to_the_same_predictions_and_go_on_with_another_number(tmp_path: Path) -> None:
    """Stopped after three epochs of the folds, of which two run at once, and finished one by one."""
    labels = digits(60).labels.clone()
    labels[:5] = -1
    config, images, others = replace(QUICK, epochs=2), replace(digits(60), labels=labels), digits(10, start=60)
    whole = cross_validate(config, images, folds=3, others=others, keep_margins=True)
    heard: list[tuple[int, int]] = []
    together = cross_validate(
        config,
        images,
        folds=3,
        others=others,
        at_once=2,
        keep_margins=True,
        on_epoch=lambda fold, epoch: heard.append((fold, epoch.epoch)),
    )
    assert sorted(heard) == [(fold, epoch) for fold in range(3) for epoch in (1, 2)]
    heard.clear()

    def interrupt(fold: int, epoch: object) -> None:
        heard.append((fold, 0))
        if len(heard) == 3:
            raise KeyboardInterrupt

    resumable = partial(cross_validate, config, images, folds=3, others=others, run_dir=tmp_path, keep_margins=True)
    with pytest.raises(KeyboardInterrupt):
        resumable(at_once=2, on_epoch=interrupt)
    left: list[int] = []
    parts = resumable(on_epoch=lambda fold, epoch: left.append(fold))
    assert len(left) <= 3  # the others were in checkpoints
    for other in (together, parts):
        for name in ("pred_probs", "embeddings", "neighbors", "fold", "others_pred_probs", "others_embeddings"):
            assert np.array_equal(getattr(other, name), getattr(whole, name)), name
        assert np.array_equal(other.margins, whole.margins, equal_nan=True)
        assert other.fold_accuracy == whole.fold_accuracy


def test_seeds_come_to_the_same_weights(workspace: Workspace) -> None:
    def run(name: str, at_once: int) -> tuple[bytes, RunResult]:
        folder, result = verbs.train(workspace, data="raw", seeds=2, settings=SETTINGS, name=name, at_once=at_once)
        assert not list(folder.glob("seed-*"))
        return (folder / "model.safetensors").read_bytes(), result

    weights, alone = run("one", 1)
    the_same, together = run("two", 2)
    assert the_same == weights
    assert (alone.at_once, together.at_once) == (1, 2)
    assert (together.accuracy, together.confusion) == (alone.accuracy, alone.confusion)
    assert (together.calibration_error, together.accuracy_multi_crop) == (
        alone.calibration_error,
        alone.accuracy_multi_crop,
    )


def test_predictions_come_to_the_same(workspace: Workspace) -> None:
    alone = predict(workspace, profile="plain", folds=2, settings=SETTINGS, at_once=1)
    together = predict(workspace, profile="plain", folds=2, settings=SETTINGS, at_once=2)
    assert together.fold_accuracy == alone.fold_accuracy
    assert len(list(workspace.path("signals/decoded").glob("*.u8"))) == 2  # to train on, and others


# The command line


class Running:
    """`curate predict` with two folds at the same time, in a process group of its own, as a terminal starts it."""

    def __init__(self, root: Path) -> None:
        self.output = root.parent / "said.txt"
        settings = ("image_size=16", "flip=false", "epochs=500")
        arguments = ["predict", str(root), "--profile", "plain", "--folds", "2", "--at-once", "2", "--device", "cpu"]
        with self.output.open("w") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "curate", *arguments, *(part for one in settings for part in ("--set", one))],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=said,
                stderr=said,
                process_group=0,
            )

    def said(self) -> str:
        return self.output.read_text()

    def children(self) -> list[int]:
        """Processes that it started."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(pid) for path in tasks for pid in path.read_text().split()]

    def until(self, done: Callable[[], bool]) -> None:
        patience = time.monotonic() + 120
        while not done():
            assert time.monotonic() < patience, self.said()
            assert self.process.poll() is None, self.said()
            time.sleep(0.02)


@pytest.fixture
def running(workspace: Workspace) -> Iterator[Running]:
    started = Running(workspace.root)
    yield started
    if started.process.poll() is None:
        os.killpg(started.process.pid, signal.SIGKILL)
        started.process.wait()


def ended(pids: list[int]) -> bool:
    patience = time.monotonic() + 10
    while (left := any(map(alive, pids))) and time.monotonic() < patience:
        time.sleep(0.02)
    return not left


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")


@needs_proc
@pytest.mark.parametrize("importing", [True, False], ids=["importing", "training"])
def test_ctrl_c_ends_everything_in_one_line(running: Running, importing: bool) -> None:
    running.until(lambda: len(running.children()) >= 3 if importing else "fold 2" in running.said())
    children = running.children()
    os.killpg(running.process.pid, signal.SIGINT)
    assert running.process.wait(timeout=10) == 130, running.said()
    assert ended(children)
    assert running.said().splitlines()[-1].startswith("curate: interrupted")
    assert "Traceback" not in running.said()


@needs_proc
def test_processes_end_with_a_parent_that_is_killed(running: Running) -> None:
    running.until(lambda: "fold 1" in running.said() and "fold 2" in running.said())
    children = running.children()
    assert len(children) >= 2
    running.process.kill()
    running.process.wait()
    assert ended(children)
    assert "Traceback" not in running.said()
