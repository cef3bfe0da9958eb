"""The report as a whole: which sections it has of which workspace, and that nothing in it can harm."""

import re

import numpy as np
import pytest

from curate import manifest, predictions, report, tables, verbs
from curate.deciding import REVIEW
from curate.workspace import MANIFEST, Workspace
from tests.report.made import EVIL, decide, find, make, train
from tests.report.seen import SECTIONS, Page, sections, written


def test_only_a_manifest(tmp_path):
    page = written(make(tmp_path / "ws", ["cat", "dog"]))
    assert sections(page) == {"overview", "history"}
    for verb in ("predict", "scan", "decide", "apply", "prove"):
        assert f"curate {verb} {tmp_path}/ws" in page.text


def test_a_manifest_without_rows_or_ledger(tmp_path):
    manifest.empty().to_parquet(tmp_path / MANIFEST)
    page = written(Workspace(tmp_path))
    assert sections(page) == {"overview", "history"}


def test_the_whole_loop(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"] * 8, split="mixed")
    find(
        workspace,
        [
            {
                "image_id": "set/0.png",
                "finder": "label_error",
                "suggested_label": "dog",
                "suggested_prob": 0.8,
                "detail": "so it says",
            }
        ],
    )
    decide(
        workspace,
        [{"image_id": "set/0.png", "action": "relabel", "label": "dog"}, {"image_id": "set/1.png", "action": "drop"}],
    )
    verbs.apply(workspace, include_test=False)
    rows = tables.read_manifest(workspace)
    probs, none = np.full((len(rows), 2), 0.5, np.float32), np.zeros((len(rows), 3), np.float32)
    summary: dict[str, object] = {
        "fold_accuracy": [0.75, 1.0, 0.9, 0.96],
        "folds": 2,
        "thin_classes": ["dog"],
        "config": {"model": "resnet20"},
    }
    fold = np.zeros(len(rows), int)
    predictions.write(workspace, rows, predictions.Predictions(["cat", "dog"], probs, none, fold, summary))
    train(workspace, "raw-a", [0.8, 0.82, 0.81], ["cat", "dog"], data="raw", eval_images=1000)
    train(workspace, "curated-a", [0.9, 0.91, 0.92], ["cat", "dog"], data="curated", eval_images=1000)
    page = written(workspace)
    assert sections(page) == SECTIONS - {"proof"}
    assert "Not done yet" not in page.text
    for words in (
        "so it says",
        "relabel to dog",
        "87.5 % of the given labels in the first round",
        "with 93.0 %",
        "Better.",
        "n = 3 seeds, paired",
        "runs/curated-a",
    ):
        assert words in page.text, words


@pytest.mark.parametrize(("measured_on", "missing"), [("val", False), ("test", False), ("pool", True)])
def test_sets_that_are_measured_on_val_lack_no_test_images(tmp_path, measured_on, missing):
    workspace = make(tmp_path / "ws", ["cat", "dog"] * 4)
    rows = tables.read_manifest(workspace)
    with workspace.writing("add", {}) as transaction:
        transaction.write_table(MANIFEST, rows.assign(split=["train"] * 4 + [measured_on] * 4))
    assert ("labelled test images to measure on" in written(workspace).text) == missing


def test_same_workspace_same_report(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"])
    find(workspace, [{"image_id": "set/1.png", "finder": "outlier"}])
    first = report.write(workspace).read_bytes()
    assert report.write(workspace).read_bytes() == first


def test_hostile_names_come_out_as_text(tmp_path):
    classes = [EVIL, "b'\"&{{ 7*7 }}"]
    ids = [f"set/{EVIL}{number}.png" for number in range(8)]
    workspace = make(tmp_path / "ws<b>", classes * 4, split="mixed", image_ids=ids)
    find(
        workspace,
        [
            {"image_id": ids[0], "finder": "label_error", "suggested_label": EVIL, "detail": EVIL},
            {"image_id": ids[1], "finder": EVIL, "related_id": ids[2]},
        ],
    )
    decide(
        workspace, [{"image_id": ids[0], "action": "relabel", "label": EVIL, "by": EVIL, "because": EVIL, "note": EVIL}]
    )
    train(workspace, "raw<i>", [0.8], sorted(classes), hardware=EVIL, config={"model": EVIL, "epochs": 3, "lr": EVIL})
    train(workspace, "curated<i>", [0.8], sorted(classes), hardware=EVIL, config={"model": EVIL, "epochs": 4})
    html = report.write(workspace).read_text(encoding="utf-8")
    assert "<script" not in html
    assert "<i>" not in html
    assert "<b>" not in re.sub(r"<b>(keep|drop|relabel)", "", html)
    page = Page(html)
    assert EVIL in page.text
    assert "{{ 7*7 }}" in page.text


@pytest.mark.parametrize("count", [2, 10, 30, 31, 100, 1000])
def test_any_number_of_classes(tmp_path, count):
    labels = [f"class {number:04d}" for number in range(count)]
    workspace = make(tmp_path / "ws", labels)
    train(workspace, "raw-a", [0.5], labels)
    train(workspace, "curated-a", [0.6], labels)
    html = report.write(workspace).read_text(encoding="utf-8")
    assert all(label in html for label in labels)
    assert len(html) < 400_000
    assert html.count("<tr") < 150  # a thousand rows are no summary


def test_decisions_made_after_apply_are_said_to_be(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"] * 4)
    decide(workspace, [{"image_id": "set/0.png", "action": "drop"}])
    verbs.apply(workspace, include_test=False)
    assert "have changed since they were applied" not in written(workspace).text
    decide(workspace, [{"image_id": "set/1.png", "action": "drop"}])
    assert "have changed since they were applied" in written(workspace).text


def test_what_waits_for_a_person_is_what_none_has_decided_on(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog", "dog"])
    rows = [
        {"image_id": f"set/{number}.png", "action": "drop", "by": by} for number, by in enumerate(["policy", "ada"])
    ]
    decide(workspace, rows)
    ids = [f"set/{number}.png" for number in range(3)]
    workspace.path(REVIEW).write_text("image_id\n" + "\n".join(ids) + "\n")
    told = "2 images were decided on; people are asked about 2 images in review.csv"
    assert told in " ".join(written(workspace).text.split())


def test_people_who_disagree_are_told(tmp_path):
    workspace = make(tmp_path, ["cat", "cat", "dog", "dog"])
    rows = [
        ("set/0.png", "keep", "ada"),
        ("set/0.png", "drop", "bob"),
        ("set/1.png", "keep", "ada"),
        ("set/1.png", "keep", "bob"),
    ]
    decide(workspace, [{"image_id": name, "action": action, "by": by} for name, action, by in rows])
    text = " ".join(written(workspace).text.split())
    assert "People disagree on 1 image: nothing is done with them" in text
    assert "ada and bob 2 1 0.00" in text
