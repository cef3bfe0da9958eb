"""What the folder walk finds, in the package and of others that are installed."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from curate import registry
from curate.errors import UserError

FINDER = '''
"""Something of another package."""
def NAME(gray):
    """Nothing is wrong."""
    return 1.0
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> ModuleType:
    """A package of its own for each test, on the path: `modules` are known to Python by their name."""
    name = f"walked_{abs(hash(request.node.name))}"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    return __import__(name)


def write(package: ModuleType, name: str, function: str | None = None) -> None:
    text = FINDER.replace("NAME", function or name)
    (Path(package.__path__[0]) / f"{name}.py").write_text(text, encoding="utf-8")


def test_a_file_is_a_function_and_others_help(package: ModuleType) -> None:
    for name in ("dark", "blurry", "_shared"):
        write(package, name)
    assert list(registry.functions(package)) == ["blurry", "dark"]


def test_a_function_that_is_called_otherwise_is_named_with_its_file(package: ModuleType) -> None:
    write(package, "dark", "drak")
    with pytest.raises(UserError, match=r"dark\.py has no function 'dark': it has to be called as its file is"):
        registry.functions(package)


def installed(folder: Path, *lines: str) -> None:
    """A distribution with entry points, and the module `theirs` with the finder `theirs`."""
    about = folder / "theirs-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("\n".join(["[curate.finders]", *lines]))
    (folder / "theirs.py").write_text(FINDER.replace("NAME", "theirs"))


def listed(folder: Path) -> str:
    """What `curate finders` prints, or says is wrong, where that folder is installed."""
    code = f"""
import sys
sys.path.insert(0, {str(folder)!r})
sys.argv = ["curate", "finders"]
from curate.cli import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_an_installed_package_brings_a_finder(tmp_path: Path) -> None:
    installed(tmp_path, "theirs = theirs")
    told = listed(tmp_path)
    assert "theirs" in told
    assert "Nothing is wrong." in told
    assert "blurry" in told


def test_two_of_one_name_are_told(tmp_path: Path) -> None:
    installed(tmp_path, "blurry = theirs")
    assert "curate: 'blurry' is in curate.finders.blurry and in theirs; one of them must go" in listed(tmp_path)
