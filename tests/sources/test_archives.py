"""Tar and zip files: read in any compression, and refused where they lead out, are cut short or locked."""

import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from curate.errors import UserError
from curate.layouts import Skipped
from tests.conftest import png
from tests.sources.reading import EVIL_NAMES, make_tar, make_zip, read


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


CLASS_FOLDERS = {"./set/cat/1.png": png(1), "set/dog/ü 2.png": png(2), "set/dog/._2.png": b"", "set/notes.txt": b"no"}


@pytest.mark.parametrize(
    ("name", "mode"), [("a.tar", "w"), ("a.tar.gz", "w:gz"), ("a.tbz2", "w:bz2"), ("a.tar.xz", "w:xz")]
)
def test_tar_in_any_compression(tmp_path: Path, name: str, mode: str) -> None:
    samples, skipped = read(make_tar(tmp_path / name, CLASS_FOLDERS, mode))
    assert {sample.name: sample.data for sample in samples} == {"set/cat/1.png": png(1), "set/dog/ü 2.png": png(2)}
    assert skipped == [Skipped("set/notes.txt", "not an image")]


def test_tar_zst(tmp_path: Path) -> None:
    plain = make_tar(tmp_path / "a.tar", CLASS_FOLDERS).read_bytes()
    with pa.CompressedOutputStream(str(tmp_path / "b.tar.zst"), "zstd") as file:
        file.write(plain)
    assert len(read(tmp_path / "b.tar.zst")[0]) == 2


def test_zip(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {**CLASS_FOLDERS, "set\\cow\\3.png": png(3), "__MACOSX/set/._1.png": b"x"})
    samples, skipped = read(path)
    assert [sample.name for sample in samples] == ["set/cat/1.png", "set/dog/ü 2.png", "set/cow/3.png"]
    assert skipped == [Skipped("set/notes.txt", "not an image")]


@pytest.mark.parametrize(
    ("name", "stored", "flagged"),
    [
        ("chürch/猫.png", "utf-8", True),
        ("chürch/猫.png", "utf-8", False),  # as Info-ZIP does
        ("chürch/ä.png", "cp437", False),
        ("cat/1.png", "ascii", False),
    ],
)
def test_names_in_a_zip_whatever_its_flag_says(tmp_path: Path, name: str, stored: str, flagged: bool) -> None:
    plain = "".join(letter if letter.isascii() else "_" * len(letter.encode(stored)) for letter in name)
    packed = bytearray(make_zip(tmp_path / "a.zip", {plain: png(1)}).read_bytes())
    packed = packed.replace(plain.encode(), name.encode(stored))
    if flagged:
        packed[7] |= 8
        packed[packed.index(b"PK\x01\x02") + 9] |= 8
    (tmp_path / "a.zip").write_bytes(packed)
    assert [sample.name for sample in read(tmp_path / "a.zip")[0]] == [name]


@pytest.mark.parametrize("name", EVIL_NAMES)
@pytest.mark.parametrize("make", [make_tar, make_zip])
def test_archives_whose_names_lead_out_are_refused(tmp_path: Path, make: Callable[..., Path], name: str) -> None:
    path = make(tmp_path / ("a.tar" if make is make_tar else "a.zip"), {"cat/0.png": png(0), name: png(1)})
    with pytest.raises(UserError, match="leads out"):
        read(path)


def test_links_and_devices_in_archives_are_counted(tmp_path: Path) -> None:
    odd = {
        "cat/link.png": special("cat/link.png", tarfile.SYMTYPE, "/etc/passwd"),
        "cat/hard.png": special("cat/hard.png", tarfile.LNKTYPE, "/etc/passwd"),
        "cat/pipe.png": special("cat/pipe.png", tarfile.FIFOTYPE),
        "cat/disk.png": special("cat/disk.png", tarfile.BLKTYPE),
    }
    samples, skipped = read(make_tar(tmp_path / "a.tar", {"cat/1.png": png(1), **odd}))
    assert [sample.name for sample in samples] == ["cat/1.png"]
    assert [item.why for item in skipped] == ["link or device"] * 4

    link = zipfile.ZipInfo("cat/link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("cat/1.png", png(1))
    samples, skipped = read(tmp_path / "a.zip")
    assert [item.why for item in skipped] == ["link or device"]


@pytest.mark.parametrize(
    ("name", "mode"), [("a.tar", "w"), ("a.tar.gz", "w:gz"), ("a.tar.bz2", "w:bz2"), ("a.tar.xz", "w:xz")]
)
@pytest.mark.parametrize("part", [0.0, 0.3, 0.7, 0.95])
def test_truncated_tar_is_refused(tmp_path: Path, name: str, mode: str, part: float) -> None:
    rng = np.random.default_rng(0)
    members = {f"cat/{number}.png": rng.bytes(3000) for number in range(40)}
    whole = make_tar(tmp_path / name, members, mode).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(len(whole.rstrip(b"\0")) * part)])
    with pytest.raises(UserError, match="cut short"):
        read(tmp_path / name)


def test_tar_cut_between_members_is_refused(tmp_path: Path) -> None:
    whole = make_tar(
        tmp_path / "a.tar", {f"cat/{number}.png": bytes([number + 1]) * 512 for number in range(4)}
    ).read_bytes()
    (tmp_path / "a.tar").write_bytes(whole[:2048])
    with pytest.raises(UserError, match="cut short"):
        read(tmp_path / "a.tar")


def test_truncated_and_encrypted_zip_are_refused(tmp_path: Path) -> None:
    whole = make_zip(tmp_path / "a.zip", {"cat/1.png": png(1)}).read_bytes()
    (tmp_path / "a.zip").write_bytes(whole[:-30])
    with pytest.raises(UserError, match="cut short"):
        read(tmp_path / "a.zip")
    locked = bytearray(whole)
    locked[6] |= 1
    locked[whole.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "b.zip").write_bytes(locked)
    with pytest.raises(UserError, match="encrypted"):
        read(tmp_path / "b.zip")
    damaged = bytearray(whole)
    damaged[60] ^= 255
    (tmp_path / "c.zip").write_bytes(damaged)
    with pytest.raises(UserError, match="damaged"):
        read(tmp_path / "c.zip")
