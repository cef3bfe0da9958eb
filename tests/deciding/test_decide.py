"""`decide` on a workspace: what stays, what is asked, and what is told."""

from pathlib import Path

import pandas as pd
import pytest

from curate import deciding, findings, verbs
from curate.csv_text import read_csv, write_csv
from curate.errors import UserError
from curate.review import asking
from curate.workspace import DECISIONS, FINDINGS, MANIFEST, Workspace, read_table
from tests.command import invoke, run, run_json
from tests.deciding.conftest import POLICY, answer
from tests.tables import decided, found, images


def test_decide_again_gives_the_same_bytes(reviewed: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    before = reviewed.path(DECISIONS).read_bytes(), reviewed.path(deciding.REVIEW).read_bytes()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    deciding.decide(reviewed, reviewed.path("policy.yaml"))
    assert (reviewed.path(DECISIONS).read_bytes(), reviewed.path(deciding.REVIEW).read_bytes()) == before


def test_a_dry_run_tells_the_same_and_writes_nothing(reviewed: Workspace) -> None:
    (reviewed.root / "other.yaml").write_text("name: other\npolicy: [{finder: label_error, action: drop}]\n")
    before = {path: path.read_bytes() for path in reviewed.root.rglob("*") if path.is_file()}
    tried = deciding.decide(reviewed, reviewed.path("other.yaml"), dry_run=True)
    assert {path: path.read_bytes() for path in reviewed.root.rglob("*") if path.is_file()} == before
    done = deciding.decide(reviewed, reviewed.path("other.yaml"))
    assert (tried.actions, tried.for_review, tried.written) == (done.actions, done.for_review, "")
    said = run("decide", reviewed.root, "--dry-run", "--policy", reviewed.path("policy.yaml"))
    assert "Decisions: drop 1" in said
    assert "2 images would be asked about. Nothing was written" in said


def test_answers_leave_the_review_list_for_good(reviewed: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    result = deciding.import_decisions(reviewed, answer(reviewed, "keep"), "ada")
    assert (result.by_people, result.for_review, result.actions) == (1, 1, {"drop": 1, "keep": 1})
    after = reviewed.path(DECISIONS).read_bytes()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    assert deciding.decide(reviewed, reviewed.path("policy.yaml")).for_review == 1
    assert reviewed.path(DECISIONS).read_bytes() == after


def test_answers_change_what_the_policy_does(workspace: Workspace) -> None:
    """Twelve labels, each wrong with 0.6 as the scan has it: not enough to drop them, until nine of ten were wrong."""
    train = read_table(workspace.path(MANIFEST)).query("split == 'train'")
    ids = train["image_id"].to_list()[:12]
    with workspace.writing("scan", {}) as transaction:
        transaction.write_table(FINDINGS, found(*((name, "label_error", 0.4) for name in ids)))
    rules = "name: rules\npolicy:\n  - {finder: label_error, below: 0.35, action: drop}\n"
    workspace.path("policy.yaml").write_text(f"{rules}  - {{finder: label_error, action: review}}\n")
    first = deciding.decide(workspace, workspace.path("policy.yaml"))
    assert (first.actions, first.for_review, first.answers.count) == ({}, 12, 0)
    assert first.worth is not None
    assert (first.worth.labels, first.worth.gain, first.worth.stop_after) == (12, pytest.approx(7.2), 12)
    asked = read_csv(workspace.path(deciding.REVIEW))["image_id"].to_list()
    taken_over = deciding.import_decisions(workspace, answer(workspace, *["drop"] * 9, "keep"), "ada")
    assert (taken_over.answers.count, taken_over.answers.wrong, taken_over.worth) == (10, 9, None)
    assert taken_over.answers.expected == pytest.approx(6)
    scanned = workspace.path(FINDINGS).read_bytes()
    second = deciding.decide(workspace, workspace.path("policy.yaml"))
    assert second.answers == taken_over.answers
    decided_on = read_csv(workspace.path(DECISIONS))
    assert set(decided_on["image_id"][decided_on["by"] == "policy"]) == set(asked[10:])
    assert second.worth is not None
    assert second.worth.labels == second.for_review == 2  # dropped, and yet asked about: a person knows better
    assert workspace.path(FINDINGS).read_bytes() == scanned
    before = workspace.path(DECISIONS).read_bytes(), workspace.path(deciding.REVIEW).read_bytes()
    deciding.decide(workspace, workspace.path("policy.yaml"))
    assert (workspace.path(DECISIONS).read_bytes(), workspace.path(deciding.REVIEW).read_bytes()) == before


def test_budget_limits_labels_alone(workspace: Workspace) -> None:
    ids = read_table(workspace.path(MANIFEST)).query("split == 'train'")["image_id"].to_list()
    with workspace.writing("scan", {}) as transaction:
        rows = [(ids[0], "label_error", 0.2), (ids[1], "label_error", 0.9), (ids[2], "dark", 0.1)]
        transaction.write_table(FINDINGS, found(*rows))
    workspace.path("policy.yaml").write_text(POLICY.replace("outlier, action: drop", "dark, action: review"))
    result = deciding.decide(workspace, workspace.path("policy.yaml"), 1)
    assert result.worth is not None
    assert (result.for_review, result.worth.labels, result.worth.left_out) == (2, 1, 1)
    assert read_csv(workspace.path(deciding.REVIEW))["image_id"].to_list() == [ids[0], ids[2]]


@pytest.mark.parametrize("dropped", [["suggested_prob"], ["suggested_prob", "related_id"]])
def test_findings_of_an_earlier_version(workspace: Workspace, dropped: list[str]) -> None:
    ids = read_table(workspace.path(MANIFEST)).query("split == 'train'")["image_id"].to_list()
    with workspace.writing("scan", {}) as transaction:
        table = found((ids[0], "label_error", 0.05, "7"), (ids[1], "label_error", 0.45, "7"))
        transaction.write_table(FINDINGS, table.drop(columns=dropped))
    result = deciding.decide(workspace, None)
    assert result.actions == {"drop": 1}
    assert result.for_review == 2
    assert any("no probabilities" in warning for warning in result.warnings)


@pytest.mark.parametrize(
    ("drops", "warned"),
    [
        ({"cat": 6, "dog": 5, "owl": 9}, ["class 'cat'"]),
        ({"cat": 6, "dog": 6}, ["2 classes"]),
        ({"dog": 5}, []),
    ],
)
def test_a_policy_that_drops_most_of_a_class_is_warned_of(
    tmp_path: Path, drops: dict[str, int], warned: list[str]
) -> None:
    counts = {"cat": 10, "dog": 10, "owl": 9}
    ids = {label: [f"{label}/{number}" for number in range(count)] for label, count in counts.items()}
    rows = [(name, "outlier", 0.1) for label, count in drops.items() for name in ids[label][:count]]
    workspace = Workspace(tmp_path / "ws")
    with workspace.writing("scan", {}) as transaction:
        transaction.write_table(MANIFEST, images(*((name, "train", label) for label in ids for name in ids[label])))
        transaction.write_table(FINDINGS, found(*rows, ("owl/8", "label_error", 0.1)))
    workspace.path("policy.yaml").write_text(POLICY)
    way_out = f"if that is wrong, give outlier the action 'review', or none, in {workspace.path('policy.yaml')}"
    said = deciding.decide(workspace, workspace.path("policy.yaml"), dry_run=True).warnings
    assert [line for line in said if "more than half" in line] == [
        f"the policy drops more than half of the training images of {named}, most for outlier; {way_out}"
        for named in warned
    ]


def test_figures_of_the_queue_on_the_command_line(reviewed: Workspace) -> None:
    root, rules = reviewed.root, reviewed.path("policy.yaml")
    said = run("decide", root, "--policy", rules, "--budget", "1")
    assert "Review: 1 label, worth about 1 right label; 1 more would be worth the look, too.\n" in said
    said = run("decide", root, "--import", answer(reviewed, "drop"), "--by", "ada")
    assert "Answers so far: 1; 1 of these labels were wrong (expected 0.8).\n" in said
    assert f"They tell of other labels, too: 'curate decide {root}' decides and asks anew.\n" in said
    assert "Review:" not in said
    figures = run_json("decide", root, "--policy", rules)
    assert figures["answers"] == {"count": 1, "wrong": 1, "expected": pytest.approx(0.8)}
    assert figures["worth"] == {"labels": 1, "gain": pytest.approx(0.707, abs=1e-3), "stop_after": 1, "left_out": 0}
    run("decide", root, "--import", answer(reviewed, "keep"), "--by", "ada")
    said = run("decide", root, "--policy", rules)
    assert "Review: no label is left whose answer is worth the look.\n" in said
    assert "wait for a person" not in said


def test_budget_of_nothing_and_budget_of_an_import(reviewed: Workspace) -> None:
    result = invoke("decide", reviewed.root, "--budget", "0")
    assert result.exit_code == 2
    assert "greater than or equal to 1" in result.output
    with pytest.raises(UserError, match="--budget is for decisions by policy, not for --import; leave one of them out"):
        run("decide", reviewed.root, "--budget", "5", "--import", reviewed.path(deciding.REVIEW))


def test_decide_does_not_write_over_answers(reviewed: Workspace) -> None:
    path = answer(reviewed, "keep")
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"holds 1 answer that would be lost.*--import"):
        deciding.decide(reviewed, reviewed.path("policy.yaml"))
    assert path.read_bytes() == before


@pytest.mark.parametrize("column", ["label", "note"])
def test_decide_does_not_write_over_answers_begun(reviewed: Workspace, column: str) -> None:
    path = answer(reviewed)
    write_csv(path, read_csv(path).assign(**{column: ["cat", ""]}))
    with pytest.raises(UserError, match="holds 1 answer that would be lost"):
        deciding.decide(reviewed, reviewed.path("policy.yaml"))


def test_a_note_alone_says_what_it_lacks(reviewed: Workspace) -> None:
    path = answer(reviewed)
    write_csv(path, read_csv(path).assign(note=["two digits?", "cut off?"]))
    told = "2 rows have a note and no action: fill in their 'action', or take their note out"
    with pytest.raises(UserError, match=f"holds 2 answers that would be lost; {told}; 'curate decide .* --import"):
        deciding.decide(reviewed, reviewed.path("policy.yaml"))
    assert any(told in line for line in deciding.import_decisions(reviewed, path, "ada").warnings)
    write_csv(path, read_csv(path).assign(action=["drop", ""], note=["two digits?", ""]))
    result = deciding.import_decisions(reviewed, path, "ada")
    assert not any("note" in line for line in result.warnings)
    deciding.decide(reviewed, reviewed.path("policy.yaml"))
    assert "two digits?" in read_csv(reviewed.path(DECISIONS))["note"].to_list()


@pytest.mark.parametrize("beside", [False, True])
def test_scores_that_are_no_probabilities_promise_nothing(workspace: Workspace, beside: bool) -> None:
    """Also where another finder says how sure its suggestions are."""
    ids = read_table(workspace.path(MANIFEST)).query("split == 'train'")["image_id"].to_list()
    table = found(*((name, "label_error", 0.2, "7") for name in ids[:3]))
    if beside:
        other = found((ids[4], "worth_labelling", 0.2, "7")).assign(suggested_prob=0.6)
        table = findings.complete(pd.concat([table, other], ignore_index=True))
    with workspace.writing("scan", {}) as transaction:
        transaction.write_table(FINDINGS, table)
    listed = verbs.list_findings(workspace, finder="label_error", flagged_only=True)
    assert (listed.expected, len(listed.table)) == (None, 3)
    message = r"--at budget=1: label_error gave no probabilities; 'curate scan .*' with label_error\.method=fused does"
    with pytest.raises(UserError, match=message):
        verbs.list_findings(workspace, finder="label_error", flagged_only=True, at="budget=1")
    assert run("findings", workspace.root, "--finder", "label_error").count("precision") == 0


@pytest.mark.parametrize("method", ["fused", "confident_learning"])
def test_labels_that_are_all_likely_right_have_a_rate_of_errors(workspace: Workspace, method: str) -> None:
    ids = read_table(workspace.path(MANIFEST)).query("split == 'train'")["image_id"].to_list()
    table = found(*((name, "label_error", 0.99, "") for name in ids)).assign(flagged=False)
    asked = {"only": ["label_error"], "set": {"label_error": {"method": method}}}
    with workspace.writing("scan", asked) as transaction:
        transaction.write_table(FINDINGS, table)
    expected = verbs.summarise(workspace, finder=None).expected
    if method == "fused":
        assert expected is not None
        assert expected.noise_rate.expected == pytest.approx(0.01, abs=0.001)
    else:
        assert expected is None


def test_probabilities_stay_such_when_all_were_answered(workspace: Workspace) -> None:
    image_id = read_table(workspace.path(MANIFEST)).query("split == 'train'")["image_id"].iloc[0]
    with workspace.writing("scan", {}) as transaction:
        transaction.write_table(FINDINGS, found((image_id, "label_error", 0.2, "7")).assign(suggested_prob=0.7))
        transaction.write_table(DECISIONS, decided((image_id, "keep", "", "ada")))
    listed = verbs.list_findings(workspace, finder="label_error", flagged_only=True, at="budget=1")
    assert listed.expected is not None
    assert listed.expected.precision.expected == 0  # it was right


def test_what_is_expected_is_that_of_the_flagged_labels(workspace: Workspace) -> None:
    """Also when answers have made others more probable than these."""
    ids = read_table(workspace.path(MANIFEST)).query("split == 'train'")["image_id"].to_list()[:4]
    table = found(*((name, "label_error", score, "7") for name, score in zip(ids, (0.1, 0.2, 0.6, 0.7), strict=True)))
    with workspace.writing("scan", {}) as transaction:
        transaction.write_table(FINDINGS, table.assign(suggested_prob=0.3))
        transaction.write_table(DECISIONS, decided(*((name, "keep", "", "ada") for name in ids[:2])))
    listed = verbs.list_findings(workspace, finder="label_error", flagged_only=True)
    assert listed.expected is not None
    assert (listed.expected.flagged, listed.expected.precision.expected) == (2, 0)
    assert listed.expected.recall.expected == 0
    assert "2 labels in training that the scan flagged." in run("findings", workspace.root, "--finder", "label_error")


def test_where_to_cut_what_found_nothing(workspace: Workspace) -> None:
    with workspace.writing("scan", {}) as transaction:
        transaction.write_table(FINDINGS, found())
    listed = verbs.list_findings(workspace, finder=None, flagged_only=True, at="budget=1")
    assert (len(listed.table), listed.expected) == (0, None)


def test_one_image_waits(reviewed: Workspace) -> None:
    said = run("decide", reviewed.root, "--import", answer(reviewed, "keep"), "--by", "ada")
    assert "1 image waits for a person in " in said


def test_rule_for_a_finder_that_does_not_exist_is_named(reviewed: Workspace) -> None:
    reviewed.path("policy.yaml").write_text("name: x\npolicy:\n  - {finder: dork, action: drop}\n")
    with pytest.raises(UserError, match=r"policy\.yaml: policy\[0\]\.finder: no finder is called 'dork'"):
        deciding.decide(reviewed, reviewed.path("policy.yaml"))
    reviewed.path("policy.yaml").rename(reviewed.path("recipe.yaml"))
    with pytest.raises(UserError, match=r"recipe\.yaml: policy\[0\]\.finder: no finder is called 'dork'"):
        asking.asked(reviewed, "ada")
