"""A FiftyOne database of the tests' own, and Chromium. Where one is missing, its tests are skipped and say why."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest

from curate.mongo import database, mongod

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
"""What Debian, Ubuntu and Google call it."""
OFFLINE = [
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def database_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for the database, which the environment names; FiftyOne's settings of this user do not count."""
    if not mongod.find():
        pytest.skip(f"FiftyOne has no mongod; {mongod.BRINGS}")
    folder = tmp_path_factory.mktemp("fiftyone")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIFTYONE_DATABASE_DIR", str(folder / "db"))
        for name in ("CONFIG", "APP_CONFIG", "ANNOTATION_CONFIG", "EVALUATION_CONFIG"):
            patch.setenv(f"FIFTYONE_{name}_PATH", str(folder / f"no_{name.lower()}.json"))
        for name in ("URI", "NAME", "ADMIN"):
            patch.delenv(f"FIFTYONE_DATABASE_{name}", raising=False)
        patch.delenv("FIFTYONE_PRIVATE_DATABASE_PORT", raising=False)
        yield folder / "db"


@pytest.fixture(scope="session")
def fiftyone(database_dir: Path) -> Iterator[ModuleType]:
    """FiftyOne, connected to a database that is empty when the session begins, and ends with it."""
    fo = database._imported()
    assert fo.config.database_dir == str(database_dir), "fiftyone was imported before its settings were made"
    yield database.fiftyone()
    (serving,) = database._serving
    assert serving.started, "the tests must not join a database of others"
    running = [serving.started, *serving.started.children()]
    database.leave()
    assert psutil.wait_procs(running, timeout=30)[1] == []


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, headless, driven by Playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is missing; pip install playwright")
    with playwright.sync_playwright() as running:
        found = next(filter(None, map(shutil.which, CHROMIUM)), running.chromium.executable_path)
        if not Path(found).exists():
            pytest.skip("Chromium is missing; apt-get install chromium, or playwright install chromium")
        browser = running.chromium.launch(executable_path=found, args=OFFLINE)
        yield browser
        browser.close()
