"""What docs/gate.md shows is so."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from curate.gate import tables
from curate.gate.check import Check, Judged
from curate.gate.verb import gate
from curate.recipe import default
from curate.workspace import CURATED, DECISIONS, FINDINGS, HISTORY, MANIFEST, RECIPE, Workspace, read_table
from tests.gate.facts import facts
from tests.tables import found

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "gate.md").read_text(encoding="utf-8")


def blocks(language: str, after: str = "") -> list[str]:
    """Blocks of the page in this language, those after the heading."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE[PAGE.index(after) :], re.DOTALL)


def test_thresholds_of_the_page_can_be_read(workspace: Workspace) -> None:
    workspace.path(RECIPE).write_text(blocks("yaml", "## Thresholds")[0], encoding="utf-8")
    assert gate(workspace, changes={}).passed is False


def test_the_page_names_every_check_and_default() -> None:
    from typing import get_args

    from curate.recipe import Checked

    for name in get_args(Checked):
        assert f"| `{'findings.FINDER' if name == 'findings' else name}` |" in PAGE
    for name, limit in default().gate.findings.items():
        assert re.search(rf"at most .*{limit:g} for .*`{name}`", PAGE)


def test_the_json_of_the_page_has_the_keys_that_there_are() -> None:
    shown = json.loads(blocks("json")[0])
    assert list(shown["checks"][0]) == list(Check.__dataclass_fields__)
    check = tables.open_findings(facts(findings=found(("cat0", "label_error", 0.1))), "label_error", 0)
    assert list(shown["checks"][0]["details"]) == list(check.details)


@pytest.fixture
def repository(digits: Workspace, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A clone of a repository that holds the workspace as the page says, and bash in it with `curate` at hand."""
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    shutil.copytree(digits.root, origin / "ws")
    ignored, attributes = blocks("text", "## In a repository")[:2]
    (origin / ".gitignore").write_text(ignored, encoding="utf-8")
    (origin / ".gitattributes").write_text(attributes, encoding="utf-8")
    command = tmp_path / "bin" / "curate"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m curate "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    who = {f"GIT_{name}_{part}": "ada@localhost" for name in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    env = {**os.environ, **who, "PYTHONPATH": str(ROOT), "GIT_CONFIG_GLOBAL": "/dev/null"}
    env |= {"PATH": f"{command.parent}{os.pathsep}{env['PATH']}", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}

    def bash(script: str, where: Path = clone) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["bash", "-e", "-c", script], cwd=where, env=env, capture_output=True, text=True)

    made = bash(f"git init -q && git add -A && git commit -qm ws && git clone -q . {clone}", origin)
    assert made.returncode == 0, made.stderr
    return bash


@pytest.mark.skipif(not shutil.which("jq"), reason="the workflow tells its reasons by jq")
def test_the_workflow_of_the_page_runs(
    repository: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    workflow = yaml.safe_load(blocks("yaml", "### GitHub workflow")[0])
    step = next(step["run"] for step in workflow["jobs"]["gate"]["steps"] if step.get("name") == "Gate")
    done = repository(step)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    kept = {path.name for path in (tmp_path / "clone" / "ws").rglob("*")}
    versions = {path.name for path in (tmp_path / "origin" / "ws" / HISTORY).glob("*.csv")}
    assert kept == {MANIFEST, FINDINGS, DECISIONS, CURATED, "ledger.jsonl", HISTORY, *versions}
    with (tmp_path / "clone" / "ws" / DECISIONS).open("a", encoding="utf-8") as file:
        file.write("photos/train/0/0.png,drop,,ada,,,\n")
    done = repository(step)
    assert done.returncode == 3
    assert done.stdout.startswith("::error title=curated_current::the curated set is not of the images and decisions")
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "| images_per_class | passed | " in summary
    assert "| leaks | passed | 0 | at most 0 | " in summary
    (tmp_path / "clone" / "ws" / MANIFEST).write_bytes(b"")
    assert repository(step).returncode == 1


@pytest.mark.skipif(not shutil.which("jq"), reason="the workflow tells its reasons by jq")
def test_names_break_neither_the_summary_nor_an_annotation(
    repository: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    reason = "50 % of class 'a|b\\|c\r\nd' are open"
    judged = Judged(False, "raw", [Check("leaks", "failed", reason, 0.5, "at most", 0.1, "curate decide ws")])
    (tmp_path / "judged.json").write_text(json.dumps(asdict(judged)), encoding="utf-8")
    (tmp_path / "bin" / "curate").write_text(f'#!/bin/sh\ncat "{tmp_path}/judged.json"; exit 3\n', encoding="utf-8")
    workflow = yaml.safe_load(blocks("yaml", "### GitHub workflow")[0])
    step = next(step["run"] for step in workflow["jobs"]["gate"]["steps"] if step.get("name") == "Gate")
    done = repository(step)
    assert done.stdout == (
        "::error title=leaks::50 %25 of class 'a|b\\|c%0D%0Ad' are open. Way out: curate decide ws\n"
    )
    row = (tmp_path / "summary.md").read_text(encoding="utf-8").splitlines()[-1]
    assert row == "| leaks | failed | 0.5 | at most 0.1 | 50 % of class 'a&#124;b\\&#124;c  d' are open |"


def test_branches_are_merged_as_the_page_says(
    repository: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    path = tmp_path / "clone" / "ws" / DECISIONS
    ids = read_table(tmp_path / "clone" / "ws" / MANIFEST)["image_id"]
    say = "printf 'image_id,action\\n{},keep\\n' > said.csv; curate decide ws --import said.csv --by {}; rm said.csv"
    done = repository(
        f"git checkout -qb topic; {say.format(ids[0], 'eve')}; git add -A; git commit -qm eve; git checkout -q -"
    )
    assert done.returncode == 0, done.stderr
    done = repository(f"{say.format(ids[1], 'bob')}; git add -A; git commit -qm bob; {blocks('sh', '### Merging')[0]}")
    assert done.returncode == 0, done.stderr
    said = read_table(path).set_index("image_id")["by"]
    assert (said[ids[0]], said[ids[1]]) == ("eve", "bob")
    assert repository("git status --porcelain && git log -1 --format=%s").stdout == "Merge branch 'topic'\n"


def test_the_hook_of_the_page_runs(repository: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    hook = tmp_path / "clone" / ".git" / "hooks" / "pre-commit"
    hook.write_text(blocks("sh", "Without that tool")[0], encoding="utf-8")
    hook.chmod(0o755)
    assert repository("echo > README && git add README && git commit -qm 'not of ws'").returncode == 0
    refused = repository("echo 'photos/train/0/0.png,drop,,ada,,,' >> ws/decisions.csv && git commit -qam edited")
    assert refused.returncode != 0
    assert "curated_current failed" in refused.stdout + refused.stderr
    assert repository("curate apply ws && git add -A && git commit -qm applied").returncode == 0


def test_the_configuration_of_pre_commit_names_what_it_must() -> None:
    hooks = yaml.safe_load(blocks("yaml", "### pre-commit")[0])["repos"][0]["hooks"]
    assert hooks == [
        {
            "id": "curate-gate",
            "name": "curate gate",
            "entry": "curate gate ws",
            "language": "system",
            "pass_filenames": False,
            "files": "^ws/",
        }
    ]


def test_the_gate_needs_no_more_than_the_workflow_installs(digits: Workspace) -> None:
    workflow = yaml.safe_load(blocks("yaml", "### GitHub workflow")[0])
    install = next(step["run"] for step in workflow["jobs"]["gate"]["steps"] if step.get("name") == "Install")
    installed = set(re.findall(r'"([^"]+)"', install))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert installed <= set(project["dependencies"])
    names = {re.split(r"[<>=]", each)[0] for each in set(project["dependencies"]) - installed}
    missing = sorted("sklearn" if name == "scikit-learn" else name.replace("-", "_") for name in names)
    code = f"""if True:
        import sys
        class Missing:
            def find_spec(self, name, path=None, target=None):
                if name in {missing!r}:
                    raise ModuleNotFoundError(name)
        sys.meta_path.insert(0, Missing())
        sys.argv = ["curate", "gate", {str(digits.root)!r}]
        from curate.cli import main
        main()"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "torch" in missing
