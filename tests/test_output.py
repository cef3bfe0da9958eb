"""Tables for people: fitted to a terminal, whole in a file or a pipe."""

import io
import json
import re

import pandas as pd
import pytest
from rich.cells import cell_len

from curate.cli import output

FINDINGS = pd.DataFrame(
    {
        "image_id": ["photos/train/eight/im0127.png", "photos/train/0/1.png"],
        "finder": ["conflicting_labels", "dark"],
        "score": [0.25, 0.5],
        "given_label": ["eight", "0"],
        "related_id": ["photos/train/eight/im0128.png", ""],
        "detail": ["one photo under two labels, eight and three", "99 % of the pixels are dark"],
    }
)


def printed(table: pd.DataFrame, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> str:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", str(width))
    output.print_table(table)
    return re.sub(r"\x1b\[\d*m", "", capsys.readouterr().out)


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_short_columns_are_whole_at_any_width(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    lines = printed(FINDINGS, width, monkeypatch, capsys).splitlines()
    assert max(map(len, lines)) <= width
    row = next(line for line in lines if "conflicting_labels" in line)
    assert "im0127.png" in row  # a name ends as it did, wherever it begins
    assert "0.250" in row


def test_what_has_no_room_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    said = printed(FINDINGS, 80, monkeypatch, capsys)
    assert "Left out, as the terminal is narrow: detail; they are in --json." in " ".join(said.split())
    assert "two labels" not in said
    assert "Left out" not in printed(FINDINGS, 120, monkeypatch, capsys)


def test_a_table_without_rows_has_its_head(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    assert "image_id" in printed(FINDINGS.iloc[:0], 200, monkeypatch, capsys)


def test_a_long_text_is_wrapped(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    table = pd.DataFrame({"name": ["dark"], "summary": ["Image whose lightest parts are " + "still " * 20 + "dark."]})
    said = printed(table, 50, monkeypatch, capsys)
    assert said.split().count("still") == 20
    assert "dark." in said


@pytest.mark.parametrize("width", [10, 30, 80])
def test_wide_signs_take_two_places(width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    said = printed(pd.DataFrame({"image_id": ["猫" * 60 + ".png"]}), width, monkeypatch, capsys)
    assert max(map(cell_len, said.splitlines())) <= width
    assert "png" in said


def test_empty_columns_make_room_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    said = printed(FINDINGS.assign(related_id="", given_label=""), 80, monkeypatch, capsys)
    assert "related_id" not in said
    assert "photo" in said  # of `detail`, which the two left no room for
    output.print_table([{"name": "a", "note": ""}, {"name": "b", "note": ""}])
    assert "note" not in capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: False, raising=False)
    output.print_table([{"name": "a", "note": ""}])
    assert "note" in capsys.readouterr().out


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_json_is_json_in_any_encoding(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding, errors="backslashreplace")
    monkeypatch.setattr("sys.stdout", out)
    output.print_json({"label": "é😀\udcff"})
    out.flush()
    assert json.loads(out.buffer.getvalue().decode(encoding)) == {"label": "é😀\udcff"}


def test_a_pipe_takes_all(capsys: pytest.CaptureFixture) -> None:
    output.print_table(FINDINGS)
    said = capsys.readouterr().out
    for text in ("photos/train/eight/im0127.png", "photos/train/eight/im0128.png", "eight and three"):
        assert text in said


def test_names_with_spaces_end_as_they_did(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    table = pd.DataFrame({"image_id": [f"Neue Bilder/train/a class/IMG {number} neu.png" for number in range(3)]})
    said = printed(table, 24, monkeypatch, capsys)
    assert all(f"IMG {number} neu.png" in said for number in range(3))


def test_tables_are_whole_in_a_pipe(capsys: pytest.CaptureFixture) -> None:
    row = {"image_id": "x" * 200, "related_id": "y" * 200, "detail": "a b " * 50 + "end"}
    output.print_table(pd.DataFrame([row]))
    line = capsys.readouterr().out.splitlines()[3]
    assert [len(part) for part in line.replace("a b ", "abcd").split()] == [200, 200, 203]


def test_a_long_word_is_wrapped_and_not_cut(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    table = pd.DataFrame({"command": ["add"], "arguments": ["source=/data/" + "x" * 60 + "/photos2"]})
    said = printed(table, 40, monkeypatch, capsys)
    assert "".join(said.split()).endswith("/photos2")
