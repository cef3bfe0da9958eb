"""A CSV table with the columns path, label and split (or others, named by `--column`); files stay where they are."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from curate import csv_text
from curate.errors import UserError
from curate.layouts import Options, Sample, leaving, tables

PRIORITY = 20
ORIGINALS = True
LONGEST_HEADER = 100_000
"""Characters of a first line that are looked at to tell what a table is."""
TABLE = "labels.csv"
"""The table's name in a folder that `write` made."""


def recognises(path: Path) -> bool:
    """A .csv or .tsv file, or a folder with a `labels.csv` that has a path and a label."""
    if path.is_dir() and (path / TABLE).is_file():
        with (path / TABLE).open(encoding="utf-8-sig", errors="replace") as file:
            return {"path", "label"} <= set(next(csv.reader([file.readline(LONGEST_HEADER)]), []))
    return path.is_file() and path.suffix.lower() in (".csv", ".tsv")


def read(path: Path, options: Options) -> Iterator[Sample]:
    """Every row; missing files are rows with an error. Raises `UserError` with the line that a row begins on, for a
    path that stands twice or leaves the root, and for a quote that is not closed."""
    table = path / TABLE if path.is_dir() else path
    root = tables.root_of(table, options)
    seen: dict[str, int] = {}
    for line, row in _rows(table, options):
        where = f"{table}, line {line}"
        file = tables.path_within(root, row["path"], where)
        if file in seen:
            raise UserError(
                f"{where}: {tables.shown(row['path'])} stands in line {seen[file]} already; remove one of them"
            )
        seen[file] = line
        name, split = tables.name_within(root, file), tables.split_cell(row["split"], where)
        yield Sample(name, row["label"], split, file, image_id=row["image_id"], parent_id=row["parent_id"])


def write(table: pd.DataFrame, root: Path, dest: Path) -> int:
    """`labels.csv` (path, label, split, image_id, and parent_id if any is generated) beside `images/<split>/`."""
    columns = ["label", "split", "image_id", *(["parent_id"] if (table["parent_id"] != "").any() else [])]
    quoted = csv_text.quoting(*(table[name] for name in ("image_id", "path", "label")))
    with (dest / TABLE).open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n", quoting=quoted)
        lines.writerow(["path", *columns])
        names = leaving.Names()
        count = 0
        for image in leaving.images(table, root):
            path = names.free(f"images/{image.split}", leaving.file_name(image))
            leaving.save(image, dest / path)
            lines.writerow([path, *(getattr(image, name) for name in columns)])
            count += 1
    return count


def _rows(table: Path, options: Options) -> Iterator[tuple[int, dict[str, str]]]:
    """(line that it begins on, cells by what they are) of every row that is not empty."""
    begins = 1
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, delimiter="\t" if table.suffix.lower() == ".tsv" else ",", strict=True)
            header = next(lines, [])
            columns = {
                what: tables.column(options, what, header, str(table), needed=what in ("path", "label"))
                for what in ("path", "label", "split", "image_id", "parent_id")
            }
            at = {what: header.index(name) if name else None for what, name in columns.items()}
            begins = lines.line_num + 1
            for cells in lines:
                line, begins = begins, lines.line_num + 1
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(header):
                    raise UserError(
                        f"{table}, line {line}: {len(cells)} cells, the header has {len(header)}; "
                        "put cells that contain commas in quotes"
                    )
                yield line, {what: "" if place is None else cells[place] for what, place in at.items()}
    except UnicodeDecodeError as error:
        raise UserError(f"{table} is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except csv.Error as error:
        raise UserError(
            f"{table}, line {begins}: {error}; mend the row that begins there: a cell in quotes must end with one, and "
            "those within it are doubled"
        ) from None
    except OSError as error:
        raise UserError(f"{table} cannot be read: {error.strerror}") from None
