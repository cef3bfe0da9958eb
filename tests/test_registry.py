"""What the folder walk finds, in the package and of others that are installed."""

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from curate import registry
from curate.errors import UserError
from curate.ingest.add import add
from curate.workspace import FINDINGS, Workspace, read_table
from tests.conftest import write_digits

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
    with pytest.raises(
        UserError, match=r"'dark' \(walked_.*\.dark\) has no function of that name in .*dark\.py; mend it$"
    ):
        registry.functions(package)


def installed(folder: Path, *lines: str, source: str = "") -> None:
    """A distribution with entry points, and the module `theirs`: that source, or the finder `theirs`."""
    about = folder / "theirs-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("\n".join(["[curate.finders]", *lines]))
    (folder / "theirs.py").write_text(source or FINDER.replace("NAME", "theirs"))


def listed(folder: Path, *arguments: object) -> str:
    """What `curate finders`, or another verb, prints, or says is wrong, where that folder is installed."""
    done = ran(folder, *arguments)
    return done.stdout + done.stderr


def ran(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """`curate finders`, or another verb, where that folder is installed."""
    code = f"""
import sys
sys.path.insert(0, {str(folder)!r})
sys.argv = {["curate", *map(str, arguments or ["finders"])]!r}
from curate.cli import main
main()
"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_an_installed_package_brings_a_finder(tmp_path: Path) -> None:
    installed(tmp_path, "theirs = theirs")
    told = listed(tmp_path)
    assert "theirs" in told
    assert "Nothing is wrong." in told
    assert "blurry" in told


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (
            ["blurry = theirs"],
            "'blurry' is in curate.finders.blurry and in theirs of the package their-package; one of",
        ),
        (["tones = theirs"], "'tones' is in curate.signals.tones and in theirs"),
        (["labels = theirs"], "'labels' is in what curate itself gives or keeps and in theirs"),
        (["predictions = theirs"], "'predictions' is in what curate itself gives or keeps and in theirs"),
        (["theirs = theirs", "[curate.signals]", "theirs = theirs"], "'theirs' is in theirs and in theirs"),
        (
            ["mine = theirs"],
            "'mine' (theirs of the package their-package) has no function of that name in theirs.py; mend",
        ),
        (["theirs = no module"], "finder 'theirs' of the package their-package does not load: ModuleNotFoundError"),
        (["theirs ="], "finder 'theirs' of the package their-package does not load: ValueError"),
    ],
)
def test_entry_points_that_cannot_be_are_told(tmp_path: Path, lines: list[str], says: str) -> None:
    installed(tmp_path, *lines)
    assert f"curate: {says}" in listed(tmp_path).replace(f"{tmp_path}/", "")


FAILING = '''
def theirs(NEEDS):
    """Fails."""
    raise RuntimeError("not today")
'''


def test_what_fails_in_an_installed_package_names_it(tmp_path: Path) -> None:
    write_digits(tmp_path / "photos", 3)
    add(Workspace(tmp_path / "ws"), tmp_path / "photos")
    told = "finder 'theirs' of the package their-package failed: RuntimeError: not today; 'curate --verbose' shows"
    for needs in ("manifest", "gray"):
        folder = tmp_path / needs
        installed(folder, "theirs = theirs", source=FAILING.replace("NEEDS", needs))
        assert f"curate: {told}" in listed(folder, "scan", tmp_path / "ws")
        assert 'theirs.py", line 4, in theirs' in listed(folder, "-v", "scan", tmp_path / "ws")
    installed(tmp_path / "import", "theirs = theirs", source="raise RuntimeError('never')")
    told = "finder 'theirs' of the package their-package does not load: RuntimeError: never; mend it, or 'pip uninst"
    assert f"curate: {told}" in listed(tmp_path / "import", "scan", tmp_path / "ws")


PRINTING = """
print("imported")
def theirs(NEEDS):
    print("looked")
    return 1.0
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_what_it_prints_is_not_in_the_json(tmp_path: Path, workers: int) -> None:
    write_digits(tmp_path / "photos", 3)
    add(Workspace(tmp_path / "ws"), tmp_path / "photos")
    installed(tmp_path / "env", "theirs = theirs", source=PRINTING.replace("NEEDS", "gray"))
    done = ran(tmp_path / "env", "scan", tmp_path / "ws", "--json", "--workers", workers)
    assert "flagged" in json.loads(done.stdout)
    assert {"imported", "looked"} <= set(done.stderr.splitlines())


def test_a_changed_finder_of_an_installed_package_looks_anew(tmp_path: Path) -> None:
    write_digits(tmp_path / "photos", 3)
    add(Workspace(tmp_path / "ws"), tmp_path / "photos")
    installed(tmp_path / "env", "theirs = theirs")
    for score in ("1.0", "0.25"):
        text = FINDER.replace("NAME", "theirs").replace("1.0", score)
        (tmp_path / "env" / "theirs.py").write_text(text)
        told = listed(tmp_path / "env", "scan", tmp_path / "ws", "--only", "theirs")
    assert set(read_table(tmp_path / "ws" / FINDINGS)["score"]) == {0.25}
    assert "was found anew" in told


def test_a_setting_without_a_default_is_told(package: ModuleType) -> None:
    def dark(gray: object, *, side: int) -> None: ...

    with pytest.raises(
        UserError, match=r"'dark' \(tests.test_registry\) has a setting without a default, 'side'; mend it"
    ):
        registry.settings(dark)


def test_one_that_cannot_be_used_stops_nothing_else(tmp_path: Path) -> None:
    write_digits(tmp_path / "photos", 3)
    add(Workspace(tmp_path / "ws"), tmp_path / "photos")
    installed(tmp_path / "env", "theirs = theirs", source="raise SystemExit('bye')")
    told = (
        "curate: finder 'theirs' of the package their-package does not load: SystemExit: bye; mend it, or 'pip uninst"
    )
    assert told in listed(tmp_path / "env", "scan", tmp_path / "ws")
    assert told in listed(tmp_path / "env", "scan", tmp_path / "ws", "--only", "theirs")
    assert "dark" in listed(tmp_path / "env", "scan", tmp_path / "ws", "--only", "dark")
    for verb in ("findings", "decide", "apply", "report"):
        assert "theirs" not in listed(tmp_path / "env", verb, tmp_path / "ws"), verb
    assert "finder theirs: mend it, or 'pip uninstall their-package'" in listed(tmp_path / "env", "doctor")


@pytest.mark.parametrize(
    ("takes", "says"),
    [
        ("manifest, level=3", "asks for 'level'; there are: "),
        ("manifest, embedings", "asks for 'embedings' (did you mean 'embeddings'?); there are: "),
        ("manifest, store", "asks for 'store'"),
        ("theirs", "asks for 'theirs'"),
        ("manifest, *more", "takes *more; what it needs has to be named"),
        ("gray, **more", "takes **more; what it needs has to be named"),
        ("gray, labels", "asks for pixels beside other things (labels); settings come after a `*`"),
        ("gray, *, side", "has a setting without a default, 'side'"),
    ],
)
def test_what_cannot_run_is_refused_before_it_does(tmp_path: Path, takes: str, says: str) -> None:
    installed(tmp_path, "theirs = theirs", source=FINDER.replace("NAME(gray)", f"theirs({takes})"))
    told = listed(tmp_path)
    assert f"'theirs' (theirs of the package their-package) {says}" in told
    assert "mend it, or 'pip uninstall their-package'" in told


def test_a_version_that_is_no_number_is_refused(tmp_path: Path) -> None:
    installed(tmp_path, "theirs = theirs", source='VERSION = "1.2"' + FINDER.replace("NAME", "theirs"))
    assert "has the VERSION '1.2', which is no int" in listed(tmp_path)


def test_of_packages_in_one_namespace_the_right_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [registry.Brought("finder", name, f"acme.{name}.finder", f"acme-{name}") for name in ("a", "b")]
    monkeypatch.setattr(registry, "installed", lambda group: tuple(both) if group == "curate.finders" else ())
    for name in ("acme.b.finder", "acme.b.helper"):
        assert registry.package_of(ModuleType(name)) == "acme-b"
    assert registry.package_of(ModuleType("numpy")) == registry.package_of(ModuleType("curate.finders.dark")) == ""


def test_a_function_that_is_only_imported_is_of_the_package_that_brings_it(tmp_path: Path) -> None:
    installed(tmp_path / "env", "theirs = theirs", source="from elsewhere import theirs")
    (tmp_path / "env" / "elsewhere.py").write_text(FAILING.replace("NEEDS", "manifest"))
    write_digits(tmp_path / "photos", 3)
    add(Workspace(tmp_path / "ws"), tmp_path / "photos")
    told = listed(tmp_path / "env", "scan", tmp_path / "ws", "--only", "theirs")
    assert "finder 'theirs' of the package their-package failed: RuntimeError: not today" in told


def test_a_network_takes_the_place_of_none_of_ours(tmp_path: Path) -> None:
    source = """
from typing import Literal
def resnet2(*, num_classes: int, image_size: int, depth: Literal[0, 1]):
    '''Theirs.'''
"""
    installed(tmp_path, "theirs = theirs", "[train.models]", "resnet2 = theirs", source=source)
    told = listed(tmp_path, "models")
    assert "network 'resnet2' (theirs of the package their-package) gives 'resnet20', as curate does; call it" in told
    assert "Theirs." not in told
