"""Runs in the report: what they are worth, how sure that is, which test images flipped, and the axes of charts."""

import re
import shutil

import pytest

from curate import report, tables, verbs, versions
from curate.errors import UserError
from curate.manifest import data_hash, learned
from curate.report import charts
from curate.report import runs as worth
from curate.workspace import MANIFEST, Workspace
from tests.report.made import decide, make, train
from tests.report.seen import Page, tiles, written


def predict(workspace: Workspace, name: str, said: list[str], *seeds: list[str]) -> None:
    """What a run said of the first images of the set, labelled as they are in the manifest: one list per seed."""
    table = tables.read_manifest(workspace)[["image_id", "label"]].head(len(said))
    for number, each in enumerate((said, *seeds)):
        table[f"seed-{number}"] = each
    table.to_parquet(workspace.root / "runs" / name / "predicted.parquet")


def test_one_seed_gives_no_interval(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"])
    train(workspace, "raw-a", [0.8], ["cat", "dog"])
    train(workspace, "curated-a", [0.9], ["cat", "dog"])
    page = written(workspace)
    assert "One seed is no proof." in page.text
    assert "+10.00" in page.text
    assert "±" not in page.text


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ([0.80, 0.81, 0.82], [0.90, 0.91, 0.93], "Better."),
        ([0.90, 0.91, 0.93], [0.80, 0.81, 0.82], "Worse."),
        ([0.80, 0.90, 0.85], [0.86, 0.84, 0.87], "Unclear."),
        ([0.80, 0.80, 0.80], [0.80, 0.80, 0.80], "Unclear."),
    ],
)
def test_verdicts(tmp_path, before, after, verdict):
    workspace = make(tmp_path / "ws", ["cat", "dog"])
    train(workspace, "raw-a", before, ["cat", "dog"], eval_images=1000)
    train(workspace, "curated-a", after, ["cat", "dog"], eval_images=1000)
    assert verdict in written(workspace).text


def test_runs_with_other_seeds_are_not_paired(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"])
    train(workspace, "raw-a", [0.8, 0.81], ["cat", "dog"])
    train(workspace, "curated-a", [0.9, 0.91, 0.92], ["cat", "dog"], seeds=[4, 5, 6])
    assert "2 and 3 seeds, not paired" in written(workspace).text


def test_unlike_runs_are_named_and_other_tests_are_not_compared(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"])
    train(workspace, "raw-a", [0.8], ["cat", "dog"])
    train(workspace, "raw-b", [0.8], ["cat", "dog"], eval_images=31)
    train(workspace, "curated-a", [0.9], ["cat", "dog"], config={"model": "resnet20", "epochs": 9})
    page = written(workspace)
    assert "epochs (3 → 9)" in page.text
    assert "against raw-a" in " ".join(page.text.split())
    assert "against raw-b" not in " ".join(page.text.split())


def test_unfinished_and_damaged_runs(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"])
    (workspace.root / "runs" / "raw-a").mkdir(parents=True)
    assert "runs/raw-a" not in written(workspace).text  # nothing was begun
    (workspace.root / "runs" / "raw-a" / "config.json").write_text("{}")
    assert "runs/raw-a" in written(workspace).text
    (workspace.root / "runs" / "raw-a" / "result.json").write_text("{}")
    with pytest.raises(UserError, match=r"raw-a/result\.json is no result of this trainer"):
        report.write(workspace)


def test_runs_without_learning_curves_or_leak_free_images(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"])
    nothing = {"values": [float("nan")], "mean": float("nan"), "half_width": None}
    train(workspace, "mine", [1.0], ["cat", "dog"], accuracy_leak_free=nothing, per_class=[1.0, None])
    (workspace.root / "runs" / "mine" / "metrics.jsonl").unlink()
    page = written(workspace)
    assert "Learning curves" not in page.text
    assert "nan" not in page.text


def test_images_that_flipped_are_shown(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"] * 4)
    for name in ("raw-a", "curated-a"):
        train(workspace, name, [0.8, 0.8, 0.8], ["cat", "dog"])
    page = written(workspace)
    assert "Test images that flipped" not in page.text  # they did not keep what they predicted
    right = ["cat", "dog"] * 4
    predict(workspace, "raw-a", ["dog", *right[1:]], ["dog", *right[1:]], right)
    predict(workspace, "curated-a", right, [*right[:7], "cat"], [*right[:7], "cat"])
    page = written(workspace)
    text = " ".join(page.text.split())
    assert "1 image of 8 went from wrong to right, 1 from right to wrong" in text
    assert "said dog → cat wrong in 2 of 3, right in 3 of 3 set/0.png" in text
    assert "said dog → cat right in 3 of 3, wrong in 2 of 3 set/7.png" in text
    assert tiles(page) == 2


def test_few_of_many_flips_are_shown(tmp_path):
    workspace = make(tmp_path / "ws", ["cat"] * 60)
    for name, said in (("raw-a", "dog"), ("curated-a", "cat")):
        train(workspace, name, [0.8], ["cat", "dog"])
        predict(workspace, name, [said] * 60)
    shutil.rmtree(workspace.root / "images")
    page = written(workspace)
    assert f"{worth.FLIPS} of 60, those first that most seeds agree on" in " ".join(page.text.split())
    assert page.text.count("No such file or directory") == worth.FLIPS


def test_an_image_that_flipped_and_is_gone_since(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"])
    for name, said in (("raw-a", ["dog", "dog"]), ("curated-a", ["cat", "dog"])):
        train(workspace, name, [0.8], ["cat", "dog"])
        predict(workspace, name, said)
    with workspace.writing("add", {}) as transaction:
        transaction.write_table(MANIFEST, tables.read_manifest(workspace).tail(1))
    assert "not in the manifest any more" in written(workspace).text


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.913, 0.962], (0.9, 0.92, 0.94, 0.96, 0.98)),
        ([0.5, 0.5], (0.495, 0.5, 0.505)),
        ([0.0, 1.0], (0.0, 0.5, 1.0)),
        ([1.0, 1.0], (0.994, 0.996, 0.998, 1.0)),
    ],
)
def test_axes_hold_their_values_and_are_round(values, ticks):
    scale = charts.axis(values, floor=0, ceiling=1)
    assert scale.ticks == pytest.approx(ticks)
    assert scale.low <= min(values)
    assert scale.high >= max(values)
    assert all(tick == pytest.approx(float(scale.label(tick).replace("−", "-")) / 100) for tick in scale.ticks)


def compared(page: Page) -> list[str]:
    """The headings of the comparisons, such as "curated-a against raw-a"."""
    text = " ".join(page.text.split())
    return re.findall(r"\S+ against \S+", text.split("All runs")[0])


SLOW = {"config": {"model": "resnet20", "epochs": 9}}


@pytest.mark.parametrize(
    ("odd", "left_out"),
    [
        (SLOW | {"data_hash": "c"}, True),  # other settings
        (SLOW | {"data_hash": "r"}, True),  # other settings, on the raw set itself
        ({"data_hash": "r"}, True),  # the raw set itself
        ({"data_hash": "c"}, False),
        ({}, False),  # which set it was is not known
    ],
)
def test_pairs_that_differ_in_more_than_the_data_are_left_out(tmp_path, odd, left_out):
    workspace = make(tmp_path / "ws", ["cat", "dog"])
    train(workspace, "raw-a", [0.8], ["cat", "dog"], data_hash="r")
    train(workspace, "curated-a", [0.9], ["cat", "dog"], data_hash="c")
    train(workspace, "curated-odd", [0.7], ["cat", "dog"], **odd)
    found = compared(written(workspace))
    assert ("curated-odd against raw-a" in found) == (not left_out)
    assert "curated-a against raw-a" in found


def test_where_no_pair_is_alike_the_settings_are_a_caution_and_no_gain_is_claimed(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"])
    train(workspace, "raw-a", [0.8], ["cat", "dog"], data_hash="r")
    train(workspace, "curated-a", [0.9], ["cat", "dog"], data_hash="r", **SLOW)
    page = written(workspace)
    assert compared(page) == ["curated-a against raw-a"]
    assert "same images and labels, and differ in their settings: epochs (3 → 9)." in page.text
    assert "points of accuracy by curating" not in page.text


def test_a_curated_run_without_a_curated_set_is_of_what_apply_would_make(tmp_path):
    """As after `restore`; no gain is claimed of a set that is no more."""
    workspace = make(tmp_path / "ws", ["cat", "dog"] * 2)
    decide(workspace, [{"image_id": "set/0.png", "action": "drop"}])
    verbs.apply(workspace, include_test=False)
    for data, value in (("raw", 0.8), ("curated", 0.9)):
        now = data_hash(learned(tables.read_images(workspace, data)))
        train(workspace, f"{data}-a", [value] * 3, ["cat", "dog"], data=data, data_hash=now)
    for version, earlier in ((3, False), (2, False), (1, True)):  # applied, decided, added
        versions.restore(workspace, version)
        page = written(workspace)
        assert ("curated-a is of an earlier curated set" in page.text) == earlier
        assert ("points of accuracy by curating" in page.text) == (not earlier)


def test_runs_of_an_earlier_set_are_marked_and_come_last(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"] * 2)
    decide(workspace, [{"image_id": "set/0.png", "action": "drop"}])
    verbs.apply(workspace, include_test=False)
    raw, curated = (data_hash(learned(tables.read_images(workspace, data))) for data in ("raw", "curated"))
    classes = ["cat", "dog"]
    train(workspace, "raw-a", [0.8, 0.8, 0.8], classes, data="raw", data_hash=raw)
    train(workspace, "curated-a", [0.9, 0.9, 0.9], classes, data="curated", data_hash=curated)
    train(workspace, "elsewhere", [0.9], classes, data_hash="e")
    assert "of an earlier" not in written(workspace).text
    decide(workspace, [{"image_id": "set/1.png", "action": "drop"}])
    verbs.apply(workspace, include_test=False)
    now = data_hash(learned(tables.read_images(workspace, "curated")))
    train(workspace, "curated-b", [0.85], classes, data="curated", data_hash=now)
    page = written(workspace)
    text = " ".join(page.text.split())
    assert compared(page) == ["curated-b against raw-a", "curated-a against raw-a"]
    assert text.count("curated-a is of an earlier curated set") == 1
    assert "curated-a curated of an earlier set resnet20" in text
    assert "curated-b curated resnet20" in text
