"""Which images without a label are chosen: unsure ones, unlike each other, of photos that are not there yet."""

import numpy as np
import pandas as pd
import pytest

from curate import adding, finders, findings, registry
from curate.errors import UserError
from curate.finders.worth_labelling import worth_labelling
from curate.labels import pool
from tests.benchmarks.active_selection import needed
from tests.tables import images

CLASSES = ["cat", "dog"]
NO_PAIRS = pd.DataFrame({"a": [], "b": [], "kind": [], "probability": [], "view": []}).astype(
    {"a": "int64", "b": "int64", "kind": "str", "probability": "float32", "view": "int64"}
)


def pairs(*rows: tuple[int, int, str]) -> pd.DataFrame:
    """Pairs of one photo: (the row to keep, the other, exact or near)."""
    table = pd.DataFrame(rows, columns=["a", "b", "kind"]).assign(probability=1.0, view=0)
    return table.astype(dict(NO_PAIRS.dtypes))


class Set:
    """`labelled` images in training, half of each class, then `pool` ones; certain, and alike in four groups."""

    def __init__(self, *, labelled: int = 8, pool: int = 24) -> None:
        random = np.random.default_rng(0)
        names = [(f"l{at:02}", "train", CLASSES[at % 2]) for at in range(labelled)]
        self.images = images(*names, *((f"p{at:02}", "pool", "") for at in range(pool)))
        count = labelled + pool
        group = np.concatenate([np.arange(labelled) % 2, np.arange(pool) % 4])
        self.embeddings = (np.eye(8)[group] + random.normal(0, 0.02, (count, 8))).astype(np.float32)
        self.probs = np.where((group % 2 == 0)[:, None], [0.98, 0.02], [0.02, 0.98]).astype(np.float32)
        self.labels = np.array([CLASSES.index(label) if label else -1 for label in self.images["label"]])
        self.pool = np.arange(labelled, count)

    def choose(self, budget: int, *, pairs: pd.DataFrame = NO_PAIRS, weigh: str = "both") -> list[int]:
        """The chosen rows, in the order of choice."""
        found = worth_labelling(
            self.images, self.labels, CLASSES, self.probs, self.embeddings, pairs, budget=budget, weigh=weigh
        )
        assert found["score"].is_monotonic_increasing
        assert found["flagged"].all()
        assert (found["score"] < 0.5).all()
        return found["row"].to_list()


def test_unsure_images_come_first() -> None:
    a_set = Set()
    unsure = a_set.pool[[3, 10, 17]]
    a_set.probs[unsure] = [0.5, 0.5]
    assert set(a_set.choose(3)) == set(unsure)
    assert set(a_set.choose(3, weigh="unsure")) == set(unsure)


def test_the_more_unsure_the_earlier() -> None:
    a_set = Set(pool=8)
    a_set.embeddings = np.concatenate([-np.eye(8), np.eye(8)]).astype(np.float32)  # each alone
    a_set.probs[a_set.pool, 0] = np.linspace(0.54, 0.5, 8)
    a_set.probs[:, 1] = 1 - a_set.probs[:, 0]
    assert a_set.choose(8) == a_set.pool[::-1].tolist()


def test_without_embeddings_the_most_unsure_are_chosen() -> None:
    a_set = Set(pool=8)
    a_set.embeddings[:] = np.nan
    a_set.probs[a_set.pool, 0] = np.linspace(0.54, 0.5, 8)
    a_set.probs[:, 1] = 1 - a_set.probs[:, 0]
    assert a_set.choose(3) == a_set.pool[::-1][:3].tolist()
    with pytest.raises(UserError, match="weigh=coverage goes by embeddings, and there are none"):
        a_set.choose(3, weigh="coverage")


def test_what_no_label_is_near_comes_before_what_is_covered() -> None:
    a_set = Set()
    a_set.probs[:] = [0.6, 0.4]
    groups = a_set.pool[:, None] % 4 == np.arange(4)
    chosen = a_set.choose(2)
    assert [int(groups[row - a_set.pool[0]].argmax()) for row in chosen] in ([2, 3], [3, 2])  # labels lie in 0 and 1


def test_without_any_label_each_group_has_one() -> None:
    a_set = Set(labelled=0)
    assert len({row % 4 for row in a_set.choose(4)}) == 4


@pytest.mark.parametrize(
    ("found", "never", "one_of"),
    [
        (pairs((0, 8, "exact")), {8}, set()),  # it is labelled already
        (pairs((0, 8, "near")), {8}, set()),
        (pairs((8, 0, "near")), {8}, set()),
        (pairs((0, 8, "exact"), (0, 9, "near")), {8, 9}, set()),
        (pairs((8, 9, "exact"), (0, 8, "near")), {8, 9}, set()),  # a copy of what looks like a labelled one
        (pairs((8, 9, "exact")), set(), {8, 9}),
        (pairs((8, 9, "near")), set(), {8, 9}),
        (pairs((8, 9, "near"), (9, 10, "near")), {9}, {8, 10}),  # of a chain of frames its ends may stay
    ],
)
def test_no_photo_twice(found: pd.DataFrame, never: set[int], one_of: set[int]) -> None:
    a_set = Set()
    a_set.probs[[8, 10]] = [0.5, 0.5]
    a_set.probs[9] = [0.52, 0.48]
    chosen = set(a_set.choose(24, pairs=found))
    assert not chosen & never
    if never == {9}:
        assert one_of <= chosen
    else:
        assert len(chosen & one_of) == bool(one_of)
    assert set(a_set.pool) - chosen <= never | one_of


def test_generated_images_are_no_further_labels() -> None:
    """30 labels are as sure as 30 can be, with however many copies."""
    originals = [(f"l{at:02}", "train", CLASSES[at % 2]) for at in range(30)]
    copies = [(f"l{at:02}-{copy}", "train", label) for at, (_, _, label) in enumerate(originals) for copy in range(9)]
    table = images(*originals, *copies, parents={name: name.split("-")[0] for name, _, _ in copies})
    labels = np.array([CLASSES.index(label) for label in table["label"]])
    assert pool.most_sure(table, labels, np.full((300, 2), 0.5)) == 1 - 3 / 30


def test_photos_of_other_splits_are_there_too() -> None:
    for split in ("test", "val"):
        a_set = Set()
        a_set.images.loc[0, "split"] = split
        assert 8 not in a_set.choose(24, pairs=pairs((0, 8, "near")))


def test_generated_undecodable_and_labelled_ones_are_not_chosen() -> None:
    a_set = Set()
    a_set.images.loc[8, "parent_id"] = "p01"
    a_set.images.loc[9, "error"] = "truncated"
    a_set.images.loc[10, "label"] = "cat"
    a_set.probs[11] = np.nan
    a_set.embeddings[12] = np.nan
    assert set(a_set.choose(24)) == set(a_set.pool[5:])


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_rows_and_the_size_of_the_budget_change_nothing_of_the_set(seed: int) -> None:
    a_set, shuffled = Set(pool=60), Set(pool=60)
    random = np.random.default_rng(seed)
    a_set.probs[a_set.pool, 0] = random.random(60)
    a_set.probs[:, 1] = 1 - a_set.probs[:, 0]
    order = random.permutation(len(a_set.images))
    shuffled.images = a_set.images.iloc[order].reset_index(drop=True)
    shuffled.labels, shuffled.probs, shuffled.embeddings = (
        each[order] for each in (a_set.labels, a_set.probs, a_set.embeddings)
    )
    names = [table["image_id"].to_numpy()[rows].tolist() for table, rows in _chosen((a_set, shuffled), 10)]
    assert names[0] == names[1]
    assert len(set(names[0])) == 10


def _chosen(sets: tuple[Set, ...], budget: int) -> list[tuple[pd.DataFrame, list[int]]]:
    return [(each.images, each.choose(budget)) for each in sets]


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"budget": 0}, "budget must be 1 or more, not 0"), ({"weigh": "luck"}, "there are: both, coverage, unsure")],
)
def test_settings_that_make_no_sense(settings: dict, message: str) -> None:
    a_set = Set()
    with pytest.raises(UserError, match=message):
        worth_labelling(a_set.images, a_set.labels, CLASSES, a_set.probs, a_set.embeddings, NO_PAIRS, **settings)


def test_a_class_that_no_image_has_is_not_suggested() -> None:
    a_set = Set()
    a_set.images["label"] = a_set.images["label"].replace("dog", "cow")
    a_set.labels[a_set.images["label"] == "cow"] = -1
    found = worth_labelling(a_set.images, a_set.labels, CLASSES, a_set.probs, a_set.embeddings, NO_PAIRS, budget=24)
    assert set(found["suggested_label"]) == {"cat", ""}
    assert (found["suggested_prob"][found["suggested_label"] == ""] == 0).all()


# On request


def test_a_full_scan_leaves_finders_on_request_alone() -> None:
    on_request = {name for name, each in registry.functions(finders).items() if registry.on_request(each)}
    assert on_request == {adding.SELECT, adding.PSEUDO}
    assert not on_request & set(findings.select(None, have_predictions=True))
    assert list(findings.select([adding.SELECT], have_predictions=False)) == [adding.SELECT]


# The benchmark's figure


@pytest.mark.parametrize(
    ("curve", "accuracy", "labels"),
    [
        ((0.5, 0.6, 0.8), 0.6, 200),
        ((0.5, 0.6, 0.8), 0.7, 400 / 2**0.5),
        ((0.5, 0.6, 0.8), 0.5, 100),
        ((0.5, 0.6, 0.8), 0.4, 100),
        ((0.5, 0.6, 0.8), 0.9, float("inf")),
        ((0.5, 0.45, 0.8), 0.5, 100),
        ((0.5, 0.45, 0.8), 0.65, 400 / 2**0.5),
    ],
)
def test_labels_needed_for_an_accuracy(curve: tuple[float, ...], accuracy: float, labels: float) -> None:
    assert needed((100, 200, 400), np.array(curve), accuracy) == pytest.approx(labels)
