"""A few dozen digits that were scanned, decided on and applied, for a proof."""

import shutil
from pathlib import Path

import pytest

from curate import verbs
from curate.engine import Local
from curate.ingest.add import add
from curate.workspace import Workspace
from tests.conftest import write_digits
from tests.train.prove.workspaces import IMAGES, SETTINGS, change
from train.prove import prove


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits, of which one test image is a training image, too."""
    folder = tmp_path_factory.mktemp("sources") / "digits"
    write_digits(folder, IMAGES)
    shutil.copy(next(folder.glob("test/3/*.png")), folder / "train" / "3" / "seen.png")
    return folder


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Workspace:
    """Scanned, decided, applied, not trained."""
    workspace = Workspace(tmp_path_factory.mktemp("template") / "ws")
    add(workspace, folder)
    verbs.scan(workspace, only=["split_leak"], settings={}, engine=Local())
    change(workspace)
    return workspace


@pytest.fixture
def fresh(tmp_path: Path, template: Workspace) -> Workspace:
    shutil.copytree(template.root, tmp_path / "fresh")
    return Workspace(tmp_path / "fresh")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, template: Workspace) -> Workspace:
    """Proved with two seeds."""
    workspace = Workspace(tmp_path_factory.mktemp("done") / "ws")
    shutil.copytree(template.root, workspace.root)
    prove(workspace, settings=SETTINGS, seeds=2)
    return workspace


@pytest.fixture
def again(tmp_path: Path, done: Workspace) -> Workspace:
    """A copy of one that was proved."""
    shutil.copytree(done.root, tmp_path / "again")
    return Workspace(tmp_path / "again")
