"""What rules make of findings: which decides, what is left to people, and whose word it never touches."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from curate import decisions
from curate.csv_text import read_csv, write_csv
from curate.decisions import check
from curate.policy import Ruling, apply_rules, askable
from curate.recipe import Rule
from tests.tables import decided, found, images

IMAGES = images(
    ("a", "train", "cat"), ("b", "train", "dog"), ("c", "train", "cat"), ("t", "test", "dog"), ("v", "val", "cat")
)
KEEP, DROP, RELABEL, REVIEW = (Rule(finder=action, action=action) for action in ("keep", "drop", "relabel", "review"))
NOON, LATER, NOW = "2026-01-01T12:00:00Z", "2026-01-02T12:00:00Z", "2026-01-03T12:00:00Z"
SUGGESTED = {"relabel": "dog"}
TWIN = found(("b", "exact_duplicate", 0.0)).assign(related_id="a")


def actions(table: pd.DataFrame) -> dict[str, str]:
    return dict(zip(table["image_id"], table["action"] + " " + table["label"], strict=True))


def policy(*rules: Rule, findings: pd.DataFrame, earlier: pd.DataFrame | None = None, at: str = NOON) -> Ruling:
    return apply_rules(findings, IMAGES, list(rules), decisions.empty() if earlier is None else earlier, at=at)


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


def test_what_rules_may_ask_about() -> None:
    findings = found(("a", "keep", 0.3), ("b", "keep", 0.9), ("c", "keep", 0.6), ("t", "keep", 0.1), ("a", "drop", 0.1))
    assert askable(findings, IMAGES, [KEEP]).to_list() == ["a", "c", "b"]  # whether they are flagged or not
    limited = KEEP.model_copy(update={"below": 0.7})
    assert askable(findings, IMAGES, [limited, DROP]).to_list() == ["a", "c"]


def test_generated_images_follow_their_original_where_it_is_about_the_label() -> None:
    """A copy that looks as wrong as its original is mended with it, and not dropped; one that is broken is."""
    there = images(("a", "train", "cat"), ("a-0", "train", "cat"), ("b", "train", "dog"), parents={"a-0": "a"})
    rules = [Rule(finder="label", action="relabel", sure=0.5), Rule(finder="label", action="drop", below=0.5)]
    rules.append(Rule(finder="dark", action="drop"))
    findings = found(("a", "label", 0.1, "dog"), ("a-0", "label", 0.2, "dog")).assign(suggested_prob=[0.9, 0.2])
    assert actions(apply_rules(findings, there, rules, decided(), at="").decisions) == {"a": "relabel dog"}
    broken = found(("a-0", "dark", 0.1))
    assert actions(apply_rules(broken, there, rules, decided(), at="").decisions) == {"a-0": "drop "}


@pytest.mark.parametrize(
    "image_id", ["a,b", 'a"b', "a\nb", "a\rb", "caf\u00e9", "=1+1", " a ", "NA", "\u2028"], ids=ascii
)
def test_strange_image_ids_survive_the_file(tmp_path: Path, image_id: str) -> None:
    strange = images((image_id, "train", "cat"))
    table = apply_rules(found((image_id, "drop", 0.1)), strange, [DROP], decisions.empty(), at=NOON).decisions
    write_csv(tmp_path / "decisions.csv", table)
    back = check(read_csv(tmp_path / "decisions.csv"), strange, "decisions.csv")
    assert back.reset_index(drop=True).equals(table)
    again = apply_rules(found((image_id, "drop", 0.1)), strange, [DROP], back, at=LATER).decisions
    assert again.equals(table)
