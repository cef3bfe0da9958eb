"""What a pipeline sees: exit status, JSON, nothing written."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import train.verbs
from curate import deciding, scans, verbs
from curate.engine import Local
from curate.gate import facts
from curate.gate.check import Check
from curate.ingest.add import add
from curate.manifest import data_hash, learned
from curate.workspace import CURATED, DECISIONS, FINDINGS, MANIFEST, RECIPE, Workspace, read_table
from tests.command import invoke
from tests.conftest import write_digits
from tests.gate.conftest import Called, contents, failed, leak
from tests.gate.facts import PETS
from tests.tables import decided, found, images
from train.predict import predict
from train.rows import train_rows_of


def test_a_fresh_set_passes_after_the_default_policy(digits: Workspace, call: Called) -> None:
    before = contents(digits.root)
    status, judged = call(digits)
    assert (status, judged["passed"], judged["judged"], failed(judged)) == (0, True, "curated", [])
    assert list(judged) == ["passed", "judged", "checks"]
    assert {frozenset(check) for check in judged["checks"]} == {frozenset(Check.__dataclass_fields__)}
    assert contents(digits.root) == before


def test_without_a_scan_leaks_fail(workspace: Workspace, call: Called) -> None:
    status, judged = call(workspace, "--set", "images_per_class=1")
    assert (status, judged["judged"], failed(judged)) == (3, "raw", ["leaks"])
    assert call(workspace, "--set", "images_per_class=1", "--set", "required=[]")[0] == 0
    verbs.scan(workspace, only=["dark"], settings={}, engine=Local())
    assert failed(call(workspace, "--set", "images_per_class=1")[1]) == ["leaks"]


def test_a_leak_on_its_way_in_and_out(digits: Workspace, call: Called) -> None:
    leaked = leak(digits)
    assert failed(call(digits)[1]) == ["curated_current", "findings_current"]
    verbs.scan(digits, only=["dark"], settings={}, engine=Local())  # tells nothing of leaks
    assert "findings_current" in failed(call(digits)[1])
    verbs.scan(digits, only=None, settings={}, engine=Local())
    status, judged = call(digits)
    checks = {check["name"]: check for check in judged["checks"]}
    assert status == 3
    assert set(failed(judged)) == {"curated_current", "findings.exact_duplicate", "leaks"}
    assert (checks["leaks"]["measured"], checks["leaks"]["threshold"]) == (1, 0)
    assert leaked in checks["leaks"]["reason"]
    assert checks["leaks"]["way_out"] == f"curate decide {digits.root}"
    deciding.decide(digits, None)
    checks = {check["name"]: check for check in call(digits)[1]["checks"]}
    assert checks["leaks"]["way_out"] == f"curate apply {digits.root}"
    verbs.apply(digits, include_test=False)
    assert call(digits)[0] == 0


def test_a_leak_that_a_person_keeps_because_its_label_is_right(digits: Workspace, call: Called) -> None:
    leaked = leak(digits)
    verbs.scan(digits, only=None, settings={}, engine=Local())
    for because, count in (("label_error", 1), ("split_leak", 0)):
        with digits.writing("decide", {}) as transaction:
            transaction.write_table(DECISIONS, decided((leaked, "keep", "", "ada", because)))
        verbs.apply(digits, include_test=False)
        checks = {check["name"]: check for check in call(digits)[1]["checks"]}
        assert checks["curated_current"]["status"] == "passed"
        assert checks["leaks"]["measured"] == count


def test_what_people_brought_is_no_decision_of_the_policy(workspace: Workspace, call: Called) -> None:
    verbs.scan(workspace, only=["dark", "split_leak", "low_information"], settings={}, engine=Local(1))
    said = workspace.root / "said.csv"
    said.write_text(f"image_id,action\n{read_table(workspace.path(MANIFEST))['image_id'][0]},keep\n")
    deciding.import_decisions(workspace, said, "ada")
    verbs.apply(workspace, include_test=False)
    checks = {check["name"]: check for check in call(workspace)[1]["checks"]}
    assert checks["decisions_current"]["status"] == "skipped"
    assert checks["decisions_current"]["way_out"] == f"curate decide {workspace.root}"
    assert not facts.read(workspace, []).decided
    deciding.decide(workspace, None)
    verbs.apply(workspace, include_test=False)
    checks = {check["name"]: check for check in call(workspace)[1]["checks"]}
    assert checks["decisions_current"]["status"] == "passed"


def test_decisions_that_were_edited_and_findings_that_were_tampered_with(digits: Workspace, call: Called) -> None:
    path = digits.path(DECISIONS)
    first = read_table(digits.path(MANIFEST))["image_id"].iloc[0]
    text = path.read_text(encoding="utf-8")
    path.write_text(text + f"{first},drop,,ada,,,\n", encoding="utf-8")
    status, judged = call(digits)
    assert (status, judged["judged"]) == (3, "raw")
    assert "curated_current" in failed(judged)
    path.write_text(text, encoding="utf-8")
    assert call(digits)[0] == 0
    table = read_table(digits.path(FINDINGS))
    table[table["finder"] != "split_leak"].assign(detail="").to_parquet(digits.path(FINDINGS))
    assert {"findings_current", "leaks"} <= set(failed(call(digits)[1]))


def test_images_labelled_out_of_the_pool_want_a_look_for_their_twins(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "ws")
    with workspace.writing("scan", {"only": ["split_leak"]}) as transaction:
        transaction.write_table(MANIFEST, images(*PETS))
        transaction.write_table(FINDINGS, found())
    assert list(facts.read(workspace, ["split_leak"]).not_run) == []
    with workspace.writing("decide", {}) as transaction:
        transaction.write_table(DECISIONS, decided(("waits", "relabel", "cat", "ada")))
    verbs.apply(workspace, include_test=False)
    assert list(facts.read(workspace, ["split_leak"]).not_run) == ["exact_duplicate", "near_duplicate"]


def test_new_predictions_make_the_findings_old(workspace: Workspace) -> None:
    images_ = read_table(workspace.path(MANIFEST))
    wanted = ["label_error", "split_leak"]
    verbs.scan(workspace, only=["split_leak"], settings={}, engine=Local())
    assert scans.unsure(workspace, "ws", wanted, scans.of(workspace), images_) == {}
    assert scans.not_run(workspace, "ws", wanted, scans.of(workspace)) == {"label_error": "curate predict ws"}
    predict(workspace, folds=2, profile="plain", settings={"epochs": 1, "image_size": 8}, workers=1)
    assert scans.unsure(workspace, "ws", wanted, scans.of(workspace), images_) == {}  # split_leak needs none
    verbs.scan(workspace, only=["label_error"], settings={}, engine=Local())
    assert scans.unsure(workspace, "ws", wanted, scans.of(workspace), images_) == {}
    with workspace.writing("predict", {}):
        pass
    stale = scans.unsure(workspace, "ws", wanted, scans.of(workspace), images_)
    assert stale == {"there are new predictions since label_error ran": "curate scan ws"}
    write_digits(workspace.root.parent / "more", 8, first=80)
    add(workspace, workspace.root.parent / "more")
    stale = scans.unsure(workspace, "ws", wanted, scans.of(workspace), read_table(workspace.path(MANIFEST)))
    assert next(iter(stale.items())) == (
        "6 training images have come or changed since the last predict",
        "curate predict ws",
    )


def test_runs_of_the_trainer(digits: Workspace, call: Called) -> None:
    settings = {"epochs": 1, "image_size": 8, "device": "cpu"}
    for name in ("curated-1", "curated-2"):
        train.verbs.train(digits, data="curated", seeds=1, settings=settings, name=name, at_once=1)
    status, judged = call(digits, "--set", "required=[run_current, accuracy_loss]")
    checks = {check["name"]: check for check in judged["checks"]}
    assert status == 0
    assert checks["run_current"]["details"] == {"run": "curated-2"}
    assert checks["accuracy_loss"]["details"]["before"] == "curated-1"
    assert checks["accuracy_loss"]["details"]["difference"] == 0
    first = read_table(digits.path(CURATED)).query("split == 'train'")["image_id"].iloc[0]
    with digits.writing("decide", {}) as transaction:
        transaction.write_table(DECISIONS, decided((first, "drop", "", "ada")))
    verbs.apply(digits, include_test=False)
    assert failed(call(digits, "--set", "required=[run_current]")[1]) == ["run_current"]
    assert failed(call(digits, "--set", "accuracy_at_least=1")[1]) == ["accuracy_at_least"]


def test_the_hash_of_the_training_images_is_the_trainers(digits: Workspace) -> None:
    curated = read_table(digits.path(CURATED))
    assert data_hash(learned(curated)) == data_hash(train_rows_of(curated))


@pytest.mark.parametrize(
    ("recipe", "arguments", "message"),
    [
        ("gate: strict", [], r"recipe.yaml: gate should be a valid dictionary"),
        ("gate: {leaks: none}", [], r"recipe.yaml: gate.leaks should be a valid integer.*, not 'none'$"),
        ("gate: {lekas: 0}", [], r"recipe.yaml: unknown key 'gate.lekas' \(did you mean 'leaks'\?\); there are: "),
        (
            "gate: {findings: {dork: 0}}",
            [],
            r"no finder of gate.findings is called 'dork' \(did you mean 'dark'\?\); there are: .*dark, ",
        ),
        ("gate: {findings: {dork: null}}", [], r"no finder of gate.findings is called 'dork'"),
        ("gate: {required: [speed]}", [], r"recipe.yaml: gate.required\[0\] should be "),
        (
            "gate: {leaks: null}",
            [],
            r"gate.required names 'leaks', which has no threshold; give it one, or take it out",
        ),
        ("gate: {required: [accuracy_at_least]}", [], r"gate.required names 'accuracy_at_least', which has no"),
        ("gate: [", [], r"recipe.yaml, line 1"),
        ("", ["--set", "leaks"], r"--set 'leaks' must be NAME=VALUE"),
        ("", ["--set", "lekas=1"], r"--set: unknown key 'gate.lekas'"),
        ("", ["--set", "findings.dork=1"], r"no finder of gate.findings is called 'dork'"),
        ("", ["--run", "x"], r"no finished run is called 'x'; there are: none"),
    ],
)
def test_mistakes_are_told_in_one_line(
    workspace: Workspace, recipe: str, arguments: list[str], message: str, fails: Callable[..., str]
) -> None:
    if recipe:
        workspace.path(RECIPE).write_text(recipe, encoding="utf-8")
    assert re.search(message, fails("gate", workspace.root, *arguments))


def test_for_people_the_failures_come_first(digits: Workspace) -> None:
    leak(digits)
    verbs.scan(digits, only=None, settings={}, engine=Local())
    done = invoke("gate", digits.root)
    assert done.exit_code == 3
    results = re.findall(r"^ \S+ +(failed|skipped|passed) ", done.stdout, re.MULTILINE)
    assert results == sorted(results, key=["failed", "skipped", "passed"].index)
    assert "leaks failed: 1 training image shows a photo of the test or validation images" in done.stdout
    assert done.stdout.endswith(f"judged on the manifest.\nNext: curate decide {digits.root}\n")
