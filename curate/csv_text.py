"""Tables as CSV that people edit: every cell is text and comes back as it was; what a spreadsheet broke is named.

Names of images and classes may be a stranger's, and a spreadsheet computes what begins like a formula. Such a cell is
written with an apostrophe before it, which is left out as it is read (OWASP, "CSV Injection").
"""

import csv
import io
import re
from pathlib import Path
from typing import Literal

import pandas as pd

from curate.errors import UserError
from curate.wording import middle

WAY_OUT = "save it as CSV in UTF-8, separated by commas"
LONGEST_NAME = 200
FORMULA = "'*[-=+@\t\r\uff1d\uff0b\uff0d\uff20]"
"""How a cell begins that a spreadsheet computes, the wide signs of Chinese and Japanese ones among them; and one that
would be read as such a cell, were no apostrophe added to those that it has."""
NUMBER = r"[-+](?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
"""Begins like a formula, and is none."""
MOST_COLUMNS = 1000
"""Ours have a dozen. Short rows are filled up, so that a file of 1 MB could come to 10,000,000,000 cells."""


def read_csv(path: Path) -> pd.DataFrame:
    """A CSV file's cells as text, an empty one as "". The index is the line in the file that a row begins on.

    Blank lines and columns without a name are left out, and an apostrophe before what a spreadsheet would compute; a
    row that is too short is filled up. Raises `UserError` with the line for what is no CSV in UTF-8 with commas.
    """
    data = path.read_bytes()
    if b"\0" in data:
        raise UserError(f"{path} is not a text in UTF-8 (it holds NUL bytes); {WAY_OUT}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}, line {line} is not UTF-8; {WAY_OUT}") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows, lines, begins = [], [], 1
    try:
        for row in reader:
            if row:
                rows.append(row)
                lines.append(begins)
            begins = reader.line_num + 1
    except csv.Error as error:
        raise UserError(f"{path}, line {begins}: {error}; {WAY_OUT}, or put it right by hand") from None
    if not rows:
        raise UserError(f"{path} is empty; its first line must name the columns")
    header = _checked(rows[0], path)
    for row, line in zip(rows, lines, strict=True):
        if any(row[len(header) :]):
            counts = f"{len(row)} cells for {len(header)} columns"
            raise UserError(
                f'{path}, line {line}: {counts}; a cell with a comma in it must stand in double quotes: "a, b"'
            )
    cells = [([_plain(cell) for cell in row] + [""] * len(header))[: len(header)] for row in rows[1:]]
    table = pd.DataFrame(cells, columns=header, index=pd.Index(lines[1:], dtype="int64"), dtype="str")
    return table.loc[:, [name != "" for name in header]]


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """The table without its index, lines ending in a line feed; an apostrophe before what a spreadsheet would compute.

    Raises `UserError` for a cell that could not be read back.
    """
    table = table.copy(deep=False)
    texts = [table[name] for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    quoted = quoting(pd.Series([*map(str, table.columns)], dtype="str"), *texts)
    for column in texts:
        _refuse(
            table, column, column.str.contains("\0", regex=False, na=False), "holds a NUL character, which no CSV holds"
        )
        limit = csv.field_size_limit()
        _refuse(table, column, column.str.len() > limit, f"has more than the {limit:,} characters of a cell of a CSV")
        table[column.name] = column.mask(
            column.str.match(FORMULA, na=False) & ~column.str.fullmatch(NUMBER, na=False), "'" + column
        )
    table.to_csv(path, index=False, lineterminator="\n", quoting=quoted)


def quoting(*columns: pd.Series) -> Literal[0, 1]:
    """How a table of these texts is quoted: all of it where a cell holds a carriage return. Python's csv quotes a lone
    one only then, and unquoted it would end the row."""
    has_return = any(column.str.contains("\r", regex=False).any() for column in columns)
    return csv.QUOTE_ALL if has_return else csv.QUOTE_MINIMAL


def _plain(cell: str) -> str:
    """A cell without the apostrophe that `write_csv` put before it."""
    return cell[1:] if cell[:1] == "'" and re.match(FORMULA, cell) else cell


def _refuse(table: pd.DataFrame, column: pd.Series, bad: pd.Series, why: str) -> None:
    if bad.any():
        row = middle(str(table.iloc[int(bad.to_numpy().argmax()), 0]))
        raise UserError(f"{column.name} of {row!r} {why}; nothing was written: put it right where it comes from")


def _checked(header: list[str], path: Path) -> list[str]:
    for mark, called in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and mark in header[0]:
            raise UserError(f"{path} is separated by {called}; {WAY_OUT}")
    if len(header) > MOST_COLUMNS:
        raise UserError(
            f"{path} has {len(header):,} columns, a table here at most {MOST_COLUMNS:,}; is it the right file?"
        )
    if (longest := max(map(len, header), default=0)) > LONGEST_NAME:
        raise UserError(f"{path}: a column's name has {longest:,} characters; is it the right file?")
    twice = [name for at, name in enumerate(header) if name and name in header[:at]]
    if twice:
        raise UserError(f"{path}: column {twice[0]!r} stands twice; keep one of them")
    return header
