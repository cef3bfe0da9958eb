"""Every table of a workspace comes back as it was written, whatever stands in its cells."""

import json
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate import adding, deciding, decisions, findings, journal, manifest, policy
from curate.csv_text import read_csv, write_csv
from curate.errors import UserError
from curate.results import proof
from curate.results.interval import Score
from curate.results.paired import Difference
from curate.results.proof import ArmScore, Compared, Proof, Split
from curate.versions import restore
from curate.workspace import CURATED, DECISIONS, FINDINGS, MANIFEST, VERSIONED, Workspace, read_table
from tests.properties.drawn import CELLS, texts

TABLES = {
    MANIFEST: manifest.COLUMNS,
    CURATED: manifest.COLUMNS,
    FINDINGS: findings.COLUMNS,
    DECISIONS: dict.fromkeys(decisions.COLUMNS, "str"),
    deciding.REVIEW: dict.fromkeys(policy.REVIEW_COLUMNS, "str"),
    adding.SELECTED: dict.fromkeys(adding.COLUMNS, "str"),
}


@pytest.mark.parametrize("name", list(TABLES))
@given(data=st.data())
def test_a_table_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject) -> None:
    table = data.draw(texts(TABLES[name]))
    path = tmp_path_factory.getbasetemp() / name
    if path.suffix == ".csv":
        write_csv(path, table)
    else:
        table.to_parquet(path, index=False, compression="zstd")
    back = read_table(path)
    pd.testing.assert_frame_equal(back.reset_index(drop=True), table)
    if path.suffix == ".csv":
        first = path.read_bytes()
        write_csv(path, back)
        assert path.read_bytes() == first


@given(texts(findings.COLUMNS), st.sets(st.sampled_from(list(findings.DEFAULTS))))
def test_findings_of_earlier_versions_are_completed_once(table: pd.DataFrame, later: set[str]) -> None:
    pd.testing.assert_frame_equal(findings.complete(table), table)
    once = findings.complete(table.drop(columns=list(later)))
    assert list(once.columns) == list(findings.COLUMNS)
    pd.testing.assert_frame_equal(findings.complete(once), once)


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("c\0at", "note of 'a' holds a NUL character, which no CSV holds"),
        ("x" * 131_073, "note of 'a' has more than the 131,072 characters"),
    ],
    ids=["nul", "long"],
)
def test_what_could_not_be_read_back_is_not_written(tmp_path: Path, cell: str, says: str) -> None:
    path = tmp_path / "t.csv"
    with pytest.raises(UserError, match=says):
        write_csv(path, pd.DataFrame({"image_id": ["b", "a"], "note": ["", cell]}, dtype="str"))
    assert not path.exists()


def test_columns_with_a_carriage_return_come_back(tmp_path: Path) -> None:
    table = pd.DataFrame({"image_id": ["a"], "keep": ["1"], "\r": ["2"]}, dtype="str")
    write_csv(tmp_path / "t.csv", table)
    assert read_csv(tmp_path / "t.csv").reset_index(drop=True).equals(table)


def test_the_longest_cell_comes_back(tmp_path: Path) -> None:
    table = pd.DataFrame({"image_id": ["a"], "note": ["é" * 131_072]}, dtype="str")
    write_csv(tmp_path / "t.csv", table)
    assert read_csv(tmp_path / "t.csv").reset_index(drop=True).equals(table)


@pytest.mark.parametrize("columns", [1001, 300_000])
def test_a_table_of_very_many_columns_is_refused_at_once(tmp_path: Path, columns: int) -> None:
    path = tmp_path / "t.csv"
    path.write_text(",".join(f"c{number}" for number in range(columns)) + "\n" + "1\n" * 100)
    with pytest.raises(UserError, match=f"has {columns:,} columns, a table here at most 1,000"):
        read_csv(path)


# What is no table

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | CELLS,
    lambda inside: st.lists(inside, max_size=2) | st.dictionaries(CELLS, inside, max_size=2),
    max_leaves=4,
)
SHARE = st.floats(-1, 1)
SCORE = st.builds(Score, st.lists(SHARE, max_size=2).map(tuple), SHARE, st.none() | SHARE)
DIFFERENCE = st.builds(
    Difference,
    values=st.lists(SHARE, max_size=2).map(tuple),
    mean=SHARE,
    half_width=st.none() | SHARE,
    at_all_times=st.booleans(),
    probability=st.none() | SHARE,
    bootstrap=st.none() | st.tuples(SHARE, SHARE),
    verdict=st.sampled_from(["better", "worse", "the same", "unclear", "one seed"]),
)
ARM = st.builds(
    ArmScore,
    **dict.fromkeys(("name", "run", "says"), CELLS),
    images=st.integers(0, 9),
    right_labels=st.none() | SHARE,
    seeds=st.lists(st.integers(0, 99), max_size=2).map(tuple),
    accuracy=SCORE,
    leak_free=st.none() | SCORE,
    seconds=SHARE,
    images_seen=st.integers(0, 2**40),
)
COMPARED = st.builds(
    Compared,
    **dict.fromkeys(("name", "says", "before", "after"), CELLS),
    images=st.integers(0, 9),
    accuracy=DIFFERENCE,
    leak_free=st.none() | DIFFERENCE,
)
PROOFS = st.builds(
    Proof,
    config=st.dictionaries(CELLS, JSON, max_size=2),
    hardware=CELLS,
    arms=st.lists(ARM, max_size=2).map(tuple),
    compared=st.lists(COMPARED, max_size=2).map(tuple),
    split=st.none() | st.builds(Split, SHARE, SHARE),
    gap_closed=st.none() | SHARE,
    test_images=st.integers(0, 9),
    leak_free_images=st.none() | st.integers(0, 9),
    stopped=st.sampled_from(["clear", "seeds", "budget"]),
    precision=st.none() | SHARE,
    seeds_needed=st.none() | st.integers(0, 9),
    notes=st.lists(CELLS, max_size=2).map(tuple),
)


@given(PROOFS)
def test_a_proof_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, found: Proof) -> None:
    workspace = Workspace(tmp_path_factory.getbasetemp())
    workspace.path(proof.PROOF).write_text(proof.as_json(found), encoding="utf-8")
    assert proof.read(workspace) == found


ROWS = st.lists(st.dictionaries(st.sampled_from(decisions.COLUMNS), CELLS, max_size=2), max_size=2)


@given(st.lists(st.builds(journal.Act, CELLS, CELLS, ROWS, ROWS, CELLS, st.none() | st.integers(0, 9)), max_size=3))
def test_acts_of_a_review_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, acts: list[journal.Act]
) -> None:
    workspace = Workspace(tmp_path_factory.mktemp("ws", numbered=True))
    for at, act in enumerate(acts):
        journal.append(workspace, act)
        if at == 1:  # a power failure within the next line, which is written again
            with workspace.path("review.jsonl").open("ab") as file:
                file.write(json.dumps(asdict(act)).encode()[:9])
    assert journal.read(workspace) == acts


@settings(max_examples=4)
@given(st.data())
def test_every_version_comes_back_to_the_byte(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    workspace = Workspace(tmp_path_factory.mktemp("ws", numbered=True))
    known: list[dict[str, bytes]] = []
    for _ in range(data.draw(st.integers(1, 3))):
        arguments = data.draw(st.dictionaries(CELLS, JSON, max_size=2))
        with workspace.writing("scan", arguments) as transaction:
            for name in data.draw(st.lists(st.sampled_from(VERSIONED), unique=True, min_size=1, max_size=3)):
                transaction.write_table(name, data.draw(texts(TABLES[name])))
        assert workspace.ledger()[-1].arguments == arguments
        known.append(_files(workspace))
    for version in data.draw(st.permutations(range(len(known)))):
        restore(workspace, version + 1)
        assert _files(workspace) == known[version]
    assert [entry.version for entry in workspace.ledger()] == list(range(1, 2 * len(known) + 1))


def _files(workspace: Workspace) -> dict[str, bytes]:
    return {name: workspace.path(name).read_bytes() for name in VERSIONED if workspace.has(name)}
