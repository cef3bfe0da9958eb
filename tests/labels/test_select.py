"""Which images without a label are chosen: unsure ones, unlike each other, of photos that are not there yet."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from curate import adding, deciding, finders, findings, predictions, registry, tables, verbs
from curate.cli import app
from curate.csv_text import read_csv, write_csv
from curate.engine import Local
from curate.errors import UserError
from curate.finders.worth_labelling import worth_labelling
from curate.ingest.add import add
from curate.labels import pool
from curate.review import asking
from curate.review.desk import Answer, Desk
from curate.review.verdicts import answers, proposals
from curate.workspace import CURATED, DECISIONS, FINDINGS, MANIFEST, Workspace, read_table
from tests.benchmarks.active_selection import needed
from tests.conftest import write_digits
from tests.tables import decided, images

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


# Through the verbs

CHOSEN = 6


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    """Digits: 30 labelled ones in train and test, 40 in the pool, three of them copies; and made-up predictions."""
    write_digits(tmp_path / "labelled", 30)
    write_digits(tmp_path / "more", 40, first=30)
    for at, number in enumerate((0, 3)):  # copies of a training and of a test image
        source = next((tmp_path / "labelled").glob(f"*/*/{number}.png"))
        (tmp_path / "more" / f"copy{at}.png").write_bytes(source.read_bytes())
    made = Workspace(tmp_path / "growing")
    add(made, tmp_path / "labelled", name="set")
    pool = tmp_path / "pool"
    pool.mkdir()
    for path in sorted((tmp_path / "more").rglob("*.png")):
        (pool / path.name).write_bytes(path.read_bytes())
    add(made, pool, name="more", split="pool")
    predict(made)
    return made


def predict(workspace: Workspace) -> None:
    """Predictions in which the classes of labelled images are known, and images are alike by their pixels' hash."""
    table = read_table(workspace.path(MANIFEST))
    table = table.sort_values("image_id").reset_index(drop=True)
    names = sorted(set(table["label"]) - {""})
    random = np.random.default_rng(0)
    probs = random.dirichlet(np.full(len(names), 0.3), len(table))
    labelled = np.flatnonzero(table["label"] != "")
    probs[labelled] = 0.1 / (len(names) - 1)
    probs[labelled, [names.index(label) for label in table["label"][labelled]]] = 0.9
    vectors = random.normal(size=(len(table), 8)).astype(np.float32)
    fold = np.where(table["split"] == "train", 0, -1)
    found = predictions.Predictions(names, probs.astype(np.float32), vectors, fold, {})
    predictions.write(workspace, table, found)


def select(workspace: Workspace, budget: int = CHOSEN, out: Path | None = None) -> adding.Selected:
    return adding.select(workspace, budget=budget, out=out, engine=Local(1))


def selected(workspace: Workspace) -> pd.DataFrame:
    return read_csv(workspace.path(adding.SELECTED))


def test_select_writes_findings_and_a_table_to_fill_in(ws: Workspace) -> None:
    result = select(ws)
    table = selected(ws)
    assert (result.images, result.waiting, result.warnings) == (CHOSEN, 42, [])
    assert tuple(table.columns) == adding.COLUMNS
    assert (table[["action", "label", "note"]] == "").all(axis=None)
    assert all(Path(path).is_file() for path in table["path"])
    found = read_table(ws.path(FINDINGS))
    assert found["image_id"].to_list() == table["image_id"].to_list()
    assert ws.ledger()[-1].command == "select"
    assert not table["image_id"].str.contains("copy").any()


def test_a_scan_keeps_what_was_selected(ws: Workspace) -> None:
    select(ws)
    before = selected(ws)["image_id"].to_list()
    verbs.scan(ws, only=None, settings={}, engine=Local(1))
    found = read_table(ws.path(FINDINGS))
    assert found["image_id"][found["finder"] == adding.SELECT].to_list() == before
    assert (found["finder"] != adding.SELECT).any()
    select(ws, 3)
    found = read_table(ws.path(FINDINGS))
    assert (found["finder"] == adding.SELECT).sum() == 3


def test_labels_come_back_by_one_column_and_are_not_asked_about_again(ws: Workspace) -> None:
    select(ws)
    table = selected(ws)
    table["label"] = ["3", "4", "3", "", "", ""]
    table["action"] = ["", "relabel", "", "keep", "drop", ""]
    write_csv(ws.path(adding.SELECTED), table)
    with pytest.raises(UserError, match=r"holds 5 answers that would be lost; 'curate decide .* --import"):
        select(ws)
    deciding.import_decisions(ws, ws.path(adding.SELECTED), "ada")
    said = read_csv(ws.path(DECISIONS)).set_index("image_id")
    ids = table["image_id"].to_list()
    assert said.loc[ids[:3], "action"].to_list() == ["relabel"] * 3
    assert said.loc[ids[:5], "because"].to_list() == [adding.SELECT] * 5
    verbs.apply(ws, include_test=False)
    curated = read_table(ws.path(CURATED)).set_index("image_id")
    assert curated.loc[ids[:4], ["split", "label"]].to_numpy().tolist() == [
        ["train", "3"],
        ["train", "4"],
        ["train", "3"],
        ["pool", ""],  # "keep": it goes on waiting, and nobody is asked again
    ]
    assert ids[4] not in curated.index
    rows = tables.read_manifest(ws)
    there = adding._as_decided(rows, tables.read_answers(ws, rows), tables.read_decisions(ws, rows))
    assert there.set_index("image_id").loc[ids[:6], ["split", "label"]].to_numpy().tolist() == [
        *(["train", label] for label in "343"),  # learned from
        ["train", ""],  # neither it nor its twins are asked about
        ["train", ""],
        ["pool", ""],
    ]
    select(ws, 42)
    again = set(selected(ws)["image_id"])
    assert not again & set(ids[:5])
    assert ids[5] in again


def test_the_policy_asks_people_in_the_order_of_choice(ws: Workspace) -> None:
    select(ws)
    decided = deciding.decide(ws, None)
    assert decided.actions == {}
    assert read_csv(ws.path(deciding.REVIEW))["image_id"].to_list() == selected(ws)["image_id"].to_list()


def test_accepting_takes_the_suggestion_as_the_label(ws: Workspace) -> None:
    select(ws)
    asked = asking.asked(ws, "ada")
    rows = asked.table.set_index("image_id")
    assert set(rows["proposal"]) == {"relabel"}
    assert (rows["title"] == "no label → " + rows["suggested_label"]).all()
    proposed = proposals(read_table(ws.path(FINDINGS)), asked)
    none = pd.Series(dtype="str")
    said = answers("accept", list(rows.index), proposed=proposed, group=none, splits=none)
    assert {answer.action for answer in said} == {"relabel"}
    assert [answer.label for answer in said] == rows["suggested_label"].to_list()
    # also of what is shown in the App and not asked about
    nothing_asked = asking.Asked(asked.table.iloc[:0], asked.worth, asked.classes, 0)
    assert set(proposals(read_table(ws.path(FINDINGS)), nothing_asked)["proposal"]) == {"relabel"}


def test_the_same_command_gives_the_same_file(ws: Workspace) -> None:
    select(ws)
    first = ws.path(adding.SELECTED).read_bytes()
    select(ws)
    assert ws.path(adding.SELECTED).read_bytes() == first


def test_more_than_there_is(ws: Workspace) -> None:
    result = CliRunner().invoke(app, ["select", str(ws.root), "--budget", "1000"])
    assert result.exit_code == 0, result.output
    assert "40 images to label next" in result.output.replace("\n", " ")
    assert "There are no more" in result.output


def fill_in(ws: Workspace, **columns: list[str]) -> None:
    """The first rows of `selected.csv`, filled in."""
    table = selected(ws)
    filled = {name: [*cells, *[""] * (len(table) - len(cells))] for name, cells in columns.items()}
    write_csv(ws.path(adding.SELECTED), table.assign(**filled))


def test_an_answer_that_was_corrected_after_the_import_is_not_lost(ws: Workspace) -> None:
    select(ws)
    fill_in(ws, label=["3", "4"])
    deciding.import_decisions(ws, ws.path(adding.SELECTED), "ada")
    fill_in(ws, label=["5", "4"])
    before = ws.path(adding.SELECTED).read_bytes()
    with pytest.raises(UserError, match=r"holds 1 answer that would be lost; 'curate decide .* --import .* over, or"):
        select(ws)
    assert ws.path(adding.SELECTED).read_bytes() == before
    deciding.import_decisions(ws, ws.path(adding.SELECTED), "ada")
    select(ws)


def test_an_answer_that_was_changed_elsewhere_after_the_import_is_not_lost_with_the_file(ws: Workspace) -> None:
    select(ws)
    fill_in(ws, label=["3"])
    deciding.import_decisions(ws, ws.path(adding.SELECTED), "ada")
    Desk(ws, "ada").take([Answer(selected(ws)["image_id"].iloc[0], "relabel", "5")])
    select(ws)


@pytest.mark.parametrize(("by", "there"), [("policy", ["pool"]), ("ada", ["train", "pool"])])
def test_only_people_refuse_an_image_with_its_twins(by: str, there: list[str]) -> None:
    """The policy drops a copy because another one stays, and that one is asked about."""
    said = decided(("copy", "drop", "", by, "exact_duplicate"))
    table = adding._as_decided(images(("copy", "pool", ""), ("stays", "pool", "")), said, said)
    assert table["split"].to_list() == there


def test_what_the_policy_says_takes_no_answer_over(ws: Workspace) -> None:
    select(ws)
    image_id = selected(ws)["image_id"].iloc[0]
    with ws.writing("pseudo", {}) as transaction:
        transaction.write_table(DECISIONS, decided((image_id, "relabel", "3", "policy", adding.PSEUDO)))
    fill_in(ws, label=["3"])
    with pytest.raises(UserError, match="holds 1 answer that would be lost"):
        select(ws)


def test_a_note_alone_is_kept_and_the_way_out_is_told(ws: Workspace) -> None:
    select(ws)
    fill_in(ws, note=["what is it?"])
    path = ws.path(adding.SELECTED)
    for _ in range(2):
        with pytest.raises(UserError, match="1 row has a note and no action: fill in its 'action', or take its note"):
            select(ws)
        told = deciding.import_decisions(ws, path, "ada").warnings
        assert any("1 row has a note and no action" in line for line in told)
    fill_in(ws, note=["what is it?"], action=["keep"])
    deciding.import_decisions(ws, path, "ada")
    select(ws)
    assert read_csv(ws.path(DECISIONS))["note"].to_list() == ["what is it?"]


@pytest.mark.parametrize("name", [DECISIONS, deciding.REVIEW, "next.csv", "images/next.csv"])
def test_files_of_the_workspace_are_not_written_over(ws: Workspace, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    select(ws)
    deciding.decide(ws, None)
    before = {path: path.read_bytes() for path in ws.root.glob("*.csv")}
    monkeypatch.chdir(ws.root.parent)
    for out in (ws.path(name), Path("growing", "signals", "..", name)):
        with pytest.raises(
            UserError, match=r"lies in the workspace, where only selected\.csv may be; name a file elsewhere"
        ):
            select(ws, out=out)
    assert {path: path.read_bytes() for path in ws.root.glob("*.csv")} == before
    assert select(ws, out=Path("growing", adding.SELECTED)).images == CHOSEN


def test_another_file_is_left_alone(ws: Workspace, tmp_path: Path) -> None:
    other = tmp_path / "notes.csv"
    other.write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"notes\.csv is there and was not written by 'curate select'"):
        select(ws, out=other)
    assert other.read_text() == "a,b\n1,2\n"
    assert not ws.has(FINDINGS)
    assert select(ws, out=tmp_path / "next.csv").written == str(tmp_path / "next.csv")


def test_what_came_after_the_predictions_is_told(ws: Workspace, tmp_path: Path) -> None:
    write_digits(tmp_path / "late", 2, first=80)
    add(ws, tmp_path / "late", name="late", split="pool")
    assert any("2 images have no prediction" in line for line in select(ws).warnings)


def test_no_pool_no_predictions(workspace: Workspace, ws: Workspace) -> None:
    with pytest.raises(UserError, match=r"no images in the pool that wait for a label; 'curate add .* --split pool'"):
        select(workspace)
    (ws.root / predictions.FILE).unlink()
    with pytest.raises(UserError, match="has no predictions; 'curate predict"):
        select(ws)
    table = read_table(ws.path(MANIFEST))
    predict(ws)
    changed = table.assign(content_hash=table["content_hash"].where(table["split"] != "pool", "another"))
    with ws.writing("add", {}) as transaction:
        transaction.write_table(MANIFEST, changed)
    with pytest.raises(UserError, match="none of 42 images without a label has a prediction"):
        select(ws)


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
