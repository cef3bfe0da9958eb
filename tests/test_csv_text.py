"""Tables as CSV: every cell survives, rows know their line, and what is no CSV is named."""

import csv
from pathlib import Path

import pandas as pd
import pytest

from curate import decisions
from curate.csv_text import read_csv, write_csv
from curate.errors import UserError

CELLS = [
    *("", " ", " a ", "NA", "nan", "null", "None", "0", "007", "1e5", "true"),
    *("a,b", 'a"b', '"', '""', "a;b", "a\tb", "'", "#a", "a\\nb", "\\"),
    *("a\nb", "a\rb", "a\r\nb", "\n", "a\r"),
    *("\ufeff", "\u2028", "\x85", "\x0c", "\x1b", "+1", "-1", "-.5e-3", "+.5", "'a", "''", "a=b", "1-2"),
    *("caf\u00e9", "cafe\u0301", "\u732b/\u72ac.png", "\U0001f600"),
]


FORMULAS = [
    "=1+1",
    "@a",
    "=HYPERLINK(1)",
    "+1+1",
    "-a/1.png",
    "--1",
    "-",
    "+",
    "\t=1",
    "\r=1",
    "\r",
    "\ra",
    "\uff1d1",
    "-1\n",
]


@pytest.mark.parametrize(
    "cell", [*CELLS, *FORMULAS, *(f"'{cell}" for cell in FORMULAS), "''=1", "'-1", "''+1"], ids=ascii
)
def test_cells_survive_csv(tmp_path: Path, cell: str) -> None:
    table = pd.DataFrame({"image_id": [cell, "b", cell], "note": ["", cell, cell]}, dtype="str")
    write_csv(tmp_path / "t.csv", table)
    back = read_csv(tmp_path / "t.csv")
    assert back.reset_index(drop=True).equals(table)
    first = (tmp_path / "t.csv").read_bytes()
    write_csv(tmp_path / "t.csv", back)
    assert (tmp_path / "t.csv").read_bytes() == first


def test_all_cells_at_once_survive_csv_and_read_the_same_elsewhere(tmp_path: Path) -> None:
    table = pd.DataFrame({"image_id": CELLS, "note": CELLS[::-1]}, dtype="str")
    write_csv(tmp_path / "t.csv", table)
    assert read_csv(tmp_path / "t.csv").reset_index(drop=True).equals(table)
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        assert [row["image_id"] for row in csv.DictReader(file)] == CELLS


def test_no_spreadsheet_computes_a_cell(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", pd.DataFrame({"image_id": FORMULAS, "score": -1.0}))
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image_id"] for row in rows] == [f"'{cell}" for cell in FORMULAS]
    assert {row["score"] for row in rows} == {"-1.0"}
    (tmp_path / "by hand.csv").write_text("image_id\n=1+1\n")
    assert read_csv(tmp_path / "by hand.csv")["image_id"].tolist() == ["=1+1"]


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"a,b\n1,2\n3,4\n", [2, 3]),
        (b"a,b\r\n1,2\r\n3,4\r\n", [2, 3]),
        (b"a,b\r1,2\r3,4\r", [2, 3]),  # spreadsheets of old Macs
        (b"\xef\xbb\xbfa,b\n1,2\n3,4", [2, 3]),
        (b"a,b\n\n1,2\n\n\n3,4\n\n", [3, 6]),
        (b'a,b\n1,"x\ny"\n3,4\n', [2, 4]),
        (b"\na,b\n1,2\n", [3]),
        (b"a,b\n", []),
        (b"a,b\n1\n", [2]),
        (b"a,b\n1,2,,\n", [2]),
    ],
)
def test_rows_know_their_line(tmp_path: Path, data: bytes, lines: list[int]) -> None:
    (tmp_path / "t.csv").write_bytes(data)
    table = read_csv(tmp_path / "t.csv")
    assert list(table.columns) == ["a", "b"]
    assert list(table.index) == lines
    assert all(isinstance(cell, str) for row in table.to_numpy() for cell in row)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"a;b\n1;2\n", "semicolons.*commas"),
        (b"a\tb\n1\t2\n", "tabs.*commas"),
        (b"a,b\n1,\0\n", "NUL"),
        ("a,b\n1,é\n".encode("utf-16"), "NUL"),
        ("a,b\n1,2\n1,é\n".encode("latin-1"), "line 3 is not UTF-8"),
        (b'a,b\n1,"2\n', "line 2"),
        (b'a,b\n1,"2"x\n', "line 2"),
        (b"a,b\n1,2\n1,2,3\n", "line 3: 3 cells for 2 columns"),
        (b"a,b,a\n1,2,3\n", "'a' stands twice"),
        (b"a,b\n1," + b"x" * 200_000 + b"\n", "line 2"),
    ],
)
def test_what_is_no_csv_is_named(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "t.csv").write_bytes(data)
    with pytest.raises(UserError, match=message) as caught:
        read_csv(tmp_path / "t.csv")
    assert str(tmp_path / "t.csv") in str(caught.value)


def test_empty_tables_survive_csv(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", decisions.empty())
    assert read_csv(tmp_path / "t.csv").columns.to_list() == list(decisions.COLUMNS)
