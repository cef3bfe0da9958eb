"""The command line as people use it: help with examples, one line for what they can mend, JSON for machines."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from curate import verbs
from curate.cli import app, main, output
from curate.errors import UserError
from curate.workspace import DECISIONS, FINDINGS, LEDGER, MANIFEST, Workspace, read_table
from tests.tables import decided, found

COMMANDS = {
    command.name or command.callback.__name__: command for command in app.registered_commands if command.callback
}
GROUPS = {group.name: group.typer_instance for group in app.registered_groups if group.typer_instance}
VERBS = [[name] for name in COMMANDS] + [
    [str(name), command.name or command.callback.__name__]
    for name, group in GROUPS.items()
    for command in group.registered_commands
    if command.callback
]
runner = CliRunner()


def run(*arguments: str | Path) -> str:
    """What the verb prints on stdout."""
    result = runner.invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """`fails("scan", "nowhere")`: the one line on stderr of a verb that ends with status 1."""

    def fail(*arguments: str | Path) -> str:
        monkeypatch.setattr(sys, "argv", ["curate", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        printed = capsys.readouterr()
        assert caught.value.code == 1, printed
        assert printed.out == ""
        assert printed.err.startswith("curate: ")
        assert printed.err.count("\n") == 1
        assert printed.err.isprintable() or printed.err[:-1].isprintable()
        return printed.err

    return fail


# Help


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_has_help_with_an_example(verb: list[str]) -> None:
    text = " ".join(run(*verb, "--help").split())
    assert f"Example: curate {' '.join(verb)}" in text


def test_help_lists_every_verb() -> None:
    text = run("--help")
    assert all(re.search(rf"│ {name} ", text) for name in [*COMMANDS, *map(str, GROUPS)])


def test_summaries_are_one_sentence() -> None:
    for command in COMMANDS.values():
        summary = (command.callback.__doc__ or "").strip() if command.callback else ""
        assert summary.endswith(".")
        assert "\n" not in summary


@pytest.mark.parametrize(
    "arguments",
    [
        ["scann"],
        ["scan"],
        ["scan", "ws", "--olny", "dark"],
        ["scan", "ws", "--workers", "0"],
        ["restore", "ws", "last"],
        ["restore", "ws"],
        ["add", "ws"],
        ["findings", "ws", "--top", "0"],
        ["predict", "ws", "--at-once", "0"],
        ["train", "ws", "--at-once", "0"],
        ["reproduce", "degradation", "--at-once", "0"],
        ["--verbose"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    result = runner.invoke(app, arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


@pytest.mark.parametrize("limit", ["many", "0", "-1", "1e9"])
def test_a_limit_of_pixels_that_is_none(limit: str) -> None:
    command = [sys.executable, "-m", "curate", "--version"]
    ended = subprocess.run(command, env=os.environ | {"CURATE_MAX_PIXELS": limit}, capture_output=True, text=True)
    assert ended.returncode == 1
    assert (
        ended.stderr == f"curate: CURATE_MAX_PIXELS is {limit!r}; it has to be a number of pixels, such as 134217728\n"
    )


def test_version() -> None:
    assert re.fullmatch(r"curate \d+\.\d+\.\d+\S*\n", run("--version"))


# What people can mend


@pytest.mark.parametrize("verb", ["scan", "findings", "decide", "apply", "log", "diff"])
@pytest.mark.parametrize("place", ["missing", "empty", "file"])
def test_what_is_no_workspace(tmp_path: Path, fails: Callable[..., str], verb: str, place: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    assert "is no workspace (it has no manifest.parquet); make one with 'curate add" in fails(verb, tmp_path / place)
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["add", "WS", "nowhere"], "'nowhere' is neither a file or folder nor a recipe"),
        (["add", "FILE", "PHOTOS"], "Not a directory: FILE;"),
        (["add", "FILE/ws", "PHOTOS"], "Not a directory: FILE;"),
        (["add", "WS", "PHOTOS", "--split", "trian"], "trian"),
        (["add", "WS", "PHOTOS", "--as", "foldr"], "no layout is called 'foldr' (did you mean 'folder'?); there are: "),
        (["add", "WS", "PHOTOS", "--column", "path"], "--column 'path' must be WHAT=NAME"),
        (["add", "WS", "PHOTOS", "--column", "path="], "--column 'path=' must be WHAT=NAME"),
        (["scan", "WS", "--at", "precison=0.9"], "--at 'precison=0.9' is no place to cut; there are: "),
        (["scan", "WS", "--at", "f1", "--only", "dark"], "--at f1 cuts label_error, which --only leaves out"),
        (["add", "WS", "PHOTOS", "--from", "PHOTOS"], "--from goes with a recipe's name"),
        (["scan", "WS", "--only", "dark", "--set", "blurry.limit=0.5"], "--set blurry.… changes a finder that --only"),
        (["scan", "WS", "--only", "outlyer"], "no finder is called 'outlyer' (did you mean 'outlier'?); there are: "),
        (["scan", "WS", "--engine", "spark"], "no engine is called 'spark'; there are: local, ray"),
        (["scan", "WS", "--ray-address", "10.0.0.1:6379"], "--ray-address 10.0.0.1:6379 goes with --engine ray"),
        (["scan", "WS", "--engine", "ray", "--ray-address", "here"], "must be HOST:PORT, for instance 10.0.0.1:6379"),
        (["scan", "WS", "--set", "outlier"], "--set 'outlier' must be NAME=VALUE"),
        (["scan", "WS", "--set", "fence=2"], "--set 'fence' must be FINDER.SETTING=VALUE"),
        (["scan", "WS", "--set", "outlier.fence=far"], "outlier.fence must be like its default 3.0, not 'far'"),
        (["findings", "WS", "--summary", "--image", "a.png"], "--summary counts; leave --image out"),
        (
            ["predict", "WS", "--from", "FILE", "--folds", "3", "--seed", "1"],
            "trains nothing; leave --folds, --seed out",
        ),
        (["prove", "WS", "--seeds", "3", "--at-most", "5"], "--seeds 3 trains so many, and --at-most 5 as few"),
        (["review", "WS", "--port", "80"], "--port 80 is that of the App; add --fiftyone"),
        (["findings", "WS"], "findings.parquet is missing; 'curate scan"),
        (["decide", "WS"], "findings.parquet is missing; 'curate scan"),
        (["decide", "WS", "--policy", "nowhere.yaml"], "nowhere.yaml: No such file"),
        (["decide", "WS", "--import", "nowhere.csv"], "nowhere.csv is no file"),
        (["decide", "WS", "--import", "PHOTOS"], "is no file"),
        (["diff", "WS"], "no curated.parquet to compare with; 'curate apply"),
        (["diff", "WS", "1", "7"], "has no version 7; there are: 1 to 1"),
        (["restore", "WS", "0"], "has no version 0"),
        (["restore", "WS", "99"], "has no version 99"),
        (["train", "WS", "--at-once", "2", "--processes", "2"], "--at-once 2 --processes 2: either several trainings"),
        (["train", "WS", "--name", "a/b"], "--name 'a/b' must be letters"),
        (["train", "WS", "--name", "CON"], "--name 'CON': Windows keeps this name for a device"),
        (["export", "WS", "FILE"], "curated.parquet is missing; 'curate apply"),
        (["doctor", "FILE"], "is no folder"),
    ],
    ids=lambda item: " ".join(item) if isinstance(item, list) else "",
)
def test_slips(
    workspace: Workspace,
    digits_folder: Path,
    tmp_path: Path,
    fails: Callable[..., str],
    arguments: list[str],
    message: str,
) -> None:
    (tmp_path / "file").touch()
    places = {"WS": str(workspace.root), "PHOTOS": str(digits_folder), "FILE": str(tmp_path / "file")}
    filled = [re.sub("WS|PHOTOS|FILE", lambda match: places[match[0]], argument) for argument in arguments]
    assert message.replace("FILE", places["FILE"]) in fails(*filled)
    assert len(workspace.ledger()) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("verb", ["apply", "scan"])
def test_folder_that_may_not_be_written(workspace: Workspace, fails: Callable[..., str], verb: str) -> None:
    workspace.root.chmod(0o500)
    try:
        assert "Permission denied" in fails(verb, workspace.root)
    finally:
        workspace.root.chmod(0o700)


def test_strange_names_stay_on_one_line(tmp_path: Path, fails: Callable[..., str]) -> None:
    for name in ("a\nb", "a\rb", "\x1b[31mred", "\u2028", "\udcff"):
        line = fails("scan", tmp_path / name)
        assert ascii(name)[1:-1] in line


def test_a_folder_that_is_called_like_a_recipe(
    digits_folder: Path, tmp_path: Path, fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(digits_folder, tmp_path / "digits")
    monkeypatch.chdir(tmp_path)
    assert "'digits' is a recipe, and here lies a file or folder of that name: './digits' is" in fails(
        "add", "ws", "digits"
    )
    assert not Path("ws").exists()
    assert "40 images added" in run("add", "ws", "./digits")


def test_user_errors_are_not_swallowed_by_the_runner(tmp_path: Path) -> None:
    assert isinstance(runner.invoke(app, ["scan", str(tmp_path)]).exception, UserError)


# The process itself


def test_ctrl_c_ends_with_130_and_one_line(workspace: Workspace) -> None:
    code = "import curate.verbs; from curate.cli import main; print('ready', flush=True); main()"
    command = [sys.executable, "-c", code, "apply", str(workspace.root)]
    with workspace.locked():  # so that the verb waits for its turn
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        error = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert error == "curate: interrupted; what was there before is untouched, run the command again to go on\n"
    assert len(workspace.ledger()) == 1


def test_closed_pipe_is_no_traceback(workspace: Workspace) -> None:
    command = f"'{sys.executable}' -m curate log '{workspace.root}' --json | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.stderr == ""


def test_output_that_the_terminal_cannot_show(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "curate", "scan", str(tmp_path / "\u732b")]
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(command, capture_output=True, env=environment)
    assert done.returncode == 1
    assert b"\\u732b is no workspace" in done.stderr


# JSON


@pytest.fixture
def scanned(workspace: Workspace) -> Workspace:
    """A workspace with findings by hand, and a policy for them as its recipe."""
    ids = read_table(workspace.path(MANIFEST)).query("split == 'train'")["image_id"]
    with workspace.writing("scan", {}) as transaction:
        transaction.write_table(FINDINGS, found((ids.iloc[0], "outlier", 0.1), (ids.iloc[1], "outlier", 0.7)))
        transaction.write_text("recipe.yaml", "name: mine\npolicy:\n  - {finder: outlier, action: drop}\n")
    return workspace


def test_json_of_verbs(scanned: Workspace, digits_folder: Path) -> None:
    root = scanned.root
    listed = json.loads(run("findings", root, "--json", "--all"))
    assert [row["score"] for row in listed] == pytest.approx([0.1, 0.7])
    assert {"image_id", "finder", "flagged", "given_label"} <= set(listed[0])
    assert len(json.loads(run("findings", root, "--json"))) == 1
    assert json.loads(run("decide", root, "--json"))["actions"] == {"drop": 1}
    assert json.loads(run("apply", root, "--json"))["images"] == 39
    changes = json.loads(run("diff", root, "--json"))
    assert [(row["change"], row["because"]) for row in changes] == [("dropped", "outlier")]
    assert [entry["command"] for entry in json.loads(run("log", root, "--json"))] == ["add", "scan", "decide", "apply"]
    assert json.loads(run("restore", root, "2", "--json")) == {"version": 2, "restored": [DECISIONS, "curated.parquet"]}
    assert json.loads(run("add", root, digits_folder, "--json"))[0]["skipped"] == 40
    assert f"Nothing is new: {root}/manifest.parquet is as it was. Next: curate predict" in run(
        "add", root, digits_folder
    )


@pytest.mark.parametrize("verb", ["finders", "models", "doctor"])
def test_json_of_lists(verb: str) -> None:
    rows = json.loads(run(verb, "--json"))
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


def test_decisions_on_test_images_are_told(scanned: Workspace) -> None:
    test_image = read_table(scanned.path(MANIFEST)).query("split == 'test'")["image_id"].iloc[0]
    scanned.path(DECISIONS).write_text(f"image_id,action\n{test_image},drop\n")
    assert "1 decision on test images was left alone; --include-test" in run("apply", scanned.root)
    assert "1 dropped" in run("apply", scanned.root, "--include-test")


@pytest.mark.parametrize("text", ["a\nb", "\x1b[31m", "\r", "\x07", "\u202e"], ids=ascii)
def test_tables_show_control_characters_as_text(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    import pandas as pd

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
    assert len(json.loads(run("log", scanned.root, "--json"))) == 2


def test_app_is_the_one_that_is_installed() -> None:
    assert isinstance(app, typer.Typer)


def test_a_finder_that_has_not_run_is_no_clean_bill(workspace: Workspace) -> None:
    run("scan", workspace.root, "--only", "dark")
    listed = ["findings", str(workspace.root), "--finder"]
    result = CliRunner().invoke(app, [*listed, "label_error"], catch_exceptions=False)
    assert "curate: label_error has not looked at this set" in result.stderr
    assert f"0 of 0. Next: curate predict {workspace.root}" in result.stdout
    ran = CliRunner().invoke(app, [*listed, "dark"], catch_exceptions=False)
    assert "has not looked" not in ran.stderr


def test_a_set_that_no_decision_changes_is_not_to_be_proven(workspace: Workspace) -> None:
    told = run("apply", workspace.root)
    assert f"No decision changes the set. Next: curate findings {workspace.root}" in told


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


def test_findings_in_figures(scanned: Workspace) -> None:
    ids = read_table(scanned.path(MANIFEST)).query("split == 'train'")["image_id"].to_list()
    rows = [(ids[0], "dark", 0.1), (ids[1], "dark", 0.7), *((name, "label_error", 0.2, "7") for name in ids[:4])]
    with scanned.writing("scan", {}) as transaction:
        table = found(*rows)
        transaction.write_table(FINDINGS, table.assign(suggested_prob=0.5 * (table["finder"] == "label_error")))
    told = json.loads(run("findings", scanned.root, "--summary", "--json"))
    assert told["flagged"] == {"dark": 1, "label_error": 4}
    assert told["expected"]["flagged"] == 4
    assert 0 <= told["expected"]["precision"]["low"] <= told["expected"]["precision"]["high"] <= 1
    shown = run("findings", scanned.root, "--summary")
    assert "       1  dark\n       4  label_error\n" in shown
    assert "precision" in shown
    alone = json.loads(run("findings", scanned.root, "--summary", "--finder", "dark", "--json"))
    assert alone == {"flagged": {"dark": 1}, "expected": None, "answers": 0}
    cut = json.loads(run("findings", scanned.root, "--summary", "--at", "budget=2", "--json"))
    assert (cut["flagged"], cut["expected"]["flagged"]) == ({"label_error": 2}, 2)


def test_who_has_applied_decisions_is_told_that_training_takes_the_raw_set(workspace: Workspace) -> None:
    def warned(*arguments: str) -> bool:
        refused = ["train", str(workspace.root), "--set", "epoch=3", *arguments]  # before it trains
        return "this trains on the set as it came; '--data curated' takes" in runner.invoke(app, refused).stderr

    assert not warned()
    run("apply", workspace.root)
    assert warned()
    assert not warned("--data", "raw")
    assert not warned("--data", "curated")
