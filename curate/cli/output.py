"""What verbs print: text for people, JSON for machines."""

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def print_json(value: object) -> None:
    """One JSON document on stdout. NaN and infinities, which JSON lacks, become null."""
    print(json.dumps(_plain(value), ensure_ascii=False, indent=1))


def print_table(table: "pd.DataFrame", columns: list[str] | None = None) -> None:
    """An aligned table on stdout, cut to the terminal's width; whole when it goes into a file or a pipe."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    columns = columns or list(table.columns)
    view = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        numeric = table[name].dtype.kind in "iuf"
        view.add_column(
            name,
            justify="right" if numeric else "left",
            no_wrap=True,
            overflow="ellipsis" if sys.stdout.isatty() else "fold",
        )
    for row in table[columns].itertuples(index=False):
        view.add_row(*[Text(_cell(value)) for value in row])
    Console(width=None if sys.stdout.isatty() else 240).print(view)


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
    """`{"cat": 2, "dog": 1}` as `cat 2, dog 1`."""
    return ", ".join(f"{name} {count:,}" for name, count in values.items()) or "none"


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
    import pandas as pd

    if isinstance(value, pd.DataFrame):
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
