"""A verb killed at any moment loses nothing, and what it began is done by the next call."""

import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from curate import versions
from curate.files import file_hash
from curate.workspace import HISTORY, MANIFEST, VERSIONED, Workspace, read_table
from tests.workspace.contents import contents, leftovers
from tests.workspace.processes import (
    add_archive,
    add_more,
    apply,
    decide,
    restore_to_begin,
    run_and_die,
    scan,
    start,
    take_over,
    work_on,
)

KILLED = (decide, take_over, apply, restore_to_begin, add_more, add_archive)


def assert_nothing_lost(root: Path, before: dict[str, bytes], after: dict[str, bytes]) -> None:
    """Every table is whole, as it was or as the verb makes it, and every version in the ledger can be read."""
    workspace = Workspace(root)
    now = contents(root)
    for name in before.keys() | after.keys() | now.keys():
        assert now.get(name) in (before.get(name), after.get(name)), name
    for entry in workspace.ledger():
        for name, digest in entry.writes.items():
            if name in VERSIONED and digest:
                assert file_hash(workspace.version_file(name, digest)) == digest


@pytest.mark.parametrize("verb", KILLED, ids=lambda verb: verb.__name__)
def test_kill_before_any_change_of_a_name_loses_nothing(full: Workspace, tmp_path: Path, verb: Callable) -> None:
    before, versions_before = contents(full.root), full.ledger()
    undisturbed = tmp_path / "undisturbed" / "ws"
    shutil.copytree(tmp_path, undisturbed.parent, ignore=shutil.ignore_patterns("undisturbed"))
    verb(undisturbed)
    after = contents(undisturbed)
    assert after != before

    kills = 0
    for at in range(1000):
        copy = tmp_path / f"killed-{at}" / "ws"
        shutil.copytree(tmp_path, copy.parent, ignore=shutil.ignore_patterns("undisturbed", "killed-*"))
        process = start(run_and_die, verb, copy, at)
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        assert_nothing_lost(copy, before, after)
        assert Workspace(copy).ledger()[: len(versions_before)] == versions_before
        if process.exitcode == 0:
            break
        kills += 1
        verb(copy)
        assert contents(copy) == after
        assert leftovers(copy) == []
        shutil.rmtree(copy.parent)
    assert kills >= 5


def test_kill_at_twenty_random_moments(full: Workspace, tmp_path: Path) -> None:
    """Also within a write. One workspace for all trials: damage that is left by one would show in a later one."""
    make_predictions(full)
    rng = random.Random(0)
    history: dict[str, bytes] = {}
    for trial in range(20):
        process = start(work_on, full.root, trial % 6, str(tmp_path / f"begun-{trial}"))
        while not (tmp_path / f"begun-{trial}").exists():
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.4))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        for name in VERSIONED:
            if full.has(name):
                read_table(full.path(name))
        kept = {path.name: path.read_bytes() for path in full.path(HISTORY).glob("[!.]*")}
        assert all(kept.get(name) == data for name, data in history.items())
        assert all(file_hash(full.path(HISTORY) / name) == Path(name).stem for name in kept)
        history = kept
        entries = full.ledger()
        assert [entry.version for entry in entries] == list(range(1, len(entries) + 1))
    for verb in (add_archive, restore_to_begin, scan, decide, apply):
        verb(full.root)
    assert leftovers(full.root) == []
    assert versions.is_current(full)


def make_predictions(workspace: Workspace) -> None:
    """Predictions with random embeddings, so that there is something to scan."""
    import numpy as np

    from curate import manifest, predictions

    images = read_table(workspace.path(MANIFEST))
    rng = np.random.default_rng(0)
    classes = manifest.classes(images)
    probs = rng.dirichlet(np.ones(len(classes)), len(images))
    embeddings, fold = rng.normal(size=(len(images), 4)), np.zeros(len(images), int)
    predictions.write(workspace, images, predictions.Predictions(classes, probs, embeddings, fold, {}))
