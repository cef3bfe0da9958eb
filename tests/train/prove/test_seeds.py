"""Seeds: added until the answer is clear or the time is over, and those that are begun anew."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from curate import verbs
from curate.engine import Local
from curate.ingest.add import add
from curate.results import proof
from curate.workspace import Workspace
from tests.conftest import write_tree
from tests.train.prove.workspaces import (
    SETTINGS,
    STEPS,
    Heard,
    change,
    hearing,
    run_of,
)
from train import parallel
from train.arms import Question
from train.prove import _train, prove


def test_seeds_are_added_until_the_answer_is_clear(fresh: Workspace) -> None:
    found = prove(fresh, settings=SETTINGS, at_most=4)
    assert found.main.accuracy.at_all_times
    count = len(found.main.accuracy.values)
    assert (found.stopped, count) == (("seeds", 4) if found.main.accuracy.verdict == "unclear" else ("clear", count))
    assert 3 <= count <= 4
    wide = prove(
        fresh, settings=SETTINGS, at_most=4, precision=0.5
    )  # a difference of less than 50 points counts as none
    assert wide.precision == 0.5
    assert wide.stopped == "clear" or wide.main.accuracy.verdict == "unclear"


def test_no_seed_is_begun_after_the_time(fresh: Workspace) -> None:
    heard: Heard = []
    found = prove(fresh, settings=SETTINGS, budget=0.01, on_epoch=hearing(heard))
    assert found.stopped == "budget"
    assert {(arm, seed) for arm, seed, _ in heard} == {("raw", 0), ("curated", 0)}  # one of each, or there is no answer
    assert found.main.accuracy.verdict == "one seed"
    assert proof.read(fresh) == found


def test_a_seed_that_was_begun_on_another_device_is_begun_anew(fresh: Workspace) -> None:
    with pytest.raises(KeyboardInterrupt):
        prove(fresh, settings=SETTINGS, seeds=2, on_epoch=hearing([], ("curated", 0, 1)))
    heard: Heard = []
    prove(fresh, settings={**SETTINGS, "device": "auto"}, seeds=2, on_epoch=hearing(heard))
    assert ("raw", 0, 1) not in heard
    assert ("curated", 0, 1) in heard


def test_pairs_that_were_not_computed_alike_are_told(again: Workspace) -> None:
    """One set was trained on another machine, and is kept."""
    path = again.root / "runs" / "prove-raw" / "seed-1" / "result.json"
    kept = json.loads(path.read_text())
    assert kept["computed"].startswith("cpu, ")
    path.write_text(json.dumps(kept | {"computed": "cuda, bf16"}))
    assert prove(again, settings=SETTINGS, seeds=2).notes == (
        "1 of 2 pairs of seeds were not computed alike (raw on cuda, bf16, curated on "
        f"{kept['computed']}): see --fresh",
    )


def test_easy_images_are_not_left_out(fresh: Workspace) -> None:
    found = prove(fresh, settings={**SETTINGS, "skip_easy": 0.5}, seeds=2)
    assert found.config["skip_easy"] == 0
    assert found.notes == ("skip_easy = 0.5 is off here: how many images it leaves out depends on the set",)
    assert {arm.images_seen for arm in found.arms} == {2 * STEPS * 15}


def test_settings_may_change_as_long_as_no_seed_is_finished(fresh: Workspace) -> None:
    with pytest.raises(KeyboardInterrupt):
        prove(fresh, settings=SETTINGS, seeds=2, on_epoch=hearing([], ("raw", 0, 1)))
    found = prove(fresh, settings={**SETTINGS, "epochs": 1}, seeds=2)
    assert found.config["epochs"] == 1


def test_leaks_found_later_count_without_training(fresh: Workspace) -> None:
    shutil.copytree(fresh.root, other := fresh.root.with_name("not scanned"))
    unscanned = Workspace(other)
    lines = (other / "ledger.jsonl").read_text().splitlines()
    (other / "ledger.jsonl").write_text("".join(line + "\n" for line in lines if '"scan"' not in line))
    found = prove(unscanned, settings=SETTINGS, seeds=2)
    assert (found.split, found.leak_free_images, found.main.leak_free) == (None, None, None)
    verbs.scan(unscanned, only=["split_leak"], settings={}, engine=Local())
    heard: Heard = []
    found = prove(unscanned, settings=SETTINGS, seeds=2, on_epoch=hearing(heard))
    assert heard == []
    assert found.leak_free_images == 19
    assert run_of(unscanned, "raw")["leak_free_images"] == 19


def add_class(workspace: Workspace, folder: Path) -> None:
    """An image to look at of a class that comes before all others."""
    add(workspace, write_tree(folder, ["val/!/1.png"]))
    change(workspace)


def test_seeds_of_other_classes_do_not_count(fresh: Workspace, tmp_path: Path) -> None:
    """What they said of the test images is kept as numbers of classes."""
    before = prove(fresh, settings=SETTINGS, seeds=2)
    add_class(fresh, tmp_path / "more")
    heard: Heard = []
    after = prove(fresh, settings=SETTINGS, seeds=2, on_epoch=hearing(heard))
    assert {(arm, seed) for arm, seed, _ in heard} == {(arm, seed) for arm in ("raw", "curated") for seed in (0, 1)}
    for one, two in zip(before.arms, after.arms, strict=True):
        assert two.accuracy.mean == pytest.approx(one.accuracy.mean, abs=0.35)
        assert two.accuracy.mean > 0


def test_unfinished_seeds_of_other_classes_are_begun_anew(fresh: Workspace, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        prove(fresh, settings=SETTINGS, seeds=2, on_epoch=hearing([], ("raw", 0, 1)))
    add_class(fresh, tmp_path / "more")
    heard: Heard = []
    prove(fresh, settings=SETTINGS, seeds=2, on_epoch=hearing(heard))
    assert ("raw", 0, 1) in heard


def test_a_training_has_its_place_however_many_are_finished(fresh: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The place says how many threads it has, and so to which weights it comes."""
    asked: list[list[object]] = []
    each = parallel.each

    def listen(function: Callable, jobs: Sequence[object], **settings: object) -> Iterator[object]:
        asked.append(list(jobs))
        return each(function, jobs, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(parallel, "each", listen)
    with pytest.raises(KeyboardInterrupt):
        prove(fresh, settings=SETTINGS, seeds=2, on_epoch=hearing([], ("raw", 1, 1)))
    prove(fresh, settings=SETTINGS, seeds=2)
    assert asked == [[("raw", 0), ("curated", 0), ("raw", 1), ("curated", 1)]] * 2


class Answered:
    """A rule by which raw and curated are told apart by four seeds, and the step not by five."""

    fixed = False
    questions = (Question("curated", "", "raw", "curated"), Question("step", "", "without", "curated"))
    needs = (4, 6)

    def open(self, trial: object, done: dict[str, dict[int, object]]) -> list[Question]:
        return [one for one, needs in zip(self.questions, self.needs, strict=True) if len(done[one.before]) < needs]


def test_what_an_interrupted_block_has_finished_closes_no_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a training that is left had another place, and other threads."""
    asked: list[list[tuple[str, int]]] = []

    def each(function: object, jobs: list[tuple[str, int]], **settings: object) -> list[str]:
        asked.append(jobs)
        return ["trained"] * len(jobs)

    monkeypatch.setattr(parallel, "each", each)
    four = [("raw", 3), ("curated", 3), ("without", 3)]
    for finished in ([], four[:1], four[:2]):  # when it was interrupted
        kept = [(name, seed) for seed in range(3) for name in ("raw", "curated", "without")] + finished
        done = {name: {seed: "kept" for arm, seed in kept if arm == name} for name in ("raw", "curated", "without")}
        monkeypatch.setattr("train.trial.kept", lambda *_, done=done: done)
        _train(None, Answered(), range(5), None, 1, None)  # type: ignore[arg-type]
    assert asked == [four, [("without", 4), ("curated", 4)]] * 3
