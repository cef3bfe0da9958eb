"""Steps of curation: which decisions and images are one step, and the set with, without and beside it."""

import pandas as pd
import pytest

from curate.apply import apply
from curate.results.steps import (
    Step,
    alone,
    is_supplement,
    labels_right,
    lost,
    randomly_dropped,
    steps,
    with_labels,
    without,
)
from tests.tables import decided, images

ROWS = [
    *[(f"a{number}", "train", "cat") for number in range(4)],
    *[(f"b{number}", "train", "dog") for number in range(4)],
    ("a0x", "train", "cat"),  # generated from a0
    ("u", "train", ""),  # nobody has said what it shows
    ("v", "val", "cat"),
    ("t", "test", "cat"),
    ("p", "pool", ""),
    ("q", "pool", ""),
]
IMAGES = images(*ROWS, parents={"a0x": "a0"})


def drop(image_id: str, because: str) -> tuple[str, ...]:
    return (image_id, "drop", "", "policy", because)


def relabel(image_id: str, label: str, because: str, by: str = "policy") -> tuple[str, ...]:
    return (image_id, "relabel", label, by, because)


def found(*rows: tuple[str, ...]) -> dict[str, int]:
    """Steps of decisions: name -> training images, in their order."""
    return {step.name: step.images for step in steps(IMAGES, decided(*rows)) if not is_supplement(step)}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], {}),
        ([("a1", "keep", "", "policy", "label_error")], {}),
        ([drop("a1", "blurry")], {"drop-blurry": 1}),
        ([drop("a1", "blurry;dark")], {"drop-blurry": 1}),  # the first finder is the one that decided
        ([drop("a1", "blurry"), drop("b1", "dark")], {"drop-blurry": 1, "drop-dark": 1}),
        ([drop("a1", "dark"), drop("b1", "blurry"), drop("b2", "blurry")], {"drop-blurry": 2, "drop-dark": 1}),
        ([relabel("a1", "dog", "label_error")], {"relabel-label_error": 1}),
        (
            [relabel("a1", "dog", "label_error"), drop("b1", "label_error")],
            {"drop-label_error": 1, "relabel-label_error": 1},
        ),
        ([relabel("a1", "cat", "label_error")], {}),  # the label that it has
        ([("a1", "drop", "", "ada", "")], {"drop-people": 1}),
        ([relabel("a1", "dog", "", "ada")], {"relabel-people": 1}),
        ([("a1", "drop", "", "ada", "blurry")], {"drop-blurry": 1}),  # a person said so, the finder asked
        ([drop("a0", "blurry")], {"drop-blurry": 2}),  # what was generated from it goes, too
        ([relabel("a0", "dog", "label_error")], {"relabel-label_error": 2}),
        ([drop("a0x", "blurry")], {"drop-blurry": 1}),
        ([drop("v", "blurry"), drop("t", "blurry")], {}),  # nothing of it is trained on
        ([relabel("p", "dog", "pseudo_label")], {"label-pseudo_label": 1}),
        ([relabel("p", "dog", "", "ada"), relabel("q", "cat", "", "ada")], {"label-people": 2}),
        ([drop("p", "blurry")], {}),  # it was not trained on
        (
            [relabel("p", "cat", "label_error"), relabel("a1", "dog", "label_error")],
            {"label-label_error": 1, "relabel-label_error": 1},
        ),
    ],
)
def test_steps_of_decisions(rows: list[tuple[str, ...]], expected: dict[str, int]) -> None:
    assert found(*rows) == expected
    assert list(found(*rows)) == list(expected)


def test_steps_say_what_they_are() -> None:
    rows = [relabel("a1", "dog", "label_error"), ("b1", "drop", "", "ada", ""), relabel("p", "cat", "pseudo_label")]
    assert sorted(step.says for step in steps(IMAGES, decided(*rows))) == [
        "augmented images",
        "drop by people",
        "label because of pseudo_label",
        "relabel because of label_error",
    ]


def test_decisions_on_images_that_are_gone_are_no_step() -> None:
    assert found(drop("gone", "blurry")) == {}


def test_images_that_came_later_are_steps() -> None:
    source = ["first"] * 4 + ["second"] * 2 + ["third"] * 2 + ["second", "third", *["third"] * 4]
    later = IMAGES.assign(source=pd.Series(source, dtype="str"))
    supplements = [step for step in steps(later, decided(drop("b0", "dark"))) if is_supplement(step)]
    assert [(step.name, sorted(step.image_ids)) for step in supplements] == [
        ("added-second", ["b0", "b1"]),
        ("added-third", ["b2", "b3"]),
        ("augmented", ["a0x"]),
    ]
    assert [step.images for step in supplements] == [2, 2, 1]
    assert ", ".join(step.name for step in supplements) == "added-second, added-third, augmented"


def test_a_set_from_one_source_has_no_supplement() -> None:
    assert steps(images(*ROWS), decided()) == []


def ids(table: pd.DataFrame) -> str:
    """`a0=cat …` of the training images."""
    train = table[table["split"] == "train"]
    return " ".join(f"{image_id}={label}" for image_id, label in zip(train["image_id"], train["label"], strict=True))


DECISIONS = decided(
    drop("b0", "blurry"), relabel("a0", "dog", "label_error"), relabel("p", "cat", "pseudo_label"), drop("t", "blurry")
)


def step(name: str, table: pd.DataFrame = IMAGES) -> Step:
    return next(each for each in steps(table, DECISIONS) if each.name == name)


@pytest.mark.parametrize(
    ("name", "left_out", "taken_in"),
    [
        (
            "drop-blurry",
            "a0=dog a1=cat a2=cat a3=cat b0=dog b1=dog b2=dog b3=dog a0x=dog u= p=cat",
            "a0=cat a1=cat a2=cat a3=cat b1=dog b2=dog b3=dog a0x=cat u=",
        ),
        (
            "relabel-label_error",
            "a0=cat a1=cat a2=cat a3=cat b1=dog b2=dog b3=dog a0x=cat u= p=cat",
            "a0=dog a1=cat a2=cat a3=cat b0=dog b1=dog b2=dog b3=dog a0x=dog u=",
        ),
        (
            "label-pseudo_label",
            "a0=dog a1=cat a2=cat a3=cat b1=dog b2=dog b3=dog a0x=dog u=",
            "a0=cat a1=cat a2=cat a3=cat b0=dog b1=dog b2=dog b3=dog a0x=cat u= p=cat",
        ),
    ],
)
def test_a_step_is_left_out_or_taken_in_alone(name: str, left_out: str, taken_in: str) -> None:
    before = IMAGES.copy()
    assert ids(without(IMAGES, DECISIONS, step(name))) == left_out
    assert ids(alone(IMAGES, DECISIONS, step(name))) == taken_in
    assert IMAGES.equals(before)


def test_all_steps_left_out_one_after_the_other_are_the_raw_set() -> None:
    left = DECISIONS
    for each in steps(IMAGES, DECISIONS):
        if not is_supplement(each):
            left = left[~left["image_id"].isin(each.image_ids)]
    assert ids(apply(IMAGES, left).table) == ids(IMAGES)


def test_augmented_images_are_left_out() -> None:
    assert "a0x" not in ids(without(IMAGES, DECISIONS, step("augmented")))
    assert ids(without(IMAGES, DECISIONS, step("augmented"))).startswith("a0=dog")


def test_an_added_source_goes_with_what_was_generated_from_it() -> None:
    later = IMAGES.assign(source=IMAGES["source"].where(~IMAGES["image_id"].isin(["a0", "a1"]), "late"))
    later = pd.concat([later.iloc[2:], later.iloc[:2]], ignore_index=True)  # it came after the others
    left = ids(without(later, DECISIONS, step("added-late", later)))
    assert left == "a2=cat a3=cat b1=dog b2=dog b3=dog u= p=cat"


# Controls


MANY = images(
    *[(f"i{number}", "train", "cat" if number % 2 else "dog") for number in range(100)],
    *[(f"t{number}", "test", "cat") for number in range(20)],
    ("u", "train", ""),
    ("p", "pool", ""),
)


def test_as_many_are_dropped_at_random_and_none_of_the_test() -> None:
    after = apply(
        MANY, decided(*[drop(f"i{number}", "dark") for number in range(30)], relabel("i99", "dog", "x"))
    ).table
    assert lost(MANY, after) == 30
    control = randomly_dropped(MANY, 30)
    assert len(MANY) - len(control) == 30
    assert (MANY["split"] == "test").sum() == (control["split"] == "test").sum() == 20
    assert {"u", "p"} <= set(control["image_id"])
    gone = set(MANY["image_id"]) - set(control["image_id"])
    assert len(gone & {f"i{number}" for number in range(30)}) < 20  # others go than those that were chosen
    kept = MANY[MANY["image_id"].isin(control["image_id"])].reset_index(drop=True)
    assert control.equals(kept)
    assert randomly_dropped(MANY, 30).equals(control)
    assert not randomly_dropped(MANY, 30, seed=1).equals(control)


def test_images_that_were_added_make_up_for_none_that_were_dropped() -> None:
    rows = [*[drop(f"i{number}", "dark") for number in range(10)], relabel("p", "cat", "pseudo_label")]
    assert lost(MANY, apply(MANY, decided(*rows)).table) == 10


def test_nothing_dropped_is_the_raw_set() -> None:
    assert lost(MANY, apply(MANY, decided(relabel("i0", "cat", "x"))).table) == 0
    assert randomly_dropped(MANY, 0).equals(MANY)


def test_what_was_augmented_is_dropped_at_random_with_its_original() -> None:
    originals = [f"i{number}" for number in range(60)]
    rows = [(name, "train", "cat") for each in originals for name in (each, f"{each}-1")]
    table = images(*rows, parents={f"{each}-1": each for each in originals})
    left = set(randomly_dropped(table, 20)["image_id"])
    assert len(table) - len(left) == 20
    assert all((each in left) == (f"{each}-1" in left) for each in originals)
    left = set(randomly_dropped(table, 21)["image_id"])  # one goes without the other
    assert len(table) - len(left) == 21
    assert sum(each in left and f"{each}-1" not in left for each in originals) == 1
    assert not any(f"{each}-1" in left and each not in left for each in originals)


def test_true_labels_go_to_training_images_alone() -> None:
    truth = pd.Series({"a0": "dog", "b0": "dog", "t": "dog", "p": "dog", "elsewhere": "cat", "": "dog"}, dtype="str")
    table = with_labels(IMAGES, truth)
    assert ids(table) == ids(IMAGES).replace("a0=cat", "a0=dog").replace("a0x=cat", "a0x=dog")  # it was made from a0
    assert "a0x=cat" in ids(with_labels(IMAGES, pd.concat([truth, pd.Series({"a0x": "cat"})])))
    assert table.set_index("image_id")["label"][["t", "p"]].to_list() == ["cat", ""]
    assert table.dtypes.equals(IMAGES.dtypes)


@pytest.mark.parametrize(
    ("truth", "expected"),
    [
        ({"a1": "dog", "b0": "dog"}, 0.5),
        ({"a0": "dog", "b0": "dog"}, 1 / 3),  # what was generated from a0 has its label, too
        ({"a0": "dog", "a0x": "cat"}, 0.5),
        ({"a0": "cat"}, 1.0),
        ({"a0": "cat", "t": "dog", "u": "cat"}, 1.0),  # of labelled training images alone
        ({"elsewhere": "cat"}, None),
        ({}, None),
    ],
)
def test_share_of_right_labels(truth: dict[str, str], expected: float | None) -> None:
    assert labels_right(IMAGES, pd.Series(truth, dtype="str")) == expected
