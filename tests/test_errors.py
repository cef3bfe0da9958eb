"""What people read when something goes wrong: one line, with the way out; a bug says where its traceback is; Ctrl-C."""

import ast
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from curate import verbs
from curate.cli import A_BUG, TRACEBACK
from curate.errors import INTERRUPTED_LINE, MOST_NAMED, UserError, known
from curate.support import crash
from curate.wording import pasted
from curate.workspace import Workspace

ROOT = Path(__file__).parents[1]
FILES = [*(ROOT / "curate").rglob("*.py"), *(ROOT / "train").rglob("*.py")]
WAY_OUT = re.compile(r"; |: |there are|'curate |ha(s|ve) to|must|, not X|^X+$")
"""What an error has where it says what to do: a second half, or what would have been right; an X was made elsewhere."""


def raising(error: BaseException) -> Callable[..., None]:
    def fail(*arguments: object, **settings: object) -> None:
        raise error

    return fail


# All of them, read from the code


def user_errors() -> Iterator[tuple[str, str]]:
    """Where an error stands, and what it says, with an X for what is filled in."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "UserError" and node.args:
                text = node.args[0]
                parts = text.values if isinstance(text, ast.JoinedStr) else [text]
                said = [str(part.value) if isinstance(part, ast.Constant) else "X" for part in parts]
                yield f"{path.relative_to(ROOT)}:{node.lineno}", "".join(said)


def test_every_error_is_one_line_with_a_way_out() -> None:
    errors = list(user_errors())
    assert len(errors) > 300
    wrong = [
        (place, text)
        for place, text in errors
        if "\n" in text or text.endswith((".", "!", " ")) or "  " in text or not WAY_OUT.search(text)
    ]
    assert wrong == []


# Names and paths


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("ws", "ws"),
        ("/data/photos-1/ws_2", "/data/photos-1/ws_2"),
        ("/données/写真", "/données/写真"),
        ("my ws", '"my ws"'),
        ("it's", '"it\'s"'),
        ("a$b", "'a$b'"),
        ('a"b c', "'a\"b c'"),
        ("", "''"),
        ("*", '"*"'),
        ("a;b", '"a;b"'),
    ],
)
def test_paths_can_be_pasted(path: str, text: str) -> None:
    assert pasted(path) == text
    done = subprocess.run(["sh", "-c", f"printf %s {pasted(path)}"], capture_output=True, text=True, check=True)
    assert done.stdout == path


@pytest.mark.parametrize(
    ("verb", "message"),
    [
        (["decide", "WS", "--import", "no file.csv", "--by", "ada"], "'curate decide WS' writes "),
        (["review", "WS", "--sheet", "--to", "no page"], '--to "no page" must name a page: --to "no page.html"'),
        (["select", "WS"], "WS has no images in the pool that wait for a label; 'curate add WS FOLDER --split pool'"),
    ],
    ids=lambda item: item[0] if isinstance(item, list) else "",
)
def test_folders_with_spaces(
    workspace: Workspace, ends: Callable[..., tuple[int, str, str]], verb: list[str], message: str
) -> None:
    spaced = workspace.root.rename(workspace.root.with_name("my ws"))
    status, _, said = ends(*[each.replace("WS", str(spaced)) for each in verb])
    assert status == 1
    assert message.replace("WS", f'"{spaced}"') in said


def test_of_a_thousand_names_those_like_it_come_first() -> None:
    names = [f"class {number:04}" for number in range(1000)]
    said = str(known("class", "class 0500x", names))
    assert said.startswith("no class is called 'class 0500x' (did you mean 'class 0500'?); there are: class 0500, ")
    assert said.endswith(", … (1,000 in all)")
    assert said.count("class ") == MOST_NAMED + 3
    assert str(known("thing", "a", [])) == "no thing is called 'a'; there are: none"


# Bugs


def test_a_bug_says_where_its_traceback_is(
    workspace: Workspace, ends: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verbs, "apply", raising(ZeroDivisionError("cat\nin photos")))
    before = sorted(path.name for path in workspace.root.iterdir())
    status, _, said = ends("apply", workspace.root)
    assert status == A_BUG
    assert said.count("\n") == 1
    assert said.startswith("curate: this is a bug in curate, at curate/cli/decide.py, line ")
    assert r": ZeroDivisionError: cat\nin photos. Nothing that was there is lost. The traceback is in " in said
    assert f"'curate doctor {workspace.root} --bundle'" in said
    (kept,) = (workspace.root / crash.FOLDER).iterdir()
    assert str(kept) in said
    full = kept.read_text()
    assert "Traceback (most recent call last):" in full
    assert "ZeroDivisionError: cat\nin photos" in full
    assert sorted(path.name for path in workspace.root.iterdir()) == sorted([*before, crash.FOLDER])


def test_verbose_shows_the_traceback_of_both_kinds(
    workspace: Workspace, ends: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for flag in ("--verbose", "-v"):
        status, _, said = ends(flag, "scan", tmp_path)
        assert status == 1
        assert said.startswith("Traceback (most recent call last):")
        assert said.splitlines()[-1].startswith("curate: ")
        monkeypatch.delenv(TRACEBACK)
    monkeypatch.setattr(verbs, "apply", raising(KeyError("cat")))
    status, _, said = ends("--verbose", "apply", workspace.root)
    assert status == A_BUG
    assert "KeyError: 'cat'\ncurate: this is a bug" in said


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ModuleNotFoundError("No module named 'cv2'", name="cv2"), "a package does not load (No module named 'cv2');"),
        (ImportError("libGL.so.1: cannot open shared object file"), "'curate doctor' says which, and what to type"),
        (MemoryError(), "memory ran out; nothing that was there is lost"),
        (OSError(28, "no", "a b"), 'No space left on device: "a b"; nothing that was there is lost'),
        (UserError("what; way\nout"), r"what; way\nout"),
    ],
    ids=repr,
)
def test_what_the_system_lacks_is_no_bug(
    workspace: Workspace,
    ends: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    message: str,
) -> None:
    monkeypatch.setattr(verbs, "apply", raising(error))
    status, _, said = ends("apply", workspace.root)
    assert status == 1
    assert message in said
    assert said.count("\n") == 1
    assert not (workspace.root / crash.FOLDER).exists()


def test_the_traceback_goes_elsewhere_where_the_workspace_takes_none(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (workspace.root / crash.FOLDER).touch()  # a file, so that there can be no such folder
    for arguments in (["apply", str(workspace.root)], ["models"]):
        kept = crash.keep(ValueError("cat"), arguments)
        assert kept
        assert kept.parent == tmp_path
        assert kept.stat().st_mode & 0o077 == 0
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    assert crash.keep(ValueError("cat"), []) is None


def test_tracebacks_do_not_fill_the_disk(workspace: Workspace) -> None:
    kept = [crash.keep(ValueError(str(number)), ["apply", str(workspace.root)]) for number in range(crash.KEPT + 3)]
    assert sorted((workspace.root / crash.FOLDER).iterdir()) == kept[-crash.KEPT :]


def test_frames_say_where_and_not_what(tmp_path: Path) -> None:
    script = tmp_path / "secret-folder" / "plugin.py"
    script.parent.mkdir()
    script.write_text("def wrong():\n    raise KeyError('secret-class')\n")
    scope: dict[str, Callable[[], None]] = {}
    exec(compile(script.read_text(), str(script), "exec"), scope)
    try:
        try:
            scope["wrong"]()
        except KeyError as error:
            note = (
                f'  File "{verbs.__file__}", line 7, in scan\n  File "/secret/file.py", line 3, in secret\nsecret-label'
            )
            error.add_note(note)
            raise RuntimeError("secret-folder") from error
    except RuntimeError as error:
        told = list(crash.frames(error))
    assert told[0] == "RuntimeError"
    assert told[1].startswith("  elsewhere:")  # tests are no part of curate
    assert told[2:] == ["KeyError", told[3], "  elsewhere:2 in wrong", "  curate/verbs.py:7 in scan (worker)"]
    assert "secret" not in "\n".join(told)


# Ctrl-C


INTERRUPTED_AT = """
import os, signal, sys

class Cut:
    def find_spec(self, name, *rest):
        if name == "{module}":
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Cut())
from curate.__main__ import main
sys.argv = ["curate", "finders"]
main()
"""
INTERRUPTED_IN = """
import signal, sys, time
from curate import registry
from curate.__main__ import main

class Thing:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

def slow(*arguments):
    Thing()
    time.sleep(600)

registry.functions = slow
sys.argv = ["curate", "finders"]
main()
print("not reached")
"""


@pytest.mark.parametrize(
    "code",
    [
        *[INTERRUPTED_AT.format(module=name) for name in ("curate.cli", "typer", "curate.cli.gate", "numpy._core")],
        INTERRUPTED_IN,
    ],
    ids=[
        "at the start",
        "importing typer",
        "importing the verbs",
        "in a verb's imports",
        "where nothing can be raised",
    ],
)
def test_ctrl_c_is_one_line_from_the_start(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stderr == f"{INTERRUPTED_LINE}\n"
    assert done.stdout == ""
    assert done.returncode in (130, -signal.SIGINT)  # a shell says 130 of both


def test_ctrl_c_stays_ignored_where_it_was() -> None:
    code = INTERRUPTED_AT.format(module="typer").replace("finders", "--version")
    ignoring = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n{code}"
    done = subprocess.run([sys.executable, "-c", ignoring], capture_output=True, text=True)
    assert (done.returncode, done.stderr, done.stdout.split()[0]) == (0, "", "curate")
