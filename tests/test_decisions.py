"""Who decides what: rules among each other, people over rules, and files that people have edited."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from curate import decisions
from curate.csv_text import read_csv, write_csv
from curate.decisions import check, decide, merge
from curate.errors import UserError
from curate.recipe import Rule
from tests.tables import decided, found, images

IMAGES = images(
    ("a", "train", "cat"), ("b", "train", "dog"), ("c", "train", "cat"), ("t", "test", "dog"), ("v", "val", "cat")
)
KEEP, DROP, RELABEL, REVIEW = (Rule(finder=action, action=action) for action in ("keep", "drop", "relabel", "review"))
NOON, LATER, NOW = "2026-01-01T12:00:00Z", "2026-01-02T12:00:00Z", "2026-01-03T12:00:00Z"
SUGGESTED = {"relabel": "dog"}


def policy(
    *rules: Rule, findings: pd.DataFrame, earlier: pd.DataFrame | None = None, at: str = NOON
) -> decisions.Decided:
    return decide(findings, IMAGES, list(rules), decisions.empty() if earlier is None else earlier, at=at)


def actions(table: pd.DataFrame) -> dict[str, str]:
    return dict(zip(table["image_id"], table["action"] + " " + table["label"], strict=True))


@pytest.mark.parametrize(
    ("rules", "taken", "because", "conflict"),
    [
        ([KEEP], "keep", "keep", ""),
        ([KEEP, DROP], "keep", "keep", "a: keep (keep) beats drop (drop)"),
        ([DROP, KEEP], "drop", "drop", "a: drop (drop) beats keep (keep)"),
        ([RELABEL, DROP], "relabel dog", "relabel", "a: relabel to dog (relabel) beats drop (drop)"),
        ([DROP, RELABEL], "drop", "drop", "a: drop (drop) beats relabel to dog (relabel)"),
        ([KEEP, REVIEW], "keep", "keep", ""),
        ([DROP, REVIEW], "drop", "drop", ""),
        ([REVIEW, DROP], "", "", ""),
        ([KEEP, DROP, RELABEL, REVIEW], "keep", "keep", "a: keep (keep) beats drop (drop), relabel to dog (relabel)"),
    ],
)
def test_first_rule_that_fits_decides(rules: list[Rule], taken: str, because: str, conflict: str) -> None:
    findings = found(*(("a", rule.finder, 0.3, SUGGESTED.get(rule.finder, "")) for rule in rules))
    result = policy(*rules, findings=findings)
    assert {key: value.strip() for key, value in actions(result.decisions).items()} == ({"a": taken} if taken else {})
    assert result.decisions["because"].to_list() == ([because] if because else [])
    assert result.conflicts == ([conflict] if conflict else [])
    assert len(result.review) == (not taken)


def test_review_is_left_to_a_person_with_all_reasons() -> None:
    rules = [Rule(finder="dark", action="review"), Rule(finder="blurry", action="review")]
    result = policy(
        *rules, findings=found(("a", "dark", 0.3), ("a", "blurry", 0.2), ("b", "dark", 0.4), ("c", "dark", 0.6))
    )
    assert not len(result.decisions)
    assert result.review[["image_id", "because", "given_label", "action"]].to_numpy().tolist() == [
        ["a", "dark;blurry", "cat", ""],
        ["b", "dark", "dog", ""],
    ]


def test_relabel_without_suggestion_goes_to_review() -> None:
    result = policy(RELABEL, findings=found(("a", "relabel", 0.1), ("b", "relabel", 0.1, "cat")))
    assert actions(result.decisions) == {"b": "relabel cat"}
    assert result.review["image_id"].to_list() == ["a"]


def test_relabel_to_a_class_that_no_image_has_goes_to_review() -> None:
    result = policy(RELABEL, findings=found(("a", "relabel", 0.1, "cow"), ("b", "relabel", 0.1, "cat")))
    assert actions(result.decisions) == {"b": "relabel cat"}
    assert result.review["image_id"].to_list() == ["a"]


def test_of_two_suggestions_the_first_rules_is_taken_and_the_other_named() -> None:
    rules = [Rule(finder="one", action="relabel"), Rule(finder="two", action="relabel")]
    result = policy(*rules, findings=found(("a", "one", 0.3, "cat"), ("a", "two", 0.2, "dog")))
    assert actions(result.decisions) == {"a": "relabel cat"}
    assert result.decisions["because"].to_list() == ["one"]
    assert result.conflicts == ["a: relabel to cat (one) beats relabel to dog (two)"]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Rule(finder="f", action="drop"), ["a"]),
        (Rule(finder="f", action="drop", below=0.7), ["a", "b"]),
        (Rule(finder="f", action="drop", below=0.0), []),
        (Rule(finder="f", action="drop", splits=["test"]), ["t"]),
        (Rule(finder="f", action="drop", splits=["train", "val", "test"]), ["a", "t", "v"]),
        (Rule(finder="f", action="drop", splits=[]), []),
        (Rule(finder="other", action="drop"), []),
    ],
)
def test_which_images_a_rule_takes(rule: Rule, expected: list[str]) -> None:
    findings = found(("v", "f", 0.1), ("t", "f", 0.1), ("a", "f", 0.3), ("b", "f", 0.6), ("gone", "f", 0.0))
    assert policy(rule, findings=findings).decisions["image_id"].to_list() == expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Rule(finder="f", action="drop", sure=0.8), ["a", "b"]),  # flagged or not
        (Rule(finder="f", action="drop", sure=0.8, below=0.5), ["a"]),
        (Rule(finder="f", action="drop", sure=0.0), ["a", "b", "c"]),
        (Rule(finder="f", action="drop", sure=1.0), []),
        (Rule(finder="other", action="drop", sure=0.0), []),
    ],
)
def test_how_sure_a_rule_wants_suggestions(rule: Rule, expected: list[str]) -> None:
    findings = found(("a", "f", 0.1, "dog"), ("b", "f", 0.6, "cat"), ("c", "f", 0.1), ("t", "f", 0.1, "cat"))
    findings["suggested_prob"] = np.array([0.875, 0.875, 0, 0.9], np.float32)
    assert policy(rule, findings=findings).decisions["image_id"].to_list() == expected


def test_rules_for_one_finder_do_not_conflict() -> None:
    sure, rest = Rule(finder="f", action="relabel", sure=0.8), Rule(finder="f", action="drop", below=0.35)
    findings = found(("a", "f", 0.1, "dog"), ("b", "f", 0.1), ("c", "f", 0.1), ("c", "keep", 0.1))
    findings["suggested_prob"] = [0.9, 0, 0, 0]
    result = policy(sure, rest, KEEP, findings=findings)
    assert actions(result.decisions) == {"a": "relabel dog", "b": "drop ", "c": "drop "}
    assert result.conflicts == ["c: drop (f) beats keep (keep)"]


def test_no_rules_and_no_findings() -> None:
    for result in (policy(findings=found(("a", "f", 0.1))), policy(DROP, findings=found())):
        assert result.decisions.columns.to_list() == list(decisions.COLUMNS)
        assert len(result.decisions) == len(result.review) == len(result.conflicts) == 0


@pytest.mark.parametrize("action", ["keep", "drop", "relabel"])
def test_person_beats_policy_and_is_not_asked_again(action: str) -> None:
    earlier = decided(("a", action, "dog" if action == "relabel" else "", "ada", "", "looked", NOON))
    findings = found(("a", "drop", 0.1), ("a", "keep", 0.1), ("a", "review", 0.1), ("b", "review", 0.2))
    result = policy(KEEP, DROP, REVIEW, findings=findings, earlier=earlier, at=LATER)
    assert result.decisions.equals(earlier)
    assert result.review["image_id"].to_list() == ["b"]
    assert result.conflicts == []


TWIN = found(("b", "exact_duplicate", 0.0)).assign(related_id="a")


@pytest.mark.parametrize(
    ("findings", "earlier", "dropped", "asked"),
    [
        ([], decided(), ["b"], []),
        ([("a", "label_error", 0.1)], decided(), ["a"], ["b"]),
        ([("a", "label_error", 0.1), ("b", "label_error", 0.1)], decided(), ["a", "b"], []),
        ([], decided(("a", "drop", "", "ada", "label_error")), ["a"], ["b"]),
        ([], decided(("a", "drop", "", "ada", "near_duplicate")), ["a", "b"], []),  # as another copy stays
        ([], decided(("a", "relabel", "dog", "ada", "label_error")), ["b"], []),
    ],
)
def test_of_two_copies_one_stays_or_people_are_asked(
    findings: list, earlier: pd.DataFrame, dropped: list[str], asked: list[str]
) -> None:
    rules = [Rule(finder="exact_duplicate", action="drop"), Rule(finder="label_error", action="drop")]
    result = policy(*rules, findings=pd.concat([TWIN, found(*findings)], ignore_index=True), earlier=earlier)
    assert result.decisions["image_id"][result.decisions["action"] == "drop"].to_list() == dropped
    assert result.review["image_id"].to_list() == asked
    assert [line for line in result.conflicts if "left to people, as a, which it shows once more" in line] == (
        result.conflicts if asked else []
    )


def test_policy_replaces_its_own_decisions_and_keeps_the_times_of_equal_ones() -> None:
    first = policy(DROP, findings=found(("a", "drop", 0.1), ("b", "drop", 0.1))).decisions
    again = policy(DROP, findings=found(("b", "drop", 0.1), ("c", "drop", 0.1)), earlier=first, at=LATER).decisions
    assert dict(zip(again["image_id"], again["at"], strict=True)) == {"b": NOON, "c": LATER}


def test_decisions_stand_in_the_order_of_the_manifest() -> None:
    earlier = decided(("c", "keep", "", "ada"), ("a", "keep", "", "ada"))
    result = policy(DROP, findings=found(("t", "drop", 0.1), ("b", "drop", 0.1)), earlier=earlier)
    assert result.decisions["image_id"].to_list() == ["a", "b", "c"]


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


def test_what_rules_may_ask_about() -> None:
    findings = found(("a", "keep", 0.3), ("b", "keep", 0.9), ("c", "keep", 0.6), ("t", "keep", 0.1), ("a", "drop", 0.1))
    assert decisions.askable(findings, IMAGES, [KEEP]).to_list() == ["a", "c", "b"]  # whether they are flagged or not
    limited = KEEP.model_copy(update={"below": 0.7})
    assert decisions.askable(findings, IMAGES, [limited, DROP]).to_list() == ["a", "c"]


def test_editing_a_row_of_the_policy_makes_it_yours() -> None:
    earlier = decided(("a", "drop", "", "policy", "dark", "", NOON))
    table = merge(earlier, earlier.assign(action="keep"), by="ada", at=LATER)
    assert table.to_numpy().tolist() == [["a", "keep", "", "ada", "dark", "", LATER]]


@pytest.mark.parametrize(
    "image_id", ["a,b", 'a"b', "a\nb", "a\rb", "caf\u00e9", "=1+1", " a ", "NA", "\u2028"], ids=ascii
)
def test_strange_image_ids_survive_the_file(tmp_path: Path, image_id: str) -> None:
    strange = images((image_id, "train", "cat"))
    table = decide(found((image_id, "drop", 0.1)), strange, [DROP], decisions.empty(), at=NOON).decisions
    write_csv(tmp_path / "decisions.csv", table)
    back = check(read_csv(tmp_path / "decisions.csv"), strange, "decisions.csv")
    assert back.reset_index(drop=True).equals(table)
    again = decide(found((image_id, "drop", 0.1)), strange, [DROP], back, at=LATER).decisions
    assert again.equals(table)


def test_generated_images_follow_their_original_where_it_is_about_the_label() -> None:
    """A copy that looks as wrong as its original is mended with it, and not dropped; one that is broken is."""
    there = images(("a", "train", "cat"), ("a-0", "train", "cat"), ("b", "train", "dog"), parents={"a-0": "a"})
    rules = [Rule(finder="label", action="relabel", sure=0.5), Rule(finder="label", action="drop", below=0.5)]
    rules.append(Rule(finder="dark", action="drop"))
    findings = found(("a", "label", 0.1, "dog"), ("a-0", "label", 0.2, "dog")).assign(suggested_prob=[0.9, 0.2])
    assert actions(decide(findings, there, rules, decided(), at="").decisions) == {"a": "relabel dog"}
    broken = found(("a-0", "dark", 0.1))
    assert actions(decide(broken, there, rules, decided(), at="").decisions) == {"a-0": "drop "}
