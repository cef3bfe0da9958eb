"""What each check makes of tables."""

import pandas as pd
import pytest

from curate.gate import tables
from curate.gate.verb import judge
from curate.recipe import Gate, default
from tests.gate.facts import PETS, facts, twins
from tests.tables import decided, found, images

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


@pytest.mark.parametrize(("split", "status"), [("pool", "passed"), ("train", "skipped")])
def test_images_labelled_out_of_the_pool_want_a_look_for_their_twins(split: str, status: str) -> None:
    judged = images(*[row for row in PETS if row[0] != "waits"], ("waits", split, "cat"))
    check = tables.leaks(facts(judged=judged, not_run={"near_duplicate": "curate scan ws"}), 0)
    assert (check.status, check.way_out) == (status, "" if status == "passed" else "curate scan ws")


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


def test_generated_images_make_a_class_no_larger() -> None:
    generated = images(*PETS, ("dog0-1", "train", "dog"), parents={"dog0-1": "dog0"})
    assert tables.images_per_class(facts(judged=generated), 3).measured == 2


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


@pytest.mark.parametrize(
    ("changed", "status", "way_out"),
    [(False, "passed", ""), (True, "failed", "curate decide ws"), (None, "skipped", "curate decide ws")],
)
def test_whether_the_policy_is_that_which_decided(changed: bool | None, status: str, way_out: str) -> None:
    """Also where it decided nothing, as it may on a clean set."""
    check = tables.decisions_current(facts(policy_changed=changed))
    assert (check.status, check.way_out) == (status, way_out)


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
    assert made == {"curated_current", "findings_current", "decisions_current", "run_current"}


def test_checks_have_the_names_that_can_be_required() -> None:
    from typing import get_args

    from curate.recipe import Checked

    thresholds = default().gate.model_copy(update={"accuracy_at_least": 0.5})
    made = [check.name.partition(".")[0] for check in judge(facts(), thresholds).checks]
    assert list(dict.fromkeys(made)) == list(get_args(Checked))
