"""What goes into a bug report: what helps, and nothing that tells of images, labels, people, machines or folders."""

import json
import platform
import zipfile
from pathlib import Path

import pytest

from curate.errors import UserError
from curate.ingest.add import add
from curate.support import bundle, crash
from curate.support.doctor import Check
from curate.workspace import DECISIONS, FINDINGS, MANIFEST, RECIPE, Workspace, read_table
from tests.conftest import write_tree
from tests.tables import found

CANARY = "kanarienvogel"
"""Part of every name here that must not get out."""
CHECKS = [Check("torch", "2.13"), Check("disk", f"at /home/{CANARY}", ok=False)]
WORDS = {
    "add",
    "model",
    "scan",
    "decide",
    "train",
    "set",
    "only",
    "epochs",
    "source",
    "layout",
    "name",
    "split",
    "resnet_fast",
}


@pytest.fixture
def canaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace in which everything that people name is a canary, as are this user, this host and its secrets."""
    home = tmp_path / f"home of {CANARY}"
    names = [
        f"{split}/{CANARY}-{label}/{CANARY}{at}.png" for split in ("train", "test") for label in "ab" for at in "12"
    ]
    photos = write_tree(home / f"{CANARY} photos", names)
    monkeypatch.chdir(home)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(platform, "node", lambda: f"{CANARY}.example.org")
    for name in ("HOME", "USER", "LOGNAME", "HOSTNAME", "EXAMPLE_API_KEY", "AWS_SECRET_ACCESS_KEY", "CURATE_REVIEWER"):
        monkeypatch.setenv(name, f"{home if name == 'HOME' else CANARY}")
    monkeypatch.setenv("RAY_ADDRESS", f"{CANARY}:6379")
    workspace = Workspace(home / f"ws-{CANARY}")
    add(workspace, photos, name=CANARY)
    image_id = read_table(workspace.path(MANIFEST))["image_id"].iloc[0]
    with workspace.writing("scan", {"set": {CANARY: 1}, "only": [CANARY], CANARY: CANARY}) as transaction:
        transaction.write_table(FINDINGS, found((image_id, "outlier", 0.1), (image_id, CANARY, 0.7)))
        transaction.write_text(
            RECIPE,
            f"name: {CANARY}\nsummary: {CANARY}\ncolumns: {{path: {CANARY}}}\nclasses: {{{CANARY}: {CANARY}2}}\n"
            f"download: [{{url: 'https://{CANARY}.example.org/x.zip'}}]\nreviewers: {{arbiter: {CANARY}}}\n"
            f"train: {{epochs: 7, model: resnet_fast, {CANARY}: {CANARY}}}\n{CANARY}: {CANARY}\n"
            "policy:\n  - {finder: outlier, action: drop, below: 0.2}\n",
        )
    workspace.path(DECISIONS).write_text(
        f"image_id,action,label,by,because,note,at,{CANARY}\n"
        f"{image_id},drop,{CANARY}-b,{CANARY},outlier,see {CANARY},2026-01-01T00:00:00Z,{CANARY}\n"
        f"{image_id},{CANARY},,ada,,,,\n"
    )
    edited = f'{{"version": 3, "at": "{CANARY}", "command": "{CANARY}", "arguments": {{}}, "curate": "1.{CANARY}"}}\n'
    with workspace.path("ledger.jsonl").open("a") as file:
        file.write(edited)
    for place in (f"runs/{CANARY}/result.json", f"{CANARY}/x.{CANARY}", f"signals/{CANARY}/v1/part.npy"):
        workspace.path(place).parent.mkdir(parents=True)
        workspace.path(place).write_text(CANARY)
    with pytest.raises(KeyError) as caught:
        {}[f"{CANARY}-a"]
    caught.value.add_note(f'File "{home}/{CANARY}.py", line 3, in {CANARY}')
    for arguments in (["train", str(workspace.root)], ["models", CANARY]):  # into the workspace, and elsewhere
        assert crash.keep(caught.value, arguments)
    return workspace


def contents(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name).decode() for name in file.namelist()}


@pytest.mark.parametrize("sieved", [True, False], ids=["", "without the last sieve"])
def test_no_name_gets_out(canaries: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sieved: bool) -> None:
    if not sieved:
        monkeypatch.setattr(bundle, "without", lambda text, private: text)
    inside = bundle.write(tmp_path / "b.zip", canaries.root, CHECKS, WORDS)
    told = contents(tmp_path / "b.zip")
    assert {name: len(text.encode()) for name, text in told.items()} == inside
    for name, text in told.items():
        assert CANARY not in text.lower(), name
        assert str(tmp_path) not in text, name
        assert "not told" not in text, name


def test_it_tells_what_a_report_needs(canaries: Workspace, tmp_path: Path) -> None:
    bundle.write(tmp_path / "b.zip", canaries.root, CHECKS, WORDS)
    told = contents(tmp_path / "b.zip")
    assert all(name in told["README.txt"] for name in told if name != "README.txt")
    machine, recipe = json.loads(told["machine.json"]), json.loads(told["recipe.json"])
    assert machine["checks"] == {"torch": "ok", "disk": "not ok"}
    assert machine["packages"]["torch"]
    assert machine["variables_set"][-1] == "RAY_ADDRESS"
    assert "PyTorch built with" in told["builds.txt"]
    assert "OpenCV modules" in told["builds.txt"]
    manifest, decisions = (json.loads(told["workspace.json"])["tables"][name] for name in (MANIFEST, DECISIONS))
    assert (manifest["rows"], manifest["classes"], manifest["classes_by_split"]) == (8, 2, {"test": 2, "train": 2})
    assert manifest["rows_by_split"] == {"train": 4, "test": 4}
    assert manifest["columns"]["width"] == "int32"
    assert decisions["rows_by_action"] == {"drop": 1, "(other)": 1}
    assert list(decisions["columns"])[-1] == "(other) 7"
    files = json.loads(told["workspace.json"])["files"]
    assert files["runs/(other)/*.json"] == {"files": 1, "bytes": len(CANARY)}
    assert files["manifest.parquet"]["bytes"] == canaries.path(MANIFEST).stat().st_size
    assert recipe["train"] == {"epochs": 7, "model": "resnet_fast", "(other) 2": "(other)"}
    assert recipe["policy"] == [{"finder": "outlier", "action": "drop", "below": 0.2}]
    assert recipe["classes"] == "1 renamed"
    ledger = json.loads(told["ledger.json"])
    assert [(entry["verb"], entry["options"]) for entry in ledger][1] == ("scan", ["set", "only", "(other)"])
    assert told["tracebacks.txt"].count("KeyError\n") == 2


def test_what_is_damaged_is_told_and_stops_nothing(canaries: Workspace, tmp_path: Path) -> None:
    canaries.path(MANIFEST).write_bytes(b"PAR1")
    canaries.path(RECIPE).write_text("- [")
    canaries.path("ledger.jsonl").write_text("{}\n{}\n")
    bundle.write(tmp_path / "b.zip", canaries.root, CHECKS, WORDS)
    told = contents(tmp_path / "b.zip")
    assert json.loads(told["workspace.json"])["tables"][MANIFEST] == ["not told: ArrowInvalid"]
    assert json.loads(told["recipe.json"]) == ["not told: ParserError"]
    assert json.loads(told["ledger.json"]) == ["not told: UserError"]


def test_without_a_workspace(tmp_path: Path) -> None:
    assert set(bundle.write(tmp_path / "b.zip", None, CHECKS, ())) == {
        *("README.txt", "machine.json", "builds.txt", "tracebacks.txt")
    }
    with pytest.raises(UserError, match=r"b\.zip is there already; name another file with --out"):
        bundle.write(tmp_path / "b.zip", None, CHECKS, ())


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("C++ Compiler:   /opt/my rh/c++  (ver 14)", "C++ Compiler:   PATH  (ver 14)"),
        ("CXX=/home/ada/c++, FLAGS= -I/home/ada/x -O2", "CXX=PATH, FLAGS= -IPATH"),
        ("C/C++: 20 GB/s, 3 of 4", "C/C++: 20 GB/s, 3 of 4"),
        (r"in C:\Users\ada lovelace", "in PATH"),
        ("at ~/photos", "at PATH"),
    ],
)
def test_builds_tell_no_folder(text: str, left: str) -> None:
    assert bundle.PATH.sub("PATH", text) == left


def test_the_last_sieve_takes_whole_words() -> None:
    assert bundle.without("ada in /home/ada, adam", {"ada", "/home/ada"}) == "… in …, adam"


def test_words_of_ours_stay_whoever_is_called_so(
    canaries: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USER", "curate")
    bundle.write(tmp_path / "b.zip", canaries.root, CHECKS, {"curate"})
    assert "curate" in json.loads(contents(tmp_path / "b.zip")["machine.json"])


def test_the_verb_says_what_is_in_it(
    canaries: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from curate.cli import app
    from curate.support import doctor

    monkeypatch.setattr(doctor, "examine", lambda folder: CHECKS)
    app(["doctor", str(canaries.root), "--bundle", "--out", str(tmp_path / "b.zip")], standalone_mode=False)
    said = capsys.readouterr().out
    told = contents(tmp_path / "b.zip")
    assert all(name in said for name in told)
    assert "Look at it before you send it" in said
    assert all(CANARY not in text.lower() for text in told.values())
    assert json.loads(told["ledger.json"])[0]["verb"] == "add"
    assert json.loads(told["ledger.json"])[0]["options"] == ["source", "layout", "split", "label", "name"]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="typo is no workspace; name one, or none for a bundle about this machine"):
        app(["doctor", "typo", "--bundle"], standalone_mode=False)
    app(["doctor", "--bundle"], standalone_mode=False)
    assert [path.name[:14] for path in tmp_path.glob("curate-bundle-*.zip")] == ["curate-bundle-"]
