"""`curate doctor` looks at this machine, and says what to type where something is missing."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from curate import registry
from curate.errors import UserError
from curate.support import doctor
from curate.support.doctor import Check, examine


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Check]:
    return {check.name: check for check in examine(str(tmp_path_factory.mktemp("ws")))}


def test_here_everything_that_is_required_is_right(checks: dict[str, Check]) -> None:
    assert [check for check in checks.values() if check.required and not check.ok] == []
    assert {"curate", "python", "torch", "opencv", "device", "disk", "fiftyone database"} <= set(checks)


def test_what_is_not_right_says_what_to_type(checks: dict[str, Check]) -> None:
    assert all(bool(check.mend) != check.ok for check in checks.values())
    assert all(check.found and "\n" not in check.found for check in checks.values())


@pytest.mark.parametrize("folder", [".", "/", "missing/also missing"])
def test_disk_of_a_folder_that_is_not_there_yet(tmp_path: Path, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "GB free at" in doctor._disk(folder).found


def test_disk_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in ("file", "file/below"):
        with pytest.raises(UserError, match="is no folder"):
            doctor._disk(str(tmp_path / path))


def test_little_room_warns_and_does_not_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "FEW_GB", 1e9)
    check = doctor._disk(str(tmp_path))
    assert (check.ok, check.required) == (False, False)
    assert "make room" in check.mend


def test_missing_package() -> None:
    check = doctor._package("no-such-package", "no_such_package")
    assert (check.found, check.ok, check.mend) == ("missing", False, "pip install no-such-package")


def test_packages_that_do_not_load_are_told(tmp_path: Path) -> None:
    broken = ("torch", "cv2", "pandas", "pyarrow", "faiss")
    for name in broken:
        (tmp_path / "broken" / name).mkdir(parents=True)
        (tmp_path / "broken" / name / "__init__.py").write_text(f"raise ImportError('lib{name}.so: cannot open')")
    for options in (["--json"], ["--bundle", "--out", "bundle.zip"]):
        done = subprocess.run(
            [sys.executable, "-m", "curate", "doctor", *options],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "broken"), *sys.path])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        if "--json" in options:
            assert done.returncode == 1
            found = {each["name"]: each for each in json.loads(done.stdout)}
            packages = {module.partition(".")[0]: found[name] for name, module in doctor.PACKAGES.items()}
            for name in broken:
                assert f"does not load: ImportError: lib{name}.so: cannot open" in packages[name]["found"]
            assert packages["torch"]["mend"] == "pip install --force-reinstall torch==2.13.0"
    assert "machine.json" in zipfile.ZipFile(tmp_path / "bundle.zip").namelist()


def test_rival_build_of_opencv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "RIVALS", ("numpy",))
    check = doctor._opencv_alone()
    assert not check.ok
    assert "pip uninstall -y numpy" in check.mend


def test_database_by_address_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIFTYONE_DATABASE_URI", "mongodb://me:secret@127.0.0.1:1")
    check = doctor._database()
    assert check.found == "the database at 127.0.0.1:1 does not answer within 2 s"
    assert (check.ok, check.required) == (False, False)
    assert "FIFTYONE_DATABASE_URI" in check.mend


@pytest.mark.parametrize(
    ("group", "name"), [("curate.finders", "dark"), ("curate.sources", "cifar"), ("train.models", "vgg16")]
)
def test_what_other_packages_add_is_tried(group: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = registry.GROUPS[group]
    modules = {"missing": "not_there", "useless": "json", name: "json"}
    theirs = tuple(registry.Brought(kind, called, place, "their-package") for called, place in modules.items())
    monkeypatch.setattr(registry, "installed", lambda asked: theirs if asked == group else ())
    checks = {check.name: check for check in doctor._brought(group)}
    missing, useless, taken = (checks[f"{kind} {called}"] for called in ("missing", "useless", name))
    assert (missing.ok, missing.mend) == (False, "mend it, or 'pip uninstall their-package'")
    assert f"{kind} 'missing' of the package their-package does not load: ModuleNotFoundError" in missing.found
    assert (useless.ok, "has no " in useless.found, useless.mend[:7]) == (False, True, "mend it")
    assert (taken.ok, taken.mend) == (False, "one of them must go, or be called otherwise")
