"""Which sets are planned for which questions, and which of them stand for one another."""

from pathlib import Path

import pandas as pd
import pytest

from curate import tables, verbs
from curate.errors import UserError
from curate.ingest.add import add
from curate.workspace import MANIFEST, Workspace, read_table
from tests.conftest import write_digits
from tests.train.prove.workspaces import IMAGES, SETTINGS, change, decide, names, plan, said, trained_on
from train import trial as trials
from train.arms import Arm, Plan, Question, planned
from train.config import TrainConfig
from train.prove import _learnable, measure, prove
from train.rows import eval_rows_of, train_rows_of


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


def test_each_seed_has_random_drops_of_its_own(fresh: Workspace) -> None:
    """Of one draw for all of them nobody could tell whether it was lucky."""
    change(fresh)
    made = plan(fresh, controls=True)
    images = tables.read_manifest(fresh)
    config = TrainConfig.from_mapping(SETTINGS)
    trial = trials.make(fresh, images, eval_rows_of(fresh, images), made, config, at_once=1)
    ids = [set(trial.train_set("random", seed).image_ids) for seed in (0, 1, 0)]
    assert [len(each) for each in ids] == [54] * 3
    assert ids[0] == ids[2] != ids[1]
    arm = next(arm for arm in made.arms if arm.name == "random")
    labels = arm.rows.set_index("image_id")["label"]
    learned = trial.train_set("random", 1)
    assert [learned.classes[label] for label in learned.labels] == labels[list(learned.image_ids)].to_list()
    assert set(trial.train_set("raw", 0).image_ids) == set(trial.train_set("raw", 1).image_ids) == set(labels.index)


def test_a_set_of_then_keeps_the_labels_that_nobody_has_any_more(fresh: Workspace) -> None:
    """They are learned as they were, wrong or not: to leave them out would make the earlier set better."""
    first, second = trained_on(fresh)[:2]
    rows = read_table(fresh.path(MANIFEST))
    labels = rows["label"].where(rows["image_id"] != first, "7s")
    other_file = rows["content_hash"].where(rows["image_id"] != second, "0" * 32)
    write_manifest(fresh, rows.assign(label=labels, content_hash=other_file))
    then = fresh.ledger()[-1].version
    write_manifest(fresh, rows)
    change(fresh)
    made, images = plan(fresh, since=then), tables.read_manifest(fresh)
    assert made.notes == (f"1 image of then is taken as the files are now: what they held at version {then} is gone",)
    config = TrainConfig.from_mapping(SETTINGS)
    trial = trials.make(fresh, images, eval_rows_of(fresh, images), made, config, at_once=1)
    raw = trial.train_set("raw", 0)
    assert raw.classes[raw.labels[raw.image_ids.index(first)]] == "7s"
    assert (raw.labels >= 0).all()


def write_manifest(workspace: Workspace, rows: pd.DataFrame) -> None:
    with workspace.writing("add", {}) as transaction:
        transaction.write_table(MANIFEST, rows)


def test_a_truth_that_is_not_whole_is_told(fresh: Workspace, tmp_path: Path) -> None:
    rows = read_table(fresh.path(MANIFEST)).query("split == 'train'")[["image_id", "label"]]
    strange = rows.iloc[:1].assign(image_id="of another set")
    pd.concat([rows.iloc[10:], strange]).to_csv(tmp_path / "truth.csv", index=False)
    made = plan(fresh, truth=tmp_path / "truth.csv")
    assert not made.truth_is_whole
    assert not _learnable(made, rows, range(1)).truth_is_whole
    assert made.notes[:2] == (
        f"true labels are known of {len(rows) - 10} of {len(rows)} training images alone",
        "1 label is of an image that this set has not, such as 'of another set'",
    )
    rows.to_csv(tmp_path / "truth.csv", index=False)
    assert plan(fresh, truth=tmp_path / "truth.csv").truth_is_whole


def test_true_labels_are_also_those_of_generated_images(fresh: Workspace, tmp_path: Path) -> None:
    rows = read_table(fresh.path(MANIFEST))
    truth = rows.query("split == 'train'")[["image_id", "label"]].reset_index(drop=True)
    truth.loc[5, "label"] = "9" if truth["label"][5] != "9" else "8"
    truth.to_csv(tmp_path / "truth.csv", index=False)
    original = rows[rows["image_id"] == truth["image_id"][5]]
    made = original.assign(image_id="augmented/5", parent_id=original["image_id"], content_hash="5" * 32)
    write_manifest(fresh, pd.concat([rows, made], ignore_index=True))
    change(fresh)
    found = plan(fresh, truth=tmp_path / "truth.csv")
    clean = next(arm for arm in found.arms if arm.name == "clean")
    assert clean.rows["label"][clean.rows["image_id"] == "augmented/5"].to_list() == [truth["label"][5]]
    assert found.truth_is_whole
    assert clean.right_labels == 1


def test_relabels_alone_need_no_random_drops(fresh: Workspace) -> None:
    decide(fresh, *[(image_id, "relabel", "9", "policy", "label_error") for image_id in trained_on(fresh)[:3]])
    arms, _, notes = names(fresh, controls=True)
    assert arms == ["raw", "curated"]
    assert notes == ("random is left out: curating dropped no image",)


def test_what_cannot_be_decoded_is_no_loss_to_chance(fresh: Workspace, tmp_path: Path) -> None:
    """No set is trained on it, whoever drops it."""
    for number in range(9):
        (folder := tmp_path / "broken" / "train" / str(number)).mkdir(parents=True)
        (folder / "broken.png").write_bytes(b"no image")
    add(fresh, tmp_path / "broken")
    broken = [(f"broken/train/{number}/broken.png", "drop", "", "policy", "corrupt") for number in range(9)]
    decide(fresh, *[(image_id, "drop", "", "policy", "blurry") for image_id in trained_on(fresh)[:3]], *broken)
    sizes = {arm.name: arm.images for arm in plan(fresh, controls=True).arms}
    assert sizes == {"raw": 61, "curated": 58, "random": 58}


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
        fresh, tables.read_manifest(fresh), since=before, ablate=True, take_in=False, controls=True, truth=None
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


def test_sets_of_other_names_are_compared(fresh: Workspace) -> None:
    """As studies do; nothing but the sets themselves is told apart."""
    rows = train_rows_of(tables.read_manifest(fresh))
    arms = (Arm("raw", "all", rows, None), Arm("half", "half of it", rows[::2].reset_index(drop=True), None))
    asked = Plan(arms, (Question("half", "half minus raw", "raw", "half"),), ())
    found = measure(fresh, asked, settings=SETTINGS, seeds=2)
    assert [arm.images for arm in found.arms] == [len(rows), len(rows[::2])]
    assert len(found.main.accuracy.values) == 2
    assert found.split is not None  # the leak of the template
    assert (found.gap_closed, found.seeds_needed) == (None, None)
