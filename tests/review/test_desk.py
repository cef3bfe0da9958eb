"""Decisions of a review: on the disk at once, undone act by act, beside what others write meanwhile."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pandas as pd
import pytest

from curate import deciding, journal, tables, verbs, versions
from curate.errors import UserError
from curate.review.desk import Answer, Desk
from curate.workspace import DECISIONS, FINDINGS, JOURNAL, MANIFEST, RECIPE, Workspace, read_table
from tests.tables import decided, found, images

IMAGES = images(("a", "train", "cat"), ("b", "train", "dog"), ("c", "train", "cat"), ("t", "test", "dog"))
NOON = "2026-01-01T12:00:00Z"
POLICY = decided(
    ("a", "drop", "", "policy", "dark", "", NOON), ("b", "relabel", "cat", "policy", "label_error", "", NOON)
)


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    ws = Workspace(tmp_path / "ws", seconds_to_wait=0.2)
    with ws.writing("add", {}) as transaction:
        transaction.write_table(MANIFEST, IMAGES)
    with ws.writing("decide", {}) as transaction:
        transaction.write_table(DECISIONS, POLICY)
    return ws


def said(ws: Workspace) -> list[tuple[str, ...]]:
    table = read_table(ws.path(DECISIONS))
    return list(table[["image_id", "action", "label", "by"]].itertuples(index=False, name=None))


BY_POLICY = [("a", "drop", "", "policy"), ("b", "relabel", "cat", "policy")]


def test_an_answer_is_on_the_disk_at_once_and_beats_the_policy(ws: Workspace) -> None:
    taken = Desk(ws, "ada").take([Answer("a", "keep", note="fine"), Answer("c", "relabel", "dog", "label_error")])
    assert taken.images == 2
    assert said(ws) == [("a", "keep", "", "ada"), BY_POLICY[1], ("c", "relabel", "dog", "ada")]
    assert read_table(ws.path(DECISIONS))["note"].to_list() == ["fine", "", ""]


def test_undo_goes_back_act_by_act(ws: Workspace) -> None:
    desk = Desk(ws, "ada")
    desk.take([Answer("a", "keep"), Answer("b", "drop")])
    desk.take([Answer("a", "relabel", "dog")])
    assert desk.undo().images == 1
    assert said(ws) == [("a", "keep", "", "ada"), ("b", "drop", "", "ada")]
    assert Desk(ws, "ada").undo().images == 2  # another day
    assert said(ws) == BY_POLICY
    assert desk.undo() is None
    desk.take([Answer("c", "keep")])
    assert desk.undo().images == 1  # an undo is not undone, what came after it is
    assert said(ws) == BY_POLICY


def test_an_answer_that_is_given_twice_is_one_act(ws: Workspace) -> None:
    """But one that settles what another person has said meanwhile is an act of its own."""
    ada, bob = Desk(ws, "ada"), Desk(ws, "bob")
    for _ in range(2):
        assert ada.take([Answer("a", "keep", "", "dark")]).images == 1
    assert len(journal.read(ws)) == 1
    ada.take([Answer("a", "keep", "", "light")])
    bob.take([Answer("a", "drop")])
    ada.take([Answer("a", "keep", "", "light")])
    assert len(journal.read(ws)) == 4


def test_two_people_are_kept_apart(ws: Workspace) -> None:
    ada, bob = Desk(ws, "ada"), Desk(ws, "bob")
    ada.take([Answer("a", "keep")])
    bob.take([Answer("a", "drop")])
    assert said(ws)[:2] == [("a", "keep", "", "ada"), ("a", "drop", "", "bob")]
    ada.undo()
    assert said(ws)[0] == ("a", "drop", "", "bob")  # the policy stays silent: bob has spoken
    bob.undo()
    assert ("a", "drop", "", "policy") not in said(ws)  # it was ada's act that took it out
    assert verbs.apply(ws, include_test=False).dropped == 0


def test_undo_brings_no_decision_back_of_a_policy_that_decided_before_another(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(ws, "ada")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    desk.take([Answer("c", "keep")])
    desk.take([Answer("a", "keep")])
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000001")
    with ws.writing("scan", {}) as transaction:
        transaction.write_table(FINDINGS, found(("b", "dark", 0.1)))
    ws.path(RECIPE).write_text("policy: [{finder: dark, action: drop}]\n")
    deciding.decide(ws, None)
    kept = [("b", "drop", "", "policy"), ("c", "keep", "", "ada")]
    assert said(ws) == [("a", "keep", "", "ada"), *kept]
    assert desk.undo().images == 1
    assert said(ws) == kept
    assert versions.policy_changed(ws) is False
    desk.take([Answer("b", "keep")])
    desk.undo()
    assert said(ws) == kept  # what the policy says now does come back


@pytest.mark.parametrize("looked_at", [False, True])  # as the App's panel does between two acts
def test_what_others_write_meanwhile_is_kept(ws: Workspace, looked_at: bool) -> None:
    desk = Desk(ws, "ada")
    desk.take([Answer("a", "keep")])
    table = read_table(ws.path(DECISIONS))
    table.loc[table["image_id"] == "b", ["action", "label"]] = ["keep", ""]  # by hand, in an editor
    table.loc[table["image_id"] == "a", "action"] = "drop"
    table.to_csv(ws.path(DECISIONS), index=False)
    if looked_at:
        desk.decisions()
    taken = desk.take([Answer("c", "keep")])
    assert taken.conflicts == ("a: ada said keep, decisions.csv now says drop",)
    table = read_table(ws.path(DECISIONS)).set_index("image_id")
    assert table["action"].to_dict() == {"a": "drop", "b": "keep", "c": "keep"}
    assert table.loc["b", "by"] == "ada"
    assert [entry.command for entry in ws.ledger()] == ["add", "decide", "edit"]


def test_a_decision_at_another_desk_is_no_edit_by_hand(ws: Workspace) -> None:
    app, command = Desk(ws, "ada"), Desk(ws, "ada")
    app.take([Answer("a", "keep")])
    command.take([Answer("a", "drop")])
    assert app.take([Answer("b", "keep")]).conflicts == ()
    table = read_table(ws.path(DECISIONS))
    table.loc[table["image_id"] == "a", "action"] = "keep"
    table.to_csv(ws.path(DECISIONS), index=False)
    assert app.take([Answer("c", "keep")]).conflicts == ("a: ada said drop, decisions.csv now says keep",)


def test_undo_leaves_what_was_decided_anew(ws: Workspace) -> None:
    desk = Desk(ws, "ada")
    desk.take([Answer("a", "keep"), Answer("c", "keep")])
    table = read_table(ws.path(DECISIONS))
    table.loc[table["image_id"] == "c", "action"] = "drop"
    table.to_csv(ws.path(DECISIONS), index=False)
    undone = desk.undo()
    assert (undone.images, undone.stayed) == (1, ("c",))
    assert said(ws) == [*BY_POLICY, ("c", "drop", "", "ada")]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer("a", "relabel", "catt"), "no class is called 'catt' (did you mean 'cat'?); there are: cat, dog"),
        (Answer("a", "relabel", ""), "no class is called ''; there are: cat, dog"),
        (Answer("a", "burn"), "no action is called 'burn'; there are: drop, keep, relabel"),  # type: ignore[arg-type]
    ],
)
def test_answers_that_cannot_be_carried_out(ws: Workspace, answer: Answer, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        Desk(ws, "ada").take([Answer("c", "keep"), answer])
    assert said(ws) == BY_POLICY
    assert not ws.has(JOURNAL)


def test_images_that_left_are_named(ws: Workspace) -> None:
    desk = Desk(ws, "ada")
    desk.take([Answer("c", "keep")])
    with ws.writing("add", {}) as transaction:
        transaction.write_table(MANIFEST, IMAGES[IMAGES["image_id"] != "t"])
    assert desk.take([Answer("a", "keep"), Answer("t", "drop")]).gone == ("t",)
    assert said(ws)[0] == ("a", "keep", "", "ada")


def test_classes_that_come_meanwhile_are_known(ws: Workspace) -> None:
    desk = Desk(ws, "ada")
    with pytest.raises(UserError, match="no class is called 'fox'"):
        desk.take([Answer("a", "relabel", "fox")])
    with ws.writing("add", {}) as transaction:
        transaction.write_table(MANIFEST, pd.concat([IMAGES, images(("f", "train", "fox"))], ignore_index=True))
    assert desk.take([Answer("a", "relabel", "fox"), Answer("f", "keep")]).images == 2


def test_another_writer_is_waited_for_and_named(ws: Workspace) -> None:
    with Workspace(ws.root).locked(), pytest.raises(UserError, match="another curate is writing"):
        Desk(ws, "ada").take([Answer("a", "keep")])
    assert said(ws) == BY_POLICY


def test_the_ledger_tells_a_review_from_an_edit_by_hand(ws: Workspace) -> None:
    desk = Desk(ws, "ada")
    desk.take([Answer("a", "keep")])
    desk.take([Answer("b", "keep")])
    desk.keep_version()
    assert [entry.command for entry in ws.ledger()] == ["add", "decide", "review"]
    assert len(list(ws.path("history").glob("*.csv"))) == 2
    verbs.apply(ws, include_test=False)
    assert [entry.command for entry in ws.ledger()] == ["add", "decide", "review", "apply"]


def test_a_journal_that_was_cut_short_goes_on(ws: Workspace) -> None:
    desk = Desk(ws, "ada")
    desk.take([Answer("a", "keep")])
    with ws.path(JOURNAL).open("ab") as file:
        file.write(b'{"at": "2026-')
    assert len(journal.read(ws)) == 1
    desk.take([Answer("b", "keep")])
    assert [act.after[0]["image_id"] for act in journal.read(ws)] == ["a", "b"]
    ws.path(JOURNAL).write_text("nonsense\n" + ws.path(JOURNAL).read_text())
    with pytest.raises(UserError, match=r"review.jsonl, line 1 is damaged; remove that line"):
        journal.read(ws)


def test_killed_at_any_moment_loses_nothing(ws: Workspace, tmp_path: Path) -> None:
    """Decisions that were acknowledged are there after SIGKILL, and the files can be read."""
    many = images(*[(f"i{number:03}", "train", "cat") for number in range(300)])
    with ws.writing("add", {}) as transaction:
        transaction.write_table(MANIFEST, many)
        transaction.write_table(DECISIONS, decided())
    code = textwrap.dedent(
        f"""
        from pathlib import Path
        from curate.review.desk import Answer, Desk
        from curate.workspace import Workspace
        desk = Desk(Workspace(Path({str(ws.root)!r})), "ada")
        done = len(desk.decisions())
        for number in range(done, 300):
            desk.take([Answer(f"i{{number:03}}", "keep")])
            print(number, flush=True)
        """
    )
    acknowledged = 0
    for trial in range(4):
        writer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert writer.stdout
        for _ in range(3):
            acknowledged = int(writer.stdout.readline()) + 1
        time.sleep(0.004 * trial)
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.stdout.read().split()
        writer.wait()
        writer.stdout.close()
        acknowledged = int(rest[-1]) + 1 if rest else acknowledged
        there = tables.read_answers(ws, many)
        assert len(there) >= acknowledged
        assert len(journal.read(ws)) >= acknowledged - trial  # each kill may cost the undo of one act
    assert isinstance(there, pd.DataFrame)
