"""CSV tables of paths: columns, root, and a line number for every problem."""

from pathlib import Path

import pytest

from curate import sources
from curate.errors import UserError
from curate.export import export
from curate.ingest.add import add
from curate.layouts import Sample
from curate.tables import read_manifest
from curate.workspace import Workspace
from tests.conftest import write_tree
from tests.sources.reading import read


def make_csv(root: Path, text: str, name: str = "table.csv") -> Path:
    write_tree(root, ["a.png", "sub/b.png"])
    (root / name).write_bytes(text.encode())
    return root / name


def test_csv(tmp_path: Path) -> None:
    path = make_csv(tmp_path, '\ufeffpath,label,split\na.png,"cat, young",train\n\nsub/b.png,,VALID\nc.png,dog,\n')
    samples, _ = read(path)
    assert [(sample.name, sample.label, sample.split) for sample in samples] == [
        ("a.png", "cat, young", "train"),
        ("sub/b.png", "", "val"),
        ("c.png", "dog", ""),
    ]
    assert samples[0].path == str(tmp_path / "a.png")


def test_csv_columns_and_root(tmp_path: Path) -> None:
    samples, _ = read(
        make_csv(tmp_path, "file,class\nb.png,cat\n"), columns={"path": "file", "label": "class"}, root=tmp_path / "sub"
    )
    assert samples == [Sample("b.png", "cat", "", str(tmp_path / "sub/b.png"))]
    samples, _ = read(make_csv(tmp_path, "path\na.png\n"), columns={"label": ""})
    assert samples[0].label == ""


CSV_PROBLEMS = {
    "no label": ("path,class\na.png,cat\n", r"no column 'label'; there are: 'path', 'class'"),
    "empty": ("", "table.csv is empty; its first line must name the columns"),
    "column twice": ("path,label,label\na.png,cat,dog\n", "column 'label' stands twice"),
    "twice": ("path,label\na.png,cat\nsub/b.png,dog\n./a.png,dog\n", "line 4: './a.png' stands in line 2"),
    "leaves the root": ("path,label\na.png,cat\n../x.png,cat\n", r"line 3: .*--root"),
    "absolute": ("path,label\n/etc/passwd,cat\n", r"line 2: .*--root"),
    "empty path": ("path,label\n,cat\n", "line 2 has no path"),
    "blank path": ('path,label\n" ",cat\n', "line 2 has no path"),
    "leaves the root, as Windows has it": ("path,label\n..\\.,cat\n", r"line 2: .*--root"),
    "unknown split": ("path,label,split\na.png,cat,dev\n", "line 2: no split is called 'dev'"),
    "an open quote": ('path,label\na.png,"cat\nb.png,dog\nc.png,cat\n', "line 2: unexpected end of data"),
    "an open quote in the header": ('path,"label\na.png,cat\n', "line 1: unexpected end of data"),
    "an open quote below a row of two lines": (
        'path,label\n"a\n.png",cat\n\nsub/b.png,"dog\nc.png,cat\n',
        "line 5: unexpected end of data",
    ),
    "a quote within quotes": ('path,label\na.png,"cat" 2\n', "line 2: .* expected after"),
    "twice, in rows of two lines": (
        'path,label\na.png,"c\nat"\nsub/b.png,dog\na.png,"c\nat"\n',
        "line 5: 'a.png' stands in line 2",
    ),
    "too many cells": ("path,label\na.png,cat,young\n", "line 2: 3 cells"),
}


@pytest.mark.parametrize("case", CSV_PROBLEMS)
def test_csv_problems_name_the_line(tmp_path: Path, case: str) -> None:
    text, message = CSV_PROBLEMS[case]
    with pytest.raises(UserError, match=message):
        read(make_csv(tmp_path, text))


def test_rows_of_empty_cells_are_left_out(tmp_path: Path) -> None:
    samples, _ = read(make_csv(tmp_path, "path,label,split\n,,\na.png,cat,\n , ,\n,\n"))
    assert [sample.name for sample in samples] == ["a.png"]


def test_paths_of_windows_are_read_where_there_is_no_file_as_named(tmp_path: Path) -> None:
    table = make_csv(tmp_path, "path,label\nsub\\b.png,cat\nsub\\c.png,cat\nd\\e.png,cat\n")
    write_tree(tmp_path, ["sub\\c.png", "sub/c.png"])
    samples, _ = read(table)
    assert [sample.name for sample in samples] == ["sub/b.png", "sub\\c.png", "d\\e.png"]
    assert [Path(sample.path).exists() for sample in samples] == [True, True, False]


def test_csv_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes("path,label\na.png,Bär\n".encode("latin1"))
    with pytest.raises(UserError, match="UTF-8"):
        read(tmp_path / "table.csv")


@pytest.mark.parametrize("header", ["path,label", '"path","label"', '"path", "label"'])
def test_folder_with_a_table_is_known_by_its_header(tmp_path: Path, header: str) -> None:
    make_csv(tmp_path, f"{header}\na.png,cat\n", "labels.csv")
    assert sources.recognise(tmp_path) == ("folder" if ", " in header else "csv")


def test_a_carriage_return_in_a_name_or_label_comes_back(tmp_path: Path) -> None:
    ws = Workspace(tmp_path / "ws")
    add(ws, write_tree(tmp_path / "photos", ["ca\rt/a\rb.png", "dog/c.png"]))
    export(read_manifest(ws), ws.root, tmp_path / "out", "csv")
    samples, _ = read(tmp_path / "out")
    assert {(sample.label, Path(sample.path).is_file()) for sample in samples} == {("ca\rt", True), ("dog", True)}
