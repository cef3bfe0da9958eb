"""A proof: paired by seed, parted by leaks, written and read back, and said in words."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from curate.errors import UserError
from curate.results import proof
from curate.results.conclusions import VERDICTS, answer, chance, conclusions, headline
from curate.results.interval import Score, score
from curate.results.paired import Difference, difference
from curate.results.proof import ArmScore, Compared, Proof, Seeds, Split, change, compare, split
from curate.workspace import Workspace
from train.config import TrainConfig

# Pairs


def seeds(**right: str) -> Seeds:
    """`seeds(s0="110")`: seed 0 is right about two of three test images."""
    return Seeds({int(name[1:]): np.array([sign == "1" for sign in text]) for name, text in right.items()})


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"s0": "1100"}, {"s0": "1110"}, [0.25]),
        ({"s0": "1100", "s1": "1111"}, {"s0": "0011", "s1": "0000"}, [0.0, -1.0]),
        ({"s0": "0000", "s1": "1100"}, {"s1": "1110", "s2": "0000"}, [0.25]),  # seed 1 is of both
        ({"s2": "0000", "s0": "1100"}, {"s0": "1100", "s2": "1111"}, [0.0, 1.0]),  # in any order
    ],
)
def test_pairs_are_of_common_seeds(before: dict[str, str], after: dict[str, str], expected: list[float]) -> None:
    found = compare(seeds(**before), seeds(**after), at_all_times=False)
    assert list(found.values) == expected
    assert found.mean == pytest.approx(np.mean(expected))


def test_who_alone_is_right() -> None:
    assert change(seeds(s0="1100"), seeds(s0="1010")).tolist() == [[0, -1, 1, 0]]
    assert change(seeds(s0="1100"), seeds(s0="1010"), np.array([True, False, True, True])).tolist() == [[0, 1, 0]]


def test_among_some_test_images_alone() -> None:
    leak_free = np.array([True, True, False, False])
    found = compare(seeds(s0="1111"), seeds(s0="1110"), at_all_times=False, among=leak_free)
    assert found.values == (0.0,)
    assert seeds(s3="1101").accuracy(leak_free) == {3: 1.0}
    assert seeds(s3="1101").accuracy() == {3: 0.75}


@pytest.mark.parametrize(
    ("before", "after", "leak_free", "better", "gone"),
    [
        ("0011", "1100", "1100", 0.5, -0.5),
        ("0011", "1111", "1111", 0.5, 0.0),
        ("1111", "1101", "1100", 0.0, -0.25),
        ("0000", "1111", "0000", 0.0, 1.0),
    ],
)
def test_the_parts_of_a_change_add_up(before: str, after: str, leak_free: str, better: float, gone: float) -> None:
    free = np.array([sign == "1" for sign in leak_free])
    parts = split(seeds(s0=before), seeds(s0=after), free)
    assert parts == Split(better, gone)
    whole = compare(seeds(s0=before), seeds(s0=after), at_all_times=False).mean
    assert parts.better_model + parts.leaks_gone == pytest.approx(whole)


def test_a_score_sums_up_its_seeds() -> None:
    assert score([0.9]) == Score((0.9,), 0.9, None)
    several = score([0.9, 0.92, 0.91])
    assert several.mean == pytest.approx(0.91)
    assert several.half_width == pytest.approx(4.303 * 0.01 / np.sqrt(3), rel=1e-3)


# The file


def difference_of(*gained: int, lost: int = 0, at_all_times: bool = True, margin: float | None = None) -> Difference:
    """On 100 test images: per seed, so many that only the second network is right about."""
    right = np.zeros((len(gained), 100), np.int8)
    for row, count in zip(right, gained, strict=True):
        row[:count] = 1
        row[count : count + lost] = -1
    return difference(right, at_all_times=at_all_times, margin=margin)


MANY = difference_of(20, 21, 22, 20, 21, 19)


def proved(main: Difference = MANY, **changes: object) -> Proof:
    """Of raw and curated alone, on 100 test images of which 4 leaked."""
    count = len(main.values)
    arms = tuple(
        ArmScore(
            name, f"prove-{name}", f"the {name} set", 50, None, tuple(range(count)), score([0.5] * count), None, 30, 900
        )
        for name in ("raw", "curated")
    )
    made = Proof(
        config=TrainConfig(model_options={"shortcut": "B"}, model="resnet20", augment=[{"Transpose": {}}]).as_dict(),
        hardware="a CPU",
        arms=arms,
        compared=(Compared("curated", "curated minus raw", "raw", "curated", 7, main, main),),
        split=Split(0.15, 0.05),
        gap_closed=0.75,
        test_images=100,
        leak_free_images=96,
        stopped="clear",
        precision=0.01,
        seeds_needed=12,
        notes=("without-drop-dark is curated",),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "made",
    [
        proved(),
        proved(difference_of(3), split=None, gap_closed=None, leak_free_images=None, precision=None, seeds_needed=None),
        proved(compared=(replace(proved().main, leak_free=None),), notes=()),
    ],
    ids=["all", "little", "not without leaks"],
)
def test_what_is_written_is_read_back(tmp_path: Path, made: Proof) -> None:
    workspace = Workspace(tmp_path)
    assert proof.read(workspace) is None
    (tmp_path / "proof.json").write_text(proof.as_json(made))
    assert proof.read(workspace) == made
    assert made.main == made.compared[0]


def without(content: dict, *path: str | int) -> dict:
    """The JSON with one entry taken out."""
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return content


@pytest.mark.parametrize(
    ("damaged", "says"),
    [
        ("", "EOF"),
        ("{", "EOF"),
        ("[]", "the file: "),
        ("{}", "config: "),
        (proof.as_json(proved())[:-40], "EOF"),
        (json.dumps(without(json.loads(proof.as_json(proved())), "arms", 0, "accuracy")), r"arms\.0\.accuracy: "),
        (json.dumps(without(json.loads(proof.as_json(proved())), "stopped")), "stopped: "),
        (proof.as_json(proved()).replace('"clear"', '"bored"'), "stopped: "),
        (proof.as_json(proved()).replace('"better"', '"best"'), r"compared\.0\.accuracy\.verdict: "),
        ("\udcff", "the file"),
    ],
)
def test_a_damaged_file_is_one_line(tmp_path: Path, damaged: str, says: str) -> None:
    path = tmp_path / "proof.json"
    path.write_bytes(damaged.encode(errors="surrogateescape"))
    with pytest.raises(UserError, match=f"{re.escape(str(path))} cannot be read .*{says}.*'curate prove") as caught:
        proof.read(Workspace(tmp_path))
    assert str(caught.value).count("\n") == 0


# In words


AT_ALL_TIMES = "95 % interval, however many seeds it took"


@pytest.mark.parametrize(
    ("main", "worth", "basis", "verdict"),
    [
        (MANY, "+20.50 ± 9.07", f"{AT_ALL_TIMES}; 6 seeds, paired", "better"),
        (difference_of(20, 21, 22, at_all_times=False), "+21.00 ± 11.38", "95 % interval; 3 seeds, paired", "better"),
        (difference_of(0, 0, 0, 0, 0, 0, lost=20), "−20.00 ± 8.95", f"{AT_ALL_TIMES}; 6 seeds, paired", "worse"),
        (difference_of(1, 0, 2), "+1.00 ± 7.63", f"{AT_ALL_TIMES}; 3 seeds, paired", "not clear"),
        (
            difference_of(0, 0, 0, margin=0.2),
            "0.00 ± 2.20",
            f"{AT_ALL_TIMES}; 3 seeds, paired",
            "no difference that counts",
        ),
        (difference_of(5), "+5.00", "1 seed; too few for an interval", "one seed says nothing about chance"),
        (difference_of(5, at_all_times=False), "+5.00", "1 seed", "one seed says nothing about chance"),
        (difference_of(9, 9), "+9.00", "2 seeds; too few for an interval", "not clear"),
    ],
)
def test_the_answer_in_a_sentence(main: Difference, worth: str, basis: str, verdict: str) -> None:
    assert headline(proved(main)) == f"Curated minus raw: {worth} points ({basis}): {verdict}."
    assert answer(proved(main).main) == verdict == VERDICTS[main.verdict]
    assert conclusions(proved(main))[0] == headline(proved(main))


def test_every_verdict_and_ending_has_words() -> None:
    stopped = {conclusions(proved(stopped=each))[-1].rsplit("; ", 1)[1] for each in ("clear", "seeds", "budget")}
    assert len(stopped) == 3
    assert len(set(VERDICTS.values())) == 5


def text(**changes: object) -> str:
    return " ".join(conclusions(proved(**changes)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "says", "leaves_out"),
    [
        (
            {},
            ["Without the 4 leaked test images: +20.50", "+15.00 from the model and +5.00 from leaks that are gone"],
            ["not looked for"],
        ),
        ({"leak_free_images": 99}, ["Without the 1 leaked test image: "], []),
        ({"leak_free_images": 100}, ["No test image has a twin in the training set"], ["Without the"]),
        (
            {"split": None, "leak_free_images": None},
            ["Leaks were not looked for: 'curate scan'"],
            ["Without the", "from the model"],
        ),
        (
            {"compared": (replace(proved().main, leak_free=None),), "leak_free_images": 0},
            ["Every test image has a twin in the training set"],
            ["not looked for", "Without the"],
        ),
        (
            {"gap_closed": 0.754, "compared": (proved().main, replace(proved().main, name="clean", after="clean"))},
            ["Of what true labels would be worth, curating reached 75 %."],
            [],
        ),
        ({"gap_closed": 0.754}, [], ["true labels"]),  # what these are worth is not clear
        ({"gap_closed": None}, [], ["true labels"]),
        ({"precision": None}, [], ["were asked for"]),
        ({"precision": 0.1}, [], ["were asked for"]),  # reached
        ({"precision": 0.01}, ["± 9.07 points, and ± 1.00 were asked for: that takes about 12 seeds (--at-most)"], []),
        ({"precision": 0.01, "seeds_needed": None}, ["that takes more seeds than can be trained"], []),
        (
            {"main": difference_of(5)},
            ["one seed says nothing about chance"],
            ["bootstrap", "probability", "were asked for"],
        ),
        (
            {},
            ["Trained 12 networks for 60 s on 1,800 images in all, on a CPU; ended as every question is answered."],
            [],
        ),
        ({"stopped": "budget"}, ["ended as the time was up"], []),
        ({}, ["Better with a probability of > 0.999", "points (95 %, bootstrap)"], []),
    ],
)
def test_what_else_is_said(changes: Mapping[str, object], says: list[str], leaves_out: list[str]) -> None:
    said = text(**changes)
    assert all(each in said for each in says), said
    assert not any(each in said for each in leaves_out), said


@pytest.mark.parametrize(
    ("probability", "says"), [(1.0, "> 0.999"), (0.9993, "> 0.999"), (0.95, "0.950"), (0.5, "0.500"), (0.0, "< 0.001")]
)
def test_no_probability_is_rounded_to_certainty(probability: float, says: str) -> None:
    assert chance(probability) == says
