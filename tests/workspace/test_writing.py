"""Writing: one at a time, nothing is left of a verb that fails, and same inputs give the same bytes."""

import shutil
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from curate import deciding, tables
from curate.errors import UserError
from curate.files import TEMPORARY_PREFIX
from curate.workspace import CURATED, DECISIONS, FINDINGS, MANIFEST, Workspace
from tests.tables import found
from tests.workspace.contents import contents, leftovers
from tests.workspace.processes import apply, decide, hold, start

# Two writers


@pytest.fixture
def holder(workspace: Workspace, tmp_path: Path) -> Iterator[Callable[[float], BaseProcess]]:
    """`holder(seconds)`: another process that holds the lock for so long."""
    processes = []

    def begin(seconds: float) -> BaseProcess:
        processes.append(start(hold, workspace.root, str(tmp_path / "begun"), seconds))
        while not (tmp_path / "begun").exists():
            time.sleep(0.01)
        return processes[-1]

    yield begin
    for process in processes:
        process.kill()
        process.join()


def test_second_writer_gives_up_with_one_line(workspace: Workspace, holder: Callable[[float], BaseProcess]) -> None:
    holder(60)
    impatient = Workspace(workspace.root, seconds_to_wait=0.1)
    with pytest.raises(UserError, match="another curate is writing"), impatient.writing("apply", {}):
        pass
    assert len(workspace.ledger()) == 1


def test_second_writer_waits_for_the_first(workspace: Workspace, holder: Callable[[float], BaseProcess]) -> None:
    holder(0.3)
    with workspace.writing("apply", {}):
        pass
    assert len(workspace.ledger()) == 2


def test_who_has_trained_for_hours_waits_as_long_as_it_takes(
    workspace: Workspace, holder: Callable[[float], BaseProcess]
) -> None:
    holder(0.5)
    impatient = Workspace(workspace.root, seconds_to_wait=0.01)
    read = {MANIFEST: "as it was"}
    with impatient.waiting().writing("train", {}, read=read):
        pass
    assert workspace.ledger()[-1].reads == read


def test_lock_of_a_killed_writer_is_free(workspace: Workspace, holder: Callable[[float], BaseProcess]) -> None:
    process = holder(60)
    process.kill()
    process.join()
    with Workspace(workspace.root, seconds_to_wait=0.1).writing("apply", {}):
        pass


def test_readers_need_no_lock(workspace: Workspace, holder: Callable[[float], BaseProcess]) -> None:
    holder(60)
    impatient = Workspace(workspace.root, seconds_to_wait=0)
    assert len(tables.read_manifest(impatient)) == 40
    assert len(impatient.ledger()) == 1


# What a verb leaves behind


@pytest.mark.parametrize(
    ("place", "lock"),
    [
        (".", ""),
        ("history", ""),
        ("signals/tones/v1", ""),
        ("signals/dark/v1-0a1b2c3d", ""),
        ("runs/first", "runs/first"),
        ("runs/first/below", "runs/first"),
        ("signals/predictions", "signals/predictions"),
        ("signals/predictions/folds-0a1b", "signals/predictions"),
    ],
)
def test_temporary_files_of_a_killed_verb_go_with_the_lock_they_are_under(
    workspace: Workspace, place: str, lock: str
) -> None:
    left = workspace.root / place / f"{TEMPORARY_PREFIX}123-manifest.parquet"
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(b"half a table")
    assert len(tables.read_manifest(workspace)) == 40
    for other in {"", "runs/first", "runs/second", "signals/predictions"} - {lock}:
        with workspace.locked(other):
            assert left.exists()  # a training under way may be writing it
    with workspace.locked(lock):
        assert leftovers(workspace.root) == []


def test_failing_verb_publishes_nothing(workspace: Workspace) -> None:
    before = contents(workspace.root)

    def fail() -> None:
        with workspace.writing("scan", {}) as transaction:
            transaction.write_table(FINDINGS, found(("a", "dark", 0.1)))
            transaction.remove(MANIFEST)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert contents(workspace.root) == before
    assert leftovers(workspace.root) == []
    assert len(workspace.ledger()) == 1


def test_same_inputs_give_the_same_bytes(full: Workspace, tmp_path: Path) -> None:
    other = tmp_path / "again"
    shutil.copytree(full.root, other)
    for root in (full.root, other):
        decide(root)
        apply(root)
    assert contents(full.root) == contents(other)
    assert set(contents(other)) == {MANIFEST, FINDINGS, DECISIONS, CURATED, deciding.REVIEW}
