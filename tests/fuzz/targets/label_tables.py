"""CSV and TSV tables of labels; the first byte chooses, and which column is called otherwise."""

import os

from curate.layouts import Options, Sample
from curate.sources import csv
from tests.fuzz.contract import answered, file, scratch

NAMED = (Options(), Options(columns={"path": "file", "label": ""}), Options(classes={"0": "cat"}))


def seeds() -> list[bytes]:
    """Tables with and without splits, with quotes, blank lines, other columns and other line ends."""
    tables = [
        b"path,label,split\na.png,cat,train\nb/c.png,dog,test\n",
        b'\xef\xbb\xbfpath,label\r\n"a, b.png","ca""t"\r\n\r\nb.png,\r\n',
        b"label,path,note\ncat,./a.png,x\ndog,b/../c.png,y\n",
        "path,label\nä.png,katze\n".encode(),
    ]
    return [
        *(bytes([0]) + table for table in tables),
        bytes([1]) + tables[0].replace(b",", b"\t"),
        bytes([2]) + b"file\na.png\n",
    ]


def one(data: bytes) -> None:
    """Every row has a path in the table's folder."""
    choice = data[0] if data else 0
    path = file("table.tsv" if choice % 2 else "labels.csv", data[1:])
    with answered():
        csv.recognises(path)
        root = f"{scratch()}/"
        for sample in csv.read(path, NAMED[choice // 2 % len(NAMED)]):
            assert isinstance(sample, Sample)
            assert sample.path.startswith(root), sample.path
            assert os.path.normpath(sample.path) == sample.path, sample.path
