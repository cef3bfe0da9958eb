"""Who decides what: rules among each other, people over rules, and files that people have edited."""

from pathlib import Path

import pandas as pd
import pytest

from curate import decisions
from curate.csv_text import read_csv
from curate.decisions import check, merge
from curate.errors import UserError
from curate.recipe import Rule
from tests.tables import decided, images

IMAGES = images(
    ("a", "train", "cat"), ("b", "train", "dog"), ("c", "train", "cat"), ("t", "test", "dog"), ("v", "val", "cat")
)
KEEP, DROP, RELABEL, REVIEW = (Rule(finder=action, action=action) for action in ("keep", "drop", "relabel", "review"))
NOON, LATER, NOW = "2026-01-01T12:00:00Z", "2026-01-02T12:00:00Z", "2026-01-03T12:00:00Z"
SUGGESTED = {"relabel": "dog"}


def actions(table: pd.DataFrame) -> dict[str, str]:
    return dict(zip(table["image_id"], table["action"] + " " + table["label"], strict=True))


# Decisions in files


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("label\ncat\n", "column 'image_id' is missing; there are: label"),
        ("image_id,label\na,cat\n", "column 'action' is missing"),
        ("image_id;action\na;drop\n", "semicolons"),
        ("image_id,action\na,drop\nb,Drop\n", "line 3: action 'Drop': there are: keep, drop, relabel"),
        ("image_id,action\na,review\n", "line 2: action 'review'"),
        ("image_id,action\n\n\nx/y,drop\n", "line 4: image_id 'x/y': not in this manifest"),
        ("image_id,action\n ,drop\n", "line 2: image_id ' '"),
        ("image_id,action\na,drop\nb,drop\na,drop\n", "line 4: image_id 'a': stands twice"),
        ("image_id,action,label\na,relabel,bird\n", "line 2: label 'bird': no such class; there are: cat, dog"),
        ("image_id,action\na,relabel\n", "line 2: label '': no such class"),
        ("image_id,action,label\na,relabel,bird\n", "no such class; .*; write one of these, or take the row out"),
        ("image_id,action,by\na,drop,ada\na,keep,ada \n", "line 3: image_id 'a': stands twice, by the same person"),
        ("image_id,action,by\na,drop,ada\na,keep,eve;mia\n", "line 3: by 'eve;mia': it must be a name without"),
        ("image_id,action,by\na,drop,Policy\n", "line 2: by 'Policy': that is the policy's own name, give yours"),
        ("image_id,action\na,drop\n<<<<<<< HEAD\nb,drop\n", "line 3: image_id '<<<<<<< HEAD': a mark of a merge"),
        ("image_id,action\na,drop\n=======\nb,drop\n>>>>>>> b\n", r"line 3: image_id '=======' \(and 1 more\)"),
        ("image_id,action,label\na,drop,\nb,,cat\n", "line 3: label 'cat': has no action; write 'relabel' beside it"),
        ('image_id,action,note\na,drop,"x\ny"\nb,dorp,\n', "line 4: action 'dorp'"),
        ("image_id,action\na,dorp\nb,dorp\nc,dorp\n", r"line 2: action 'dorp' \(and 2 more\)"),
        ("image_id,action\na\nb,c\n", "line 3: action 'c'"),
    ],
)
def test_what_cannot_be_carried_out_is_named_with_its_line(tmp_path: Path, rows: str, message: str) -> None:
    (tmp_path / "answers.csv").write_text(rows)
    with pytest.raises(UserError, match=message):
        check(read_csv(tmp_path / "answers.csv"), IMAGES, str(tmp_path / "answers.csv"))


@pytest.mark.parametrize(
    "rows",
    [
        b"image_id,action\na,drop\n",
        b"\xef\xbb\xbfimage_id,action\r\na,drop\r\n",
        b"action,image_id,extra\ndrop,a,1\n,b,\n,,\n\n",
        b"image_id,action,,\na,drop,,\n,,,\n",
    ],
)
def test_rows_without_action_and_unknown_columns_are_left_out(tmp_path: Path, rows: bytes) -> None:
    (tmp_path / "answers.csv").write_bytes(rows)
    table = check(read_csv(tmp_path / "answers.csv"), IMAGES, "answers.csv")
    assert table.columns.to_list() == list(decisions.COLUMNS)
    assert actions(table) == {"a": "drop "}


@pytest.mark.parametrize(
    ("row", "is_outdated"),
    [
        (("gone", "drop", "", "policy"), True),
        (("a", "relabel", "cow", "policy"), True),
        (("a", "relabel", "dog", "policy"), False),
        (("a", "drop", "cow", "policy"), False),
        (("gone", "drop", "", "ada"), False),  # of another workspace
        (("a", "relabel", "cow", "ada"), False),
        (("augmented/01ab-0/a-0.png", "keep", "", "ada"), True),
        (("augmented/01ab-0/a-12.png", "drop", ""), True),
        (("augmented/01ab-0/gone-0.png", "keep", "", "ada"), False),
        (("augmented/a-0.png", "keep", "", "ada"), False),
        (("photos/augmented/01ab-0/a-0.png", "keep", "", "ada"), False),
    ],
)
def test_rows_that_nothing_can_come_of_any_more(row: tuple[str, ...], is_outdated: bool) -> None:
    table = decided(("b", "drop", "", "policy"), row)
    assert decisions.outdated(table, IMAGES).to_list() == [False, is_outdated]


def test_augmented_images_that_are_there_are_not_outdated() -> None:
    there = images(("a", "train", "cat"), ("augmented/01ab-0/a-0.png", "train", "cat"))
    assert not decisions.outdated(decided(("augmented/01ab-0/a-0.png", "keep", "", "ada")), there).any()
    assert decisions.outdated(decided().drop(columns="by"), there).to_list() == []


@pytest.mark.parametrize("action", ["keep", "drop"])
def test_labels_beside_what_gives_none_are_refused_in_answers(action: str) -> None:
    answered = decided(("a", "relabel", "dog"), ("b", action, "nonsense"))
    assert len(check(answered, IMAGES, "answers.csv")) == 2  # as earlier versions took them over
    message = f"answers.csv, line 1: label 'nonsense': '{action}' gives no label; write 'relabel', or take the label"
    with pytest.raises(UserError, match=message):
        decisions.refuse_idle_labels(answered, "answers.csv")
    decisions.refuse_idle_labels(answered.assign(label=["dog", ""]), "answers.csv")


def test_import_signs_and_stands_beside_what_others_say() -> None:
    earlier = decided(("a", "drop", "", "policy", "dark", "", NOON), ("b", "drop", "", "bob", "", "", NOON))
    imported = decided(("a", "keep"), ("b", "keep"), ("c", "drop", "", "eve", "", "hers", NOON))
    table = merge(earlier, imported, by="ada", at=LATER)
    assert table[["image_id", "action", "by", "at"]].to_numpy().tolist() == [
        ["b", "drop", "bob", NOON],
        ["a", "keep", "ada", LATER],
        ["b", "keep", "ada", LATER],
        ["c", "drop", "eve", NOON],
    ]
    changed_mind = merge(table, decided(("b", "relabel", "cat")), by="ada", at=LATER)
    assert changed_mind[changed_mind["image_id"] == "b"][["action", "by"]].to_numpy().tolist() == [
        ["drop", "bob"],
        ["relabel", "ada"],
    ]


def test_import_of_what_is_there_changes_nothing() -> None:
    earlier = decided(("a", "drop", "", "policy", "dark", "too dark", NOON), ("b", "keep", "", "ada", "", "", NOON))
    assert merge(earlier, earlier, by="ada", at=LATER).equals(earlier)  # the policy's stays the policy's
    assert merge(earlier, decided(("b", "keep")), by="ada", at=LATER).equals(earlier)  # the same answer once more
    assert merge(earlier, decided(), by="ada", at=LATER).equals(earlier)
    assert merge(decided(), decided(), by="ada", at=LATER).equals(decided())


@pytest.mark.parametrize(
    ("at", "is_older"), [(NOON, True), (LATER, False), ("2026-01-03T12:00:00Z", False), ("1.1.26", False), ("", False)]
)
def test_answers_that_their_person_has_changed_since(at: str, is_older: bool) -> None:
    earlier = decided(("a", "keep", "", "ada", "", "", LATER), ("b", "keep", "", "bob", "", "", LATER))
    imported = decided(("a", "drop", "", "ada", "", "", at), ("b", "drop", "", "ada", "", "", at))
    assert decisions.older(imported, earlier).to_list() == [is_older, False]


@pytest.mark.parametrize(
    ("row", "is_changed"),
    [
        (("a", "drop", "", "ada", "dark", "why", NOON), False),
        (("a", "drop", "", "ada", "", "why"), False),  # says nothing of why
        (("a", "drop", "", "ada", "split_leak", "why"), True),
        (("a", "drop", "", "ada", "dark", ""), True),
        (("a", "drop", "", "bob", "dark", "why"), True),
        (("b", "keep", "", "ada", "dark"), True),
        (("c", "keep", "", "ada"), True),
    ],
)
def test_rows_that_say_something_else_than_before(row: tuple[str, ...], is_changed: bool) -> None:
    earlier = decided(("a", "drop", "", "ada", "dark", "why"), ("b", "keep", "", "ada"))
    assert decisions.changed(decided(row), earlier).tolist() == [is_changed]
    taken_over = merge(earlier, decided(row), by="eve", at=LATER)
    assert taken_over.equals(earlier) != is_changed


@pytest.mark.parametrize(
    ("row", "at"),
    [
        (("a", "keep", "", "ada", "dark", "", NOON), NOON),
        (("a", "keep", "", "ada", "dark", "", "01.01.2026 12:00"), NOON),  # as a spreadsheet saves it
        (("a", "keep", "", "ada", "dark", "", LATER), LATER),
        (("a", "drop", "", "ada", "dark", "", NOON), NOW),
        (("a", "drop", "", "ada", "dark", "", "01.01.2026 12:00"), NOW),
        (("a", "drop", "", "ada", "dark", "", LATER), LATER),
        (("a", "keep", "", "ada", "split_leak", "", NOON), NOW),
        (("a", "keep", "", "bob", "", "", ""), NOW),
        (("a", "keep", "", "bob", "", "", NOON), NOON),  # as the journal of a review may have it
        (("b", "keep", "", "policy", "dark", "", NOON), NOW),
        (("c", "keep", "", ""), NOW),
    ],
)
def test_what_was_edited_has_the_time_of_the_edit(row: tuple[str, ...], at: str) -> None:
    before = decided(("a", "keep", "", "ada", "dark", "", NOON), ("b", "drop", "", "policy", "dark", "", NOON))
    assert decisions.timed(decided(row), before, at=NOW)["at"].to_list() == [at]


@pytest.mark.parametrize("at", ["", "01.01.2026 12:00"])
def test_an_import_gives_its_time_to_what_has_none(at: str) -> None:
    table = merge(decided(), decided(("a", "keep", "", "ada", "", "", at)), by="ada", at=NOW)
    assert table["at"].to_list() == [NOW]


def test_editing_a_row_of_the_policy_makes_it_yours() -> None:
    earlier = decided(("a", "drop", "", "policy", "dark", "", NOON))
    table = merge(earlier, earlier.assign(action="keep"), by="ada", at=LATER)
    assert table.to_numpy().tolist() == [["a", "keep", "", "ada", "dark", "", LATER]]
