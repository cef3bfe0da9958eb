"""`prove` on a few dozen digits: fair arms, nothing trained twice, a result that reads back, one line for slips."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from curate import proof, report, runs, verbs
from curate.add import add
from curate.engine import Local
from curate.errors import UserError
from curate.manifest import data_hash
from curate.proof import Proof
from curate.workspace import DECISIONS, MANIFEST, Workspace, read_table
from tests.conftest import write_digits
from tests.tables import decided
from train import verbs as training
from train.arms import Plan, planned
from train.checkpoint import Epoch
from train.data import load_images
from train.evaluate import predict
from train.prove import prove
from train.run import load_model

IMAGES = 80
"""20 of them are test images."""
STEPS = 8
"""Two epochs of the 60 training images in batches of 15."""
SETTINGS = {
    "model": "plain20",
    "image_size": 8,
    "epochs": 2,
    "batch_size": 16,
    "lr": 0.1,
    "flip": False,
    "pad": 1,
    "device": "cpu",
}
RUN = {
    ".lock",
    "config.json",
    "confusion.png",
    "learning_curve.png",
    "metrics.jsonl",
    "predicted.parquet",
    "result.json",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits, of which one test image is a training image, too."""
    folder = tmp_path_factory.mktemp("sources") / "digits"
    write_digits(folder, IMAGES)
    shutil.copy(next(folder.glob("test/3/*.png")), folder / "train" / "3" / "seen.png")
    return folder


def decide(workspace: Workspace, *rows: tuple[str, ...]) -> None:
    """These decisions and no others, applied."""
    with workspace.writing("decide", {}) as transaction:
        transaction.write_table(DECISIONS, decided(*rows))
    verbs.apply(workspace, include_test=False)


def trained_on(workspace: Workspace) -> list[str]:
    """The image_ids of the training images."""
    images = read_table(workspace.path(MANIFEST))
    return images["image_id"][images["split"] == "train"].to_list()


def change(workspace: Workspace, *, drops: int = 6, relabels: int = 4) -> None:
    """Drop some training images, and the leak; give some the label 0."""
    ids = [image_id for image_id in trained_on(workspace) if "/0/" not in image_id and "seen" not in image_id]
    rows = [(image_id, "drop", "", "policy", "blurry") for image_id in ids[2::5][:drops]]
    rows += [(image_id, "relabel", "0", "policy", "label_error") for image_id in ids[4::5][:relabels]]
    decide(workspace, *rows, ("digits/train/3/seen.png", "drop", "", "policy", "split_leak"))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Workspace:
    """Scanned, decided, applied, not trained."""
    workspace = Workspace(tmp_path_factory.mktemp("template") / "ws")
    add(workspace, folder)
    verbs.scan(workspace, only=["split_leak"], settings={}, engine=Local())
    change(workspace)
    return workspace


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, template: Workspace) -> Workspace:
    """Proved with two seeds."""
    workspace = Workspace(tmp_path_factory.mktemp("done") / "ws")
    shutil.copytree(template.root, workspace.root)
    prove(workspace, settings=SETTINGS, seeds=2)
    return workspace


@pytest.fixture
def fresh(tmp_path: Path, template: Workspace) -> Workspace:
    shutil.copytree(template.root, tmp_path / "fresh")
    return Workspace(tmp_path / "fresh")


@pytest.fixture
def again(tmp_path: Path, done: Workspace) -> Workspace:
    """A copy of one that was proved."""
    shutil.copytree(done.root, tmp_path / "again")
    return Workspace(tmp_path / "again")


Heard = list[tuple[str, int, int]]
"""Arm, seed and epoch of what was trained."""


def hearing(heard: Heard, stop: tuple[str, int, int] | None = None) -> Callable[[str, Epoch], None]:
    """Notes each epoch; after the epoch `stop` somebody presses Ctrl-C."""

    def hear(arm: str, epoch: Epoch) -> None:
        heard.append((arm, epoch.seed, epoch.epoch))
        if heard[-1] == stop:
            raise KeyboardInterrupt

    return hear


def timeless(found: Proof) -> Proof:
    """Without what the clock said."""
    return replace(found, arms=tuple(replace(arm, seconds=0) for arm in found.arms))


def run_of(workspace: Workspace, arm: str) -> dict:
    return json.loads((workspace.root / "runs" / f"prove-{arm}" / "result.json").read_text())


def predicted(workspace: Workspace, arm: str) -> pd.DataFrame:
    return pd.read_parquet(workspace.root / "runs" / f"prove-{arm}" / "predicted.parquet")


def said(workspace: Workspace, **asked: object) -> str:
    """The one line of a call that is refused; nothing is written for it."""
    before = sorted(workspace.root.rglob("*.json")), len(workspace.ledger())
    with pytest.raises(UserError) as caught:
        prove(workspace, **({"settings": SETTINGS, "seeds": 2} | asked))  # type: ignore[arg-type]
    assert (sorted(workspace.root.rglob("*.json")), len(workspace.ledger())) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


# What comes of it


def test_both_sets_are_trained_for_the_same_steps(done: Workspace) -> None:
    raw, curated = (run_of(done, arm) for arm in ("raw", "curated"))
    assert raw["config"] == curated["config"]
    assert raw["config"]["steps"] == STEPS
    assert (raw["train_images"], curated["train_images"]) == (61, 54)
    assert raw["epochs_done"] == [2.0, 2.0]
    assert curated["epochs_done"] == pytest.approx([STEPS / 3] * 2)  # of three steps each: the last one in part
    assert raw["seeds"] == curated["seeds"] == [0, 1]
    assert not raw["cut_short"]
    assert not curated["cut_short"]


def test_what_is_written_is_what_was_found(done: Workspace) -> None:
    found = proof.read(done)
    assert found is not None
    assert [arm.name for arm in found.arms] == ["raw", "curated"]
    assert [(one.name, one.before, one.after, one.images) for one in found.compared] == [
        ("curated", "raw", "curated", 6 + 4 + 1)
    ]
    for arm in found.arms:
        table, result = predicted(done, arm.name), run_of(done, arm.name)
        right = [float((table[f"seed-{seed}"] == table["label"]).mean()) for seed in arm.seeds]
        assert right == pytest.approx(arm.accuracy.values)
        assert right == pytest.approx(result["accuracy"]["values"])
        assert len(table) == found.test_images == 20
    raw, curated = (np.array(arm.accuracy.values) for arm in found.arms)
    assert found.main.accuracy.values == pytest.approx(curated - raw)
    assert not found.main.accuracy.at_all_times
    assert found.stopped == "seeds"


def test_the_leak_is_told_apart(done: Workspace) -> None:
    found = proof.read(done)
    assert found is not None
    assert found.leak_free_images == 19
    assert found.split is not None
    assert found.split.better_model + found.split.leaks_gone == pytest.approx(found.main.accuracy.mean)
    for arm in found.arms:
        assert arm.leak_free is not None
        assert arm.leak_free.values == pytest.approx(run_of(done, arm.name)["accuracy_leak_free"]["values"])


@pytest.mark.parametrize("arm", ["raw", "curated"])
def test_an_arm_is_a_run_like_others(done: Workspace, arm: str) -> None:
    folder = done.root / "runs" / f"prove-{arm}"
    assert {path.name for path in folder.iterdir()} == RUN | {"model.safetensors", "seed-0", "seed-1"}
    assert {path.name for path in folder.glob("seed-*/*")} == {"result.json"}  # nothing that is only for going on
    run = next(run for run in runs.read(done).finished if run.name == f"prove-{arm}")
    assert run.data == arm
    assert run.seeds == (0, 1)
    saved = load_model(folder)
    images = read_table(done.path(MANIFEST))
    test_set = load_images(training.test_rows_of(done, images), done.root, classes=saved.classes, image_size=8)
    guessed = predict(saved.model, test_set.images).probs.argmax(1)
    assert [saved.classes[k] for k in guessed] == predicted(done, arm)["seed-0"].to_list()  # the first seed's network


def test_the_ledger_names_the_runs(done: Workspace) -> None:
    entry = done.ledger()[-1]
    assert entry.command == "prove"
    assert entry.arguments["runs"] == {"prove-raw": "raw", "prove-curated": "curated"}
    assert entry.arguments["seeds"] == 2


def test_the_report_reads_it(again: Workspace) -> None:
    page = report.write(again).read_text(encoding="utf-8")
    assert "prove-curated" in page
    assert "Curated minus raw" in page


# Going on


def test_nothing_is_trained_twice(again: Workspace) -> None:
    heard: Heard = []
    before = proof.read(again)
    assert prove(again, settings=SETTINGS, seeds=2, on_epoch=hearing(heard)) == before
    assert heard == []


@pytest.mark.parametrize("stop", [("raw", 0, 1), ("curated", 0, 3), ("raw", 1, 2), ("curated", 1, 2)], ids=str)
def test_an_interrupted_proof_goes_on_to_the_same_end(
    fresh: Workspace, done: Workspace, stop: tuple[str, int, int]
) -> None:
    first: Heard = []
    with pytest.raises(KeyboardInterrupt):
        prove(fresh, settings=SETTINGS, seeds=2, on_epoch=hearing(first, stop))
    assert not fresh.has(proof.PROOF)
    assert len(fresh.ledger()) == len(done.ledger()) - 1
    second: Heard = []
    found = prove(fresh, settings=SETTINGS, seeds=2, on_epoch=hearing(second))
    every = [
        (arm, seed, epoch)
        for seed in (0, 1)
        for arm, epochs in (("raw", 2), ("curated", 3))
        for epoch in range(1, epochs + 1)
    ]
    assert first + second == every
    expected = proof.read(done)
    assert expected is not None
    assert timeless(found) == timeless(expected)
    for arm in ("raw", "curated"):
        assert predicted(fresh, arm).equals(predicted(done, arm))
        weights = [each.root / "runs" / f"prove-{arm}" / "model.safetensors" for each in (fresh, done)]
        assert weights[0].read_bytes() == weights[1].read_bytes()


def test_seeds_are_added_to_earlier_ones(again: Workspace) -> None:
    heard: Heard = []
    earlier = proof.read(again)
    found = prove(again, settings=SETTINGS, seeds=3, on_epoch=hearing(heard))
    assert {(arm, seed) for arm, seed, _ in heard} == {("raw", 2), ("curated", 2)}
    assert earlier is not None
    assert found.main.accuracy.values[:2] == earlier.main.accuracy.values
    assert len(found.main.accuracy.values) == 3
    assert run_of(again, "raw")["seeds"] == [0, 1, 2]
    fewer: Heard = []
    assert prove(again, settings=SETTINGS, seeds=2, on_epoch=hearing(fewer)).main.accuracy == earlier.main.accuracy
    assert fewer == []


def test_seeds_of_other_settings_are_not_mixed_in(again: Workspace) -> None:
    line = said(again, settings={**SETTINGS, "epochs": 3})
    assert "prove-raw were trained with other settings (epochs 2 → 3, steps 8 → 12)" in line
    assert "--fresh" in line
    heard: Heard = []
    prove(again, settings={**SETTINGS, "epochs": 1}, seeds=2, fresh=True, on_epoch=hearing(heard))
    assert [each for each in heard if each[0] == "raw"] == [("raw", 0, 1), ("raw", 1, 1)]
    assert run_of(again, "raw")["config"]["epochs"] == 1
    assert run_of(again, "raw")["seeds"] == [0, 1]


def test_another_device_or_seed_is_no_other_setting(again: Workspace) -> None:
    heard: Heard = []
    prove(again, settings={**SETTINGS, "device": "auto", "seed": 1}, seeds=2, on_epoch=hearing(heard))
    assert {seed for _, seed, _ in heard} <= {2}  # seed 1 was there


def test_a_seed_that_was_begun_on_another_device_is_begun_anew(fresh: Workspace) -> None:
    with pytest.raises(KeyboardInterrupt):
        prove(fresh, settings=SETTINGS, seeds=2, on_epoch=hearing([], ("curated", 0, 1)))
    heard: Heard = []
    prove(fresh, settings={**SETTINGS, "device": "auto"}, seeds=2, on_epoch=hearing(heard))
    assert ("raw", 0, 1) not in heard
    assert ("curated", 0, 1) in heard


def test_settings_may_change_as_long_as_no_seed_is_finished(fresh: Workspace) -> None:
    with pytest.raises(KeyboardInterrupt):
        prove(fresh, settings=SETTINGS, seeds=2, on_epoch=hearing([], ("raw", 0, 1)))
    found = prove(fresh, settings={**SETTINGS, "epochs": 1}, seeds=2)
    assert found.config["epochs"] == 1


def test_changed_decisions_train_the_curated_set_alone(again: Workspace) -> None:
    run = again.root / "runs" / "prove-curated"
    (run / "model.onnx").write_bytes(b"of the network before")
    before = {name: (run / name).read_bytes() for name in ("result.json", "model.onnx", "metrics.jsonl")}
    change(again, drops=10)
    heard: Heard = []
    with pytest.raises(KeyboardInterrupt):
        prove(again, settings=SETTINGS, seeds=2, on_epoch=hearing(heard, ("curated", 0, 1)))
    assert {name: (run / name).read_bytes() for name in before} == before  # until there is something new
    found = prove(again, settings=SETTINGS, seeds=2, on_epoch=hearing(heard))
    assert {arm for arm, _, _ in heard} == {"curated"}
    assert not (run / "model.onnx").exists()
    assert found.arms[1].images == 50
    rows = training.train_rows_of(verbs.read_images(again, "curated"))
    assert run_of(again, "curated")["data_hash"] == data_hash(rows)


def test_changed_test_labels_train_anew(again: Workspace) -> None:
    """Their accuracies are of other labels, and what was predicted is kept by its settings, images and labels."""
    rows = read_table(again.path(MANIFEST))
    at = rows.index[rows["split"] == "test"][0]
    rows.loc[at, "label"] = "0" if rows.loc[at, "label"] != "0" else "1"
    rows.to_parquet(again.path(MANIFEST), index=False)
    verbs.apply(again, include_test=False)
    heard: Heard = []
    prove(again, settings=SETTINGS, seeds=2, on_epoch=hearing(heard))
    assert {(arm, seed) for arm, seed, _ in heard} == {(arm, seed) for arm in ("raw", "curated") for seed in (0, 1)}


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


def test_a_damaged_seed_is_one_line(again: Workspace) -> None:
    path = again.root / "runs" / "prove-raw" / "seed-0" / "result.json"
    path.write_bytes(path.read_bytes()[:100])
    assert f"{path} cannot be read" in said(again)


def test_the_trainings_of_a_proof_are_its_own(again: Workspace) -> None:
    with again.locked("runs/prove-raw"):
        waiting = Workspace(again.root, seconds_to_wait=0.1)
        assert "another curate is writing to" in said(waiting)


# Sequential and on time


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


def test_a_precision_that_was_not_reached_says_how_many_seeds(again: Workspace) -> None:
    found = prove(again, settings=SETTINGS, seeds=2, precision=0.02)
    assert found.seeds_needed is None or found.seeds_needed > 2
    assert found.main.accuracy.verdict != "the same"
    rough = prove(again, settings=SETTINGS, seeds=2, precision=10)
    assert (rough.seeds_needed, rough.main.accuracy.verdict) == (None, "the same")


def test_no_seed_is_begun_after_the_time(fresh: Workspace) -> None:
    heard: Heard = []
    found = prove(fresh, settings=SETTINGS, budget=0.01, on_epoch=hearing(heard))
    assert found.stopped == "budget"
    assert {(arm, seed) for arm, seed, _ in heard} == {("raw", 0), ("curated", 0)}  # one of each, or there is no answer
    assert found.main.accuracy.verdict == "one seed"
    assert proof.read(fresh) == found


@pytest.mark.parametrize("seeds", [None, 4])
def test_steps_that_are_asked_about_later_have_a_seed_whatever_the_time(again: Workspace, seeds: int | None) -> None:
    found = prove(again, settings=SETTINGS, budget=0.01, seeds=seeds, ablate=True)
    assert found.stopped == "budget"
    assert all(arm.seeds for arm in found.arms)
    assert len(found.arms) == 5


# Arms


@pytest.fixture(scope="module")
def all_arms(tmp_path_factory: pytest.TempPathFactory, done: Workspace, folder: Path) -> tuple[Workspace, Proof]:
    """Everything asked for at once."""
    workspace = Workspace(tmp_path_factory.mktemp("all") / "ws")
    shutil.copytree(done.root, workspace.root)
    truth = workspace.root / "truth.csv"
    ids = trained_on(workspace)
    truth.write_text(
        "image_id,label\n" + "".join(f"{each},{'9' if each == ids[0] else each.split('/')[2]}\n" for each in ids)
    )
    found = prove(workspace, settings=SETTINGS, seeds=2, ablate=True, take_in=True, controls=True, truth=truth)
    return workspace, found


def test_every_set_holds_what_it_should(all_arms: tuple[Workspace, Proof]) -> None:
    workspace, found = all_arms
    assert {arm.name: arm.images for arm in found.arms} == {
        "raw": 61,
        "curated": 54,
        "random": 54,
        "clean": 61,
        "without-drop-blurry": 60,
        "only-drop-blurry": 55,
        "without-relabel-label_error": 54,
        "only-relabel-label_error": 61,
        "without-drop-split_leak": 55,
        "only-drop-split_leak": 60,
    }
    everything = plan(workspace, ablate=True, take_in=True, controls=True, truth=workspace.root / "truth.csv")
    sets = {arm.name: arm.rows.set_index("image_id")["label"] for arm in everything.arms}
    raw, curated = sets["raw"], sets["curated"]
    blurry = set(raw.index) - set(sets["only-drop-blurry"].index)
    assert len(blurry) == 6
    assert set(sets["without-drop-blurry"].index) == set(curated.index) | blurry
    assert (sets["without-relabel-label_error"] == raw[curated.index]).all()
    assert (sets["only-relabel-label_error"] != raw).sum() == (curated != raw[curated.index]).sum() == 4
    assert set(raw.index) - set(sets["only-drop-split_leak"].index) == {"digits/train/3/seen.png"}
    assert (sets["clean"] != raw).sum() == 1
    assert set(sets["random"].index) < set(raw.index)
    assert set(sets["random"].index) != set(curated.index)
    for arm in found.arms:
        assert run_of(workspace, arm.name)["train_images"] == arm.images
        assert run_of(workspace, arm.name)["config"]["steps"] == STEPS
    kinds = workspace.ledger()[-1].arguments["runs"]
    assert kinds == {f"prove-{name}": name if name in ("raw", "curated") else "other" for name in sets}


def test_every_question_has_two_sets(all_arms: tuple[Workspace, Proof]) -> None:
    workspace, found = all_arms
    assert {one.name: (one.before, one.after, one.images) for one in found.compared} == {
        "curated": ("raw", "curated", 11),
        "random": ("random", "curated", found.compared[1].images),
        "clean": ("raw", "clean", 1),
        "drop-blurry": ("without-drop-blurry", "curated", 6),
        "only-drop-blurry": ("raw", "only-drop-blurry", 6),
        "relabel-label_error": ("without-relabel-label_error", "curated", 4),
        "only-relabel-label_error": ("raw", "only-relabel-label_error", 4),
        "drop-split_leak": ("without-drop-split_leak", "curated", 1),
        "only-drop-split_leak": ("raw", "only-drop-split_leak", 1),
    }
    assert found.compared[0].name == "curated"
    about = {arm.name: arm for arm in found.arms}
    for one in found.compared:
        differences = np.subtract(about[one.after].accuracy.values, about[one.before].accuracy.values)
        assert one.accuracy.values == pytest.approx(differences)
        assert one.leak_free is not None
    assert (about["clean"].right_labels, about["raw"].right_labels) == (1, pytest.approx(60 / 61))
    assert about["curated"].right_labels == pytest.approx((54 - 4 - 1) / 54, abs=1 / 54)
    gap = about["clean"].accuracy.mean - about["raw"].accuracy.mean
    expected = found.main.accuracy.mean / gap if gap > 0 else None
    assert found.gap_closed == (None if expected is None else pytest.approx(expected))
    assert found.notes == ()
    assert {path.name for path in (workspace.root / "runs" / "prove-random").iterdir()} >= RUN


def test_only_raw_and_curated_keep_their_network(all_arms: tuple[Workspace, Proof]) -> None:
    workspace, _ = all_arms
    kept = sorted(path.parent.name for path in workspace.root.glob("runs/*/model.safetensors"))
    assert kept == ["prove-curated", "prove-raw"]
    assert len(report.write(workspace).read_text(encoding="utf-8")) > 1000


def plan(workspace: Workspace, **asked: object) -> Plan:
    """What would be trained."""
    nothing = {"since": None, "ablate": False, "take_in": False, "controls": False, "truth": None}
    return planned(workspace, verbs.read_manifest(workspace), **(nothing | asked))  # type: ignore[arg-type]


def names(workspace: Workspace, **asked: object) -> tuple[list[str], list[tuple[str, str]], tuple[str, ...]]:
    """Sets, pairs and notes of a plan."""
    made = plan(workspace, **asked)
    return [arm.name for arm in made.arms], [(one.before, one.after) for one in made.questions], made.notes


def test_the_only_step_is_all_of_curating(fresh: Workspace) -> None:
    change(fresh, drops=0, relabels=0)
    arms, pairs, notes = names(fresh, ablate=True, take_in=True)
    assert arms == ["raw", "curated"]
    assert pairs == [("raw", "curated")] * 3
    assert notes == (
        "without-drop-split_leak holds the images and labels of raw; raw stands for it",
        "only-drop-split_leak holds the images and labels of curated; curated stands for it",
    )


def test_a_step_that_does_nothing_by_itself(fresh: Workspace) -> None:
    """An image that cannot be decoded is never trained on."""
    rows = read_table(fresh.path(MANIFEST))
    rows.loc[rows["image_id"] == "digits/train/3/seen.png", "error"] = "cut off"
    rows.to_parquet(fresh.path(MANIFEST), index=False)
    change(fresh, drops=1)
    arms, pairs, notes = names(fresh, ablate=True)
    assert "without-drop-split_leak" not in arms
    assert ("raw", "curated") in pairs
    assert notes == ("without-drop-split_leak holds the images and labels of curated; there is nothing to compare",)


def test_relabels_alone_need_no_random_drops(fresh: Workspace) -> None:
    decide(fresh, *[(image_id, "relabel", "9", "policy", "label_error") for image_id in trained_on(fresh)[:3]])
    arms, _, notes = names(fresh, controls=True)
    assert arms == ["raw", "curated"]
    assert notes == ("random is left out: curating dropped no image",)


def test_images_of_the_pool_that_were_given_a_label(fresh: Workspace, folder: Path) -> None:
    rows = read_table(fresh.path(MANIFEST))
    ids = trained_on(fresh)[:5]
    pool = rows["image_id"].isin(ids)
    rows = rows.assign(split=rows["split"].where(~pool, "pool"), label=rows["label"].where(~pool, ""))
    rows.to_parquet(fresh.path(MANIFEST), index=False)
    decide(fresh, *[(image_id, "relabel", "1", "ada", "pseudo_label") for image_id in ids])
    found = prove(fresh, settings=SETTINGS, seeds=2, take_in=True)
    assert {arm.name: arm.images for arm in found.arms} == {"raw": 56, "curated": 61}
    assert found.main.images == 5


def test_images_that_came_later_count_since_a_version(fresh: Workspace, tmp_path: Path) -> None:
    write_digits(tmp_path / "more", 8, first=IMAGES)
    before = fresh.ledger()[-1].version
    add(fresh, tmp_path / "more" / "train", split="train")
    verbs.apply(fresh, include_test=False)
    made = plan(fresh, since=1)
    assert {arm.name: len(arm.rows) for arm in made.arms} == {"raw": 61, "curated": 60}
    assert made.differing(made.questions[0]) == 11 + 6
    assert {arm.name: len(arm.rows) for arm in plan(fresh, since=before).arms} == {"raw": 54, "curated": 60}
    assert {arm.name: len(arm.rows) for arm in plan(fresh).arms} == {"raw": 67, "curated": 60}
    left_out = {arm.name: len(arm.rows) for arm in plan(fresh, since=1, ablate=True).arms}
    assert left_out["without-added-train"] == 54
    found = prove(fresh, settings=SETTINGS, seeds=2, since=1)
    assert [arm.images for arm in found.arms] == [61, 60]
    decide(fresh)
    assert "--since VERSION compares with the set of before" in said(fresh)
    assert "is that of version" in said(fresh, since=fresh.ledger()[-1].version)
    assert "has no version 99" in said(fresh, since=99)


def test_a_reason_in_words_of_a_person_is_a_folder_all_the_same(fresh: Workspace) -> None:
    ids = trained_on(fresh)
    because = ("../../looked at / by eye", "é" * 300, "a b")
    rows = [(image_id, "drop", "", "ada", why) for image_id, why in zip(ids, because, strict=False)]
    decide(fresh, *rows)
    folders = [arm.run for arm in plan(fresh, ablate=True).arms]
    assert len(set(folders)) == 5
    for folder in folders:
        assert Path(folder).name == folder
        (fresh.root / "runs" / folder).mkdir(parents=True)
    assert sorted(path.name for path in (fresh.root / "runs").iterdir()) == sorted(folders)


# At the same time


def test_two_at_a_time_come_to_the_same(fresh: Workspace, done: Workspace) -> None:
    found = prove(fresh, settings=SETTINGS, seeds=2, at_once=2)
    expected = proof.read(done)
    assert expected is not None
    assert timeless(found) == timeless(expected)
    for arm in ("raw", "curated"):
        assert run_of(fresh, arm)["at_once"] == 2
        assert predicted(fresh, arm).equals(predicted(done, arm))
        assert (
            load_model(fresh.root / "runs" / f"prove-{arm}").classes
            == load_model(done.root / "runs" / f"prove-{arm}").classes
        )


# What cannot be proved


def test_nothing_was_decided(fresh: Workspace) -> None:
    decide(fresh)
    assert "is the raw one: no decision changes it, so there is nothing to prove; 'curate findings" in said(fresh)
    decide(fresh, (trained_on(fresh)[0], "keep", "", "ada"))
    assert "nothing to prove" in said(fresh)


def test_no_curated_set(fresh: Workspace) -> None:
    fresh.path("curated.parquet").unlink()
    assert "curated.parquet is missing; 'curate apply" in said(fresh)


def test_a_stale_curated_set(fresh: Workspace) -> None:
    with fresh.writing("decide", {}) as transaction:
        transaction.write_table(DECISIONS, decided((trained_on(fresh)[0], "drop", "", "ada")))
    assert "is not of the images and decisions as they are now; 'curate apply" in said(fresh)


def test_decisions_for_another_manifest(fresh: Workspace) -> None:
    fresh.path(DECISIONS).write_text("image_id,action\nelsewhere/1.png,drop\n")
    line = said(fresh)
    assert "is not of the images and decisions as they are now" in line


def test_no_test_split(tmp_path: Path, folder: Path) -> None:
    workspace = Workspace(tmp_path / "ws")
    add(workspace, folder / "train")
    decide(workspace, (trained_on(workspace)[0], "drop", "", "ada"))
    line = said(workspace)
    assert "has no labelled test images to evaluate on" in line
    assert "--split train=0.8,test=0.2" in line


def test_a_class_that_curating_took_away(fresh: Workspace) -> None:
    sevens = [image_id for image_id in trained_on(fresh) if "/7/" in image_id]
    decide(fresh, *[(image_id, "drop", "", "ada") for image_id in sevens])
    assert "images to evaluate on and none to train on in curated; " in said(fresh)


def test_every_test_image_leaks(fresh: Workspace, folder: Path, tmp_path: Path) -> None:
    """Then there is no accuracy without leaks."""
    source = tmp_path / "digits"
    shutil.copytree(folder / "train", source / "train")
    shutil.copytree(folder / "train", source / "test")
    workspace = Workspace(tmp_path / "ws")
    add(workspace, source)
    verbs.scan(workspace, only=["split_leak"], settings={}, engine=Local())
    decide(workspace, *[(image_id, "drop", "", "ada") for image_id in trained_on(workspace)[:4]])
    found = prove(workspace, settings=SETTINGS, seeds=2)
    assert found.leak_free_images == 0
    assert found.main.leak_free is None
    assert found.split is not None
    assert found.split.better_model == 0
    assert found.split.leaks_gone == pytest.approx(found.main.accuracy.mean)
    assert proof.read(workspace) == found
    report.write(workspace)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "truth.csv is no file; --truth takes a CSV with the columns image_id and label"),
        ("", "truth.csv is empty"),
        ("image,label\nx,1\n", "column 'image_id' is missing; there are: image, label"),
        ("image_id,class\nx,1\n", "column 'label' is missing; there are: image_id, class"),
        ("image_id,label\nx,1\nx,1\n", "line 3: image_id 'x' stands twice"),
        ("image_id,label\nx,1\n\ny,cat\n", "line 4: no class is called 'cat'; there are: 0, 1, 2"),
        ("image_id,label\nx,\n", "line 2: no class is called ''"),
        ("image_id,label\nx,1\n", "none of its 1 images is a training image; is it for another set?"),
        ("image_id,label\n", "none of its 0 images is a training image"),
        ("image_id,label\n\0", "NUL"),
    ],
)
def test_a_truth_that_cannot_be_read(fresh: Workspace, tmp_path: Path, content: str | None, says: str) -> None:
    path = tmp_path / "truth.csv"
    if content is not None:
        path.write_text(content)
    assert says in said(fresh, truth=path)


@pytest.mark.parametrize("seeds", [0, 1, -1])
def test_too_few_seeds(fresh: Workspace, seeds: int) -> None:
    assert f"seeds = {seeds}; an interval takes at least 2" in said(fresh, seeds=seeds)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"settings": {**SETTINGS, "epoch": 3}}, "no training setting is called 'epoch'"),
        ({"settings": {**SETTINGS, "steps": 0}}, "steps = 0"),
        ({"at_once": 0}, "at_once = 0"),
        ({"at_most": 2}, "at_most = 2"),
        (
            {"settings": {**SETTINGS, "time_budget": "90s"}},
            "time_budget = 90; the sets have to be learned for as many steps",
        ),
    ],
)
def test_other_slips(fresh: Workspace, asked: dict[str, object], says: str) -> None:
    assert says in said(fresh, **asked)


def test_images_that_came_later_count_against_an_earlier_version(fresh: Workspace, tmp_path: Path) -> None:
    """Also ones of another source, which are in raw and curated alike otherwise."""
    decide(fresh)
    before = fresh.ledger()[-1].version
    write_digits(tmp_path / "more", 8, first=IMAGES)
    add(fresh, tmp_path / "more" / "train")
    verbs.apply(fresh, include_test=False)
    with pytest.raises(UserError, match="--since VERSION compares"):
        names(fresh)
    with pytest.raises(UserError, match=f"is that of version {before + 1}"):
        names(fresh, since=before + 1)
    plan = planned(
        fresh, verbs.read_manifest(fresh), since=before, ablate=True, take_in=False, controls=True, truth=None
    )
    assert [(arm.name, len(arm.rows)) for arm in plan.arms] == [("raw", 61), ("curated", 67)]
    assert [(one.name, one.before, one.after) for one in plan.questions] == [
        ("curated", "raw", "curated"),
        ("added-train", "raw", "curated"),
    ]
    found = prove(fresh, settings=SETTINGS, seeds=2, since=before)
    assert [arm.images for arm in found.arms] == [61, 67]
    assert found.arms[0].says == f"the set as it was at version {before}"
    assert fresh.ledger()[-1].arguments["since"] == before
