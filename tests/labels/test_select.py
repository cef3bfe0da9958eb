"""`curate select`: what it writes and asks, and how labels come back; nothing that was answered is lost."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from curate import adding, deciding, predictions, tables, verbs
from curate.csv_text import read_csv, write_csv
from curate.engine import Local
from curate.errors import UserError
from curate.ingest.add import add
from curate.review import asking
from curate.review.desk import Answer, Desk
from curate.review.verdicts import answers, proposals
from curate.workspace import CURATED, DECISIONS, FINDINGS, MANIFEST, Workspace, read_table
from tests.command import invoke
from tests.conftest import write_digits
from tests.tables import decided, images

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
    result = invoke("select", ws.root, "--budget", "1000")
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


def test_what_was_selected_is_listed_without_a_word_of_a_scan(ws: Workspace) -> None:
    select(ws)
    listed = invoke("findings", ws.root, "--finder", "worth_labelling")
    assert "has not looked at this set" not in listed.stderr
    assert "worth_labelling has not looked" not in listed.stdout
    assert "pseudo_label has not looked at this set" in invoke("findings", ws.root, "--finder", "pseudo_label").stderr


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
