"""Who decides what: rules among each other, people over rules, and files that people have edited."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from curate import REVIEWER, decisions, verbs
from curate.cli import app
from curate.csv_text import read_csv, write_csv
from curate.decisions import check, decide, merge
from curate.errors import UserError
from curate.recipe import Rule
from curate.workspace import DECISIONS, FINDINGS, MANIFEST, Workspace, read_table
from tests.tables import decided, found, images

IMAGES = images(
    ("a", "train", "cat"), ("b", "train", "dog"), ("c", "train", "cat"), ("t", "test", "dog"), ("v", "val", "cat")
)
KEEP, DROP, RELABEL, REVIEW = (Rule(finder=action, action=action) for action in ("keep", "drop", "relabel", "review"))
NOON, LATER = "2026-01-01T12:00:00Z", "2026-01-02T12:00:00Z"
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


def test_rows_that_say_the_same_as_before() -> None:
    earlier = decided(("a", "drop", "", "ada", "", "why"), ("b", "keep", "", "ada"))
    now = decided(("a", "drop", "", "ada", "dark", "why", NOON), ("b", "keep", "", "bob"), ("c", "keep", "", "ada"))
    assert decisions.unchanged(now, earlier)["image_id"].to_list() == ["a"]


def test_what_rules_may_ask_about() -> None:
    findings = found(("a", "keep", 0.3), ("b", "keep", 0.9), ("c", "keep", 0.6), ("t", "keep", 0.1), ("a", "drop", 0.1))
    assert decisions.askable(findings, IMAGES, [KEEP]).to_list() == ["a", "c", "b"]  # whether they are flagged or not
    limited = KEEP.model_copy(update={"below": 0.7})
    assert decisions.askable(findings, IMAGES, [limited, DROP]).to_list() == ["a", "c"]


def test_editing_a_row_of_the_policy_makes_it_yours() -> None:
    earlier = decided(("a", "drop", "", "policy", "dark", "", NOON))
    table = merge(earlier, earlier.assign(action="keep"), by="ada", at=LATER)
    assert table.to_numpy().tolist() == [["a", "keep", "", "ada", "dark", "", LATER]]


# Through the verbs

POLICY = "name: rules\npolicy:\n  - {finder: outlier, action: drop}\n  - {finder: label_error, action: review}\n"


@pytest.fixture
def reviewed(workspace: Workspace) -> Workspace:
    """A workspace with a finding to drop, and two to review."""
    ids = read_table(workspace.path(MANIFEST)).query("split == 'train'")["image_id"].to_list()
    with workspace.writing("scan", {}) as transaction:
        rows = [(ids[0], "outlier", 0.1), (ids[1], "label_error", 0.2), (ids[2], "label_error", 0.3)]
        transaction.write_table(FINDINGS, found(*rows))
    workspace.path("policy.yaml").write_text(POLICY)
    verbs.decide(workspace, workspace.path("policy.yaml"))
    return workspace


def answer(workspace: Workspace, *answers: str) -> Path:
    path = workspace.path(verbs.REVIEW)
    review = read_csv(path)
    review["action"] = [*answers, *[""] * (len(review) - len(answers))]
    write_csv(path, review)
    return path


def test_decide_again_gives_the_same_bytes(reviewed: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    before = reviewed.path(DECISIONS).read_bytes(), reviewed.path(verbs.REVIEW).read_bytes()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    verbs.decide(reviewed, reviewed.path("policy.yaml"))
    assert (reviewed.path(DECISIONS).read_bytes(), reviewed.path(verbs.REVIEW).read_bytes()) == before


def test_answers_leave_the_review_list_for_good(reviewed: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    result = verbs.import_decisions(reviewed, answer(reviewed, "keep"), "ada")
    assert (result.by_people, result.for_review, result.actions) == (1, 1, {"drop": 1, "keep": 1})
    after = reviewed.path(DECISIONS).read_bytes()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    assert verbs.decide(reviewed, reviewed.path("policy.yaml")).for_review == 1
    assert reviewed.path(DECISIONS).read_bytes() == after


def test_importing_twice_gives_the_same_bytes(reviewed: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = reviewed.path("copy.csv")
    copy.write_bytes(answer(reviewed, "keep", "drop").read_bytes())
    verbs.import_decisions(reviewed, copy, "ada")
    before = reviewed.path(DECISIONS).read_bytes(), reviewed.path(verbs.REVIEW).read_bytes()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    verbs.import_decisions(reviewed, copy, "ada")
    assert (reviewed.path(DECISIONS).read_bytes(), reviewed.path(verbs.REVIEW).read_bytes()) == before


def test_an_import_keeps_what_was_edited_by_hand(reviewed: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row of the policy that somebody changed is theirs, also where an import of other answers comes between."""
    path = reviewed.path(DECISIONS)
    dropped = read_csv(path)["image_id"].iloc[0]
    path.write_text(path.read_text().replace(",drop,", ",keep,"))
    monkeypatch.setenv(REVIEWER, "bob")
    verbs.import_decisions(reviewed, answer(reviewed, "keep"), "ada")
    verbs.decide(reviewed, reviewed.path("policy.yaml"))
    table = read_csv(path).set_index("image_id")
    assert table.loc[dropped, ["action", "by"]].tolist() == ["keep", "ada"]  # who imports vouches for the file


def test_edits_by_hand_are_signed_as_the_environment_says(reviewed: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    path = reviewed.path(DECISIONS)
    path.write_text(path.read_text().replace(",drop,", ",keep,"))
    monkeypatch.setenv(REVIEWER, "bob")
    monkeypatch.setattr(verbs.getpass, "getuser", lambda: 1 / 0)
    verbs.decide(reviewed, reviewed.path("policy.yaml"))
    assert read_csv(path)["by"].tolist() == ["bob"]


def test_an_account_without_a_name_is_told_what_to_do(reviewed: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    path = reviewed.path(DECISIONS)
    path.write_text(path.read_text().replace(",drop,", ",keep,"))
    monkeypatch.delenv(REVIEWER, raising=False)
    monkeypatch.setattr(verbs.getpass, "getuser", lambda: {}["uid"])
    with pytest.raises(UserError, match="this account has no name; give yours in the variable CURATE_REVIEWER"):
        verbs.decide(reviewed, reviewed.path("policy.yaml"))


def test_an_import_leaves_the_answers_that_others_have_typed(reviewed: Workspace) -> None:
    answer(reviewed, "drop")  # typed by bob into review.csv
    image_id = read_csv(reviewed.path(verbs.REVIEW))["image_id"].iloc[0]
    mine = reviewed.path("mine.csv")
    mine.write_text(f"image_id,action\n{image_id},keep\n")
    assert verbs.import_decisions(reviewed, mine, "ada").for_review == 2
    verbs.import_decisions(reviewed, reviewed.path(verbs.REVIEW), "bob")
    table = read_csv(reviewed.path(DECISIONS))
    said = table[table["image_id"] == image_id]
    assert dict(zip(said["by"], said["action"], strict=True)) == {"ada": "keep", "bob": "drop"}
    assert image_id not in read_csv(reviewed.path(verbs.REVIEW))["image_id"].tolist()


def test_a_policy_by_name_and_one_for_an_import(reviewed: Workspace) -> None:
    run("decide", reviewed.root, "--policy", "cifar10")
    arguments = ["decide", str(reviewed.root), "--policy", "cifar10", "--import", str(reviewed.path(verbs.REVIEW))]
    with pytest.raises(UserError, match="--policy is for decisions by policy, not for --import"):
        CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_answers_change_what_the_policy_does(workspace: Workspace) -> None:
    """Twelve labels, each wrong with 0.6 as the scan has it: not enough to drop them, until nine of ten were wrong."""
    train = read_table(workspace.path(MANIFEST)).query("split == 'train'")
    ids = train["image_id"].to_list()[:12]
    with workspace.writing("scan", {}) as transaction:
        transaction.write_table(FINDINGS, found(*((name, "label_error", 0.4) for name in ids)))
    rules = "name: rules\npolicy:\n  - {finder: label_error, below: 0.35, action: drop}\n"
    workspace.path("policy.yaml").write_text(f"{rules}  - {{finder: label_error, action: review}}\n")
    first = verbs.decide(workspace, workspace.path("policy.yaml"))
    assert (first.actions, first.for_review, first.answers.count) == ({}, 12, 0)
    assert first.worth is not None
    assert (first.worth.labels, first.worth.gain, first.worth.stop_after) == (12, pytest.approx(7.2), 12)
    asked = read_csv(workspace.path(verbs.REVIEW))["image_id"].to_list()
    taken_over = verbs.import_decisions(workspace, answer(workspace, *["drop"] * 9, "keep"), "ada")
    assert (taken_over.answers.count, taken_over.answers.wrong, taken_over.worth) == (10, 9, None)
    assert taken_over.answers.expected == pytest.approx(6)
    scanned = workspace.path(FINDINGS).read_bytes()
    second = verbs.decide(workspace, workspace.path("policy.yaml"))
    assert second.answers == taken_over.answers
    decided_on = read_csv(workspace.path(DECISIONS))
    assert set(decided_on["image_id"][decided_on["by"] == "policy"]) == set(asked[10:])
    assert second.worth is not None
    assert second.worth.labels == second.for_review == 2  # dropped, and yet asked about: a person knows better
    assert workspace.path(FINDINGS).read_bytes() == scanned
    before = workspace.path(DECISIONS).read_bytes(), workspace.path(verbs.REVIEW).read_bytes()
    verbs.decide(workspace, workspace.path("policy.yaml"))
    assert (workspace.path(DECISIONS).read_bytes(), workspace.path(verbs.REVIEW).read_bytes()) == before


def test_budget_limits_labels_alone(workspace: Workspace) -> None:
    ids = read_table(workspace.path(MANIFEST)).query("split == 'train'")["image_id"].to_list()
    with workspace.writing("scan", {}) as transaction:
        rows = [(ids[0], "label_error", 0.2), (ids[1], "label_error", 0.9), (ids[2], "dark", 0.1)]
        transaction.write_table(FINDINGS, found(*rows))
    workspace.path("policy.yaml").write_text(POLICY.replace("outlier, action: drop", "dark, action: review"))
    result = verbs.decide(workspace, workspace.path("policy.yaml"), 1)
    assert result.worth is not None
    assert (result.for_review, result.worth.labels, result.worth.left_out) == (2, 1, 1)
    assert read_csv(workspace.path(verbs.REVIEW))["image_id"].to_list() == [ids[0], ids[2]]


@pytest.mark.parametrize("dropped", [["suggested_prob"], ["suggested_prob", "related_id"]])
def test_findings_of_an_earlier_version(workspace: Workspace, dropped: list[str]) -> None:
    ids = read_table(workspace.path(MANIFEST)).query("split == 'train'")["image_id"].to_list()
    with workspace.writing("scan", {}) as transaction:
        table = found((ids[0], "label_error", 0.05, "7"), (ids[1], "label_error", 0.45, "7"))
        transaction.write_table(FINDINGS, table.drop(columns=dropped))
    result = verbs.decide(workspace, None)
    assert result.actions == {"drop": 1}
    assert result.for_review == 2
    assert any("no probabilities" in warning for warning in result.warnings)


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_figures_of_the_queue_on_the_command_line(reviewed: Workspace) -> None:
    root, rules = reviewed.root, reviewed.path("policy.yaml")
    said = run("decide", root, "--policy", rules, "--budget", "1")
    assert "Review: 1 label, worth about 1 right label; 1 more would be worth the look, too.\n" in said
    said = run("decide", root, "--import", answer(reviewed, "drop"), "--by", "ada")
    assert "Answers so far: 1; 1 of these labels were wrong (expected 0.8).\n" in said
    assert f"They tell of other labels, too: 'curate decide {root}' decides and asks anew.\n" in said
    assert "Review:" not in said
    figures = json.loads(run("decide", root, "--policy", rules, "--json"))
    assert figures["answers"] == {"count": 1, "wrong": 1, "expected": pytest.approx(0.8)}
    assert figures["worth"] == {"labels": 1, "gain": pytest.approx(0.707, abs=1e-3), "stop_after": 1, "left_out": 0}
    run("decide", root, "--import", answer(reviewed, "keep"), "--by", "ada")
    said = run("decide", root, "--policy", rules)
    assert "Review: no label is left whose answer is worth the look.\n" in said
    assert "wait for a person" not in said


def test_budget_of_nothing_and_budget_of_an_import(reviewed: Workspace) -> None:
    result = CliRunner().invoke(app, ["decide", str(reviewed.root), "--budget", "0"])
    assert result.exit_code == 2
    assert "greater than or equal to 1" in result.output
    arguments = ["decide", str(reviewed.root), "--budget", "5", "--import", str(reviewed.path(verbs.REVIEW))]
    with pytest.raises(UserError, match="--budget is for decisions by policy, not for --import; leave one of them out"):
        CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_import_without_findings(workspace: Workspace, tmp_path: Path) -> None:
    image_id = read_table(workspace.path(MANIFEST))["image_id"][0]
    (tmp_path / "mine.csv").write_text(f"image_id,action\n{image_id},keep\n")
    result = verbs.import_decisions(workspace, tmp_path / "mine.csv", "ada")
    assert (result.answers.count, result.by_people) == (0, 1)


def test_decide_does_not_write_over_answers(reviewed: Workspace) -> None:
    path = answer(reviewed, "keep")
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"holds 1 answers that would be lost.*--import"):
        verbs.decide(reviewed, reviewed.path("policy.yaml"))
    assert path.read_bytes() == before


@pytest.mark.parametrize("column", ["label", "note"])
def test_decide_does_not_write_over_answers_begun(reviewed: Workspace, column: str) -> None:
    path = answer(reviewed)
    write_csv(path, read_csv(path).assign(**{column: ["cat", ""]}))
    with pytest.raises(UserError, match="holds 1 answers that would be lost"):
        verbs.decide(reviewed, reviewed.path("policy.yaml"))


def test_refused_import_changes_nothing(reviewed: Workspace) -> None:
    before = reviewed.path(DECISIONS).read_bytes()
    path = answer(reviewed, "keep", "perhaps")
    with pytest.raises(UserError, match=r"review\.csv, line 3: action 'perhaps'"):
        verbs.import_decisions(reviewed, path, "ada")
    assert reviewed.path(DECISIONS).read_bytes() == before


@pytest.mark.parametrize(
    ("path", "by", "message"),
    [("missing.csv", "ada", "is no file"), (".", "ada", "is no file"), ("review.csv", "policy", "policy's own name")],
)
def test_import_of_nothing_and_by_nobody(reviewed: Workspace, path: str, by: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        verbs.import_decisions(reviewed, reviewed.root / path, by)


def test_review_list_that_was_spoilt_by_hand_is_named(reviewed: Workspace, tmp_path: Path) -> None:
    reviewed.path(verbs.REVIEW).write_text("spoilt,by,hand\n1,2,3\n")
    ids = read_table(reviewed.path(MANIFEST))["image_id"]
    (tmp_path / "mine.csv").write_text(f"image_id,action\n{ids[0]},keep\n")
    with pytest.raises(UserError, match=r"review\.csv lacks the columns"):
        verbs.import_decisions(reviewed, tmp_path / "mine.csv", "ada")


def test_rule_for_a_finder_that_does_not_exist_is_named(reviewed: Workspace) -> None:
    reviewed.path("policy.yaml").write_text("name: x\npolicy:\n  - {finder: dork, action: drop}\n")
    with pytest.raises(UserError, match="no finder is called 'dork'"):
        verbs.decide(reviewed, reviewed.path("policy.yaml"))


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


def test_import_of_another_kind_of_file_says_what_it_must_be(reviewed: Workspace, digits_folder: Path) -> None:
    picture = next(digits_folder.rglob("*.png"))
    with pytest.raises(UserError, match=r"\.png is not a text.*save it as CSV"):
        verbs.import_decisions(reviewed, picture, "ada")
