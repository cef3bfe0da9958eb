"""A workspace to add to, and what is in it."""

from pathlib import Path

import pandas as pd
import pytest

from curate import manifest
from curate.workspace import MANIFEST, Workspace


@pytest.fixture(autouse=True)
def no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests need not wait until everything on the machine is on its disk."""
    monkeypatch.setattr("os.sync", lambda: None)
    monkeypatch.setattr("os.fsync", lambda file: None)


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "ws")


def rows(ws: Workspace) -> pd.DataFrame:
    return manifest.check(ws.read_table(MANIFEST, written_by="curate add"), "manifest")


def ids(ws: Workspace) -> list[str]:
    return rows(ws)["image_id"].tolist()
