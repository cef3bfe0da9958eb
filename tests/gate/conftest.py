"""A workspace that passes, and the command line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curate import deciding, verbs
from curate.engine import Local
from curate.ingest.add import add
from curate.workspace import Workspace
from tests.conftest import write_digits


@pytest.fixture
def digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """220 digits, of every class at least 10 to train on, scanned, decided on by the default policy and applied."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    write_digits(tmp_path / "photos", 220)
    made = Workspace(tmp_path / "ws")
    add(made, tmp_path / "photos")
    renew(made)
    return made


def renew(workspace: Workspace) -> None:
    verbs.scan(workspace, only=None, settings={}, engine=Local())
    deciding.decide(workspace, None)
    verbs.apply(workspace, include_test=False)


def leak(workspace: Workspace) -> str:
    """A test image gets into training; its image_id there."""
    source = workspace.root.parent / "photos"
    test = next((source / "test").rglob("*.png"))
    name = f"train/{test.parent.name}/seen.png"
    shutil.copy(test, source / name)
    add(workspace, source)
    return f"photos/{name}"


Called = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def call(ends: Callable[..., tuple[int, str, str]]) -> Called:
    """`call(ws, "--set", "leaks=2")`: exit status of `curate gate --json`, and what it prints."""

    def called(workspace: Workspace, *arguments: str) -> tuple[int, dict[str, Any]]:
        status, out, err = ends("gate", workspace.root, "--json", *arguments)
        assert err == ""
        return status, json.loads(out)

    return called


def failed(judged: dict[str, Any]) -> list[str]:
    return [check["name"] for check in judged["checks"] if check["status"] == "failed"]


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in sorted(folder.rglob("*")) if path.is_file()
    }
