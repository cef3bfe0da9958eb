"""What an answer is worth, in which order people are asked, and when to stop."""

import numpy as np
import pandas as pd
import pytest

from curate import decisions, findings
from curate.cli.decide import worth_line
from curate.labels.queue import Worth, gain, ordered, review, worth
from curate.policy import REVIEW_COLUMNS, apply_rules
from curate.recipe import Rule
from tests.tables import decided, images

IMAGES = images(
    *((name, "train", "cat") for name in "abcde"), *((name, "train", "dog") for name in "fgh"), ("t", "test", "cat")
)
REVIEW = Rule(finder="label_error", action="review")
RELABEL = Rule(finder="label_error", action="relabel", sure=0.8)
DROP = Rule(finder="label_error", action="drop", below=0.35)
DARK = Rule(finder="dark", action="review")


def found(*rows: tuple[str, float, str, float] | tuple[str, str]) -> pd.DataFrame:
    """Findings of (image_id, probability that it is wrong, suggestion, its probability), or of (image_id, finder)."""
    full = [
        (row[0], "label_error", 1 - row[1], *row[2:]) if len(row) == 4 else (*row, 0.1, "", 0.0)  # type: ignore[operator]
        for row in rows
    ]
    table = pd.DataFrame(full, columns=["image_id", "finder", "score", "suggested_label", "suggested_prob"])
    return findings.complete(table.assign(flagged=table["score"] < 0.6))


def listed(
    table: pd.DataFrame, *rules: Rule, earlier: pd.DataFrame | None = None, budget: int | None = None
) -> tuple[pd.DataFrame, Worth]:
    before = decisions.empty() if earlier is None else earlier
    result = apply_rules(table, IMAGES, list(rules), before, at="2026-01-01T12:00:00Z")
    return review(result, table, IMAGES, list(rules), budget=budget)


@pytest.mark.parametrize(
    ("wrong", "suggested", "done", "expected"),
    [
        (0, 0, "keep", 0),  # it is right
        (1, 1, "relabel", 0),  # the suggestion is
        (1, 1, "keep", 1),  # nobody else would mend it
        (1, 0, "drop", 1 / 3),  # dropped, though a person would know the label
        (0, 0, "drop", 1 / 3),  # and so it is where the label was right
        (0.1, 0.05, "keep", 0.1),
        (0.5, 0.5, "keep", 0.5),
        (0.9, 0.8, "relabel", 0.2),
        (0.99, 0.5, "drop", 1 / 3),
    ],
)
def test_gain(wrong: float, suggested: float, done: str, expected: float) -> None:
    assert gain(np.array([wrong]), np.array([suggested]), np.array([done])) == pytest.approx([expected])


@pytest.mark.parametrize(("done", "most"), [("keep", 1), ("drop", 1 / 3), ("relabel", 1)])
def test_gain_lies_between_0_and_1(done: str, most: float) -> None:
    wrong = np.linspace(0, 1, 101).repeat(101)
    gains = gain(wrong, wrong * np.tile(np.linspace(0, 1, 101), 101), np.full(len(wrong), done))
    assert gains.min() > -1e-9
    assert gains.max() == pytest.approx(most)


@pytest.mark.parametrize(
    ("gains", "expected"),
    [([], (0, 0)), ([0.05], (0, 0.05)), ([1, 1, 1], (3, 3)), ([1, 0.5, 0.1, 0.09, 0], (3, 1.69))],
)
def test_where_to_stop(gains: list[float], expected: tuple[int, float]) -> None:
    assert worth(np.array(gains)) == pytest.approx(expected)


def test_groups_by_their_total_and_what_is_not_worth_it_last() -> None:
    rows = [
        ("a", "cat", "dog", 0.9), ("b", "cat", "dog", 0.05), ("c", "cat", "", 0.4), ("d", "cat", "cow", 0.5),
        ("e", "cat", "cow", 0.6), ("f", "dog", "cow", 0.06),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["image_id", "given_label", "suggested_label", "gain"]).assign(score=0.5)
    whole = ordered(table.sample(frac=1, random_state=0))
    assert whole["image_id"].to_list() == ["e", "d", "a", "c", "f", "b"]
    assert whole["group"].to_list() == [
        "cat -> cow",
        "cat -> cow",
        "cat -> dog",
        "cat -> ?",
        "dog -> cow",
        "cat -> dog",
    ]
    assert ordered(table, 2)["image_id"].to_list() == ["a", "e"]  # the group's total is that of what is asked
    assert ordered(table, 99).equals(whole)
    assert len(ordered(table.iloc[:0])) == 0


def test_ties_go_to_the_worse_score_then_to_the_name() -> None:
    table = pd.DataFrame({"image_id": ["b", "c", "a"], "score": [0.5, 0.4, 0.5], "gain": 1.0})
    table = table.assign(given_label="cat", suggested_label="")
    assert ordered(table)["image_id"].to_list() == ["c", "a", "b"]


def test_labels_first_then_what_others_found() -> None:
    table = found(("a", "dark"), ("b", 0.6, "dog", 0.5), ("f", 0.55, "", 0.0), ("g", "dark"), ("g", 0.01, "", 0.0))
    result, value = listed(table, DARK, REVIEW)
    assert result.columns.to_list() == list(REVIEW_COLUMNS)
    assert result[["image_id", "because", "gain", "group"]].to_numpy().tolist() == [
        ["b", "label_error", 0.6, "cat -> dog"],
        ["f", "label_error", 0.55, "dog -> ?"],
        ["a", "dark", 0.0, ""],
        ["g", "dark", 0.0, ""],
    ]
    assert value == Worth(2, pytest.approx(1.15), 2, 0)


def test_what_the_policy_did_is_asked_where_an_answer_is_worth_it() -> None:
    table = found(
        ("a", 0.9, "dog", 0.85),
        ("b", 0.999, "dog", 0.99),
        ("c", 0.7, "", 0.0),
        ("d", 0.2, "", 0.0),
        ("e", 0.02, "", 0.0),
    )
    result, value = listed(table, RELABEL, DROP, REVIEW)
    assert dict(zip(result["image_id"], result["gain"], strict=True)) == {"c": 0.333, "d": 0.2, "a": 0.15}
    assert (result[["action", "label", "note"]] == "").all().all()
    assert (value.labels, value.stop_after, value.left_out) == (3, 3, 0)
    assert value.gain == pytest.approx(1 / 3 + 0.35)


@pytest.mark.parametrize(
    ("rules", "asked"),
    [
        ([REVIEW], ["a", "b"]),
        ([Rule(finder="label_error", action="review", below=0.5)], ["a"]),  # the rule says how far
        ([Rule(finder="label_error", action="review", splits=["test"])], ["t"]),
        ([Rule(finder="label_error", action="review", splits=[])], []),
        ([DROP], []),  # nobody is to be asked
        ([Rule(finder="label_error", action="relabel", below=0.5)], ["a"]),  # no suggestion: somebody has to look
        ([Rule(finder="label_error", action="keep"), REVIEW], ["b"]),
        ([Rule(finder="dark", action="drop"), REVIEW], ["a"]),
        ([Rule(finder="dark", action="keep"), REVIEW], ["a"]),
        ([], []),
    ],
)
def test_who_is_asked_about(rules: list[Rule], asked: list[str]) -> None:
    table = found(("a", 0.8, "", 0.0), ("b", 0.3, "", 0.0), ("b", "dark"), ("t", 0.7, "", 0.0), ("gone", 0.9, "", 0.0))
    assert sorted(listed(table, *rules)[0]["image_id"]) == asked


@pytest.mark.parametrize("by", ["ada", ""])
def test_people_are_not_asked_again(by: str) -> None:
    table = found(("a", 0.8, "", 0.0), ("b", 0.8, "", 0.0), ("c", 0.3, "", 0.0))
    earlier = decided(("a", "keep", "", by), ("c", "drop", "", by, "label_error"))
    assert listed(table, DROP, REVIEW, earlier=earlier)[0]["image_id"].to_list() == ["b"]
    everything = pd.concat([earlier, decided(("b", "keep", "", by))])
    result, value = listed(table, DROP, REVIEW, earlier=everything)
    assert (len(result), value) == (0, Worth(0, 0.0, 0, 0))


def test_budget_takes_what_matters_most_and_leaves_others_alone() -> None:
    table = found(
        ("a", 0.2, "", 0.0), ("b", 0.6, "", 0.0), ("c", 0.5, "dog", 0.3), ("d", "dark"), ("a", "dark"), ("c", "dark")
    )
    result, value = listed(table, REVIEW, DARK, budget=1)
    assert result["image_id"].to_list() == ["b", "c", "a", "d"]
    assert result["because"].to_list() == ["label_error", "label_error;dark", "dark", "dark"]
    assert result["gain"].to_list() == [0.6, 0.0, 0.0, 0.0]
    assert value == Worth(1, pytest.approx(0.6), 1, 2)
    whole, _ = listed(table, REVIEW, DARK)
    assert dict(zip(whole["image_id"], whole["because"], strict=True))["a"] == "dark;label_error"


def test_what_the_policy_leaves_stays_beyond_the_stop() -> None:
    table = found(("a", 0.02, "", 0.0), ("b", 0.5, "", 0.0)).assign(flagged=True)
    result, value = listed(table, REVIEW)
    assert result["image_id"].to_list() == ["b", "a"]
    assert (value.labels, value.stop_after) == (2, 1)


def test_no_findings() -> None:
    result, value = listed(findings.empty(), RELABEL, DROP, REVIEW, DARK)
    assert result.columns.to_list() == list(REVIEW_COLUMNS)
    assert (len(result), value) == (0, Worth(0, 0.0, 0, 0))


@pytest.mark.parametrize(
    ("value", "answers", "line"),
    [
        (Worth(0, 0.0, 0, 0), 0, ""),
        (Worth(0, 0.0, 0, 0), 3, "Review: no label is left whose answer is worth the look."),
        (
            Worth(412, 230.4, 160, 0),
            3,
            "Review: 412 labels, worth about 230 right labels; after the first 160 another 50 answers are worth less "
            "than 5: stop there.",
        ),
        (
            Worth(9, 0.1, 0, 0),
            0,
            "Review: 9 labels, worth about 0 right labels; 50 answers are worth less than 5: stop there.",
        ),
        (Worth(9, 8.9, 9, 0), 0, "Review: 9 labels, worth about 9 right labels; all of them are worth the look."),
        (
            Worth(100, 98.0, 100, 1312),
            0,
            "Review: 100 labels, worth about 98 right labels; 1,312 more would be worth the look, too.",
        ),
    ],
)
def test_what_is_said_of_it(value: Worth, answers: int, line: str) -> None:
    assert "".join(worth_line(value, answers)) == line
