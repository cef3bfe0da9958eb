"""`apply` is a pure function of manifest and decisions; `diff` says what is different."""

import random

import pandas as pd
import pytest

from curate.apply import CHANGES, apply, diff
from tests.tables import decided, images

IMAGES = images(
    ("c", "train", "cat"),
    ("a", "train", "dog"),
    ("t", "test", "dog"),
    ("a1", "train", "dog"),
    ("a2", "train", "dog"),
    ("v", "val", "cat"),
    ("p", "pool", ""),
    parents={"a1": "a", "a2": "a"},
)


def labels(table: pd.DataFrame) -> str:
    """`c=cat a=dog`, in the table's order."""
    return " ".join(f"{image_id}={label}" for image_id, label in zip(table["image_id"], table["label"], strict=True))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], "c=cat a=dog t=dog a1=dog a2=dog v=cat p="),
        ([("c", "keep")], "c=cat a=dog t=dog a1=dog a2=dog v=cat p="),
        ([("c", "drop")], "a=dog t=dog a1=dog a2=dog v=cat p="),
        ([("c", "relabel", "dog")], "c=dog a=dog t=dog a1=dog a2=dog v=cat p="),
        ([("c", "relabel", "cat")], "c=cat a=dog t=dog a1=dog a2=dog v=cat p="),
        ([("p", "relabel", "cat")], "c=cat a=dog t=dog a1=dog a2=dog v=cat p=cat"),
        ([("p", "keep")], "c=cat a=dog t=dog a1=dog a2=dog v=cat p="),  # it goes on waiting
        ([("p", "drop")], "c=cat a=dog t=dog a1=dog a2=dog v=cat"),
        ([("a", "drop")], "c=cat t=dog v=cat p="),  # what was generated from it goes with it
        ([("a", "relabel", "cat")], "c=cat a=cat t=dog a1=cat a2=cat v=cat p="),
        ([("a", "drop"), ("a1", "keep")], "c=cat t=dog a1=dog v=cat p="),  # its own decision counts
        ([("a", "relabel", "cat"), ("a1", "keep")], "c=cat a=cat t=dog a1=cat a2=cat v=cat p="),  # it shows the same
        ([("a", "relabel", "cat"), ("a1", "drop")], "c=cat a=cat t=dog a2=cat v=cat p="),
        ([("a1", "drop")], "c=cat a=dog t=dog a2=dog v=cat p="),
        ([("t", "drop")], "c=cat a=dog t=dog a1=dog a2=dog v=cat p="),
        ([("v", "drop")], "c=cat a=dog t=dog a1=dog a2=dog p="),
        ([("gone", "drop")], "c=cat a=dog t=dog a1=dog a2=dog v=cat p="),
    ],
)
def test_what_becomes_of_the_images(rows: list[tuple[str, ...]], expected: str) -> None:
    before = IMAGES.copy()
    applied = apply(IMAGES, decided(*rows))
    assert labels(applied.table) == expected
    assert IMAGES.equals(before)
    assert applied.table.dtypes.equals(IMAGES.dtypes)
    assert applied.table.index.equals(pd.RangeIndex(len(applied.table)))
    assert applied.dropped == len(IMAGES) - len(applied.table)


@pytest.mark.parametrize(("row", "expected"), [(("t", "drop"), ""), (("t", "relabel", "cat"), "t=cat")])
def test_test_images_are_changed_only_when_asked(row: tuple[str, ...], expected: str) -> None:
    guarded, asked = apply(IMAGES, decided(row)), apply(IMAGES, decided(row), include_test=True)
    assert guarded.table.equals(IMAGES)
    assert (guarded.test_left_alone, guarded.dropped, guarded.relabelled) == (["t"], 0, 0)
    assert labels(asked.table[asked.table["split"] == "test"]) == expected
    assert asked.test_left_alone == []


# images of the pool: `p` is one, `q` was generated from it, `r` has a label of its own
POOL = images(
    ("p", "pool", ""),
    ("q", "pool", ""),
    ("r", "pool", "dog"),
    ("v", "val", "cat"),
    ("t", "test", "cat"),
    parents={"q": "p"},
)


def places(table: pd.DataFrame) -> str:
    """`p=train/cat`, in the table's order."""
    return " ".join(f"{row.image_id}={row.split}/{row.label}" for row in table.itertuples())


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], "p=pool/ q=pool/ r=pool/dog v=val/cat t=test/cat"),
        ([("p", "keep")], "p=pool/ q=pool/ r=pool/dog v=val/cat t=test/cat"),
        ([("p", "relabel", "cat")], "p=train/cat q=train/cat r=pool/dog v=val/cat t=test/cat"),
        ([("r", "relabel", "dog")], "p=pool/ q=pool/ r=train/dog v=val/cat t=test/cat"),
        ([("p", "relabel", "cat"), ("q", "drop")], "p=train/cat r=pool/dog v=val/cat t=test/cat"),
        ([("p", "relabel", "cat"), ("q", "keep")], "p=train/cat q=train/cat r=pool/dog v=val/cat t=test/cat"),
        ([("v", "relabel", "dog"), ("t", "relabel", "dog")], "p=pool/ q=pool/ r=pool/dog v=val/dog t=test/cat"),
    ],
)
def test_a_label_brings_an_image_of_the_pool_into_training(rows: list[tuple[str, ...]], expected: str) -> None:
    applied = apply(POOL, decided(*rows))
    assert places(applied.table) == expected
    assert apply(applied.table, decided(*rows)).table.equals(applied.table)


def test_diff_shows_what_came_out_of_the_pool_and_why() -> None:
    said = decided(("p", "relabel", "cat", "policy", "pseudo_label"))
    table = diff(POOL, apply(POOL, said).table, said)
    assert table.to_numpy().tolist() == [
        ["p", "labelled", "pool", "cat", "pseudo_label"],
        ["q", "labelled", "pool", "cat", "pseudo_label"],
    ]


def test_keeping_a_test_image_is_nothing_to_be_warned_about() -> None:
    applied = apply(IMAGES, decided(("t", "keep")))
    assert (applied.kept, applied.test_left_alone) == (1, [])


def test_counts() -> None:
    applied = apply(IMAGES, decided(("c", "drop"), ("a", "relabel", "cat"), ("v", "keep"), ("t", "drop")))
    assert (applied.dropped, applied.relabelled, applied.kept, applied.test_left_alone) == (1, 3, 1, ["t"])


def test_labels_of_the_pool_are_counted_apart() -> None:
    applied = apply(IMAGES, decided(("p", "relabel", "cat"), ("a", "relabel", "cat")))
    assert (applied.labelled, applied.relabelled) == (1, 3)


def test_no_images() -> None:
    applied = apply(IMAGES.iloc[:0], decided(("a", "drop")))
    assert len(applied.table) == applied.dropped == 0
    assert applied.table.columns.to_list() == IMAGES.columns.to_list()


def random_set(rng: random.Random) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A manifest with generated images, and decisions on some of its images."""
    ids = [f"i{number}" for number in range(rng.randint(0, 30))]
    rows = [
        (image_id, rng.choice(["train", "val", "test", "pool"]), rng.choice(["cat", "dog", "bird"])) for image_id in ids
    ]
    rows = [
        (image_id, split, "" if split == "pool" and rng.random() < 0.5 else label) for image_id, split, label in rows
    ]
    parents = {image_id: rng.choice(ids[:at]) for at, image_id in enumerate(ids) if at and rng.random() < 0.3}
    chosen = rng.sample(ids, rng.randint(0, len(ids)))
    takes = [(image_id, rng.choice(["keep", "drop", "relabel"])) for image_id in chosen]
    return images(*rows, parents=parents), decided(
        *((image_id, action, rng.choice(["cat", "dog"]) if action == "relabel" else "") for image_id, action in takes)
    )


@pytest.mark.parametrize("seed", range(100))
def test_rules_that_hold_for_any_decisions(seed: int) -> None:
    rng = random.Random(seed)
    table, decisions = random_set(rng)
    before = table.copy(), decisions.copy()
    include_test = rng.random() < 0.5
    applied = apply(table, decisions, include_test=include_test).table
    assert table.equals(before[0])
    assert decisions.equals(before[1])
    # nothing is made up, the order stays, and only labels change, and the split of what is labelled in the pool
    stayed = table[table["image_id"].isin(applied["image_id"])].reset_index(drop=True)
    changing = ["label", "split"]
    assert applied.drop(columns=changing).equals(stayed.drop(columns=changing))
    moved = applied["split"] != stayed["split"]
    assert set(stayed["split"][moved]) <= {"pool"}
    assert set(applied["split"][moved]) <= {"train"}
    spoken = decisions["image_id"][decisions["action"] == "relabel"]
    assert (applied["image_id"].isin(spoken) | applied["parent_id"].isin(spoken))[moved].all()
    # again gives the same, in any order of the decisions
    assert apply(applied, decisions, include_test=include_test).table.equals(applied)
    assert apply(table, decisions.sample(frac=1, random_state=seed), include_test=include_test).table.equals(applied)
    # without decisions everything is as it was
    assert apply(table, decisions.iloc[:0], include_test=include_test).table.equals(table)
    # the test split is guarded
    if not include_test:
        assert (
            applied[applied["split"] == "test"]
            .reset_index(drop=True)
            .equals(table[table["split"] == "test"].reset_index(drop=True))
        )
    # diff finds every change and no other
    changes = diff(table, applied, decisions)
    assert (changes["change"] == "dropped").sum() == len(table) - len(applied)
    waited = moved & (stayed["label"] == "")
    assert (changes["change"] == "labelled").sum() == waited.sum()
    assert (changes["change"] == "relabelled").sum() == ((applied["label"] != stayed["label"]) & ~waited).sum()
    assert (changes["change"] == "moved").sum() == (moved & ~waited).sum()
    assert set(changes["change"]) <= {"dropped", "labelled", "relabelled", "moved"}


# diff


def test_diff_names_every_kind_of_change() -> None:
    before = images(
        ("a", "train", "cat"),
        ("b", "train", "cat"),
        ("c", "train", "cat"),
        ("d", "pool", ""),
        ("e", "val", "cat"),
        ("g", "val", "cat"),
    )
    after = images(
        ("f", "train", "dog"),
        ("g", "train", "cat"),
        ("e", "val", "cat"),
        ("d", "train", "dog"),
        ("c", "train", "cat"),
        ("b", "train", "dog"),
    )
    after.loc[after["image_id"] == "c", "content_hash"] = "other"
    table = diff(before, after, decided(("a", "drop", "", "policy", "dark;blurry"), ("b", "relabel", "dog", "ada")))
    assert table.to_numpy().tolist() == [
        ["a", "dropped", "cat", "", "dark;blurry"],
        ["f", "added", "", "dog", ""],
        ["d", "labelled", "pool", "dog", ""],
        ["b", "relabelled", "cat", "dog", ""],
        ["g", "moved", "val", "train", ""],
        ["c", "changed", "content of c", "other", ""],
    ]
    assert set(table["change"]) == set(CHANGES)


def test_diff_names_the_original_whose_label_a_kept_image_took() -> None:
    said = decided(("a", "relabel", "cat", "ada", "label_error"), ("a1", "keep", "", "ada", "dark"))
    table = diff(IMAGES, apply(IMAGES, said).table, said)
    assert table[["image_id", "change", "because"]].to_numpy().tolist() == [
        [image_id, "relabelled", "label_error"] for image_id in ("a", "a1", "a2")
    ]


@pytest.mark.parametrize("count", [0, 1, 7])
def test_no_difference(count: int) -> None:
    table = diff(IMAGES.iloc[:count], IMAGES.iloc[:count][::-1], decided())
    assert len(table) == 0
    assert table.columns.to_list() == ["image_id", "change", "before", "after", "because"]


def test_diff_from_and_to_nothing() -> None:
    assert set(diff(IMAGES.iloc[:0], IMAGES, decided())["change"]) == {"added"}
    assert set(diff(IMAGES, IMAGES.iloc[:0], decided())["change"]) == {"dropped"}
