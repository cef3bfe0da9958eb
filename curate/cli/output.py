"""What verbs print: text for people, JSON for machines."""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

FILE_NAMES = ("image_id", "related_id", "path", "like")
"""Columns whose texts tell more by their end."""
SHORT, NARROW = 20, 13
"""Characters up to which a column stays whole, and that a longer one has at least. Chosen by eye."""
BETWEEN, EDGES = 3, 2
"""Characters between two columns, and at both ends of a line."""


def print_json(value: object) -> None:
    """One JSON document on stdout. NaN and infinities, which JSON lacks, become null."""
    whole = (sys.stdout.encoding or "utf-8").lower().replace("-", "") == "utf8"  # else what it lacks would be no JSON
    print(json.dumps(_plain(value), ensure_ascii=not whole, indent=1))


def print_table(table: "pd.DataFrame | Sequence[Mapping[str, object]]", columns: list[str] | None = None) -> None:
    """An aligned table on stdout, fitted to the terminal's width; whole when it goes into a file or a pipe.

    On a terminal, columns without any text are left out. Where it is too wide still, names of files lose their
    beginning and long texts are wrapped; short columns stay whole. Where that is not enough, the last columns are left
    out, which a line says.
    """
    from rich import box
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if isinstance(table, Sequence):
        columns = columns or list(table[0] if table else ())
        values = {name: [row[name] for row in table] for name in columns}
    else:
        columns = columns or list(table.columns)
        values = {name: table[name].to_list() for name in columns}
    to_terminal = sys.stdout.isatty()
    cells = {name: [_cell(value) for value in column] for name, column in values.items()}
    columns = [name for name in columns if any(cells[name]) or not (to_terminal and cells[name])]
    natural = {name: max(map(cell_len, (name, *cells[name]))) for name in columns}
    console = Console(width=None if to_terminal else EDGES + sum(natural.values()) + BETWEEN * len(natural))
    widths = _fitted(natural, console.width) if to_terminal else natural
    view = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, width in widths.items():
        numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values[name])
        view.add_column(name, justify="right" if numeric else "left", min_width=width, overflow="fold")
    for row in zip(*(cells[name] for name in widths), strict=True):
        fitted = zip(widths.items(), row, strict=True)
        view.add_row(*[Text(_end(text, width) if name in FILE_NAMES else text) for (name, width), text in fitted])
    console.print(view)
    if left_out := [name for name in columns if name not in widths]:
        console.print(f"Left out, as the terminal is narrow: {', '.join(left_out)}; they are in --json.", markup=False)


def _fitted(natural: dict[str, int], width: int) -> dict[str, int]:
    """Widths of the columns that a terminal has room for. natural: those of whole columns, in characters."""
    for count in range(len(natural), 1, -1):
        kept = dict(list(natural.items())[:count])
        long = [name for name in kept if kept[name] > SHORT]
        room = width - EDGES - BETWEEN * (count - 1) - sum(each for each in kept.values() if each <= SHORT)
        if not long and room >= 0:
            return kept
        if long and room >= len(long) * min(NARROW, *(kept[name] for name in long)):
            for number, name in enumerate(sorted(long, key=lambda name: kept[name])):  # what one leaves is the others'
                kept[name] = min(kept[name], room // (len(long) - number))
                room -= kept[name]
            return kept
    return {name: min(each, max(1, width - EDGES)) for name, each in list(natural.items())[:1]}


def _end(text: str, width: int) -> str:
    """A name of a file that ends as it did: `…/cat/1.jpg`."""
    from rich.cells import cell_len

    if cell_len(text) <= width:
        return text
    while cell_len(text) > width - 1:
        text = text[1:]
    return f"…{text}"


def say(*lines: str) -> None:
    """Lines for people, on stdout."""
    for line in lines:
        print(line)


def warn(lines: list[str], *, most: int = 5) -> None:
    """Warnings on stderr: the first few, and how many more there are."""
    for line in lines[:most]:
        print(f"curate: {one_line(line)}", file=sys.stderr)
    if len(lines) > most:
        print(f"curate: … and {len(lines) - most:,} more", file=sys.stderr)


def one_line(text: str) -> str:
    """The text with line ends and other control characters written out: names of files may hold any of them."""
    return "".join(sign if sign.isprintable() else _escape(sign) for sign in text)


def counts(values: Mapping[str, int]) -> str:
    """`{"cat": 2, "dog": 1}` as `cat 2, dog 1`: names of classes may hold anything."""
    return ", ".join(f"{one_line(name)} {count:,}" for name, count in values.items()) or "none"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.3f}"
    if isinstance(value, bool):
        return "yes" if value else ""
    return one_line(str(value))


def _escape(sign: str) -> str:
    return sign.encode("unicode_escape", errors="surrogatepass").decode()


def _plain(value: object) -> object:
    """Dataclasses, tables, arrays and paths as what JSON knows."""
    import numpy as np

    pandas = sys.modules.get("pandas")  # where it is not imported there is no table
    if pandas and isinstance(value, pandas.DataFrame):
        return [_plain(row) for row in value.to_dict("records")]
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
