"""Labels that networks are sure of: how sure, of which images, taken over as decisions and taken back."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from curate import adding, deciding, predictions, verbs
from curate.csv_text import read_csv
from curate.decisions import check
from curate.engine import Local
from curate.errors import UserError
from curate.finders.pseudo_label import pseudo_label
from curate.labels.answers import answered
from curate.workspace import CURATED, DECISIONS, FINDINGS, MANIFEST, Workspace, read_table
from tests.command import invoke, run
from tests.labels.test_worth_labelling import NO_PAIRS, pairs
from tests.tables import decided, found, images

CLASSES = ["bird", "cat", "dog"]
LABELLED = 400


class Set:
    """Labelled images, then as many in the pool, with predictions that are right as often as they say.

    wrong: share of the labels that are wrong. sharpness: with what power the networks overstate, as networks do.
    """

    def __init__(self, *, wrong: float = 0.0, sharpness: float = 1.0, labelled: int = LABELLED, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        count = labelled + LABELLED
        honest = random.dirichlet(np.full(len(CLASSES), 0.15), count)
        self.true = np.array([random.choice(len(CLASSES), p=row) for row in honest])
        said = honest**sharpness
        self.probs = (said / said.sum(axis=1, keepdims=True)).astype(np.float32)
        given = np.where(
            random.random(count) < wrong, (self.true + random.integers(1, len(CLASSES), count)) % 3, self.true
        )
        self.labels = np.where(np.arange(count) < labelled, given, -1)
        names = [("train", CLASSES[label]) if label >= 0 else ("pool", "") for label in self.labels]
        self.images = images(*((f"{at:04}", split, label) for at, (split, label) in enumerate(names)))

    def find(
        self, *, sure: float = 0.95, pairs: pd.DataFrame = NO_PAIRS, first: np.ndarray | None = None
    ) -> pd.DataFrame:
        repeats = None if first is None else np.stack([first, self.probs])
        return pseudo_label(self.images, self.labels, CLASSES, self.probs, repeats, pairs, sure=sure)


@pytest.mark.parametrize("sure", [0.8, 0.9, 0.95])
@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("wrong", [0.0, 0.2])
def test_labels_are_right_as_often_as_is_said(wrong: float, sharpness: float, sure: float) -> None:
    right, said, count = 0, 0.0, 0
    for seed in range(6):
        a_set = Set(wrong=wrong, sharpness=sharpness, seed=seed)
        table = a_set.find(sure=sure)
        assert (table["suggested_prob"] >= sure).all()
        right += (table["suggested_label"] == np.array(CLASSES)[a_set.true[table["row"]]]).sum()
        said += table["suggested_prob"].sum()
        count += len(table)
    assert count > 0.2 * 6 * LABELLED
    assert right / count >= sure
    assert abs(right - said) / count < 0.02


def test_findings_are_of_the_pool_alone_the_surest_first() -> None:
    table = Set().find()
    assert (table["row"] >= LABELLED).all()
    assert table["score"].is_monotonic_increasing
    assert np.allclose(table["score"], 1 - table["suggested_prob"])
    assert table["flagged"].all()
    assert not table["row"].duplicated().any()


def test_more_sure_is_a_part_of_less_sure() -> None:
    a_set = Set()
    rows = [set(a_set.find(sure=sure)["row"]) for sure in (0.7, 0.9, 0.97)]
    assert rows[0] > rows[1] > rows[2]


@pytest.mark.parametrize(("labelled", "is_any"), [(0, False), (1, False), (40, False), (80, True)])
def test_few_labels_cannot_tell_what_is_sure(labelled: int, is_any: bool) -> None:
    assert bool(len(Set(labelled=labelled).find(sure=0.95))) == is_any
    assert (Set(labelled=80).find(sure=0.9)["suggested_prob"] <= 1 - 3 / 80).all()


def test_the_first_repetition_has_to_be_as_sure() -> None:
    a_set = Set()
    first = a_set.probs.copy()
    doubted = a_set.find()["row"].to_numpy()[:20]
    first[doubted] = 1 / 3
    after = set(a_set.find(first=first)["row"])
    assert after
    assert not after & set(doubted)


@pytest.mark.parametrize("split", ["train", "val", "test", "pool"])
@pytest.mark.parametrize("kind", ["exact", "near"])
def test_photos_that_are_there_are_left_alone(kind: str, split: str) -> None:
    a_set = Set()
    one, other = a_set.find()["row"].to_numpy()[:2]
    a_set.images.loc[0, "split"] = split  # a labelled one in the pool counts, too
    rows = set(a_set.find(pairs=pairs((0, one, kind)))["row"])
    assert one not in rows
    assert other in rows


@pytest.mark.parametrize("kind", ["exact", "near"])
def test_of_one_photo_one_is_named(kind: str) -> None:
    a_set = Set()
    one, other = a_set.find()["row"].to_numpy()[:2]
    rows = set(a_set.find(pairs=pairs((min(one, other), max(one, other), kind)))["row"])
    assert len(rows & {one, other}) == 1


@pytest.mark.parametrize("sure", [0.0, 1.5])
def test_how_sure_is_a_probability(sure: float) -> None:
    with pytest.raises(UserError, match=r"pseudo_label\.sure must lie above 0 and not above 1"):
        Set().find(sure=sure)


# Through the verbs


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    """The set in a workspace, with a scan that found one label doubtful. No image is read: none was changed."""
    a_set = Set()
    workspace = Workspace(tmp_path / "ws")
    rows = a_set.images
    with workspace.writing("add", {}) as transaction:
        transaction.write_table(MANIFEST, rows.assign(pixel_hash=rows["image_id"]))
    with workspace.writing("scan", {}) as transaction:
        transaction.write_table(FINDINGS, found(("0000", "label_error", 0.1, "cat"), ("0001", "dark", 0.1)))
    embeddings = np.ones((len(rows), 4), np.float32)
    fold = np.where(a_set.labels >= 0, 0, -1)
    predictions.write(workspace, rows, predictions.Predictions(CLASSES, a_set.probs, embeddings, fold, {}))
    return workspace


def pseudo(workspace: Workspace, sure: float | None = None) -> adding.PseudoLabelled:
    return adding.pseudo(workspace, sure=sure, engine=Local(1))


def said(workspace: Workspace) -> pd.DataFrame:
    return read_csv(workspace.path(DECISIONS))


def test_labels_are_decided_applied_and_taken_back(ws: Workspace) -> None:
    deciding.decide(ws, None)
    before = said(ws)
    result = pseudo(ws)
    count = sum(result.labels.values())
    assert count > 100
    assert result.waiting == LABELLED
    assert 0 < result.expected_wrong < 0.05
    by_pseudo = said(ws)[said(ws)["because"] == adding.PSEUDO]
    assert len(by_pseudo) == count
    assert set(by_pseudo["action"] + by_pseudo["by"]) == {"relabelpolicy"}
    assert len(said(ws)) == len(before) + count
    verbs.apply(ws, include_test=False)
    curated = read_table(ws.path(CURATED)).set_index("image_id")
    assert set(curated.loc[by_pseudo["image_id"], "split"]) == {"train"}
    assert (curated["split"] == "pool").sum() == LABELLED - count
    assert adding.undo_pseudo(ws) == (count, [])
    assert said(ws).equals(before)
    assert set(read_table(ws.path(FINDINGS))["finder"]) == {"label_error", "dark"}
    assert adding.undo_pseudo(ws) == (0, [])


def test_decide_comes_to_the_same_and_keeps_them(ws: Workspace) -> None:
    deciding.decide(ws, None)
    pseudo(ws)
    before = ws.path(DECISIONS).read_bytes()
    deciding.decide(ws, None)
    assert ws.path(DECISIONS).read_bytes() == before
    verbs.scan(ws, only=["rare_class"], settings={}, engine=Local(1))
    deciding.decide(ws, None)
    assert ws.path(DECISIONS).read_bytes() == before


def test_people_beat_networks(ws: Workspace) -> None:
    pseudo(ws)
    first, second, third = said(ws)["image_id"][:3]
    answers = [f"{first},relabel,bird\n", f"{second},keep,\n", f"{third},drop,\n"]
    ws.path("mine.csv").write_text("image_id,action,label\n" + "".join(answers))
    deciding.import_decisions(ws, ws.path("mine.csv"), "ada")
    for change in (pseudo, lambda ws: deciding.decide(ws, None), adding.undo_pseudo):
        change(ws)
        mine = said(ws).set_index("image_id").loc[[first, second, third]]
        assert mine[["action", "by"]].to_numpy().tolist() == [["relabel", "ada"], ["keep", "ada"], ["drop", "ada"]]
    assert set(said(ws)["because"]) == {"", "label_error"}


def test_asking_for_more_takes_the_less_sure_ones_back(ws: Workspace) -> None:
    many, few = (set() for _ in range(2))
    pseudo(ws, 0.8)
    many.update(said(ws)["image_id"])
    pseudo(ws, 0.97)
    few.update(said(ws)["image_id"])
    assert few < many


def test_a_recipe_from_before_is_named(ws: Workspace) -> None:
    ws.path("recipe.yaml").write_text("policy:\n- {finder: label_error, action: review}\n")
    result = pseudo(ws)
    assert sum(result.labels.values()) > 100
    assert "no rule for pseudo_label" in result.warnings[-1]
    assert "- {finder: pseudo_label, action: relabel, splits: [pool]}" in result.warnings[-1]


def test_the_recipe_says_how_sure(ws: Workspace) -> None:
    ws.path("recipe.yaml").write_text("scan:\n  pseudo_label: {sure: 0.98}\n")
    assert read_csv_count(ws, None) == read_csv_count(ws, 0.98) < read_csv_count(ws, 0.8)


def read_csv_count(workspace: Workspace, sure: float | None) -> int:
    return sum(pseudo(workspace, sure).labels.values())


def test_more_than_the_labels_can_tell_is_said(ws: Workspace) -> None:
    result = invoke("pseudo", ws.root, "--sure", "0.999")
    assert result.exit_code == 0, result.output
    assert "too few to tell more than a probability of 0.99, and 0.999 is asked for" in result.output
    assert f"Labelled 0 of {LABELLED}" in result.output
    assert "No label of 'curate pseudo' stands now. Next: a lower --sure" in result.output
    assert "Wrote" not in result.output
    assert run("pseudo", ws.root, "--undo").startswith("Took back 0 labels. No label of 'curate pseudo' stands.")


def test_undo_and_sure_do_not_go_together(ws: Workspace) -> None:
    with pytest.raises(UserError, match="--sure is for new labels"):
        run("pseudo", ws.root, "--sure", "0.9", "--undo")


# What people say of images without a label

IMAGES = images(("a", "train", "cat"), ("b", "pool", ""), ("c", "pool", "dog"), ("d", "train", ""))


@pytest.mark.parametrize(
    ("row", "action"),
    [
        (("b", "", "cat"), "relabel"),
        (("b", "relabel", "cat"), "relabel"),
        (("b", "keep", ""), "keep"),
        (("b", "drop", ""), "drop"),
    ],
)
def test_one_cell_labels_an_image_of_the_pool(row: tuple[str, str, str], action: str) -> None:
    table = check(decided(row), IMAGES, "review.csv")
    assert table[["action", "label"]].to_numpy().tolist() == [[action, row[2]]]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("b", "", "cow"), "label 'cow': no such class; there are: cat, dog"),
        (("b", "relabel", ""), "label '': no such class"),
        (("a", "", "dog"), "label 'dog': has no action"),
        (("c", "", "cat"), "label 'cat': has no action"),
        (("d", "", "cat"), "label 'cat': has no action"),
    ],
)
def test_what_is_no_answer_stays_refused(row: tuple[str, str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check(decided(row), IMAGES, "review.csv")


def test_labels_of_the_pool_do_not_tell_how_often_labels_are_wrong() -> None:
    table = found(("a", "label_error", 0.2, "dog"), ("b", "label_error", 0.2, "dog"))
    by_people = decided(("a", "relabel", "dog", "ada"), ("b", "relabel", "dog", "ada"))
    assert answered(by_people, table, IMAGES)["image_id"].to_list() == ["a"]
