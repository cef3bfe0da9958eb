"""Who may import whom (docs/design.md), and what must not be imported for `curate --help`."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from curate.workspace import Workspace

ROOT = Path(__file__).parents[1]
FILES = [*(ROOT / "curate").rglob("*.py"), *(ROOT / "train").rglob("*.py")]
MAY_IMPORT_TRAIN = ("curate/cli/", "curate/demo.py")
HEAVY = (
    "torch",
    "cv2",
    "pandas",
    "numpy",
    "fiftyone",
    "albumentations",
    "sklearn",
    "matplotlib",
    "pyarrow",
    "cleanlab",
    "ray",
)


def imports(path: Path) -> set[str]:
    """Full names of what a file imports, anywhere in it, other than for type checking."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test)
        for child in block.body
        for node in ast.walk(child)
    }
    names: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where things are"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_the_design(path: Path) -> None:
    place = str(path.relative_to(ROOT))
    names = imports(path)
    if place.startswith("curate/") and not place.startswith(MAY_IMPORT_TRAIN):
        assert [name for name in names if within(name, "train")] == []
    if not place.startswith("curate/cli/") and place != "curate/__main__.py":
        assert [name for name in names if within(name, "curate.cli")] == []
    if place.startswith("curate/finders/"):
        assert [name for name in names if within(name, "curate.finders")] == []
    if place.startswith(
        ("curate/finders/", "curate/signals/", "curate/labels/", "curate/likeness/", "curate/results/")
    ):
        verbs = ("verbs", "deciding", "adding", "cli", "review", "report", "gate")
        assert [name for name in names if any(within(name, f"curate.{verb}") for verb in verbs)] == []
    if place.startswith(("curate/labels/", "curate/likeness/")):
        assert [name for name in names if within(name, "curate.signals")] == []
    if place.startswith("curate/signals/"):
        assert [name for name in names if within(name, "curate.finders") or within(name, "curate.signals")] == []
    assert [name for name in names if within(name, "tests") or within(name, "datasets")] == []


def test_packages_import_each_other_one_way() -> None:
    """But for layouts and the way in, which take each other's types: what one needs of another is below both."""
    places = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in FILES
        if path.is_relative_to(ROOT / "curate")
    }
    needs: dict[str, set[str]] = {}
    for name, path in places.items():
        modules = {other if other in places else other.rpartition(".")[0] for other in imports(path)} & set(places)
        needs.setdefault(package(name), set()).update({package(other) for other in modules} - {package(name)})
    circles = set[str]()
    for name in needs:
        seen, found = set[str](), set(needs[name])
        while found:
            seen |= found
            found = {other for each in found for other in needs.get(each, ())} - seen
        circles |= {name} & seen
    assert circles == set()


def package(name: str) -> str:
    """The package of `curate` that a module is in, or the module itself where it lies at the top."""
    return ".".join(name.split(".")[:2])


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["scan", "--help"], ["train", "--help"]], ids=" ".join
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = f"""
import sys
from curate.cli import app
try:
    app({arguments})
except SystemExit as end:
    assert not end.code, end.code
print("imported:", *[name for name in {HEAVY} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "imported:"


def test_whoever_imports_opencv_first_its_limits_hold() -> None:
    """Each file that imports it is the first to, in a fork of a process that has only loaded what takes long."""
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in FILES if "cv2" in imports(path)]
    code = f"""
import importlib, os, sys
import matplotlib.figure, pandas, pyarrow.dataset, scipy.fft, scipy.sparse.csgraph, torch._dynamo, typer, yaml
class Watch:
    def find_spec(self, name, *_):
        if name == "cv2":
            print(os.environ.get("OPENCV_IO_MAX_IMAGE_PIXELS"), os.environ.get("OPENCV_LOG_LEVEL"), flush=True)
sys.meta_path.insert(0, Watch())
for name in {names}:
    child = os.fork()
    if not child:
        print(name, flush=True)
        importlib.import_module(name)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, name
"""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OPENCV")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=clean)
    said = done.stdout.splitlines()
    assert [line for line in said if line in names] == names
    assert {line for line in said if line not in names} == {"134217728 SILENT"}


def test_training_imports_no_compiler() -> None:
    """torch._dynamo takes as long as torch; PyTorch's own optimizers and `assume_constant_result` import it."""
    code = """
import sys
from tests.train.digits import QUICK, digits
from train.loop import train
train(QUICK, digits(60))
print("torch._dynamo" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_processes_that_decode_images_for_training_begin_without_torch() -> None:
    code = "import sys, train.pixels; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_what_reads_tables_alone_imports_nothing_slow(workspace: Workspace) -> None:
    """It would be most of what these verbs take: scipy's statistics alone are a third of a second."""
    slow = ("torch", "sklearn", "scipy.stats", "scipy.optimize", "matplotlib", "cleanlab", "fiftyone", "albumentations")
    code = f"""
import sys
from curate.cli import app
for verb in ("scan --only exact_duplicate", "decide", "findings", "apply", "log", "runs", "report"):
    name, *options = verb.split()
    try:
        app([name, {str(workspace.root)!r}, *options])
    except SystemExit as end:
        assert not end.code, (verb, end.code)
    print("imported:", *[name for name in {slow} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said = [line for line in done.stdout.splitlines() if line.startswith("imported:")]
    assert said == ["imported:"] * 7
