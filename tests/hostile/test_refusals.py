"""What once went wrong with hostile files: each is refused in one line, or read without harm."""

import gzip
import random
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from curate import csv_text, recipe
from curate.cli import output
from curate.engine import CRASHED
from curate.errors import UserError
from curate.ingest.add import add
from curate.layouts import Options, Sample, archives
from curate.review import sheet
from curate.sources import webdataset
from curate.sources.parquet import _rows_at_once
from curate.workspace import MANIFEST, Workspace, read_table
from tests.hostile import containers, pickles, pictures, texts
from tests.hostile.containers import packed, sparse, tar
from tests.hostile.pickles import batch, cifar

ROOT = Path(__file__).parents[2]
PNG = pictures.encoded(".png", pictures.drawn(random.Random(0)))
NESTED: list = [b"x"]
for _ in range(40):
    NESTED = [NESTED, NESTED]


def header(kind: bytes, size: int) -> bytes:
    """A tar file that begins with a header of that type, which claims to be followed by so many bytes."""
    info = tarfile.TarInfo("cat/1.png")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT) + PNG.ljust(20_480, b"\0")


REFUSED: dict[str, tuple[str, bytes, str]] = {
    "tar of 4 EB, which tarfile would look through": ("a.tar", header(tarfile.REGTYPE, 2**62), "decompression bomb"),
    "name of 8 GB, which tarfile would hold": (
        "a.tar.gz",
        gzip.compress(header(tarfile.GNUTYPE_LONGNAME, 2**33)),
        "header",
    ),
    "attributes of 8 GB": (
        "a.tar.gz",
        gzip.compress(header(tarfile.XHDTYPE, 2**33)),
        "a header of 8,589,934,592 bytes",
    ),
    "zip with one content for all": ("a.zip", containers.overlapping(PNG, 50, method=0), "share the same bytes"),
    "zip with a header that lies": ("a.zip", packed([("a.png", PNG)]).replace(b"a.png", b"b.png", 1), "is damaged"),
    "numbers for class names": ("a.tar", cifar(batches_meta={b"label_names": [1, 2]}), "no list of class names"),
    "class names that grow": ("a.tar", cifar(batches_meta={b"label_names": [NESTED]}), "no list of class names"),
    "file names that grow": ("a.tar", cifar(data_batch_1=batch(filenames=[NESTED] * 3)), "no CIFAR batch"),
    "labels that are no numbers": ("a.tar", cifar(data_batch_1=batch(labels=[None] * 3)), "no CIFAR batch"),
    "labels too long for int": ("a.tar", cifar(data_batch_1=batch(labels=[10**5000] * 3)), "has not a label"),
    "a memo of 8 GB": ("a.tar", cifar(data_batch_1=b"\x80\x02Nr\xff\xff\xff\x3f."), "no CIFAR file"),
    "keys that are hashed for ever": (
        "a.tar",
        cifar(data_batch_1=b"\x80\x02})q\0" + b"h\0h\0\x86q\0" * 60 + b"K\1s."),
        "asks for a key that is no text",
    ),
    "memory that held something else": (
        "a.tar",
        cifar(data_batch_1=b"cnumpy\nndarray\n((I9\nI3072\nttR."),
        "asks for a call of numpy.ndarray",
    ),
    "bytes that are numbers": ("a.parquet", texts.table(image=[{"bytes": 5}], label=["x"]), "must hold images"),
    "paths that are numbers": ("a.parquet", texts.table(path=[5], label=["x"]), "'path' is of type int64"),
    "lists for labels": ("a.parquet", texts.table(image=[PNG], label=[[1]]), "must hold text or whole numbers"),
    "names that are none": (
        "a.parquet",
        texts.table(
            b'{"info": {"features": {"label": {"_type": "ClassLabel", "names": [5]}}}}', image=[PNG], label=[0]
        ),
        "no list of class names",
    ),
    "a million columns": ("a.csv", b",".join(b"c%d" % number for number in range(1_000_000)), "'c19', …"),
    "a path as long as a file": ("a.csv", b"path,label\n/" + b"x" * 100_000 + b",y\n", "xx…xx"),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_refused_in_one_line(case: str, tmp_path: Path) -> None:
    name, content, message = REFUSED[case]
    (tmp_path / name).write_bytes(content)
    ws = Workspace(tmp_path / "ws")
    with pytest.raises(UserError, match=message) as caught:
        add(ws, tmp_path / name, workers=1)
    assert len(str(caught.value)) < 1000
    assert "\n" not in str(caught.value)
    assert not (ws.root / MANIFEST).exists()
    assert not list(ws.root.glob("images/*"))


LEADING_OUT = ("../../../../out", "/absolute/out", "..", ".", "a/../../../../b")


@pytest.mark.parametrize("name", list(LEADING_OUT))
def test_class_names_do_not_lead_out(name: str, tmp_path: Path) -> None:
    """They once did: a CIFAR archive could write its PNG files anywhere."""
    (tmp_path / "a.tar").write_bytes(cifar(batches_meta={b"label_names": [name.encode(), b"dog"]}))
    ws = Workspace(tmp_path / "deep" / "er" / "ws")
    add(ws, tmp_path / "a.tar", workers=1)
    rows = read_table(ws.path(MANIFEST))
    assert set(rows["label"]) == {name, "dog"}
    there = set(tmp_path.rglob("*.png"))
    assert there == {(ws.root / path).resolve() for path in rows["path"]}
    assert all(path.is_relative_to(ws.root) for path in there)


@pytest.mark.parametrize("make", [pickles.calls, containers.paths])
def test_nothing_runs_and_nothing_leads_out(make: Callable, tmp_path: Path) -> None:
    """A few of a corpus, here in one process; `tests/hostile/test_trial.py` and the benchmark give more of it."""
    canary = tmp_path / "canary"
    canary.mkdir()
    for number, (name, content) in enumerate(make(random.Random(0), canary)):
        if number % 6:
            continue
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError):
            add(Workspace(tmp_path / "ws"), tmp_path / name, workers=1)
    assert not list(canary.iterdir())
    assert not list((tmp_path / "ws").glob("images/*"))


def test_an_archive_may_come_to_much_only_where_it_is_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "FREE_BYTES", 50_000)
    zeros = bytes(600_000)
    grown = tar([("a.txt", zeros)])
    sparsely = b"".join(sparse(20_000)[:-1024] for _ in range(3)) + bytes(1024)
    monkeypatch.setattr(archives, "TIMES", 2)
    for name, data in {
        "a.zip": packed([("a.txt", zeros)]),
        "a.tar.gz": gzip.compress(grown),
        "c.tar": sparsely,
    }.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(
            UserError, match=r"says it comes to .*: a decompression bomb, or damaged; nothing was added"
        ):
            add(Workspace(tmp_path / "ws"), tmp_path / name, workers=1)
    (tmp_path / "b.tar").write_bytes(tar([("a.txt", zeros), ("cat/1.png", PNG)]))
    assert add(Workspace(tmp_path / "ws"), tmp_path / "b.tar", workers=1).added == 1


def test_of_many_images_of_one_key_one_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = tmp_path / "train.tar"
    shard.write_bytes(
        tar([("a.1.png", PNG), ("a.2.png", PNG), ("a.mask", PNG), ("a.cls", b"7"), ("b.png", PNG * 9), ("b.cls", b"8")])
    )
    ((_, parts), _) = webdataset._groups(shard)
    assert {suffix: type(content) for suffix, content in parts.items()} == {
        ".1.png": bytes,
        ".2.png": int,
        ".mask": int,
        ".cls": bytes,
    }
    monkeypatch.setattr(webdataset, "MAX_BYTES", len(PNG))
    samples = [item for item in webdataset.read(shard, Options()) if isinstance(item, Sample)]
    assert [(item.label, item.data is None, item.error != "") for item in samples] == [
        ("7", False, False),
        ("8", True, True),
    ]


def test_rows_of_which_one_may_stand_for_many_are_read_one_by_one(tmp_path: Path) -> None:
    counts = {}
    photos = [{"bytes": random.Random(seed).randbytes(20_000), "path": "x"} for seed in range(64)]
    for name, images in {"photos": photos, "zeros": [{"bytes": bytes(20_000), "path": "x"}] * 64}.items():
        (tmp_path / name).write_bytes(texts.table(image=images, label=["x"] * 64))
        counts[name] = _rows_at_once(tmp_path / name, "image")
    assert counts == {"photos": 64, "zeros": 1}


FLIPS = """
from tests.fuzz.targets import parquet_tables

seed = parquet_tables.seeds()[2]
end = len(seed) - 8
begin = end - int.from_bytes(seed[end : end + 4], "little")
for at in range(begin, end):
    for value in (0, 1, 0x15, 0x7F, 0xFF):
        parquet_tables.one(seed[:at] + bytes([value]) + seed[at + 1 :])
"""


def test_no_byte_of_a_parquet_footer_ends_the_process() -> None:
    """Arrow ends it, with no error to catch, when asked for the metadata of a column that is damaged."""
    run = subprocess.run([sys.executable, "-c", FLIPS], capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr[-2000:]


@pytest.mark.parametrize(
    "value", ["!!timestamp x", "!!int ''", "!!bool x", "!!float ''", "0x" + "f" * 5000, "9:" * 400 + "9.0"]
)
def test_recipes_with_tags(value: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(f"summary: {value}\n")
    with pytest.raises(UserError, match=r"x\.yaml"):
        recipe.load(tmp_path / "x.yaml")


@pytest.mark.parametrize(("said", "label"), [("\\ud800x", "?x"), ("\\u0000x", "\ufffdx"), ("\\u00e9", "\u00e9")])
def test_labels_that_no_table_can_hold(said: str, label: str, tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tar([("a.png", PNG), ("a.json", f'{{"label": "{said}"}}'.encode())]))
    ws = Workspace(tmp_path / "ws")
    add(ws, tmp_path / "a.tar", workers=1)
    assert read_table(ws.path(MANIFEST))["label"].to_list() == [label]


def test_the_sheet_decodes_nothing_that_is_corrupt(tmp_path: Path) -> None:
    """It may be what crashes a decoder; here both files would do."""
    paths = [str(tmp_path / name) for name in ("a.png", "b.png", "c.png")]
    for path in paths:
        Path(path).write_bytes(PNG)
    because = ["corrupt;odd_size", "odd_size", "label_error;corrupt"]
    asked = pd.DataFrame({"path": paths, "because": because, "detail": [CRASHED, "", "networks say dog"]})
    shown = sheet._pictures_of(asked)
    assert {Path(path).name: (picture.uri != "", picture.reason) for path, picture in shown.items()} == {
        "a.png": (False, CRASHED),
        "b.png": (True, ""),
        "c.png": (False, "cannot be decoded"),
    }


def test_a_column_that_is_half_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("image_id," + "x" * 5000 + "\n")
    with pytest.raises(UserError, match=r"a column's name has 5,000 characters; is it the right file\?"):
        csv_text.read_csv(tmp_path / "a.csv")


@pytest.mark.parametrize("name", ["c\x1b[31mat", "c\nat", "c\rat", "c\u202eat"], ids=ascii)
def test_names_of_classes_reach_the_terminal_as_text(name: str) -> None:
    assert output.counts({name: 2, "dog": 1000}) == f"{ascii(name)[1:-1]} 2, dog 1,000"
