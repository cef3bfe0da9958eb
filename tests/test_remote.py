"""Images behind URLs: read through fsspec, never outside the root that the user named."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from curate import remote, verbs
from curate.engine import Local
from curate.errors import UserError
from curate.images import ImageError, encode_png, read_bytes
from curate.ingest.add import add
from curate.layouts import Options, tables
from curate.tables import read_manifest
from curate.workspace import FINDINGS, Workspace
from tests.conftest import picture

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Eight photos, a mirrored copy of one, and a table that names them, and one more that is missing."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(8):
        (folder / f"{seed}.png").write_bytes(encode_png(picture(seed)))
    (folder / "again.png").write_bytes(encode_png(np.ascontiguousarray(picture(3)[:, ::-1])))
    names = sorted(path.name for path in folder.iterdir())
    table = tmp_path / "labels.csv"
    table.write_text(
        "path,label\n" + "".join(f"{name},{number % 2}\n" for number, name in enumerate([*names, "no.png"]))
    )
    return folder


def test_images_behind_urls_are_scanned_as_files_are(photos: Path, tmp_path: Path) -> None:
    found = []
    for root in (str(photos), f"file://{photos}/"):
        ws = Workspace(tmp_path / f"ws{len(found)}")
        added = add(ws, tmp_path / "labels.csv", options=Options(root=root))
        assert (added.added, added.undecodable) == (10, 1)
        assert verbs.scan(ws, only=None, settings={}, engine=Local(1)).flagged["near_duplicate"] == 1
        found.append(ws.path(FINDINGS).read_bytes())
    assert found[0] == found[1]
    paths = read_manifest(ws)["path"]
    assert set(paths.str.rpartition("/")[0]) == {f"file://{photos}"}


def test_a_store_is_asked_once_for_a_table(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(remote, "reach", asked.append)
    pd.read_csv(tmp_path / "labels.csv", dtype=str).to_parquet(tmp_path / "labels.parquet")
    for number, suffix in enumerate(("csv", "parquet")):
        added = add(
            Workspace(tmp_path / suffix), tmp_path / f"labels.{suffix}", options=Options(root=f"file://{photos}")
        )
        assert added.added == 10
        assert len(asked) == number + 1


@pytest.mark.parametrize("cell", ["../1.png", "a/../../1.png", "/1.png", "s3://other/1.png", "..", "."])
def test_no_path_leads_out_of_the_root(cell: str) -> None:
    with pytest.raises(UserError, match=r"line 2: path .* does not lie in s3://bucket/photos"):
        tables.path_within("s3://bucket/photos", cell, "line 2")


def test_paths_below_the_root() -> None:
    assert tables.path_within("s3://bucket/photos", "a/./b.png", "") == "s3://bucket/photos/a/b.png"
    fsspec.filesystem("memory").pipe_file("/photos/1.png", b"x")
    assert tables.root_of(Path("x.csv"), Options(root="memory://photos/")) == "memory://photos"


@pytest.mark.parametrize("root", ["memory://nowhere", "file:///nowhere"])
def test_a_root_that_is_not_there(root: str) -> None:
    with pytest.raises(UserError, match=rf"^{root} cannot be read: .*; check the name, and what fsspec is told"):
        tables.root_of(Path("x.csv"), Options(root=root))


@pytest.mark.parametrize("path", ["/data/s3://x.png", "photos/1.png", "c:/1.png", "1://x.png"])
def test_what_is_no_url(path: str) -> None:
    assert not remote.is_url(path)


def test_what_cannot_be_read_is_a_finding_not_a_crash() -> None:
    with pytest.raises(ImageError, match="absent"):
        read_bytes("memory://absent/1.png")


def test_what_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    fsspec.filesystem("memory").pipe_file("/large/1.png", b"x" * 2000)
    monkeypatch.setattr("curate.images.MAX_BYTES", 1000)
    with pytest.raises(ImageError, match="MB that are read"):
        read_bytes("memory://large/1.png")


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"^nothing:// cannot be read: Protocol not known: nothing"):
        read_bytes("nothing://bucket/1.png")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(
        UserError, match=r"^else:// needs more than is installed: .*; pip install 'curate-images\[remote\]'$"
    ):
        read_bytes("else://bucket/1.png")
