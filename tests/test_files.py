"""Files are complete or not there, whatever happens while they are written."""

import os
import stat
from pathlib import Path

import pytest

from curate.files import TEMPORARY_PREFIX, file_hash, replacing, write_bytes_atomic, write_json


@pytest.mark.parametrize("data", [b"", b"x", b"\0" * 3_000_000])
def test_bytes_come_back(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "new folder" / "file.bin"
    write_bytes_atomic(path, data)
    assert path.read_bytes() == data
    assert [item.name for item in path.parent.iterdir()] == ["file.bin"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_what_was_there_stays_when_writing_fails(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "table.parquet"
    path.write_bytes(b"before")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_bytes(b"half")
            raise error

    with pytest.raises(error):
        fail()
    assert {item.name: item.read_bytes() for item in tmp_path.iterdir()} == {"table.parquet": b"before"}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_json_holds_what_json_lacks(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "result.json", {"accuracy": value})
    assert not list(tmp_path.iterdir())


def test_temporary_name_is_hidden_and_keeps_the_suffix(tmp_path: Path) -> None:
    with replacing(tmp_path / "table.parquet") as temporary:
        assert temporary.name.startswith(TEMPORARY_PREFIX)
        assert temporary.suffix == ".parquet"
        assert temporary.parent == tmp_path  # a rename across file systems is not atomic


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_permissions_follow_the_umask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        write_bytes_atomic(tmp_path / "file", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~mask


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_file_hash_follows_the_content_alone(tmp_path: Path, size: int) -> None:
    one, same, other = (tmp_path / name for name in ("one", "same", "other"))
    one.write_bytes(b"a" * size)
    same.write_bytes(b"a" * size)
    other.write_bytes(b"a" * size + b"b")
    assert file_hash(one) == file_hash(same) != file_hash(other)
    assert len(file_hash(one)) == 32
