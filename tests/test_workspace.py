"""The workspace keeps what it holds: through kills at any moment, full disks, two writers, and edits by hand."""

import contextlib
import errno
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from curate import finders, registry, verbs, versions
from curate.add import add
from curate.csv_text import write_csv
from curate.engine import Local
from curate.errors import UserError
from curate.files import TEMPORARY_PREFIX, file_hash
from curate.workspace import CURATED, DECISIONS, FINDINGS, HISTORY, LEDGER, MANIFEST, VERSIONED, Workspace, read_table
from tests.conftest import write_digits
from tests.tables import decided, found

PROCESSES = multiprocessing.get_context("forkserver")
FINDERS = [f"{finders.__name__}.{name}" for name in registry.modules(finders)]
PROCESSES.set_forkserver_preload(
    ["tests.test_workspace", "pyarrow.dataset", "faiss", *FINDERS]
)  # a process costs 0.02 s, not 2

POLICY = """
name: rules
policy:
  - {finder: outlier, below: 0.2, action: drop}
  - {finder: label_error, action: relabel}
"""


def contents(root: Path) -> dict[str, bytes]:
    """The tables, and the review list, as bytes."""
    names = (*VERSIONED, verbs.REVIEW)
    return {name: (root / name).read_bytes() for name in names if (root / name).exists()}


def leftovers(root: Path) -> list[Path]:
    return list(root.rglob(f"{TEMPORARY_PREFIX}*"))


# The verbs that are killed. Module level, because another process runs them.


def scan(root: Path) -> None:
    verbs.scan(Workspace(root), only=["outlier"], settings={}, engine=Local(1))


def decide(root: Path) -> None:
    verbs.decide(Workspace(root), root / "policy.yaml")


def take_over(root: Path) -> None:
    verbs.import_decisions(Workspace(root), root / "answers.csv", "ada")


def apply(root: Path) -> None:
    verbs.apply(Workspace(root), include_test=False)


def restore_to_begin(root: Path) -> None:
    versions.restore(Workspace(root), 1)


def add_more(root: Path) -> None:
    add(Workspace(root), Path((root / "more.txt").read_text()), workers=1)  # the same place for every copy of `root`


def add_archive(root: Path) -> None:
    add(Workspace(root), root.parent / "packed.tar", workers=1)


KILLED = (decide, take_over, apply, restore_to_begin, add_more, add_archive)


@pytest.fixture
def full(workspace: Workspace) -> Workspace:
    """A workspace with every table, findings that a policy acts on, and sources that are not added yet."""
    root = workspace.root
    (root / "policy.yaml").write_text(POLICY)
    images = read_table(root / MANIFEST)
    train, labels = images[images["split"] == "train"], sorted(set(images["label"]))
    ids = train["image_id"].to_list()
    wrong = {
        image_id: labels[0] if label != labels[0] else labels[1]
        for image_id, label in zip(ids, train["label"], strict=True)
    }
    with workspace.writing("scan", {}) as transaction:
        rows = [
            (ids[0], "outlier", 0.1, ""),
            (ids[1], "label_error", 0.2, wrong[ids[1]]),
            (ids[2], "label_error", 0.3, ""),
        ]
        transaction.write_table(FINDINGS, found(*rows))
    decide(root)
    apply(root)
    with workspace.writing("scan", {}) as transaction:
        rows += [(ids[3], "outlier", 0.15, ""), (ids[4], "label_error", 0.25, "")]
        transaction.write_table(FINDINGS, found(*rows))
    with (root / DECISIONS).open("a") as file:  # by hand, so that there is something for every verb to do
        file.write(f"{ids[5]},drop,,bob,,,\n")
    write_csv(root / "answers.csv", decided((ids[2], "drop"), (ids[0], "keep"), (ids[1], "relabel", labels[2])))
    write_digits(root.parent / "more", 4, first=40)
    (root / "more.txt").write_text(str(root.parent / "more"))
    write_digits(root.parent / "to pack", 4, first=44)
    shutil.make_archive(str(root.parent / "packed"), "tar", root.parent / "to pack")
    return workspace


def run_and_die(verb: Callable[[Path], None], root: Path, at: int) -> None:
    """Run the verb, and kill this process before its `at`-th change to the names in the workspace."""
    inside, seen = str(root), 0

    def watch(event: str, arguments: tuple) -> None:
        nonlocal seen
        if event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir") and str(arguments[0]).startswith(inside):
            if seen == at:
                os.kill(os.getpid(), signal.SIGKILL)
            seen += 1

    sys.addaudithook(watch)
    verb(root)


def start(function: Callable, *arguments: object) -> BaseProcess:
    process = PROCESSES.Process(target=function, args=arguments)
    process.start()
    return process


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


def work_on(root: Path, first: int, begun: str) -> None:
    """All verbs in turn, until this process is killed."""
    order = (scan, decide, apply, add_more, add_archive, restore_to_begin)
    Path(begun).touch()
    while True:
        for verb in order[first:] + order[:first]:
            with contextlib.suppress(UserError):  # after going back there are no findings to decide on
                verb(root)


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


# Full disks


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 KB; needs the right to mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("verb", [decide, take_over, apply, restore_to_begin], ids=lambda verb: verb.__name__)
def test_full_disk_changes_nothing(full: Workspace, small_disk: Path, verb: Callable) -> None:
    root = small_disk / "ws"
    shutil.copytree(full.root, root)
    before, ledger = contents(root), (root / LEDGER).read_bytes()
    filler = root / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    with pytest.raises(OSError, match="No space left") as caught:
        verb(root)
    assert caught.value.errno == errno.ENOSPC
    assert contents(root) == before
    assert (root / LEDGER).read_bytes() == ledger
    filler.unlink()
    verb(root)
    assert contents(root) != before
    assert leftovers(root) == []


def test_limit_on_the_size_of_files_is_one_line_and_changes_nothing(full: Workspace) -> None:
    before = contents(full.root)
    limit = len(before[MANIFEST]) // 2
    done = subprocess.run(
        [sys.executable, "-m", "curate", "apply", str(full.root)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"curate: File too large: {full.path(CURATED)}; nothing that was there is lost")
    assert contents(full.root) == before
    assert leftovers(full.root) == []


# Two writers


def hold(root: Path, begun: str, seconds: float) -> None:
    with Workspace(root).locked():
        Path(begun).touch()
        time.sleep(seconds)


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


def test_lock_of_a_killed_writer_is_free(workspace: Workspace, holder: Callable[[float], BaseProcess]) -> None:
    process = holder(60)
    process.kill()
    process.join()
    with Workspace(workspace.root, seconds_to_wait=0.1).writing("apply", {}):
        pass


def test_readers_need_no_lock(workspace: Workspace, holder: Callable[[float], BaseProcess]) -> None:
    holder(60)
    impatient = Workspace(workspace.root, seconds_to_wait=0)
    assert len(verbs.read_manifest(impatient)) == 40
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
    assert len(verbs.read_manifest(workspace)) == 40
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
    assert set(contents(other)) == {MANIFEST, FINDINGS, DECISIONS, CURATED, verbs.REVIEW}


# Edits by hand


def test_edit_by_hand_becomes_a_version_and_can_be_restored(full: Workspace) -> None:
    apply(full.root)
    path, edited = full.path(DECISIONS), full.ledger()[-1].version + 1
    before = path.read_bytes()
    with path.open("ab") as file:  # in place: a history that shared the file would change, too
        file.write(f"{read_table(full.path(MANIFEST))['image_id'].iloc[-1]},keep,,ada,,,\n".encode())
    by_hand = path.read_bytes()
    apply(full.root)
    assert [entry.command for entry in full.ledger()[-2:]] == ["edit", "apply"]
    versions.restore(full, edited - 1)
    assert path.read_bytes() == before
    versions.restore(full, edited)
    assert path.read_bytes() == by_hand


def test_decision_edited_by_hand_is_the_persons_and_holds(full: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    path = full.path(DECISIONS)
    row = next(line for line in path.read_text().splitlines() if ",policy," in line)
    image_id, action, label = row.split(",")[:3]
    path.write_text(path.read_text().replace(row, row.replace(f",{action},{label},policy", ",keep,,policy")))
    for _ in range(2):
        decide(full.root)
        table = read_table(path).set_index("image_id")
        assert table.loc[image_id, ["action", "by"]].to_list() == ["keep", "ada"]
        assert "ada" not in set(table["by"].drop(image_id))


def test_deleting_a_table_by_hand_becomes_a_version(full: Workspace) -> None:
    apply(full.root)
    last = full.ledger()[-1].version
    full.path(DECISIONS).unlink()
    apply(full.root)
    assert full.ledger()[-2].command == "edit"
    assert full.ledger()[-2].writes == {DECISIONS: ""}
    versions.restore(full, last)
    assert full.has(DECISIONS)


def test_overwriting_in_place_leaves_the_history(full: Workspace) -> None:
    apply(full.root)
    version, before = full.ledger()[-1].version, contents(full.root)
    for name in VERSIONED:
        with full.path(name).open("r+b") as file:
            file.write(b"x" * 10)
    versions.restore(full, version)
    assert contents(full.root) == before


# The ledger


def good(version: int) -> bytes:
    return b'{"version": %d, "at": "", "command": "c\xc3\xa9", "arguments": {}}' % version


@pytest.mark.parametrize(
    ("text", "known"),
    [
        (b"", 0),
        (b"\n", 0),
        (good(1) + b"\n", 1),
        (good(1), 1),  # complete, though its line end is missing
        (good(1) + b"\n\n\n", 1),
        (good(1) + b"\r\n", 1),
        (good(1) + b"\n" + good(2)[:20], 1),
        (good(1) + b"\n" + good(2)[:-25], 1),
        (good(1) + b"\n" + good(2)[:46], 1),  # cut within a character
        (good(1) + b"\n" + b"\0" * 512, 1),  # what a power failure leaves on some file systems
        (good(1) + b"\n" + b"\0" * 512 + b"\n", 1),
        (good(1) + b"\n" + b"\xff\xfe\n", 1),
        (good(1) + b"\nnull\n", 1),
        (b"garbage", 0),
    ],
)
def test_damaged_last_line_is_left_out_and_healed(tmp_path: Path, text: bytes, known: int) -> None:
    workspace = Workspace(tmp_path)
    workspace.path(LEDGER).write_bytes(text)
    assert [entry.version for entry in workspace.ledger()] == list(range(1, known + 1))
    for command in ("one", "two"):
        with workspace.writing(command, {}):
            pass
    assert [entry.version for entry in workspace.ledger()] == list(range(1, known + 3))
    assert workspace.path(LEDGER).read_bytes().startswith(text[: len(good(1))] if known else b"{")


@pytest.mark.parametrize(
    "line", [b"", b"garbage", b"\0\0", b"\xff", b"[]", b'{"version": 1}', b'{"new": 1, "version": 2}']
)
def test_damaged_line_in_the_middle_is_named(tmp_path: Path, line: bytes) -> None:
    (tmp_path / LEDGER).write_bytes(good(1) + b"\n" + line + b"\n" + good(3) + b"\n")
    with pytest.raises(UserError, match=r"ledger\.jsonl, line 2 is damaged"):
        Workspace(tmp_path).ledger()


@pytest.mark.parametrize("text", ["photos/caf\u00e9", "a\nb", "a\u2028b", "a\u0085b", "\udcff", '"', "\x1b[31m"])
def test_any_argument_survives_the_ledger(tmp_path: Path, text: str) -> None:
    workspace = Workspace(tmp_path)
    for _ in range(2):
        with workspace.writing("add", {"source": text}):
            pass
    assert [entry.arguments for entry in workspace.ledger()] == [{"source": text}] * 2


# Opening and reading


def test_no_workspace_says_how_to_make_one(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UserError, match=r"is no workspace.*curate add"):
            Workspace.open(root)
    (tmp_path / MANIFEST).mkdir()
    with pytest.raises(UserError, match="is no workspace"):
        Workspace.open(tmp_path)


@pytest.mark.parametrize("data", [b"", b"PAR1", b"not a table at all", b"PAR1" + bytes(50) + b"PAR1"])
def test_damaged_table_names_the_way_back(full: Workspace, data: bytes) -> None:
    version = full.ledger()[-1].version
    full.path(MANIFEST).write_bytes(data)
    with pytest.raises(UserError, match=r"manifest\.parquet cannot be read.*restore"):
        verbs.read_manifest(full)
    versions.restore(full, version)
    assert len(verbs.read_manifest(full)) == 40


def test_missing_table_names_the_verb(workspace: Workspace) -> None:
    with pytest.raises(UserError, match=r"findings\.parquet is missing; 'curate scan"):
        verbs.list_findings(workspace, finder=None, flagged_only=False)
