"""The gate: what each check makes of tables and runs, and what a pipeline sees: exit status, JSON, nothing written."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

import train.verbs
from curate import decisions, proof, reviewers, verbs
from curate.add import add
from curate.cli import app, main
from curate.engine import Local
from curate.errors import UserError
from curate.gate import comparable, scans, tables
from curate.gate import facts as reading
from curate.gate import runs as of_runs
from curate.gate.check import Check
from curate.gate.facts import Facts
from curate.gate.verb import gate, judge
from curate.interval import Score, mean_interval, score
from curate.manifest import data_hash
from curate.paired import Difference
from curate.recipe import Gate, Reviewers, default
from curate.runs import Run
from curate.workspace import CURATED, DECISIONS, FINDINGS, MANIFEST, RECIPE, Entry, Workspace, read_table
from tests.conftest import write_digits
from tests.tables import decided, found, images

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "gate.md").read_text(encoding="utf-8")

PETS = [
    *[(f"cat{number}", "train", "cat") for number in range(4)],
    *[(f"dog{number}", "train", "dog") for number in range(2)],
    ("cat9", "test", "cat"),
    ("dog9", "test", "dog"),
    ("waits", "pool", ""),
]


def facts(
    *rows: tuple[str, str, str],
    findings: pd.DataFrame | None = None,
    said: pd.DataFrame | None = None,
    judged: pd.DataFrame | None = None,
    parents: dict[str, str] | None = None,
    runs: list[Run] | None = None,
    **changes: Any,
) -> Facts:
    """Of a few pets; `judged` is the curated set, by default there is none."""
    manifest = images(*(rows or PETS), parents=parents)
    said = decisions.empty() if said is None else said
    made = Facts(
        ws="ws",
        judged="raw" if judged is None else "curated",
        curated="missing" if judged is None else "current",
        manifest=manifest,
        images=manifest if judged is None else judged,
        findings=found() if findings is None else findings,
        not_run={},
        stale={},
        decided=len(said) > 0,
        decisions=reviewers.settle(said, manifest, Reviewers()),
        disputed=reviewers.disputed(said, manifest, Reviewers()),
        runs=runs or [],
        proof=None,
    )
    return replace(made, **changes)


def twins(*rows: tuple[str, str, str]) -> pd.DataFrame:
    """Findings of (image_id, finder, related_id), all flagged."""
    table = found(*[(image_id, finder, 0.0) for image_id, finder, _ in rows])
    return table.assign(related_id=pd.Series([related for _, _, related in rows], dtype="str"))


# Findings


@pytest.mark.parametrize(
    ("findings", "said", "count", "of", "label"),
    [
        (found(), decided(), 0, 4, "cat"),
        (found(("cat0", "dark", 0.1)), decided(), 1, 4, "cat"),
        (found(("cat0", "dark", 0.1), ("dog0", "dark", 0.1)), decided(), 1, 2, "dog"),
        (found(("cat0", "dark", 0.9)), decided(), 0, 4, "cat"),  # scored, not flagged
        (found(("cat0", "light", 0.1)), decided(), 0, 4, "cat"),  # another finder's
        (found(("cat9", "dark", 0.1), ("waits", "dark", 0.1)), decided(), 0, 4, "cat"),  # not trained on
        (found(("cat0", "dark", 0.1)), decided(("cat0", "keep")), 0, 4, "cat"),
        (found(("cat0", "dark", 0.1)), decided(("cat0", "keep", "", "policy")), 0, 4, "cat"),
        (found(("cat0", "dark", 0.1)), decided(("cat0", "drop")), 1, 4, "cat"),  # not applied: it is there still
        (found(("cat0", "dark", 0.1)), decided(("cat0", "relabel", "dog")), 1, 4, "cat"),  # not applied
        (found(("cat0", "dark", 0.1)), decided(("cat0", "relabel", "cat")), 0, 4, "cat"),
        (found(("cat0", "dark", 0.1)), decided(("cat1", "keep")), 1, 4, "cat"),
        (found(("cat0", "dark", 0.1)), decided(("cat0", "keep", "", "ada"), ("cat0", "drop", "", "bob")), 1, 4, "cat"),
        (found(("cat0", "dark", 0.1), ("cat0", "dark", 0.2)), decided(), 1, 4, "cat"),
    ],
)
def test_open_findings_of_the_worst_class(
    findings: pd.DataFrame, said: pd.DataFrame, count: int, of: int, label: str
) -> None:
    check = tables.open_findings(facts(findings=findings, said=said), "dark", 0.3)
    assert check.name == "findings.dark"
    assert (check.details["open"], check.details["images"], check.details["class"]) == (count, of, label)
    assert check.measured == count / of
    assert check.status == ("failed" if count / of > 0.3 else "passed")
    assert bool(check.way_out) == (check.status == "failed")


@pytest.mark.parametrize(("limit", "status"), [(0.25, "passed"), (0.2, "failed"), (0, "failed"), (1, "passed")])
def test_a_share_may_be_as_high_as_its_threshold(limit: float, status: str) -> None:
    assert tables.open_findings(facts(findings=found(("cat0", "dark", 0.1))), "dark", limit).status == status


def test_what_was_applied_is_decided() -> None:
    findings = found(("cat0", "label_error", 0.1, "dog"), ("cat1", "label_error", 0.1, "dog"))
    said = decided(("cat0", "relabel", "dog"), ("cat1", "drop"))
    curated = images(*[row for row in PETS if row[0] not in ("cat0", "cat1")], ("cat0", "train", "dog"))
    check = tables.open_findings(facts(findings=findings, said=said, judged=curated), "label_error", 0)
    assert (check.status, check.measured) == ("passed", 0)


def test_generated_images_follow_the_decision_on_their_original() -> None:
    rows, parents = [*PETS, ("cat0-1", "train", "cat")], {"cat0-1": "cat0"}
    findings = found(("cat0-1", "dark", 0.1))
    for said, count in ((decided(), 1), (decided(("cat0", "keep")), 0), (decided(("cat1", "keep")), 1)):
        check = tables.open_findings(facts(*rows, findings=findings, said=said, parents=parents), "dark", 0)
        assert check.details["open"] == count


@pytest.mark.parametrize(
    ("said", "decided_since", "way_out"),
    [
        (decided(), False, "curate decide ws"),
        (decided(("cat1", "keep")), False, "curate decide ws"),
        (decided(("cat0", "drop")), True, "curate apply ws"),
        (decided(("cat1", "drop")), True, "curate review ws"),
    ],
)
def test_the_way_out_of_open_findings(said: pd.DataFrame, decided_since: bool, way_out: str) -> None:
    given = facts(findings=found(("cat0", "dark", 0.1)), said=said, decided=decided_since)
    assert tables.open_findings(given, "dark", 0).way_out == way_out


def test_findings_that_nobody_looked_for_are_skipped() -> None:
    check = tables.open_findings(facts(not_run={"dark": "curate scan ws"}), "dark", 0)
    assert (check.status, check.measured, check.way_out) == ("skipped", None, "curate scan ws")
    nothing_to_train = facts(("a", "test", "cat"))
    assert tables.open_findings(nothing_to_train, "dark", 0).status == "skipped"


# Leaks


@pytest.mark.parametrize(
    ("findings", "said", "count", "kept"),
    [
        (twins(), decided(), 0, 0),
        (twins(("cat0", "split_leak", "cat9")), decided(), 1, 0),
        (twins(("cat0", "split_leak", "cat9"), ("cat1", "split_leak", "cat9")), decided(), 2, 0),
        (twins(("cat0", "split_leak", "cat9")), decided(("cat0", "drop", "", "policy", "split_leak")), 1, 0),
        (twins(("cat0", "split_leak", "cat9")), decided(("cat0", "keep", "", "policy", "split_leak")), 1, 0),
        (twins(("cat0", "split_leak", "cat9")), decided(("cat0", "keep", "", "ada", "dark;split_leak")), 0, 1),
        (twins(("cat0", "split_leak", "cat9")), decided(("cat0", "keep", "", "ada", "label_error")), 1, 0),
        (twins(("cat0", "split_leak", "cat9")), decided(("cat0", "keep", "", "ada")), 1, 0),
        (twins(("cat0", "near_duplicate", "cat1")), decided(), 0, 0),
        (twins(("cat0", "exact_duplicate", "cat9")), decided(), 0, 0),  # split_leak would name it
        (twins(("waits", "near_duplicate", "cat9")), decided(), 0, 0),  # in the pool: not trained on
    ],
)
def test_leaks(findings: pd.DataFrame, said: pd.DataFrame, count: int, kept: int) -> None:
    check = tables.leaks(facts(findings=findings, said=said), 0)
    assert (check.measured, check.details["kept_by_people"]) == (count, kept)
    assert check.status == ("failed" if count else "passed")


def test_a_leak_is_gone_with_its_training_image_and_stays_without_its_test_image() -> None:
    """Accuracy is measured on the test images of the manifest, whatever was decided about them."""
    findings = twins(("cat0", "split_leak", "cat9"))
    for dropped, count in (("cat0", 0), ("cat9", 1)):
        curated = images(*[row for row in PETS if row[0] != dropped])
        assert tables.leaks(facts(findings=findings, judged=curated), 0).measured == count


@pytest.mark.parametrize(("finder", "twin", "count"), [("near_duplicate", "cat9", 1), ("near_duplicate", "cat1", 0)])
def test_images_labelled_out_of_the_pool_leak_as_others_do(finder: str, twin: str, count: int) -> None:
    curated = images(*[row for row in PETS if row[0] != "waits"], ("waits", "train", "cat"))
    assert tables.leaks(facts(findings=twins(("waits", finder, twin)), judged=curated), 0).measured == count


def test_leaks_that_nobody_looked_for_are_none_that_were_found() -> None:
    given = facts(not_run={"split_leak": "curate scan ws"})
    assert tables.leaks(given, 0).status == "skipped"
    assert not judge(given, Gate(leaks=0, required=["leaks"])).passed
    assert judge(given, Gate(leaks=0)).passed


# Classes, test images, disputes, what is current


@pytest.mark.parametrize(
    ("rows", "curated", "count", "label"),
    [
        (PETS, None, 2, "dog"),
        ([*PETS, ("cow", "test", "cow")], None, 0, "cow"),  # measured on, never learned
        (PETS, [row for row in PETS if row[0] != "dog0"], 1, "dog"),
        # all of a class dropped: it is missed, though the curated set does not know it any more
        ([*PETS, ("cow", "train", "cow")], PETS, 0, "cow"),
        # all of a class relabelled: a wrong spelling, which nobody misses
        ([*PETS, ("kat", "train", "Cat")], [*PETS, ("kat", "train", "cat")], 2, "dog"),
    ],
)
def test_images_of_the_smallest_class(
    rows: list[tuple[str, str, str]], curated: list[tuple[str, str, str]] | None, count: int, label: str
) -> None:
    check = tables.images_per_class(facts(*rows, judged=None if curated is None else images(*curated)), 2)
    assert (check.measured, check.details["class"]) == (count, label)
    assert check.status == ("passed" if count >= 2 else "failed")


def test_images_that_cannot_be_decoded_are_none() -> None:
    broken = images(*PETS).assign(error=["truncated PNG" if row[0] == "dog0" else "" for row in PETS])
    assert tables.images_per_class(facts(judged=broken), 2).measured == 1
    assert tables.images_per_class(facts(("a", "pool", "")), 1).status == "failed"


@pytest.mark.parametrize(
    ("rows", "count", "says"),
    [
        (PETS, 2, "2 labelled images to measure on"),
        ([("a", "train", "cat"), ("b", "val", "cat")], 1, "1 labelled image to measure on, those of 'val'"),
        ([("a", "train", "cat"), ("b", "val", "cat"), ("c", "test", "")], 0, "0 labelled images to measure on"),
        ([("a", "train", "cat")], 0, "0 labelled images to measure on"),
    ],
)
def test_images_to_measure_on(rows: list[tuple[str, str, str]], count: int, says: str) -> None:
    check = tables.test_images(facts(*rows), 1)
    assert (check.measured, check.status) == (count, "passed" if count else "failed")
    assert check.reason.startswith(says)


@pytest.mark.parametrize(
    ("said", "count"),
    [
        (decided(("cat0", "keep", "", "ada"), ("cat0", "keep", "", "bob")), 0),
        (decided(("cat0", "keep", "", "ada"), ("cat0", "drop", "", "bob")), 1),
        (decided(("cat0", "keep", "", "ada"), ("cat1", "drop", "", "bob")), 0),
    ],
)
def test_disputes(said: pd.DataFrame, count: int) -> None:
    check = tables.disputes(facts(said=said), 0)
    assert (check.measured, check.status) == (count, "failed" if count else "passed")


@pytest.mark.parametrize(
    ("state", "decided_since", "status", "way_out"),
    [
        ("current", True, "passed", ""),
        ("stale", True, "failed", "curate apply ws"),
        ("missing", True, "skipped", "curate apply ws"),
        ("missing", False, "skipped", "curate decide ws"),
    ],
)
def test_whether_the_curated_set_is_current(state: str, decided_since: bool, status: str, way_out: str) -> None:
    check = tables.curated_current(facts(curated=state, decided=decided_since))
    assert (check.status, check.way_out) == (status, way_out)


# Which scans the findings are from


def entry(version: int, command: str, wrote: str = "", only: list[str] | None = None) -> Entry:
    return Entry(version, "", command, {"only": only}, {}, {FINDINGS: wrote} if wrote else {})


@pytest.mark.parametrize(
    ("entries", "digest", "ran"),
    [
        ([], "", {}),
        ([entry(1, "add")], "", {}),
        ([entry(1, "scan", "a")], "a", {"dark": 1, "split_leak": 1}),
        ([entry(1, "scan", "a")], "b", {}),  # changed since, and not by a verb
        ([entry(1, "scan", "a", ["dark"])], "a", {"dark": 1}),
        ([entry(1, "scan", "a"), entry(2, "scan", "b", ["dark"])], "b", {"dark": 2, "split_leak": 1}),
        ([entry(1, "scan", "a"), entry(2, "scan")], "a", {"dark": 2, "split_leak": 2}),  # found the same
        ([entry(1, "scan", "a", ["label_error"]), entry(2, "scan", "b")], "b", {"dark": 2, "split_leak": 2}),
        ([entry(1, "predict"), entry(2, "scan", "a")], "a", {"dark": 2, "label_error": 2, "split_leak": 2}),
        ([entry(1, "scan", "a"), entry(2, "predict")], "a", {"dark": 1, "split_leak": 1}),
        ([entry(1, "scan", "a"), entry(2, "select", "b")], "b", {"dark": 1, "split_leak": 1}),
        ([entry(1, "scan", "a"), entry(2, "edit", "b")], "b", {}),
        (
            [entry(1, "scan", "a"), entry(2, "scan", "b", ["dark"]), entry(3, "restore", "a")],
            "a",
            {"dark": 1, "split_leak": 1},
        ),
    ],
)
def test_the_scans_behind_the_findings(entries: list[Entry], digest: str, ran: dict[str, int]) -> None:
    behind = scans.behind(entries, digest)
    some = ("dark", "split_leak", "label_error")
    assert {name: behind[name].version for name in some if name in behind} == ran


# Runs


def run(name: str, *values: float, seeds: tuple[int, ...] | None = None, tested: int = 1000, **changes: Any) -> Run:
    score = Score(values, float(np.mean(values)), None)
    made = Run(
        folder=Path(name),
        data="curated",
        at="",
        config={"model": "alexnet", "epochs": 3, "seed": 0, "device": "cpu"},
        classes=("cat", "dog"),
        data_hash="",
        seeds=seeds or tuple(range(len(values))),
        hardware="",
        epochs=3.0,
        seconds=1.0,
        train_images=6,
        eval_images=tested,
        leak_free_images=None,
        scores={"accuracy": score},
        calibration_error=score,
        per_class=(1.0, 1.0),
        confusion=np.eye(2, dtype=np.int64) * tested * len(values) // 2,
        curves={},
    )
    return replace(made, **changes)


def loss(*given: Run, name: str | None = None) -> Check:
    known = facts(runs=list(given))
    return of_runs.accuracy_loss(known, of_runs.chosen(known, name), 0)


@pytest.mark.parametrize(
    ("before", "after", "status", "interval"),
    [
        (run("a", 0.90, 0.91, 0.92), run("b", 0.90, 0.91, 0.92), "passed", "over 3 seeds, paired"),
        (run("a", 0.90, 0.91, 0.92), run("b", 0.91, 0.92, 0.93), "passed", "over 3 seeds, paired"),
        (run("a", 0.90, 0.91, 0.92), run("b", 0.85, 0.861, 0.87), "failed", "over 3 seeds, paired"),
        # each seed loses one image of 1,000: that may be chance, whatever the spread of 0 says
        (run("a", 0.90, 0.90), run("b", 0.899, 0.899), "passed", "over 2 seeds, paired"),
        (run("a", 0.90, 0.91), run("b", 0.90, 0.91, 0.92), "passed", "over 2 and 3 other seeds"),
        (run("a", 0.90, 0.901), run("b", 0.80, 0.801, 0.802), "failed", "over 2 and 3 other seeds"),
        (run("a", 0.9, 0.9), run("b", 0.9, 0.9, seeds=(2, 3)), "passed", "over 2 and 2 other seeds"),
        (run("a", 0.90), run("b", 0.88), "passed", "of 1,000 test images, as a run has one seed"),
        (run("a", 0.90), run("b", 0.86), "failed", "of 1,000 test images, as a run has one seed"),
        (run("a", 0.90, 0.90), run("b", 0.88), "passed", "of 1,000 test images, as a run has one seed"),
        (run("a", 1.0, tested=20), run("b", 0.95, tested=20), "passed", "of 20 test images, as a run has one seed"),
    ],
)
def test_accuracy_beside_the_run_before(before: Run, after: Run, status: str, interval: str) -> None:
    check = loss(before, after)
    assert check.status == status
    assert check.details["before"] == "a"
    assert str(check.details["interval"]).endswith(interval)
    assert check.measured == pytest.approx(max(0, -check.details["difference"] - check.details["half_width"]))  # type: ignore[operator]


def test_a_loss_may_be_allowed() -> None:
    known = facts(runs=[run("a", 0.90, 0.91, 0.92), run("b", 0.85, 0.861, 0.87)])
    sure = of_runs.accuracy_loss(known, known.runs[1], 0).measured
    assert sure is not None
    assert 0 < sure < 0.05
    assert of_runs.accuracy_loss(known, known.runs[1], sure + 0.001).status == "passed"
    assert of_runs.accuracy_loss(known, known.runs[1], sure - 0.001).status == "failed"


CONFIG = {"model": "alexnet", "epochs": 3, "seed": 7, "device": "cuda", "precision": "bfloat16"}


@pytest.mark.parametrize(
    ("earlier", "why"),
    [
        ([], "there is no run before new to compare it with"),
        ([run("a", 0.9, config={**CONFIG, "epochs": 5})], r"a differs in epochs \(5 and 3\)"),
        ([run("a", 0.9, tested=500)], r"a differs in its test images \(500 and 1,000 images\)"),
        ([run("a", 0.9, classes=("cat", "cow"))], r"a differs in its classes"),
        ([run("a", 0.9, confusion=np.diag([400, 600]))], r"a differs in its test images \(400 and 500 images of class"),
        ([run("a", 0.9, data="other")], "there is no run before new to compare it with$"),
        ([run("a", 0.9, tested=500), run("b", 0.9, tested=700)], r"b differs in its test images \(700 and 1,000"),
    ],
)
def test_runs_that_cannot_be_compared(earlier: list[Run], why: str) -> None:
    check = loss(*earlier, run("new", 0.9))
    assert check.status == "skipped"
    assert re.search(why, check.reason)


@pytest.mark.parametrize(
    ("given", "name", "chosen", "before"),
    [
        ([run("a", 0.9), run("b", 0.9), run("c", 0.9)], None, "c", "b"),
        ([run("a", 0.9), run("b", 0.9), run("c", 0.9)], "b", "b", "a"),
        ([run("a", 0.9, config=CONFIG), run("b", 0.9)], None, "b", "a"),  # seed, device and precision may differ
        ([run("a", 0.9), run("b", 0.9, tested=500), run("c", 0.9)], None, "c", "a"),
        ([run("a", 0.9), run("b", 0.9), run("c", 0.9, data="raw")], None, "b", "a"),
        ([run("a", 0.9, data="raw"), run("b", 0.9)], None, "b", "a"),
        ([run("a", 0.9, data="raw"), run("b", 0.9, data="raw")], None, "b", "a"),
        ([run("a", 0.9), run("b", 0.9), run("prove-curated", 0.9)], None, "b", "a"),
        ([run("prove-raw", 0.9, data="raw"), run("prove-curated", 0.9)], None, "prove-curated", "prove-raw"),
        ([run("a", 0.9), run("without-dark", 0.1, data="other")], None, "a", None),
    ],
)
def test_which_runs_are_compared(given: list[Run], name: str | None, chosen: str, before: str | None) -> None:
    check = loss(*given, name=name)
    assert (check.details["run"], check.details.get("before")) == (chosen, before)


def test_a_run_that_is_not_there() -> None:
    with pytest.raises(UserError, match="no finished run is called 'x'; there are: a"):
        loss(run("a", 0.9), name="x")
    assert loss().status == "skipped"


@pytest.mark.parametrize(("limit", "status"), [(0.9, "passed"), (0.91, "passed"), (0.92, "failed")])
def test_accuracy_at_least(limit: float, status: str) -> None:
    known = facts(runs=[run("a", 0.90, 0.92)])
    assert of_runs.accuracy_at_least(known, known.runs[0], limit).status == status
    assert of_runs.accuracy_at_least(facts(), None, limit).status == "skipped"


def test_interval_of_test_images() -> None:
    """(90 + 1) / 102 and (80 + 1) / 102: 1.96 times the root of 0.000943 + 0.001603."""
    assert comparable.of_images(0.9, 0.8, 100) == pytest.approx(0.0989, abs=1e-4)
    assert comparable.of_images(1, 1, 100) > 0.02
    assert comparable.of_images(0.9, 0.8, 10_000) == pytest.approx(comparable.of_images(0.9, 0.8, 100) / 10, rel=0.02)


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
def test_equally_good_runs_rarely_pass_for_worse(seeds: int) -> None:
    """At most one pair in 40, as an interval of 95 % says on either side; of 1,000 pairs by chance up to 35."""
    random = np.random.default_rng(0)
    accuracies = random.binomial(500, 0.93, (1000, 2, seeds)) / 500
    worse = 0
    for pair in accuracies.tolist():
        found_ = comparable.compared(run("b", *pair[1], tested=500), [run("a", *pair[0], tested=500)])
        assert isinstance(found_, comparable.Compared)
        worse += found_.sure_loss > 0
    assert worse < 35


def proved(*values: float) -> proof.Proof:
    """Differences of curated minus raw, per seed."""
    mean, half = mean_interval(values)
    half_width = None if len(values) == 1 else half
    found = Difference(values, mean, half_width, False, None, None, "unclear")
    one = score([0.9])
    arms = tuple(
        proof.ArmScore(name, f"prove-{name}", "", 6, None, (0,), one, None, 1.0, 6) for name in ("raw", "curated")
    )
    compared = proof.Compared("curated", "", "raw", "curated", 1, found, None)
    return proof.Proof({}, "", arms, (compared,), None, None, 1000, None, "seeds", None, None, ())


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ([0.01, 0.02, 0.03], "passed"),
        ([-0.01, 0.0, 0.01], "passed"),
        ([-0.05, -0.051, -0.052], "failed"),
        ([-0.05], "skipped"),
    ],
)
def test_a_proof_that_curated_is_not_worse(values: list[float], status: str) -> None:
    assert of_runs.proof_loss(facts(proof=proved(*values)), 0).status == status


def test_a_proof_of_another_set_says_nothing() -> None:
    given = facts(proof=proved(-0.05, -0.051, -0.052))
    for digest, status in ((reading.trained_on(given.images), "failed"), ("of another set", "skipped")):
        arm = run("prove-curated", 0.9, data_hash=digest)
        assert of_runs.proof_loss(replace(given, runs=[arm]), 0).status == status
    assert of_runs.proof_loss(facts(), 0).status == "skipped"


# Thresholds


def test_what_is_skipped_fails_where_it_is_required() -> None:
    nothing = facts(findings=None, not_run={"dark": "curate scan ws", "split_leak": "curate scan ws"})
    thresholds = Gate(findings={"dark": 0}, leaks=0, accuracy_loss=0, accuracy_at_least=0.5, proof_loss=0)
    checks = judge(nothing, thresholds).checks
    skipped = {check.name.partition(".")[0] for check in checks if check.status == "skipped"}
    assert skipped >= {"curated_current", "findings", "leaks", "run_current", "accuracy_loss", "accuracy_at_least"}
    for name in skipped:
        judged = judge(nothing, thresholds.model_copy(update={"required": [name]}))
        assert [check.name.partition(".")[0] for check in judged.checks if check.status == "failed"] == [name]
        assert not judged.passed


def test_a_check_without_threshold_is_not_made() -> None:
    made = {check.name for check in judge(facts(), Gate(findings={"dark": None})).checks}
    assert made == {"curated_current", "findings_current", "run_current"}


def test_checks_have_the_names_that_can_be_required() -> None:
    from typing import get_args

    from curate.recipe import Checked

    thresholds = default().gate.model_copy(update={"accuracy_at_least": 0.5})
    made = [check.name.partition(".")[0] for check in judge(facts(), thresholds).checks]
    assert list(dict.fromkeys(made)) == list(get_args(Checked))


# On a workspace, through the command line


@pytest.fixture
def digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """220 digits, of every class at least 10 to train on, scanned, decided on by the default policy and applied."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    write_digits(tmp_path / "photos", 220)
    made = Workspace(tmp_path / "ws")
    add(made, tmp_path / "photos")
    renew(made)
    return made


def renew(workspace: Workspace) -> None:
    verbs.scan(workspace, only=None, settings={}, engine=Local())
    verbs.decide(workspace, None)
    verbs.apply(workspace, include_test=False)


def leak(workspace: Workspace) -> str:
    """A test image gets into training; its image_id there."""
    source = workspace.root.parent / "photos"
    test = next((source / "test").rglob("*.png"))
    name = f"train/{test.parent.name}/seen.png"
    shutil.copy(test, source / name)
    add(workspace, source)
    return f"photos/{name}"


Called = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Called:
    """`call(ws, "--set", "leaks=2")`: exit status of `curate gate --json`, and what it prints."""

    def called(workspace: Workspace, *arguments: str) -> tuple[int, dict[str, Any]]:
        monkeypatch.setattr(sys, "argv", ["curate", "gate", str(workspace.root), "--json", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        printed = capsys.readouterr()
        assert printed.err == ""
        return int(caught.value.code or 0), json.loads(printed.out)

    return called


def failed(judged: dict[str, Any]) -> list[str]:
    return [check["name"] for check in judged["checks"] if check["status"] == "failed"]


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in sorted(folder.rglob("*")) if path.is_file()
    }


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
    verbs.decide(digits, None)
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


def test_new_predictions_make_the_findings_old(workspace: Workspace) -> None:
    images_ = read_table(workspace.path(MANIFEST))
    wanted = ["label_error", "split_leak"]
    verbs.scan(workspace, only=["split_leak"], settings={}, engine=Local())
    assert scans.stale(workspace, "ws", wanted, scans.of(workspace), images_) == {}
    assert scans.not_run(workspace, "ws", wanted, scans.of(workspace)) == {"label_error": "curate predict ws"}
    train.verbs.predict(workspace, folds=2, profile="plain", settings={"epochs": 1, "image_size": 8}, workers=1)
    assert scans.stale(workspace, "ws", wanted, scans.of(workspace), images_) == {}  # split_leak needs none
    verbs.scan(workspace, only=["label_error"], settings={}, engine=Local())
    assert scans.stale(workspace, "ws", wanted, scans.of(workspace), images_) == {}
    with workspace.writing("predict", {}):
        pass
    stale = scans.stale(workspace, "ws", wanted, scans.of(workspace), images_)
    assert stale == {"there are new predictions since label_error ran": "curate scan ws"}
    write_digits(workspace.root.parent / "more", 8, first=80)
    add(workspace, workspace.root.parent / "more")
    stale = scans.stale(workspace, "ws", wanted, scans.of(workspace), read_table(workspace.path(MANIFEST)))
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
    assert reading.trained_on(curated) == data_hash(train.verbs.train_rows_of(curated))


@pytest.mark.parametrize(
    ("recipe", "arguments", "message"),
    [
        ("gate: strict", [], r"recipe.yaml: gate should be a valid dictionary"),
        ("gate: {leaks: none}", [], r"recipe.yaml: gate.leaks should be a valid integer.*, not 'none'$"),
        ("gate: {lekas: 0}", [], r"recipe.yaml: unknown key 'gate.lekas' \(did you mean 'leaks'\?\); there are: "),
        ("gate: {findings: {dork: 0}}", [], r"no finder of gate.findings is called 'dork'; there are: .*dark, "),
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
    workspace: Workspace,
    recipe: str,
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if recipe:
        workspace.path(RECIPE).write_text(recipe, encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["curate", "gate", str(workspace.root), *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    printed = capsys.readouterr()
    assert (caught.value.code, printed.out, printed.err.count("\n")) == (1, "", 1)
    assert re.search(message, printed.err)


def test_for_people_the_failures_come_first(digits: Workspace) -> None:
    from typer.testing import CliRunner

    leak(digits)
    verbs.scan(digits, only=None, settings={}, engine=Local())
    done = CliRunner().invoke(app, ["gate", str(digits.root)], catch_exceptions=False)
    assert done.exit_code == 3
    results = re.findall(r"^ \S+ +(failed|skipped|passed) ", done.stdout, re.MULTILINE)
    assert results == sorted(results, key=["failed", "skipped", "passed"].index)
    assert "leaks failed: 1 training image shows a photo of the test or validation images" in done.stdout
    assert done.stdout.endswith(f"judged on the manifest.\nNext: curate decide {digits.root}\n")


# The page


def blocks(language: str, after: str = "") -> list[str]:
    """Blocks of the page in this language, those after the heading."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE[PAGE.index(after) :], re.DOTALL)


def test_thresholds_of_the_page_can_be_read(workspace: Workspace) -> None:
    workspace.path(RECIPE).write_text(blocks("yaml", "## Thresholds")[0], encoding="utf-8")
    assert gate(workspace, changes={}).passed is False


def test_the_page_names_every_check_and_default() -> None:
    from typing import get_args

    from curate.recipe import Checked

    for name in get_args(Checked):
        assert f"| `{'findings.FINDER' if name == 'findings' else name}` |" in PAGE
    for name, limit in default().gate.findings.items():
        assert re.search(rf"at most .*{limit:g} for .*`{name}`", PAGE)


def test_the_json_of_the_page_has_the_keys_that_there_are() -> None:
    shown = json.loads(blocks("json")[0])
    assert list(shown["checks"][0]) == list(Check.__dataclass_fields__)
    check = tables.open_findings(facts(findings=found(("cat0", "label_error", 0.1))), "label_error", 0)
    assert list(shown["checks"][0]["details"]) == list(check.details)


@pytest.fixture
def repository(digits: Workspace, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A clone of a repository that holds the workspace as the page says, and bash in it with `curate` at hand."""
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    shutil.copytree(digits.root, origin / "ws")
    ignored, attributes = blocks("text", "## In a repository")[:2]
    (origin / ".gitignore").write_text(ignored, encoding="utf-8")
    (origin / ".gitattributes").write_text(attributes, encoding="utf-8")
    command = tmp_path / "bin" / "curate"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m curate "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    who = {f"GIT_{name}_{part}": "ada@localhost" for name in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    env = {**os.environ, **who, "PYTHONPATH": str(ROOT), "GIT_CONFIG_GLOBAL": "/dev/null", "OMP_NUM_THREADS": "1"}
    env |= {"PATH": f"{command.parent}{os.pathsep}{env['PATH']}", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}

    def bash(script: str, where: Path = clone) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["bash", "-e", "-c", script], cwd=where, env=env, capture_output=True, text=True)

    made = bash(f"git init -q && git add -A && git commit -qm ws && git clone -q . {clone}", origin)
    assert made.returncode == 0, made.stderr
    return bash


@pytest.mark.skipif(not shutil.which("jq"), reason="the workflow tells its reasons by jq")
def test_the_workflow_of_the_page_runs(
    repository: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    workflow = yaml.safe_load(blocks("yaml", "### GitHub workflow")[0])
    step = next(step["run"] for step in workflow["jobs"]["gate"]["steps"] if step.get("name") == "Gate")
    done = repository(step)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    kept = {path.name for path in (tmp_path / "clone" / "ws").rglob("*")}
    assert kept == {MANIFEST, FINDINGS, DECISIONS, CURATED, "ledger.jsonl"}
    with (tmp_path / "clone" / "ws" / DECISIONS).open("a", encoding="utf-8") as file:
        file.write("photos/train/0/0.png,drop,,ada,,,\n")
    done = repository(step)
    assert done.returncode == 3
    assert done.stdout.startswith("::error title=curated_current::the curated set is not of the images and decisions")
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "| images_per_class | passed | " in summary
    assert "| leaks | passed | 0 | at most 0 | " in summary
    (tmp_path / "clone" / "ws" / MANIFEST).write_bytes(b"")
    assert repository(step).returncode == 1


def test_the_hook_of_the_page_runs(repository: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    hook = tmp_path / "clone" / ".git" / "hooks" / "pre-commit"
    hook.write_text(blocks("sh", "Without that tool")[0], encoding="utf-8")
    hook.chmod(0o755)
    assert repository("echo > README && git add README && git commit -qm 'not of ws'").returncode == 0
    refused = repository("echo 'photos/train/0/0.png,drop,,ada,,,' >> ws/decisions.csv && git commit -qam edited")
    assert refused.returncode != 0
    assert "curated_current failed" in refused.stdout + refused.stderr
    assert repository("curate apply ws && git add -A && git commit -qm applied").returncode == 0


def test_the_configuration_of_pre_commit_names_what_it_must() -> None:
    hooks = yaml.safe_load(blocks("yaml", "### pre-commit")[0])["repos"][0]["hooks"]
    assert hooks == [
        {
            "id": "curate-gate",
            "name": "curate gate",
            "entry": "curate gate ws",
            "language": "system",
            "pass_filenames": False,
            "files": "^ws/",
        }
    ]


def test_the_gate_needs_no_more_than_the_workflow_installs(digits: Workspace) -> None:
    workflow = yaml.safe_load(blocks("yaml", "### GitHub workflow")[0])
    install = next(step["run"] for step in workflow["jobs"]["gate"]["steps"] if step.get("name") == "Install")
    installed = set(re.findall(r'"([^"]+)"', install))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert installed <= set(project["dependencies"])
    names = {re.split(r"[<>=]", each)[0] for each in set(project["dependencies"]) - installed}
    missing = sorted("sklearn" if name == "scikit-learn" else name.replace("-", "_") for name in names)
    code = f"""if True:
        import sys
        class Missing:
            def find_spec(self, name, path=None, target=None):
                if name in {missing!r}:
                    raise ModuleNotFoundError(name)
        sys.meta_path.insert(0, Missing())
        sys.argv = ["curate", "gate", {str(digits.root)!r}]
        from curate.cli import main
        main()"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "torch" in missing
