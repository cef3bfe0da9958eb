"""Two runs compared: only on the same test images, with intervals like SciPy's, and told what else differs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from curate.errors import UserError
from curate.results import flips, interval, paired, proof, runs, side_by_side
from tests.made_runs import LABELS, by_letters, make_run


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, ""),
        ({"kept": False}, ""),
        ({"labels": LABELS[:3], "said": by_letters("ccd", "ccd")}, "4 and 3 images"),
        ({"labels": ["cat", "dog", "dog", "dog"]}, "2 and 1 images of class 'cat'"),
        ({"labels": ["cat", "cat", "dog", "eel"]}, "2 and 1 images of class 'dog'"),
        ({"labels": ["dog", "dog", "cat", "cat"]}, "4 have another label, such as 'set/0.png'"),
        ({"image_ids": [f"set/{number}.png" for number in (3, 1, 0, 9)]}, "1 are others, such as 'set/2.png'"),
    ],
)
def test_runs_of_other_test_images_are_refused(tmp_path: Path, changes: dict, says: str) -> None:
    before = make_run(tmp_path, "before", by_letters("ccdd", "ccdd"))
    after = make_run(tmp_path, "after", **{"said": by_letters("cdde", "ccdd"), **changes})
    assert side_by_side.other_tests(before, after) == says
    if not says:
        side_by_side.compare(before, after, first=0)
        return
    with pytest.raises(UserError, match="before and after were not measured on the same test images: "):
        side_by_side.compare(before, after, first=0)


IMAGES = 1000


def scored(root: Path, name: str, values: list[float], *, first: int = 0, kept: bool = False) -> runs.Run:
    """A run with these accuracies on 1,000 images: of each seed, the first so many are right."""
    right = [round(value * IMAGES) for value in values]
    said = {first + seed: ["cat"] * count + ["dog"] * (IMAGES - count) for seed, count in enumerate(right)}
    return make_run(root, name, said, labels=["cat"] * IMAGES, kept=kept)


@pytest.mark.parametrize(
    ("after", "first", "is_paired", "verdict"),
    [
        ([0.90, 0.91, 0.93], 0, True, "better"),
        ([0.70, 0.73, 0.72], 0, True, "worse"),
        ([0.78, 0.84, 0.81], 0, True, "unclear"),
        ([0.80, 0.82, 0.85], 0, True, "unclear"),
        ([0.90, 0.91, 0.93], 7, False, "better"),
        ([0.88, 0.95], 0, True, "unclear"),
        ([0.84, 0.92], 7, False, "unclear"),
        ([0.90], 0, False, "one seed"),
    ],
)
def test_differences_are_those_of_scipy(
    tmp_path: Path, after: list[float], first: int, is_paired: bool, verdict: str
) -> None:
    before = [0.80, 0.82, 0.85]
    compared = side_by_side.compare(scored(tmp_path, "a", before), scored(tmp_path, "b", after, first=first), first=0)
    found = compared.differences[0]
    assert (found.paired, found.verdict) == (is_paired, verdict)
    before = before[: len(after)] if is_paired else before  # the seeds that both have
    assert (found.before, found.after) == pytest.approx((np.mean(before), np.mean(after)))
    assert found.mean == pytest.approx(np.mean(after) - np.mean(before))
    if verdict == "one seed":
        assert found.half_width is None
    elif np.ptp(np.array(after) - before[: len(after)]):
        test = stats.ttest_rel(after, before) if is_paired else stats.ttest_ind(after, before, equal_var=False)
        interval = test.confidence_interval()
        assert found.half_width is not None
        assert (found.mean - found.half_width, found.mean + found.half_width) == pytest.approx(interval)


@pytest.mark.parametrize("first", [0, 7])
@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize(("gain", "least"), [(100, np.sqrt(100)), (0, np.sqrt(1 / 12))])  # flipped images; rounding
def test_seeds_that_agree_by_chance_are_not_certain(
    tmp_path: Path, first: int, kept: bool, gain: int, least: float
) -> None:
    before, after = (
        scored(tmp_path, name, [it] * 3, first=at, kept=kept)
        for name, it, at in [("a", 0.8, 0), ("b", 0.8 + gain / IMAGES, first)]
    )
    found = side_by_side.compare(before, after, first=0).differences[0]
    assert found.half_width == pytest.approx(stats.t.ppf(0.975, 2) * least / IMAGES / np.sqrt(3))
    assert side_by_side.difference(before, after) == found


@pytest.mark.parametrize("first", [0, 7])
@pytest.mark.parametrize(
    ("told", "gained", "lost", "least"),
    [
        (True, 1, 0, 1),
        (True, 3, 2, np.sqrt(5)),  # those that went the other way count, too
        (True, 0, 0, np.sqrt(1 / 12)),
        (False, 1, 0, 1),
        (False, 3, 2, 1),  # by how much accuracy changed is all that is known
    ],
)
def test_a_difference_without_leaks_is_as_sure_as_so_few_images_make_it(
    tmp_path: Path, first: int, told: bool, gained: int, lost: int, least: float
) -> None:
    """The first 20 of 500 images do not leak; the others flip by the dozen."""
    free = [number < 20 for number in range(500)]
    old = ["dog"] * gained + ["cat"] * (500 - gained)
    new = ["cat"] * (20 - lost) + ["dog"] * (lost + 40) + ["cat"] * 440
    before, after = (
        make_run(tmp_path, name, {at + seed: said for seed in range(3)}, labels=["cat"] * 500, leak_free=free)
        for name, said, at in [("a", old, 0), ("b", new, first)]
    )
    for run in () if told else (before, after):
        path = run.folder / flips.PREDICTED
        pd.read_parquet(path).drop(columns=flips.LEAK_FREE).to_parquet(path)
    found = {item.measure: item for item in side_by_side.compare(before, after, first=0).differences}
    student = stats.t.ppf(0.975, 2) / np.sqrt(3)
    assert found["accuracy"].half_width == pytest.approx(student * np.sqrt(gained + lost + 40) / 500)
    assert found["accuracy_leak_free"].half_width == pytest.approx(student * least / 20)
    assert found["accuracy_leak_free"].verdict == "unclear"


def test_what_differs_is_told(tmp_path: Path) -> None:
    before = make_run(tmp_path, "a", by_letters("ccdd"), config={"lr": 0.8, "device": "cpu"}, data_hash="x")
    after = make_run(tmp_path, "b", by_letters("ccde"), config={"lr": 0.1, "device": "cuda"}, leak_free_images=3)
    compared = side_by_side.compare(before, after, first=0)
    assert [(each.name, each.before, each.after) for each in compared.settings] == [
        ("device", "cpu", "cuda"),
        ("lr", 0.8, 0.1),
    ]
    assert compared.cautions == [
        "The runs differ in more than the data: lr (0.8 → 0.1).",
        "Their leak-free test images differ: findings changed between the two. Train both again.",
    ]
    assert [(each.label, each.change) for each in compared.class_changes] == [("dog", -0.5), ("cat", 0.0)]
    again = replace(before, folder=tmp_path / "again")
    assert side_by_side.compare(before, again, first=0).cautions == [
        "Both were trained on the same images and labels with the same settings."
    ]


def test_classes_that_changed_most() -> None:
    changes = [side_by_side.ClassChange(name, 0.5, 0.5 + by, by) for name, by in [("a", -0.1), ("b", 0), ("c", 0.3)]]
    assert [item.label for item in side_by_side.greatest(changes, 2)] == ["a", "c"]
    assert side_by_side.greatest(changes, 9) == changes
    assert side_by_side.greatest([], 2) == []


@pytest.mark.parametrize("at_all_times", [False, True])
def test_runs_of_a_proof_have_its_interval(tmp_path: Path, at_all_times: bool) -> None:
    values = ([0.8, 0.82, 0.85], [0.9, 0.93, 0.92])
    before, after = (
        scored(tmp_path, f"prove-{it}", each, kept=True) for it, each in zip(("raw", "curated"), values, strict=True)
    )
    right = [np.arange(IMAGES) < np.round(IMAGES * np.array(each))[:, None] for each in values]
    change = right[1].astype(np.int8) - right[0].astype(np.int8)
    found = proven(paired.difference(change, at_all_times=at_all_times))
    theirs = side_by_side.compare(before, after, first=0, proof=found).differences[0]
    assert theirs.half_width == pytest.approx(found.main.accuracy.half_width)
    assert theirs.verdict == found.main.accuracy.verdict
    assert side_by_side.difference(before, after, proof=found) == theirs
    mine = replace(before, folder=before.folder.rename(tmp_path / "mine"))
    student = side_by_side.compare(mine, after, first=0, proof=found).differences[0].half_width
    assert student == pytest.approx(paired.difference(change, at_all_times=False).half_width)


def proven(found: paired.Difference) -> proof.Proof:
    """A proof that came to this difference."""
    both = interval.score([0.8, 0.9])
    arms = [proof.ArmScore(it, f"prove-{it}", it, 9, None, (0, 1), both, None, 1.0, 9) for it in ("raw", "curated")]
    main = proof.Compared("curated", "curated minus raw", "raw", "curated", 1, found, None)
    return proof.Proof({}, "CPU", tuple(arms), (main,), None, None, 9, None, "seeds", None, None, ())
