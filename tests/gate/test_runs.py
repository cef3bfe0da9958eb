"""What each check makes of training runs, and of a proof."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate.errors import UserError
from curate.gate import comparable
from curate.gate import runs as of_runs
from curate.gate.check import Check
from curate.results import proof, side_by_side
from curate.results.interval import Score, mean_interval, score
from curate.results.paired import Difference
from curate.results.runs import Run
from tests.gate.facts import facts
from tests.made_runs import make_run


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
        (run("a", 0.90, 0.91), run("b", 0.90, 0.91, 0.92), "passed", "over 2 seeds, paired"),
        (run("a", 0.90, 0.91), run("b", 0.90, 0.91, 0.92, seeds=(2, 3, 4)), "passed", "over 2 and 3 other seeds"),
        (run("a", 0.90, 0.901), run("b", 0.80, 0.801, 0.802, seeds=(2, 3, 4)), "failed", "over 2 and 3 other seeds"),
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
NOW = facts().data_hash


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
        # a raw one that was trained between, to compare, hides no step back, nor the other way round
        ([run("a", 0.9), run("b", 0.9, data="raw"), run("c", 0.9)], None, "c", "a"),
        ([run("a", 0.9), run("b", 0.9), run("c", 0.9, data="raw"), run("d", 0.9)], None, "d", "b"),
        ([run("a", 0.9, data="raw"), run("b", 0.9), run("c", 0.9, data="raw")], "c", "c", "a"),
        ([run("a", 0.9, tested=500), run("b", 0.9, data="raw"), run("c", 0.9)], None, "c", "b"),
        ([run("a", 0.9), run("b", 0.9), run("prove-curated", 0.9)], None, "b", "a"),
        ([run("prove-raw", 0.9, data="raw"), run("prove-curated", 0.9)], None, "prove-curated", "prove-raw"),
        ([run("a", 0.9), run("without-dark", 0.1, data="other")], None, "a", None),
        # the newest of the set as it is, whatever was trained on other images meanwhile
        ([run("a", 0.9), run("b", 0.9, data_hash=NOW), run("c", 0.9)], None, "b", "a"),
        ([run("a", 0.9), run("prove-curated", 0.9, data_hash=NOW)], None, "a", None),
        ([run("prove-raw", 0.9, data="raw", data_hash=NOW), run("prove-curated", 0.9)], None, "prove-raw", None),
    ],
)
def test_which_runs_are_compared(given: list[Run], name: str | None, chosen: str, before: str | None) -> None:
    check = loss(*given, name=name)
    assert (check.details["run"], check.details.get("before")) == (chosen, before)


def test_a_raw_run_between_two_curated_ones_hides_no_loss() -> None:
    before, raw, after = (
        run("curated-1", 0.970, 0.971, 0.972),
        run("raw-2", 0.880, 0.881, 0.882, data="raw"),
        run("curated-3", 0.920, 0.921, 0.922),
    )
    assert loss(before, raw, after) == loss(before, after)
    assert loss(before, raw, after).status == "failed"


def test_why_a_run_of_the_same_set_cannot_be_compared() -> None:
    check = loss(run("a", 0.9, tested=500), run("b", 0.9, tested=700, data="raw"), run("c", 0.9))
    assert (
        check.reason
        == "there is no run before c to compare it with; a differs in its test images (500 and 1,000 images)"
    )


@pytest.mark.parametrize(
    ("image_ids", "labels", "kept", "reason"),
    [
        (["cat9", "dog9"], ["cat", "dog"], True, ""),
        (["dog9", "cat9"], ["dog", "cat"], True, ""),
        (["cat8", "dog9"], ["cat", "dog"], True, "1 of 2 test images are none that a was measured on, such as 'cat9'"),
        (["cat8", "dog8"], ["cat", "dog"], True, "2 of 2 test images are none that a was measured on, such as 'cat9'"),
        (["cat9", "dog9"], ["dog", "dog"], True, "1 of 2 test images had another label for a, such as 'cat9'"),
        (["cat9"], ["cat"], True, "was measured on 1 test images, and there are 2"),
        (["cat9"], ["cat"], False, "was measured on 1 test images, and there are 2"),
        (["cat8", "dog8"], ["cat", "dog"], False, ""),  # of a run that kept nothing but the number
    ],
)
def test_a_run_is_of_the_test_images_that_there_are(
    tmp_path: Path, image_ids: list[str], labels: list[str], kept: bool, reason: str
) -> None:
    known = facts()
    made = make_run(
        tmp_path,
        "a",
        {0: labels},
        labels=labels,
        image_ids=image_ids,
        kept=kept,
        data_hash=known.data_hash,
    )
    check = of_runs.run_current(known, made)
    assert check.status == ("skipped" if reason else "passed")
    assert reason in check.reason


def test_a_run_that_is_not_there() -> None:
    with pytest.raises(UserError, match="no finished run is called 'x'; there are: a"):
        loss(run("a", 0.9), name="x")
    assert loss().status == "skipped"


@pytest.mark.parametrize(("limit", "status"), [(0.9, "passed"), (0.91, "passed"), (0.92, "failed")])
def test_accuracy_at_least(limit: float, status: str) -> None:
    known = facts(runs=[run("a", 0.90, 0.92)])
    assert of_runs.accuracy_at_least(known, known.runs[0], limit).status == status
    assert of_runs.accuracy_at_least(facts(), None, limit).status == "skipped"


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


@pytest.mark.parametrize(
    ("seeds", "at_all_times", "interval"),
    [
        (3, False, "interval over 3 seeds, paired"),
        (3, True, "interval over 3 seeds, paired"),
        (2, True, "interval of 1,000 test images, as seeds are too few for one over seeds"),
        (1, True, "interval of 1,000 test images, as a run has one seed"),
    ],
)
def test_arms_of_a_proof_have_the_interval_of_curate_runs(seeds: int, at_all_times: bool, interval: str) -> None:
    """Where seeds are added until it is clear, a plain one would fail the gate too often."""
    before = run("prove-raw", *[0.90, 0.91, 0.92][:seeds], data="raw")
    after = run("prove-curated", *[0.89, 0.895, 0.91][:seeds])
    found = proved(0.0, 0.1, at_all_times=at_all_times)
    beside = comparable.compared(after, [before], found)
    assert isinstance(beside, comparable.Compared)
    assert beside.interval == interval
    shown = side_by_side.compare(before, after, first=0, proof=found).differences[0]
    assert beside.difference == shown.mean
    if "over" in interval and shown.half_width is not None:
        assert beside.half_width == shown.half_width
        assert (beside.half_width > 0.02) == at_all_times
    else:
        assert shown.half_width is None


def proved(*values: float, at_all_times: bool = False) -> proof.Proof:
    """Differences of curated minus raw, per seed."""
    mean, half = mean_interval(values)
    half_width = None if len(values) == 1 else half
    found = Difference(values, mean, half_width, at_all_times, None, None, "unclear")
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
    for digest, status in ((given.data_hash, "failed"), ("of another set", "skipped")):
        arm = run("prove-curated", 0.9, data_hash=digest)
        assert of_runs.proof_loss(replace(given, runs=[arm]), 0).status == status
    assert of_runs.proof_loss(facts(), 0).status == "skipped"
