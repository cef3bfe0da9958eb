"""What the verbs print: JSON for machines, and text for people, with what was written and what comes next."""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import typer

from curate import tables, verbs
from curate.cli import app, output
from curate.errors import UserError
from curate.report import making
from curate.workspace import DECISIONS, FINDINGS, LEDGER, MANIFEST, Workspace, read_table
from tests.command import invoke, run, run_json
from tests.conftest import write_tree
from tests.tables import decided, found


@pytest.fixture
def scanned(workspace: Workspace) -> Workspace:
    """A workspace with findings by hand, and a policy for them as its recipe."""
    ids = read_table(workspace.path(MANIFEST)).query("split == 'train'")["image_id"]
    with workspace.writing("scan", {}) as transaction:
        transaction.write_table(FINDINGS, found((ids.iloc[0], "outlier", 0.1), (ids.iloc[1], "outlier", 0.7)))
        transaction.write_text("recipe.yaml", "name: mine\npolicy:\n  - {finder: outlier, action: drop}\n")
    return workspace


# JSON


def test_json_of_verbs(scanned: Workspace, digits_folder: Path) -> None:
    root = scanned.root
    listed = run_json("findings", root, "--all")
    assert [row["score"] for row in listed] == pytest.approx([0.1, 0.7])
    assert {"image_id", "finder", "flagged", "given_label"} <= set(listed[0])
    assert len(run_json("findings", root)) == 1
    assert run_json("decide", root)["actions"] == {"drop": 1}
    assert run_json("apply", root)["images"] == 39
    changes = run_json("diff", root)
    assert [(row["change"], row["because"]) for row in changes] == [("dropped", "outlier")]
    assert [entry["command"] for entry in run_json("log", root)] == ["add", "scan", "decide", "apply"]
    assert run_json("restore", root, "2") == {"version": 2, "restored": [DECISIONS, "curated.parquet"]}
    assert run_json("add", root, digits_folder)[0]["skipped"] == 40
    assert f"Nothing is new: {root}/manifest.parquet is as it was. Next: curate predict" in run(
        "add", root, digits_folder
    )


@pytest.mark.parametrize("verb", ["finders", "models", "doctor"])
def test_json_of_lists(verb: str) -> None:
    rows = run_json(verb)
    assert rows
    assert all(row["name"] for row in rows)


def test_json_knows_no_nan() -> None:
    assert output._plain({"a": [float("nan"), float("inf"), -float("inf"), 1.5]}) == {"a": [None, None, None, 1.5]}


# Text


def test_closing_lines_say_what_was_written_and_what_comes_next(scanned: Workspace) -> None:
    root = scanned.root
    assert f"Next: curate decide {root}" in run("findings", root)
    assert f"Wrote {root}/decisions.csv. Next: curate apply {root}" in run("decide", root)
    assert f"Wrote {root}/curated.parquet. Next: curate prove {root}" in run("apply", root)
    assert "dropped" in run("diff", root)
    told = run("restore", root, "2")
    assert "Restored the tables of version 2. Took away decisions.csv, curated.parquet, which it does not have." in told
    assert "Restored decisions.csv, curated.parquet of version 4. Next:" in run("restore", root, "4")
    run("restore", root, "3")
    told = run("restore", root, "4")
    assert "Restored curated.parquet of version 4. Next:" in told


def test_an_import_says_how_much_of_it_is_new(scanned: Workspace) -> None:
    image_id = read_table(scanned.path(MANIFEST))["image_id"].iloc[0]
    answers = scanned.path("mine.csv")
    answers.write_text(f"image_id,action\n{image_id},keep\n")
    asked = ("decide", scanned.root, "--import", answers, "--by", "ada")
    assert f"1 answer taken over from {answers}.\n" in run(*asked)
    again = invoke(*asked)
    assert f"0 answers taken over from {answers}.\n" in again.stdout
    assert f"{answers}: nothing in it is new" in again.stderr
    answers.write_text(f"image_id,action\n{image_id},\n")
    assert "no row says what to do: fill in the column 'action'" in invoke(*asked).stderr


def test_decisions_on_test_images_are_told(scanned: Workspace) -> None:
    test_image = read_table(scanned.path(MANIFEST)).query("split == 'test'")["image_id"].iloc[0]
    scanned.path(DECISIONS).write_text(f"image_id,action\n{test_image},drop\n")
    assert "1 decision on test images was left alone; --include-test" in run("apply", scanned.root)
    assert "1 dropped" in run("apply", scanned.root, "--include-test")


@pytest.mark.parametrize("text", ["a\nb", "\x1b[31m", "\r", "\x07", "\u202e"], ids=ascii)
def test_tables_show_control_characters_as_text(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table(pd.DataFrame({"image_id": [text]}))
    assert ascii(text)[1:-1] in capsys.readouterr().out


def test_many_warnings_are_cut(capsys: pytest.CaptureFixture[str]) -> None:
    output.warn([f"line\n{number}" for number in range(1000)])
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 6
    assert lines[-1] == "curate: … and 995 more"


def test_ledger_of_a_killed_verb_does_not_stop_the_log(scanned: Workspace) -> None:
    with scanned.path(LEDGER).open("ab") as file:
        file.write(b'{"version": 3, "at')
    assert len(run_json("log", scanned.root)) == 2


def test_app_is_the_one_that_is_installed() -> None:
    assert isinstance(app, typer.Typer)


def test_a_finder_that_has_not_run_is_no_clean_bill(workspace: Workspace) -> None:
    run("scan", workspace.root, "--only", "dark")
    listed = ("findings", workspace.root, "--finder")
    result = invoke(*listed, "label_error")
    assert "curate: label_error has not looked at this set" in result.stderr
    assert f"0 of 0. Next: curate predict {workspace.root}" in result.stdout
    ran = invoke(*listed, "dark")
    assert "has not looked" not in ran.stderr


def test_a_set_that_no_decision_changes_is_not_to_be_proven(workspace: Workspace) -> None:
    assert f"No decision changes the set. Next: curate scan {workspace.root}" in run("apply", workspace.root)
    run("scan", workspace.root, "--only", "dark")
    assert f"No decision changes the set. Next: curate findings {workspace.root}" in run("apply", workspace.root)


def test_what_one_finder_says_often_does_not_hide_the_rest(scanned: Workspace) -> None:
    ids = read_table(scanned.path(MANIFEST))["image_id"].to_list()
    with scanned.writing("scan", {}) as transaction:
        grey = [(image_id, "grayscale", 0.0) for image_id in ids[:30]]
        transaction.write_table(FINDINGS, found(*grey, (ids[35], "split_leak", 0.0)))
    assert verbs.list_findings(scanned, finder=None, flagged_only=True).table["finder"].iloc[0] == "split_leak"


def test_all_about_one_image(scanned: Workspace) -> None:
    ids = read_table(scanned.path(MANIFEST)).query("split == 'train'")["image_id"].to_list()
    with scanned.writing("scan", {}) as transaction:
        transaction.write_table(FINDINGS, found((ids[0], "dark", 0.1), (ids[0], "blurry", 0.7), (ids[1], "dark", 0.1)))
    transaction = decided((ids[0], "relabel", "7", "ada", "dark;blurry"), (ids[1], "drop", "", "policy", "dark"))
    transaction.to_csv(scanned.path(DECISIONS), index=False)
    told = run("findings", scanned.root, "--image", ids[0])
    assert "blurry" in told  # not flagged
    assert ids[1] not in told
    assert f"{ids[0]}: relabel to 7, decided by ada because of dark, blurry\n" in told
    both = run("findings", scanned.root, "--image", ids[0], "--image", ids[1], "--finder", "dark")
    assert f"{ids[1]}: drop, decided by policy because of dark\n" in both
    with pytest.raises(UserError, match=r"'nobody' is no image of .*; there are: '.*', …"):
        run("findings", scanned.root, "--image", "nobody")
    differ = decided((ids[0], "relabel", "7", "ada"), (ids[0], "keep", "", "bob"))
    differ.to_csv(scanned.path(DECISIONS), index=False)
    told = run("findings", scanned.root, "--image", ids[0])
    assert f"{ids[0]}: ada says relabel 7, bob says keep; nothing counts (majority)" in told


def test_findings_in_figures(scanned: Workspace) -> None:
    ids = read_table(scanned.path(MANIFEST)).query("split == 'train'")["image_id"].to_list()
    rows = [(ids[0], "dark", 0.1), (ids[1], "dark", 0.7), *((name, "label_error", 0.2, "7") for name in ids[:4])]
    with scanned.writing("scan", {}) as transaction:
        table = found(*rows)
        transaction.write_table(FINDINGS, table.assign(suggested_prob=0.5 * (table["finder"] == "label_error")))
    told = run_json("findings", scanned.root, "--summary")
    assert told["flagged"] == {"dark": 1, "label_error": 4}
    assert told["expected"]["flagged"] == 4
    assert 0 <= told["expected"]["precision"]["low"] <= told["expected"]["precision"]["high"] <= 1
    shown = run("findings", scanned.root, "--summary")
    assert "       1  dark\n       4  label_error\n" in shown
    assert "precision" in shown
    alone = run_json("findings", scanned.root, "--summary", "--finder", "dark")
    assert alone == {"flagged": {"dark": 1}, "expected": None, "answers": 0}
    cut = run_json("findings", scanned.root, "--summary", "--at", "budget=2")
    assert (cut["flagged"], cut["expected"]["flagged"]) == ({"label_error": 2}, 2)


def test_who_has_applied_decisions_is_told_that_training_takes_the_raw_set(workspace: Workspace) -> None:
    def warned(*arguments: str) -> bool:
        told = invoke("train", workspace.root, "--set", "epoch=3", *arguments, refused=True).stderr  # before it trains
        return "this trains on the set as it came; '--data curated' takes" in told

    assert not warned()
    run("apply", workspace.root)
    assert warned()
    assert not warned("--data", "raw")
    assert not warned("--data", "curated")


def test_photos_and_workspace_in_the_wrong_order(scanned: Workspace, fails: Callable[..., str]) -> None:
    photos = scanned.root.parent / "my photos"
    write_tree(photos, ["cat/1.png"])
    told = fails("add", photos, scanned.root)
    assert f"{scanned.root} is a workspace; did you mean 'curate add {scanned.root} \"{photos}\"'?" in told
    assert f"make one of the images in it with 'curate add WS \"{photos}\"'" in fails("scan", photos)


def test_verbs_that_show_pictures_tell_of_those_that_are_gone(tmp_path: Path) -> None:
    photos = write_tree(tmp_path / "photos", [f"train/cat/{number}.png" for number in range(3)])
    root = tmp_path / "ws"
    run("add", root, photos)
    first = read_table(root / MANIFEST)["image_id"].iloc[0]
    with Workspace(root).writing("scan", {}) as transaction:
        transaction.write_table(FINDINGS, found((first, "outlier", 0.1)))
    (photos / "train/cat/2.png").unlink()
    assert "images are not where they were: 1 of 3 files looked for" in invoke("report", root).stderr
    assert "1 image to answer" in run("review", root, "--sheet", "--by", "ada")
    page = (root / "review.html").read_bytes()
    photos.rename(tmp_path / "moved")
    assert "no image is where it was" in str(invoke("review", root, "--sheet", "--by", "ada", refused=True).exception)
    assert (root / "review.html").read_bytes() == page
    run("add", root, tmp_path / "moved")
    assert "images are not where they were: 3 of 3 files" in invoke("restore", root, "1").stderr


def test_a_report_says_what_is_out_of_date(workspace: Workspace, tmp_path: Path) -> None:
    def missing() -> dict[str, str]:
        steps = making.missing_steps(workspace, tables.read_manifest(workspace), [])
        return {step.command.split()[1]: step.what for step in steps}

    run("scan", workspace.root, "--only", "dark")
    run("decide", workspace.root)
    assert {"scan", "decide"}.isdisjoint(missing())
    run("add", workspace.root, write_tree(tmp_path / "more", ["train/0/new.png"]))
    assert missing()["scan"] == "findings that are up to date (images were added or changed since dark ran)"
    run("report", workspace.root)
    caution = r'id="findings-head">Findings</h2>\s*<p class="caution">.*images were added or changed since dark ran'
    assert re.search(caution, (workspace.root / "report.html").read_text())
    run("scan", workspace.root, "--set", "blurry.limit=0.9")
    assert missing()["decide"] == "decisions on what was found since"
    version = workspace.ledger()[-1].version
    run("decide", workspace.root)
    run("restore", workspace.root, str(version - 2))  # with findings that were decided on
    assert "decide" not in missing()
