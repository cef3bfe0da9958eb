"""The package that others install: what is in it, what it pins, and the files that a repository is judged by."""

import csv
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
import yaml
from hatchling.build import build_sdist, build_wheel

import curate
from requirements import audit, check

ROOT = Path(__file__).parent.parent
DATA = {".jinja", ".css", ".js", ".yml", ".yaml", ".typed", ".md"}
"""Suffixes of what the wheel holds beside Python."""
DIST_INFO = f"curate_images-{curate.__version__}.dist-info/"
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(wheel, sdist) of the sources as they are."""
    folder = tmp_path_factory.mktemp("dist")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return folder / build_wheel(str(folder)), folder / build_sdist(str(folder))


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def sources(package: str) -> set[str]:
    """Every file of a package in this tree, as its path in the wheel."""
    paths = (path for path in (ROOT / package).rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path.relative_to(ROOT).as_posix() for path in paths}


def test_the_wheel_holds_the_packages_and_their_data_and_nothing_else(built: tuple[Path, Path]) -> None:
    names = {name for name in contents(built[0]) if not name.startswith(DIST_INFO)}
    recipes = {f"curate/{name}" for name in sources("datasets")}
    assert names == sources("curate") | sources("train") | recipes
    assert {Path(name).suffix for name in names} - {".py"} <= DATA
    assert {"curate/py.typed", "train/py.typed", "curate/datasets/default.yaml", "train/recipes/fast.yaml"} <= names


def test_the_sdist_builds_the_same_wheel(
    built: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel, sdist = built
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    assert not [path for path in unpacked.rglob("*") if path.name in ("__pycache__", "build", ".venv", ".git")]
    monkeypatch.chdir(unpacked)
    again = contents(tmp_path / build_wheel(str(tmp_path)))
    assert again == contents(wheel)


def test_the_version_stands_in_one_place(built: tuple[Path, Path]) -> None:
    about = message_from_bytes(contents(built[0])[f"{DIST_INFO}METADATA"])
    assert about["Version"] == curate.__version__
    places = [path for path in (ROOT / "curate").rglob("*.py") if curate.__version__ in path.read_text("utf-8")]
    assert places == [ROOT / "curate/__init__.py"]
    named = [ROOT / name for name in ("pyproject.toml", "Dockerfile", "CITATION.cff", "Makefile", "train/__init__.py")]
    assert not [path for path in named if curate.__version__ in re.findall(r"[\d.]+", path.read_text("utf-8"))]


def test_the_wheel_says_what_it_is(built: tuple[Path, Path]) -> None:
    files = contents(built[0])
    about = message_from_bytes(files[f"{DIST_INFO}METADATA"])
    assert about["License-Expression"] == "Apache-2.0"
    assert f"{DIST_INFO}licenses/LICENSE" in files
    assert "curate = curate.__main__:main" in files[f"{DIST_INFO}entry_points.txt"].decode()
    recorded = [row[0] for row in csv.reader(io.StringIO(files[f"{DIST_INFO}RECORD"].decode()))]
    assert sorted(recorded) == sorted(files)


def test_the_locks_fit_and_so_do_licences() -> None:
    assert check.mistakes() == []
    assert len(check.licences(list(check.pinned(check.LOCK)))) > 50  # of what is installed here, that is


HASH = f"--hash=sha256:{'0' * 64}"
LOCKS = {
    f"torch==2.13.0+cpu {HASH}": "",
    f"# why\n\ntorch==2.13.0 {HASH}  # source": "",
    f"torch==2.5.1 {HASH}": "has torch 2.5.1, asked for is torch<3,>=2.6",
    f"numpy==2.0.0 {HASH}": "lacks torch",
    "torch==2.13.0": "not pinned by version and hash",
    f"torch>=2.13.0 {HASH}": "not pinned by version and hash",
    f"torch @ https://example.org/torch.whl {HASH}": "not pinned by version and hash",
    "--extra-index-url https://example.org": "not pinned by version and hash",
}


@pytest.mark.parametrize("text", LOCKS)
def test_a_lock_that_does_not_fit_is_told(tmp_path: Path, text: str) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text(text)
    told = "\n".join(check.lock_mistakes(lock, ["torch>=2.6,<3", "nothing; platform_system == 'Windows'"]))
    assert LOCKS[text] in told
    assert bool(told) == bool(LOCKS[text])
    assert not told or "python requirements/lock.py" in told


KNOWN = {"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"], "description": "bad"}]}
FINE, SKIPPED = {"name": "b", "version": "2", "vulns": []}, {"name": "c", "skip_reason": "not found"}
ANSWERS = {
    "one is known": ([KNOWN, FINE], (2, ["a 1: PYSEC-1, mended in 1.1"])),
    "none is": ([FINE], (1, [])),
    "nobody answered for some": ([FINE, SKIPPED], (1, [])),
    "nobody answered for any": ([SKIPPED], (0, [])),
    "no network": (None, (0, [])),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_an_audit_says_how_many_it_could_look_up(case: str) -> None:
    packages, told = ANSWERS[case]
    said = "" if packages is None else json.dumps({"dependencies": packages, "fixes": []})
    assert audit.answered(said) == told


def test_what_comes_from_a_url_is_told() -> None:
    project = {
        "build-system": {"requires": ["hatchling"]},
        "project": {
            "dependencies": ["torch>=2", "mine @ https://example.org/mine.whl"],
            "optional-dependencies": {"dev": ["yours @ git+https://example.org/yours"]},
        },
    }
    assert [each.split()[0] for each in check.by_url(project)] == ["mine", "yours"]


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("MIT", True),
        ("Apache Software License", True),
        ("BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0", True),
        ("Mozilla Public License 2.0 (MPL 2.0)", True),
        ("LGPL-2.1-or-later", True),
        ("GNU Lesser General Public License v2 or later (LGPLv2+)", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only AND MIT", False),
        ("GNU General Public License v3 (GPLv3)", False),
        ("AGPL-3.0", False),
        ("GNU Affero General Public License v3", False),
        ("SSPL-1.0", False),
        ("CC-BY-NC-4.0", False),
        ("Proprietary", False),
        ("", False),
    ],
)
def test_licences_that_fit(text: str, fits: bool) -> None:
    assert check.Licence("some", text).fits == fits


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_trust_nobody_more_than_they_must(path: Path) -> None:
    text = path.read_text("utf-8")
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] in ({}, {"contents": "read"})
    granted = {
        (permission, given)
        for job in workflow["jobs"].values()
        for permission, given in job.get("permissions", {}).items()
    }
    assert granted <= {("contents", "read"), ("id-token", "write")}
    assert "pull_request_target" not in text
    assert "secrets." not in text
    used = re.findall(r"uses: (.*)", text)
    assert used
    assert [each for each in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", each)] == []
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert not [step for step in steps if "${{" in step.get("run", "")]
    checkouts = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_what_the_workflows_make_is_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    asked = {target for path in WORKFLOWS for target in re.findall(r"run: make ([a-z-]+)", path.read_text("utf-8"))}
    assert {"check", "test"} <= asked <= targets


def test_issue_forms() -> None:
    forms = {
        path.stem: yaml.safe_load(path.read_text("utf-8")) for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")
    }
    forms.pop("config")
    for form in forms.values():
        fields = [field["id"] for field in form["body"] if field["type"] != "markdown"]
        assert len(set(fields)) == len(fields) > 0
        assert all(field["attributes"].get("label") or field["type"] == "markdown" for field in form["body"])
    needed = {field.get("id") for field in forms["bug"]["body"] if field.get("validations", {}).get("required")}
    assert "doctor" in needed


def test_the_image_is_pinned_and_runs_as_nobody_special() -> None:
    lines = [line.strip() for line in (ROOT / "Dockerfile").read_text("utf-8").splitlines() if line and line[0] != "#"]
    bases = [line for line in lines if line.startswith("FROM ")]
    assert all(re.search(r":\d+\.\d+\.\d+-[\w-]+@sha256:[0-9a-f]{64}( AS \w+)?$", base) for base in bases)
    assert [line for line in lines if line.startswith("USER ")][-1] not in ("USER root", "USER 0")
    assert not [line for line in lines if line.startswith(("EXPOSE", "ADD"))]
    assert any("PIP_REQUIRE_HASHES=1" in line for line in lines)
    for line in lines:
        if line.startswith("COPY ") and "--from" not in line:
            assert all((ROOT / name).exists() for name in line.split()[1:-1]), line
    sent = [line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")]
    copied = {
        name.split("/")[0]
        for line in lines
        if line.startswith("COPY ")
        for name in line.split()[1:-1]
        if "--" not in name
    }
    assert {name.split("/")[0] for name in sent} == copied - {""}


def test_citation_names_no_person() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert {"cff-version", "message", "title", "authors", "license"} <= set(cited)
    assert [set(author) for author in cited["authors"]] == [{"name"}]


def _said(environment: dict[str, str]) -> str:
    done = subprocess.run(
        [Path(sys.executable).with_name("curate")],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_verbs(shell: str) -> None:
    assert "_CURATE_COMPLETE=complete_" + shell in _said({"_CURATE_COMPLETE": f"source_{shell}"})
    typed = {"COMP_WORDS": "curate fin", "COMP_CWORD": "1", "_TYPER_COMPLETE_ARGS": "curate fin"}
    offered = _said({"_CURATE_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_FISH_ACTION": "get-args", **typed})
    assert "findings" in offered
    assert "export" not in offered


def test_completion_is_installed_for_bash(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("curate")
    subprocess.run(
        ["bash", "-c", f"'{command}' --install-completion; true"],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        check=True,
    )
    assert "_curate_completion" in (tmp_path / ".bash_completions/curate.sh").read_text()
    assert ".bash_completions/curate.sh" in (tmp_path / ".bashrc").read_text()
