"""The command line as people use it: help with examples, one line for what they can mend, and the process itself."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path

import pytest
import typer

from curate import jobs, sources
from curate.cli import app
from curate.errors import UserError
from curate.workspace import Workspace
from tests.command import invoke, run
from train.profiles import PROFILES

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
    ("verb", "option", "names"),
    [("export", "--as", sources.writable()), ("review", "--as", jobs.tools()), ("predict", "--profile", PROFILES)],
)
def test_help_names_all_that_may_be_asked_for(verb: str, option: str, names: Collection[str]) -> None:
    """Written by hand there: asking who has them takes a second, and so `curate --help` would."""
    group = typer.main.get_command(app)
    told = next(each.help for each in group.commands[verb].params if option in each.opts)  # type: ignore[attr-defined]
    assert [name for name in names if not re.search(rf"\b{name}\b", told)] == []


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
    result = invoke(*arguments)
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
    with pytest.raises(UserError):
        run("scan", tmp_path)


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
