"""The ledger: damaged lines are left out or named, and any argument survives."""

from pathlib import Path

import pytest

from curate.errors import UserError
from curate.workspace import LEDGER, Workspace


def good(version: int) -> bytes:
    return b'{"version": %d, "at": "", "command": "c\xc3\xa9", "arguments": {}}' % version


@pytest.mark.parametrize(
    ("text", "known"),
    [
        (b"", 0),
        (b"\n", 0),
        (good(1) + b"\n", 1),
        (good(1), 1),  # complete, though its line end is missing
        (good(1) + b"\n\n\n", 1),
        (good(1) + b"\r\n", 1),
        (good(1) + b"\n" + good(2)[:20], 1),
        (good(1) + b"\n" + good(2)[:-25], 1),
        (good(1) + b"\n" + good(2)[:46], 1),  # cut within a character
        (good(1) + b"\n" + b"\0" * 512, 1),  # what a power failure leaves on some file systems
        (good(1) + b"\n" + b"\0" * 512 + b"\n", 1),
        (good(1) + b"\n" + b"\xff\xfe\n", 1),
        (good(1) + b"\nnull\n", 1),
        (b"garbage", 0),
    ],
)
def test_damaged_last_line_is_left_out_and_healed(tmp_path: Path, text: bytes, known: int) -> None:
    workspace = Workspace(tmp_path)
    workspace.path(LEDGER).write_bytes(text)
    assert [entry.version for entry in workspace.ledger()] == list(range(1, known + 1))
    for command in ("one", "two"):
        with workspace.writing(command, {}):
            pass
    assert [entry.version for entry in workspace.ledger()] == list(range(1, known + 3))
    assert workspace.path(LEDGER).read_bytes().startswith(text[: len(good(1))] if known else b"{")


@pytest.mark.parametrize(
    "line", [b"", b"garbage", b"\0\0", b"\xff", b"[]", b'{"version": 1}', b'{"new": 1, "version": 2}']
)
def test_damaged_line_in_the_middle_is_named(tmp_path: Path, line: bytes) -> None:
    (tmp_path / LEDGER).write_bytes(good(1) + b"\n" + line + b"\n" + good(3) + b"\n")
    with pytest.raises(UserError, match=r"ledger\.jsonl, line 2 is damaged"):
        Workspace(tmp_path).ledger()


@pytest.mark.parametrize("versions", [(1, 2, 2), (1, 2, 3, 2, 3)])
def test_lines_of_two_branches_are_named(tmp_path: Path, versions: tuple[int, ...]) -> None:
    (tmp_path / LEDGER).write_bytes(b"".join(good(version) + b"\n" for version in versions))
    line, before = (4, 3) if len(versions) > 3 else (3, 2)
    with pytest.raises(UserError, match=rf"line {line}: version 2 comes after version {before}; .* keep one branch's"):
        Workspace(tmp_path).state(2)


@pytest.mark.parametrize("text", ["photos/caf\u00e9", "a\nb", "a\u2028b", "a\u0085b", "\udcff", '"', "\x1b[31m"])
def test_any_argument_survives_the_ledger(tmp_path: Path, text: str) -> None:
    workspace = Workspace(tmp_path)
    for _ in range(2):
        with workspace.writing("add", {"source": text}):
            pass
    assert [entry.arguments for entry in workspace.ledger()] == [{"source": text}] * 2
