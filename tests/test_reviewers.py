"""Several people on one image: which decision counts, who disagrees, and how far people agree."""

import math

import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from curate import verbs
from curate.errors import UserError
from curate.recipe import Reviewers, load
from curate.reviewers import agreement, checked_name, disagreements, disputed, kappa, settle
from curate.workspace import DECISIONS, MANIFEST, Workspace
from tests.tables import decided, images

IMAGES = images(("a", "train", "cat"), ("b", "train", "dog"), ("c", "train", "cat"))
T = [f"2026-01-0{day}T12:00:00Z" for day in range(1, 8)]


def said(*rows: tuple[str, str, str, str]) -> pd.DataFrame:
    """(image_id, action, label, by), one after another in time."""
    return decided(
        *[(image_id, action, label, by, "", "", T[at]) for at, (image_id, action, label, by) in enumerate(rows)]
    )


ADA_DROPS, BOB_KEEPS, EVE_DROPS = ("a", "drop", "", "ada"), ("a", "keep", "", "bob"), ("a", "drop", "", "eve")


@pytest.mark.parametrize(
    ("rows", "rule", "counts"),
    [
        ([ADA_DROPS], "majority", ("drop", "", "ada")),
        ([ADA_DROPS, BOB_KEEPS], "majority", None),
        ([ADA_DROPS, BOB_KEEPS, EVE_DROPS], "majority", ("drop", "", "ada;eve")),
        ([ADA_DROPS, BOB_KEEPS, EVE_DROPS], "unanimous", None),
        ([ADA_DROPS, EVE_DROPS], "unanimous", ("drop", "", "ada;eve")),
        ([ADA_DROPS, BOB_KEEPS], "latest", ("keep", "", "bob")),
        ([("a", "relabel", "cat", "ada"), BOB_KEEPS], "unanimous", ("keep", "", "ada;bob")),  # cat is the given label
        ([("a", "relabel", "dog", "ada"), ("a", "relabel", "cat", "bob")], "majority", None),
        ([("a", "drop", "", "policy"), BOB_KEEPS], "majority", ("keep", "", "bob")),
        (
            [("a", "drop", "", "policy"), ADA_DROPS, BOB_KEEPS],
            "majority",
            None,
        ),  # people disagree: not the policy's turn
        ([("a", "drop", "", "policy")], "unanimous", ("drop", "", "policy")),
        ([("a", "keep", "", ""), ADA_DROPS, EVE_DROPS], "majority", ("drop", "", "ada;eve")),  # no name is no arbiter
    ],
)
def test_which_decision_counts(rows: list, rule: str, counts: tuple | None) -> None:
    settled = settle(said(*rows), IMAGES, Reviewers(rule=rule))
    found = [(row.action, row.label, row.by) for row in settled.itertuples()]
    assert found == ([counts] if counts else [])


def test_the_arbiter_settles_it() -> None:
    rows = said(ADA_DROPS, BOB_KEEPS, EVE_DROPS)
    assert settle(rows, IMAGES, Reviewers(rule="unanimous", arbiter="bob"))["action"].to_list() == ["keep"]
    assert settle(rows, IMAGES, Reviewers(rule="majority", arbiter="zoe"))["action"].to_list() == ["drop"]


def test_order_and_other_images_stay() -> None:
    rows = said(("c", "keep", "", "ada"), ADA_DROPS, ("b", "drop", "", "policy"), EVE_DROPS)
    assert settle(rows, IMAGES, Reviewers())["image_id"].to_list() == ["c", "b", "a"]


def test_disagreements_are_named_with_what_counts() -> None:
    rows = said(ADA_DROPS, BOB_KEEPS, ("b", "keep", "", "ada"), ("b", "relabel", "dog", "bob"))
    (line,) = disagreements(rows, IMAGES, Reviewers())
    assert line.startswith("a: ada says drop, bob says keep; nothing counts (majority): a third person")
    assert disputed(rows, IMAGES, Reviewers()).to_dict() == {"a": "ada: drop; bob: keep"}
    (line,) = disagreements(rows, IMAGES, Reviewers(rule="latest"))
    assert line == "a: ada says drop, bob says keep; keep counts (latest)"
    assert disputed(rows, IMAGES, Reviewers(rule="latest")).empty


def test_what_is_disputed_stands_in_the_order_of_the_decisions() -> None:
    rows = said(("b", "drop", "", "ada"), ("b", "keep", "", "bob"), ADA_DROPS, BOB_KEEPS)
    assert disputed(rows, IMAGES, Reviewers()).index.to_list() == ["b", "a"]


def test_of_three_the_latest_counts() -> None:
    rows = said(ADA_DROPS, EVE_DROPS, BOB_KEEPS)
    assert settle(rows, IMAGES, Reviewers(rule="latest"))["by"].to_list() == ["bob"]
    assert settle(rows.iloc[::-1], IMAGES, Reviewers(rule="latest"))["by"].to_list() == ["bob"]  # by time, not by place


@pytest.mark.parametrize("at", ["01.11.2026 10:00", ""])
def test_what_has_no_time_is_the_latest(at: str) -> None:
    """As `older` has it: a spreadsheet may have written the time of what somebody typed just now, or nobody did."""
    rows = said(BOB_KEEPS, ADA_DROPS).assign(at=[at, T[0]])
    assert settle(rows, IMAGES, Reviewers(rule="latest"))["by"].to_list() == ["bob"]


def test_agreement_counts_what_both_decided_on() -> None:
    both = said(
        *(ADA_DROPS, BOB_KEEPS, ("b", "keep", "", "ada"), ("b", "relabel", "dog", "bob")),
        *(("c", "keep", "", "ada"), ("c", "keep", "", "bob")),
    )
    (pair,) = agreement(both, IMAGES)
    assert (pair.a, pair.b, pair.images, pair.same) == ("ada", "bob", 3, 2)
    outcomes = ["dropped", "dog", "cat"], ["cat", "dog", "cat"]
    assert pair.kappa == pytest.approx(cohen_kappa_score(*outcomes))
    (pair,) = agreement(both[both["image_id"] != "c"], IMAGES)
    assert (pair.images, pair.same) == (2, 1)
    assert agreement(said(ADA_DROPS), IMAGES) == []


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (["x", "y", "x", "z"], ["x", "y", "y", "z"]),
        (["x", "x", "y", "y"], ["y", "y", "x", "x"]),
        (["x", "y"], ["x", "y"]),
        (["x", "x", "x", "y"], ["x", "x", "x", "x"]),
    ],
)
def test_kappa_is_that_of_scikit_learn(a: list, b: list) -> None:
    assert kappa(pd.Series(a), pd.Series(b)) == pytest.approx(cohen_kappa_score(a, b))


def test_kappa_says_nothing_where_chance_alone_agrees() -> None:
    assert math.isnan(kappa(pd.Series(["x", "x"]), pd.Series(["x", "x"])))


@pytest.mark.parametrize("name", ["", " ", "policy", "Policy", "a;b", "a\nb"])
def test_names_that_cannot_sign(name: str) -> None:
    with pytest.raises(UserError, match="--by"):
        checked_name(name, "--by")


def test_a_recipe_says_which_rule(tmp_path) -> None:
    (tmp_path / "r.yaml").write_text("reviewers: {rule: latest, arbiter: ada}")
    assert load(tmp_path / "r.yaml").reviewers == Reviewers(rule="latest", arbiter="ada")
    (tmp_path / "r.yaml").write_text("reviewers: {rule: loudest}")
    with pytest.raises(UserError, match=r"reviewers.rule should be 'majority', 'unanimous' or 'latest', not 'loudest'"):
        load(tmp_path / "r.yaml")


def test_disputed_images_stay_as_they_are(tmp_path) -> None:
    ws = Workspace(tmp_path)
    with ws.writing("add", {}) as transaction:
        transaction.write_table(MANIFEST, IMAGES)
        transaction.write_table(
            DECISIONS, said(ADA_DROPS, BOB_KEEPS, ("b", "drop", "", "ada"), ("b", "drop", "", "bob"))
        )
    assert verbs.apply(ws, include_test=False).dropped == 1
    (tmp_path / "recipe.yaml").write_text("reviewers: {arbiter: ada}")
    assert verbs.apply(ws, include_test=False).dropped == 2
    rules = [entry.arguments.get("reviewers") for entry in ws.ledger() if entry.command == "apply"]
    assert rules == [{"rule": "majority", "arbiter": ""}, {"rule": "majority", "arbiter": "ada"}]


def test_the_rule_is_noted_only_where_it_counts(tmp_path) -> None:
    ws = Workspace(tmp_path)
    with ws.writing("add", {}) as transaction:
        transaction.write_table(MANIFEST, IMAGES)
        transaction.write_table(DECISIONS, said(ADA_DROPS, ("b", "drop", "", "bob"), ("c", "drop", "", "policy")))
    verbs.apply(ws, include_test=False)
    assert ws.ledger()[-1].arguments == {"include_test": False}
