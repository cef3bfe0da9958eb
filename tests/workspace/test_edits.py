"""Tables that were edited, damaged or removed by hand, and the way back."""

import shutil
from pathlib import Path

import pytest

from curate import tables, verbs, versions
from curate.errors import UserError
from curate.workspace import DECISIONS, HISTORY, LEDGER, MANIFEST, VERSIONED, Workspace, read_table
from tests.workspace.contents import contents
from tests.workspace.processes import apply, decide

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


@pytest.mark.parametrize("name", [DECISIONS, MANIFEST])
def test_edit_while_a_verb_runs_stays(full: Workspace, name: str) -> None:
    def verb() -> None:
        with full.writing("verb", {}) as transaction:
            transaction.write_table(name, read_table(full.path(name)).iloc[:1])
            full.path(name).write_bytes(b"by hand")

    full.note("before", {})
    ledger = full.ledger()
    with pytest.raises(UserError, match=rf"{name} was edited meanwhile, and nothing was written; run it again"):
        verb()
    assert full.path(name).read_bytes() == b"by hand"
    (edit,) = full.ledger()[len(ledger) :]
    assert (edit.command, list(edit.writes)) == ("edit", [name])
    assert full.version_file(name, edit.writes[name]).read_bytes() == b"by hand"


def test_deleting_a_table_by_hand_becomes_a_version(full: Workspace) -> None:
    apply(full.root)
    last = full.ledger()[-1].version
    full.path(DECISIONS).unlink()
    apply(full.root)
    assert full.ledger()[-2].command == "edit"
    assert full.ledger()[-2].writes == {DECISIONS: ""}
    versions.restore(full, last)
    assert full.has(DECISIONS)


@pytest.mark.parametrize("ledger", [True, False])
def test_an_earlier_version_put_back_by_other_means_is_an_edit(full: Workspace, ledger: bool) -> None:
    """By git, say; no verb was killed. So is everything where the ledger was lost."""
    before = full.path(DECISIONS).read_bytes()
    decide(full.root)
    full.path(DECISIONS).write_bytes(before)
    if not ledger:
        full.path(LEDGER).unlink()
    apply(full.root)
    assert [entry.command for entry in full.ledger()[-2:]] == ["edit", "apply"]
    assert len(full.ledger()) == 2 or ledger


def test_tables_that_come_without_their_history_are_kept(full: Workspace, tmp_path: Path) -> None:
    """As by git, which has the ledger alone: what is on the disk as a verb comes can be brought back."""
    clone = tmp_path / "clone"
    shutil.copytree(full.root, clone, ignore=shutil.ignore_patterns(HISTORY))
    apply(clone)
    for name in VERSIONED:
        data = (clone / name).read_bytes()
        assert Workspace(clone).version_file(name, Workspace(clone).hash(name)).read_bytes() == data
    shutil.copytree(clone, full.root, dirs_exist_ok=True, ignore=shutil.ignore_patterns(HISTORY))  # as by a pull
    pulled = full.path(DECISIONS).read_bytes()
    decide(full.root)
    assert full.path(DECISIONS).read_bytes() != pulled
    versions.restore(full, full.ledger()[-1].version - 1)
    assert full.path(DECISIONS).read_bytes() == pulled


def test_overwriting_in_place_leaves_the_history(full: Workspace) -> None:
    apply(full.root)
    version, before = full.ledger()[-1].version, contents(full.root)
    for name in VERSIONED:
        with full.path(name).open("r+b") as file:
            file.write(b"x" * 10)
    versions.restore(full, version)
    assert contents(full.root) == before


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
        tables.read_manifest(full)
    versions.restore(full, version)
    assert len(tables.read_manifest(full)) == 40


def test_missing_table_names_the_verb(workspace: Workspace) -> None:
    with pytest.raises(UserError, match=r"findings\.parquet is missing; 'curate scan"):
        verbs.list_findings(workspace, finder=None, flagged_only=False)
