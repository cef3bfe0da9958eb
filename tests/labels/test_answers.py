"""What people's decisions say about labels, and what becomes of the probabilities."""

import numpy as np
import pandas as pd
import pytest

from curate.decisions import empty
from curate.findings import complete
from curate.findings import empty as no_findings
from curate.labels.answers import Answers, answered, calibrate, counted
from tests.tables import decided, images

IMAGES = images(*((name, "train", "cat") for name in "abcdef"))


def found(*rows: tuple[str, str, float, float]) -> pd.DataFrame:
    """Findings of (image_id, finder, probability that the label is wrong, that "dog" is right)."""
    table = pd.DataFrame(rows, columns=["image_id", "finder", "score", "suggested_prob"])
    table["suggested_label"] = np.where(table["suggested_prob"] > 0, "dog", "")
    return complete(table.assign(score=1 - table["score"], flagged=False))


FOUND = found(
    ("a", "label_error", 0.9, 0.8),
    ("b", "label_error", 0.6, 0.0),
    ("c", "label_error", 0.2, 0.1),
    ("a", "dark", 0.7, 0),
)


@pytest.mark.parametrize(
    ("decision", "wrong"),
    [
        (("a", "keep", "", "ada"), [False]),
        (("a", "relabel", "dog", "ada"), [True]),
        (("a", "relabel", "cow", "ada"), [True]),
        (("a", "relabel", "cat", "ada"), [False]),  # the label that it has
        (("a", "drop", "", "ada", "label_error"), [True]),
        (("a", "drop", "", "ada", "dark;label_error"), [True]),
        (("a", "drop", "", "ada", "dark"), []),
        (("a", "drop", "", "ada", "no_label_error"), []),
        (("a", "drop", "", "ada"), []),
        (("a", "keep", "", "ada", "dark"), [False]),
        (("a", "keep", ""), [False]),  # unsigned, and yet no policy's
        (("a", "drop", "", "policy", "label_error"), []),
        (("f", "keep", "", "ada"), []),  # no finding: taken for right
        (("gone", "keep", "", "ada"), []),
    ],
)
def test_what_a_decision_says_of_the_label(decision: tuple[str, ...], wrong: list[bool]) -> None:
    table = answered(decided(decision), FOUND, IMAGES)
    assert table["wrong"].to_list() == wrong
    assert table["wrong"].dtype == bool
    assert table["probability"].to_list() == pytest.approx([0.9] * len(wrong))


def test_nothing_said_and_nothing_found() -> None:
    for decisions, findings in [(empty(), FOUND), (decided(("a", "keep", "", "ada")), no_findings())]:
        assert counted(answered(decisions, findings)) == Answers(0, 0, 0.0)
        table, calibration = calibrate(findings, decisions)
        assert table.equals(findings)
        assert calibration.answers == 0


def test_answers_are_certain_and_move_the_others() -> None:
    table, calibration = calibrate(FOUND, decided(("a", "keep", "", "ada"), ("c", "keep", "", "bob")), IMAGES)
    assert calibration.answers == 2
    assert table["score"].to_list()[::2] == [1.0, 1.0]
    assert 0.4 < table["score"][1] < 1  # both labels were right: so this is more probably, too
    assert table.dtypes.equals(FOUND.dtypes)
    assert table[FOUND["finder"] == "dark"].equals(FOUND[FOUND["finder"] == "dark"])
    assert table.drop(columns=["score", "suggested_prob"]).equals(FOUND.drop(columns=["score", "suggested_prob"]))
    assert counted(answered(decided(("a", "keep"), ("b", "relabel", "dog")), FOUND)).expected == pytest.approx(1.5)


@pytest.mark.parametrize(("action", "wrong", "suggested"), [("keep", 0, 0), ("relabel", 1, 0.8 / 0.9)])
def test_suggestion_changes_in_proportion(action: str, wrong: float, suggested: float) -> None:
    table, _ = calibrate(FOUND, decided(("a", action, "dog" if action == "relabel" else "", "ada")))
    assert (1 - table["score"][0], table["suggested_prob"][0]) == pytest.approx((wrong, suggested))
    share = (1 - table["score"][2]) / 0.2
    assert table["suggested_prob"][2] == pytest.approx(0.1 * share, rel=1e-4)


@pytest.mark.parametrize("wrong", [False, True])
def test_all_answered_alike(wrong: bool) -> None:
    """Also with probabilities of 0 and 1: nothing becomes NaN, and none leaves [0, 1]."""
    rng = np.random.default_rng(0)
    probs = np.append(rng.uniform(size=200), [1e-7, 1.0])
    findings = found(*((str(at), "label_error", p, p / 2) for at, p in enumerate(probs)))
    said = decided(*((str(at), "relabel" if wrong else "keep", "dog" if wrong else "", "ada") for at in range(202)))
    table, _ = calibrate(findings, said)
    assert (table["score"] == (not wrong)).all()
    assert table["suggested_prob"].between(0, 1).all()
    again, _ = calibrate(findings, said.iloc[:100])
    assert again[["score", "suggested_prob"]].notna().all().all()
    assert ((again["score"] >= 0.0) & (again["score"] <= 1.0) & (again["suggested_prob"] <= 1.0)).all()


def test_probabilities_that_were_too_high_come_down() -> None:
    """Labels said to be wrong with 0.5 to 0.9, and wrong half as often."""
    rng = np.random.default_rng(0)
    probs = rng.uniform(0.5, 0.9, size=2000)
    findings = found(*((str(at), "label_error", p, 0.0) for at, p in enumerate(probs)))
    wrong = rng.uniform(size=1000) < probs[:1000] / 2
    said = decided(
        *((str(at), "relabel" if bad else "keep", "dog" if bad else "", "ada") for at, bad in enumerate(wrong))
    )
    table, _ = calibrate(findings, said)
    assert (1 - table["score"][1000:]).mean() == pytest.approx(probs[1000:].mean() / 2, abs=0.04)
