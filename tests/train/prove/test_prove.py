"""`prove` on a few dozen digits: fair arms, a result that reads back, and nothing trained twice."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from curate import report, tables, verbs
from curate.errors import UserError
from curate.manifest import data_hash
from curate.report.proved import proved
from curate.results import proof, runs
from curate.results.proof import RAW, Proof, Seeds
from curate.workspace import MANIFEST, Workspace, read_table
from tests.train.digits import digits
from tests.train.prove.workspaces import (
    RUN,
    SETTINGS,
    STEPS,
    Heard,
    change,
    hearing,
    plan,
    predicted,
    run_of,
    said,
    timeless,
    trained_on,
)
from train import trial as trials
from train.arms import Arm, Question
from train.checkpoint import Epoch
from train.config import TrainConfig
from train.data import load_images
from train.evaluate import predict
from train.prove import _gap_closed, prove
from train.rows import eval_rows_of, train_rows_of
from train.run import load_model
from train.schedule import with_steps_of
from train.trial import Trial

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
        assert predicted(done, arm.name)["leak_free"].sum() == 19


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
    test_set = load_images(eval_rows_of(done, images), done.root, classes=saved.classes, image_size=8)
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


def test_decisions_that_are_made_meanwhile_are_not_in_it(fresh: Workspace) -> None:
    def meanwhile(arm: str, epoch: Epoch) -> None:
        if (arm, epoch.seed, epoch.epoch) == ("raw", 0, 1):
            change(fresh, drops=3)

    before = fresh.hashes()
    prove(fresh, settings=SETTINGS, seeds=2, on_epoch=meanwhile)
    assert fresh.ledger()[-1].reads == before != fresh.hashes()
    assert (found := proved(fresh)) is not None
    assert found.outdated
    prove(fresh, settings=SETTINGS, seeds=2)
    assert (found := proved(fresh)) is not None
    assert not found.outdated


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
    exported = again.root / "runs" / "prove-raw" / "model.onnx"
    exported.write_bytes(b"of the network of the first seed")
    found = prove(again, settings=SETTINGS, seeds=3, on_epoch=hearing(heard))
    assert {(arm, seed) for arm, seed, _ in heard} == {("raw", 2), ("curated", 2)}
    assert earlier is not None
    assert found.main.accuracy.values[:2] == earlier.main.accuracy.values
    assert len(found.main.accuracy.values) == 3
    assert run_of(again, "raw")["seeds"] == [0, 1, 2]
    assert exported.exists()  # the network is the same
    fewer: Heard = []
    assert prove(again, settings=SETTINGS, seeds=2, on_epoch=hearing(fewer)).main.accuracy == earlier.main.accuracy
    assert fewer == []


def test_seeds_of_other_settings_are_not_mixed_in(again: Workspace) -> None:
    line = said(again, settings={**SETTINGS, "epochs": 3})
    assert "prove-raw were trained with other settings (epochs 2 → 3): give those again, " in line
    assert "--fresh" in line
    heard: Heard = []
    prove(again, settings={**SETTINGS, "epochs": 1}, seeds=2, fresh=True, on_epoch=hearing(heard))
    assert [each for each in heard if each[0] == "raw"] == [("raw", 0, 1), ("raw", 1, 1)]
    assert run_of(again, "raw")["config"]["epochs"] == 1
    assert run_of(again, "raw")["seeds"] == [0, 1]


@pytest.mark.parametrize(
    ("kept", "asked", "says"),
    [
        ({"images": 60}, {"images": 50}, ""),  # batches are as large as the smallest set
        ({"images": 60}, {"images": 50, "lr": 0.2}, "(lr 0.1 → 0.2): give those again, or start anew with --fresh"),
        ({"images": 60}, {"images": 60, "skip_easy": 0.5}, ""),  # which is off in a proof
        ({"images": 60, "without": "asked"}, {"images": 60, "lr": 0.2}, "(lr 0.0968"),  # as it was kept before
        ({"images": 60}, {"images": 50, "seed": 1, "device": "auto"}, ""),
    ],
    ids=str,
)
def test_settings_are_refused_as_they_were_given(
    tmp_path: Path, kept: dict[str, Any], asked: dict[str, Any], says: str
) -> None:
    """Those that follow from the sets are not."""
    raw = pd.DataFrame({"content_hash": ["a"], "label": ["1"]})

    def prepare(images: int, without: str = "", **settings: object) -> None:
        config = TrainConfig(**{"steps": 10, "batch_size": 64, "lr": 0.1, "device": "cpu", **settings})
        fitted = with_steps_of(config, 75, fewest=images)
        assert fitted.batch_size == images
        key = trials._key(fitted, ["1"], "raw", "test")
        nothing = digits(2)
        trial = Trial(tmp_path, fitted, {RAW: Arm(RAW, "", raw, None)}, {RAW: key}, nothing, {}, nothing, None)
        trials.prepare(trial, config, False)
        path = tmp_path / "runs" / "prove-raw" / "config.json"
        path.write_text(
            json.dumps({name: value for name, value in json.loads(path.read_text()).items() if name != without})
        )

    prepare(**kept)
    (tmp_path / "runs" / "prove-raw" / "seed-0").mkdir()
    (tmp_path / "runs" / "prove-raw" / "seed-0" / "result.json").touch()
    if not says:
        prepare(**asked)
        return
    with pytest.raises(UserError) as caught:
        prepare(**asked)
    assert says in str(caught.value)


def test_another_device_or_seed_is_no_other_setting(again: Workspace) -> None:
    heard: Heard = []
    prove(again, settings={**SETTINGS, "device": "auto", "seed": 1}, seeds=2, on_epoch=hearing(heard))
    assert {seed for _, seed, _ in heard} <= {2}  # seed 1 was there


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
    rows = train_rows_of(tables.read_images(again, "curated"))
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


def test_a_damaged_seed_is_one_line(again: Workspace) -> None:
    path = again.root / "runs" / "prove-raw" / "seed-0" / "result.json"
    path.write_bytes(path.read_bytes()[:100])
    assert f"{path} cannot be read" in said(again)


def test_the_trainings_of_a_proof_are_its_own(again: Workspace) -> None:
    with again.locked("runs/prove-raw"):
        waiting = Workspace(again.root, seconds_to_wait=0.1)
        assert "another curate is writing to" in said(waiting)


def test_a_precision_that_was_not_reached_says_how_many_seeds(again: Workspace) -> None:
    found = prove(again, settings=SETTINGS, seeds=2, precision=0.02)
    assert found.seeds_needed is None or found.seeds_needed > 2
    assert found.main.accuracy.verdict != "the same"
    rough = prove(again, settings=SETTINGS, seeds=2, precision=10)
    assert (rough.seeds_needed, rough.main.accuracy.verdict) == (None, "the same")


@pytest.mark.parametrize("seeds", [None, 4])
def test_steps_that_are_asked_about_later_have_a_seed_whatever_the_time(again: Workspace, seeds: int | None) -> None:
    found = prove(again, settings=SETTINGS, budget=0.01, seeds=seeds, ablate=True)
    assert found.stopped == "budget"
    assert all(arm.seeds for arm in found.arms)
    assert len(found.arms) == 5


# All sets


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
    sets = {arm.name: arm.drawn(0).set_index("image_id")["label"] for arm in everything.arms}
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
    assert len({run_of(workspace, name)["data_hash"] for name in ("raw", "curated", "random")}) == 3
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


@pytest.mark.parametrize(
    ("clean", "reached"),
    [("clean", 0.5), ("curated", 1.0), (None, None)],  # the curated set stands for the clean one; no truth was given
)
def test_the_gap_is_closed_by_whatever_set_holds_the_true_labels(clean: str | None, reached: float | None) -> None:
    right = {"raw": [1, 0, 0, 0], "curated": [1, 1, 0, 0], "clean": [1, 1, 1, 0]}
    seeds = {
        name: Seeds({0: np.array(each, bool)}) for name, each in right.items() if name in ("raw", "curated", clean)
    }
    questions = [Question("curated", "", "raw", "curated"), *([Question("clean", "", "raw", clean)] if clean else [])]
    assert _gap_closed(seeds, questions) == reached


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
