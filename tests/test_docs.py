"""Documentation that cannot go stale: the tutorial is run, generated pages are current, all there is appears."""

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from curate import finders, recipe, registry, signals, sources
from tests import test_finders
from tests.pictures import Picture, evidence_of
from train import experiments, models

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "datasets").glob("*.md")])
BLOCK = re.compile(r"(<!-- not run[^>]*-->\n)?```sh\n(.*?)```\n(?:```text\n(.*?)```)?", re.DOTALL)
"""A block of commands, whether it is left out, and the output that stands below it."""


@pytest.fixture(scope="module")
def generate() -> Iterator[object]:
    """`docs/generate.py` as a module."""
    sys.path.insert(0, str(DOCS))
    try:
        yield importlib.import_module("generate")
    finally:
        sys.path.remove(str(DOCS))


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """One in which `curate` is this one."""
    command = tmp_path / "bin" / "curate"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m curate "$@"\n')
    command.chmod(0o755)
    path = f"{command.parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}


def test_the_loop_of_the_augmentation_page_runs(environment: dict[str, str], tmp_path: Path) -> None:
    page = (DOCS / "augment.md").read_text(encoding="utf-8")
    code = page.partition("<!-- begin loop -->\n\n```python\n")[2].partition("```")[0]
    shown = f"{code}print(batch.shape, batch.dtype)"
    done = subprocess.run([sys.executable, "-c", shown], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout == "torch.Size([16, 3, 32, 32]) torch.bfloat16\n", done.stderr


def test_tutorial_runs_and_says_what_it_shows(tmp_path: Path, environment: dict[str, str]) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    blocks = BLOCK.findall((DOCS / "tutorial.md").read_text(encoding="utf-8"))
    assert len(blocks) > 10
    for left_out, commands, expected in blocks:
        if left_out:
            continue
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands], cwd=folder, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{commands}{done.stdout}{done.stderr}"
        missing = missing_line(expected, done.stdout)
        assert missing is None, f"{commands}shows {missing!r}, which is not in, or not in this order:\n{done.stdout}"


def missing_line(expected: str, output: str) -> str | None:
    """The first expected line without a line of the output, in order; `…` stands for anything, any space for any."""
    lines = iter(" ".join(line.split()) for line in output.splitlines())
    for line in expected.splitlines():
        parts = [re.escape(" ".join(part.split())) for part in line.split("…")]
        pattern = re.compile(r".*".join(rf"\s*{part}\s*" for part in parts))
        if not any(pattern.fullmatch(said) for said in lines):
            return line
    return None


@pytest.mark.parametrize(
    ("expected", "output", "missing"),
    [
        ("a …\n", "a 1\n", None),
        ("… images,  …dropped", "9  images, 6 dropped", None),
        ("… images, 7 dropped", "9 images, 6 dropped", "… images, 7 dropped"),
        ("a\nb\n", "a\nx\nb\n", None),
        ("a\nb\n", "b\na\n", "b"),
        ("a", "", "a"),
        ("", "anything", None),
    ],
)
def test_missing_line(expected: str, output: str, missing: str | None) -> None:
    assert missing_line(expected, output) == missing


def test_generated_pages_are_current(generate: object) -> None:
    assert generate.stale() == [], "run `make docs`"  # type: ignore[attr-defined]


def test_every_verb_is_in_reference_and_readme(generate: object) -> None:
    verbs = importlib.import_module("command_reference").verbs()
    reference, readme = ((ROOT / name).read_text(encoding="utf-8") for name in ("docs/reference/cli.md", "README.md"))
    assert len(verbs) > 10
    for verb in verbs:
        assert f"## `curate {verb}`" in reference
        assert f"`curate {verb}`" in readme


def test_reference_names_the_options_that_help_names(generate: object) -> None:
    """The reference is made from the same signatures as `--help`, and yet by other code."""
    page = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "curate", "train", "--help"],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200", "TERMINAL_WIDTH": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    section = page.split("## `curate train`")[1].split("\n## ")[0]
    options = r"(?<![\w-])--[a-z-]+"
    assert set(re.findall(options, section)) - {"--data", "--seeds", "--set"} == (
        set(re.findall(options, done.stdout)) - {"--data", "--seeds", "--set", "--help"}
    )


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("finders", list(registry.functions(finders))),
        ("signals", list(registry.functions(signals))),
        ("models", models.names()),
        ("experiments", list(registry.functions(experiments))),
        ("sources", [*sources.layouts(), *recipe.names()]),
    ],
)
def test_everything_there_is_appears(page: str, names: list[str]) -> None:
    text = (DOCS / "reference" / f"{page}.md").read_text(encoding="utf-8")
    assert names
    assert [name for name in names if f"`{name}`" not in text] == []


def test_files_of_the_promises_are_there() -> None:
    promises = [line for line in (ROOT / "SECURITY.md").read_text(encoding="utf-8").splitlines() if line[:2] == "| "]
    named = {name for line in promises for name in re.findall(r"`([\w/]+\.py)`", line)}
    assert len(named) > 10
    assert [name for name in named if not any((ROOT / folder / name).exists() for folder in ("", "curate"))] == []


def test_every_python_file_is_in_the_tree() -> None:
    tree = (
        (ROOT / "README.md").read_text(encoding="utf-8").split("<!-- begin tree -->")[1].split("<!-- end tree -->")[0]
    )
    for package in ("curate", "train"):
        for path in (ROOT / package).rglob("*.py"):
            if path.name != "__init__.py":
                assert re.search(rf"^ +{re.escape(path.name)} +\S", tree, re.MULTILINE), f"{path} has no line"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_resolve(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(file), f"{page.name} links to {target}; there are: {', '.join(anchors(file))}"


def anchors(page: Path) -> list[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_hold_no_path_of_the_machine_they_were_written_on(page: Path) -> None:
    assert re.findall(r"(?<![\w.])/(?:home|root|tmp|work|Users)/\S*", page.read_text(encoding="utf-8")) == []


def python_block(name: str) -> str:
    """The Python block of CONTRIBUTING.md that is introduced by that file name."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    found = re.search(rf"`{re.escape(name)}`:\n\n```python\n(.*?)```", text, re.DOTALL)
    assert found, f"CONTRIBUTING.md shows no {name}"
    return found[1]


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The finder of CONTRIBUTING.md, in a folder where the walk finds it."""
    (tmp_path / "tiny.py").write_text(python_block("curate/finders/tiny.py"), encoding="utf-8")
    monkeypatch.setattr(finders, "__path__", [*finders.__path__, str(tmp_path)])
    monkeypatch.setattr(test_finders, "FINDERS", registry.functions(finders))
    yield "tiny"
    sys.modules.pop("curate.finders.tiny", None)
    vars(finders).pop("tiny", None)


@pytest.mark.parametrize("pictures", test_finders.SETS.values(), ids=test_finders.SETS)
def test_example_of_contributing_keeps_the_contract(pictures: list[Picture], example: str, tmp_path: Path) -> None:
    test_finders.test_signature_and_docstring(example)
    test_finders.sound(example, *(evidence_of(tmp_path / name, pictures) for name in ("set", "again")))


def test_example_of_contributing_passes_its_own_test(example: str, tmp_path: Path) -> None:
    content: dict[str, object] = {}
    exec(compile(python_block("tests/test_tiny.py"), "tests/test_tiny.py", "exec"), content)
    test = content["test_tiny"]
    for mark in test.pytestmark:  # type: ignore[attr-defined]
        for number, case in enumerate(mark.args[1]):
            test(*case, tmp_path / str(number))  # type: ignore[operator]
