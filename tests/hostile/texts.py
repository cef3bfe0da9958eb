"""Tables, recipes and notes that are no such thing, or more than that: CSV, Parquet, YAML, JSON."""

import io
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.hostile.containers import tar
from tests.hostile.names import NAMES, with_slashes
from tests.hostile.pictures import File, drawn, encoded

PICTURES = ("a.png", "b.png")
"""Lie beside every table."""
ENCODINGS = ("latin-1", "utf-16", "utf-16-le", "utf-32", "utf-8-sig", "shift_jis", "cp1252", "utf-7")
BROKEN = (
    b"",
    b"\n",
    b"\xef\xbb\xbf",
    b"\0" * 500,
    b"path,label\n\xff\xfe.png,x\n",
    b"path,label,split\r\ra.png,cat,train\r",
    b'path,label\n"a.png,cat\n',
    b'path,label\n"a.png"x,cat\n',
    b'path,label\na.png,"c\0at"\n',
    b"path,label\na.png\n",
    b"path,label\na.png,cat,train,more\n",
    b"path;label\na.png;cat\n",
    b"path\tlabel\na.png\tcat\n",
    b"path,path,label\na.png,b.png,cat\n",
    b"path,label,label\na.png,cat,dog\n",
    b",,,\n,,,\n",
    b"label\ncat\n",
    b"path,label\n" + b"a.png,cat\n" * 3,
    b"path,label\n" + b"x" * 3_000_000 + b",cat\n",
    b"path,label\na.png," + b"y" * 200_000 + b"\n",
    b"x" * 3_000_000,
    b'"' * 1_000_001,
    b"path,label\n" + b'"' * 300_000,
    b",".join(b"c%d" % number for number in range(1_000_000)) + b"\n" + b"," * 999_999 + b"\n",
    b"path,label," + b",".join(b"c%d" % number for number in range(300_000)) + b"\na.png,cat" + b"," * 300_000 + b"\n",
    b"path,label,split\na.png,cat,nowhere\n",
    b"path,label\n" + b"\n" * 1_000_000 + b"a.png,cat\n",
    b"=1+1,path,label\n=1+1,a.png,cat\n",
)
OUT = (
    "../a.png",
    "/etc/passwd",
    "x/../../a.png",
    "..",
    ".",
    "",
    "a.png\0",
    "~/a.png",
    "file:///etc/passwd",
    "s3://x/y",
    "\\\\x\\y",
    "sub",
)


def csv(rng: random.Random, canary: Path) -> Iterator[File]:
    """Tables as a source: every file a folder of its own, with the pictures beside it."""
    tables = [*BROKEN]
    tables += [
        f"path,label\na.png,caté\nb.png,{label}\n".encode(form, "replace")
        for form in ENCODINGS
        for label in ("dog", "=1+1")
    ]
    tables += [b"path,label\na.png,cat\n" + path.encode() + b",dog\n" for path in (*OUT, f"{canary}/x.png")]
    tables += [f'path,label\na.png,"{with_slashes(name).replace(chr(34), chr(34) * 2)}"\n'.encode() for name in NAMES]
    for number, table in enumerate(tables):
        yield f"{number}/labels.csv", table
        yield f"{number}/table.tsv" if number % 2 else f"{number}/other.csv", table
        for name in PICTURES:
            yield f"{number}/{name}", encoded(".png", drawn(rng))


def answers(rng: random.Random, canary: Path) -> Iterator[File]:
    """What may be given to `decide --import`: tables of decisions, and exports of label jobs."""
    for number, table in enumerate(BROKEN):
        yield f"{number}.csv", table.replace(b"path", b"image_id").replace(b"label", b"action", 1)
    for number, cell in enumerate((*map(with_slashes, NAMES), "=1+1", "drop", "nan", "1e999", "2026-99-99", "-1")):
        quoted = '"' + cell.replace('"', '""') + '"'
        for column in ("image_id", "action", "label", "by", "because", "note", "at"):
            row = {"image_id": "plain/cat/png0.png", "action": "relabel", "label": "dog", "by": "ada"} | {
                column: quoted
            }
            yield f"{column}{number}.csv", (",".join(row) + "\n" + ",".join(row.values()) + "\n").encode()
    values = (None, 5, "x", [], {}, [[]], [{}], {"a": None}, True, -1.5, "x" * 100_000)
    for number, value in enumerate(values):
        result = {
            "id": 1,
            "data": {"image_id": "plain/cat/png0.png"},
            "annotations": [{"result": [{"from_name": "label", "value": {"choices": ["dog"]}}]}],
        }
        yield f"{number}-whole.json", json.dumps(value).encode()
        yield f"{number}-task.json", json.dumps([value]).encode()
        for key in ("id", "data", "annotations"):
            yield f"{number}-{key}.json", json.dumps([result | {key: value}]).encode()
        yield f"{number}-annotation.json", json.dumps([result | {"annotations": [value]}]).encode()
        yield f"{number}-result.json", json.dumps([result | {"annotations": [{"result": value}]}]).encode()
        yield f"{number}-item.json", json.dumps([result | {"annotations": [{"result": [value]}]}]).encode()
        yield (
            f"{number}-value.json",
            json.dumps([result | {"annotations": [{"result": [{"from_name": "label", "value": value}]}]}]).encode(),
        )
    yield "deep.json", b"[" * 200_000
    yield "deep-map.json", b'{"a":' * 200_000
    yield "number.json", b"[1" + b"0" * 10_000 + b"]"
    yield "nan.json", b'[{"id": NaN, "data": {"image_id": "\\ud800"}}]'
    entities = "".join(f'<!ENTITY e{level} "{f"&e{level - 1};" * 10}">' for level in range(1, 30))
    yield (
        "entities.xml",
        f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY e0 "x">{entities}]><annotations>&e29;</annotations>'.encode(),
    )
    yield (
        "outside.xml",
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotations><image name="&x;"/></annotations>',
    )
    yield "deep.xml", b"<annotations>" + b"<a>" * 100_000
    yield "encoding.xml", b'<?xml version="1.0" encoding="nothing"?><annotations/>'
    yield "empty.xml", b"<annotations><image/><tag/></annotations>"
    yield "bare.xml", b"<annotations>x<image>y<tag>z<attribute name='note'>n</attribute></tag></image></annotations>"


def recipes(rng: random.Random, canary: Path) -> Iterator[File]:
    """What may be given to `decide --policy`."""
    touch = f"touch {canary}/ran"
    yield (
        "aliases.yaml",
        b"a: &a [x,x,x,x,x,x,x,x,x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(9)),
    )
    yield "itself.yaml", b"train: &a {x: *a}\n"
    for number, tag in enumerate(
        (
            "object/apply:os.system",
            "object/new:os.system",
            "object:os.system",
            "name:os.system",
            "module:os",
            "object/apply:subprocess.call",
        )
    ):
        yield f"tag{number}.yaml", f"name: !!python/{tag} [{touch!r}]\n".encode()
        yield f"key{number}.yaml", f"? !!python/{tag} [{touch!r}]\n: x\n".encode()
    yield "binary.yaml", b"name: !!binary \xff\xfe\n"
    bodies = (
        "[" * 10_000,
        "{" * 10_000,
        "- " * 10_000,
        "a: " * 500,
        "? " * 3000,
        "&a " * 100,
        "name: !<tag:x> y",
        "%YAML 9.9\n---\nname: x",
        "%TAG ! x",
        "---\n---\n---",
        "name: x\n...\nmore",
        "\t\tname: x",
        "name: |\n" + "x\n" * 10_000,
        "name: 2026-13-45",
        "name: 1:99999:9999999",
        "train: {epochs: 0x" + "f" * 20_000 + "}",
        "train: {epochs: " + "9" * 20_000 + "}",
        "gate: {leaks: 0x" + "f" * 20_000 + "}",
        "train: {epochs: 0b" + "1" * 90_000 + "}",
        "train: {epochs: " + "1:" * 3000 + "1}",
        "train: {epochs: .inf}",
        "train: {epochs: -.NaN}",
        "name: !!set {a, b}",
        "name: !!omap [a: 1]",
        "name: !!timestamp x",
        "name: !!float x",
        "name: !!int ''",
        "name: !!bool x",
        "<<: [1, 2]",
        "<<: {name: x}",
        "? [a, b]\n: x",
        "? {a: b}\n: x",
        "1: x",
        "null: x",
        "name: x\nname: y",
        "policy: 5",
        "policy: [5]",
        "policy: [{finder: [], action: {}}]",
        "scan: {dark: 5}",
        "scan: {5: {}}",
        "scan: {dark: {level: " + "[" * 300 + "]" * 300 + "}}",
        "classes: {a: {b: c}}",
        "columns: [a]",
        "download: [{url: 'file:///etc/passwd'}]",
        "download: [{url: 'http://x/../../y', filename: '../../out'}]",
        "gate: {findings: {dark: 2}}",
        "reviewers: {rule: x}",
        "name: '../../out'",
        'name: "a\\0b"',
        "split: train=9999",
    )
    for number, body in enumerate(bodies):
        yield f"{number}.yaml", body.encode()
    for number, data in enumerate(
        (
            b"",
            b"\0",
            b"\xff\xfe",
            b"\xef\xbb\xbfname: x",
            b"name: caf\xe9",
            "name: é".encode("utf-16"),
            b"x: " + b"y" * 2_000_000,
            b"name: \x1b[31m",
        )
    ):
        yield f"bytes{number}.yaml", data


def parquet(rng: random.Random, canary: Path) -> Iterator[File]:
    """Tables whose columns are of other types, whose metadata lie, whose one cell stands for many, or that are cut."""
    image = encoded(".png", drawn(rng))
    struct = {"bytes": image, "path": "a.png"}
    cells: tuple[object, ...] = (
        5,
        2.5,
        True,
        "x",
        b"x",
        None,
        [1],
        [image],
        {"bytes": 5},
        {"bytes": "x"},
        {"path": 5},
        {"path": "../a.png"},
        {"bytes": image, "path": "../../out.png"},
    )
    cells += (
        {"bytes": image, "path": "a\0b.png"},
        {"bytes": image, "path": "x" * 300},
        {"bytes": [1, 2]},
        {"bytes": {"bytes": image}},
        float("nan"),
        "/etc/passwd",
        -(2**62),
    )
    for number, cell in enumerate(cells):
        yield f"image{number}.parquet", table(image=[cell] * 2, label=["cat", "dog"])
        yield f"path{number}.parquet", table(path=[cell], label=["cat"])
        yield f"label{number}.parquet", table(image=[struct], label=[cell])
        yield f"split{number}.parquet", table(image=[struct], label=["cat"], split=[cell])
    for number, name in enumerate(NAMES):
        yield f"name{number}.parquet", table(image=[struct], label=[with_slashes(name)])
    features: tuple[object, ...] = (None, 5, [], {"info": 5}, {"info": {"features": {"label": 5}}})
    features += tuple(
        {"info": {"features": {"label": {"_type": "ClassLabel", "names": names}}}}
        for names in (None, 5, "cat", [], [5], [None], {"a": 1}, ["../../out"], [["x"]], [{"a": 1}])
    )
    for number, feature in enumerate(features):
        for label in (0, 1, -1, 2**40):
            yield f"feature{number}-{label}.parquet", table(json.dumps(feature).encode(), image=[struct], label=[label])
    yield "metadata.parquet", table(b"\xff\xfe{", image=[struct], label=[0])
    yield "deep.parquet", table(b"[" * 100_000, image=[struct], label=[0])
    yield "repeated.parquet", table(image=[{"bytes": bytes(20_000_000), "path": "a.png"}] * 64, label=["cat"] * 64)
    yield "empty.parquet", b""
    yield "magic.parquet", b"PAR1PAR1"
    whole = table(image=[struct] * 4, label=["cat"] * 4)
    for number in range(60):
        broken = bytearray(whole)
        for _ in range(1 + number % 6):
            broken[
                rng.randrange(len(whole) - len(whole) // 2 * (number % 2), len(whole))
                if number % 2
                else rng.randrange(len(whole))
            ] ^= 1 << rng.randrange(8)
        yield f"bits{number}.parquet", bytes(broken)
    for number in range(12):
        yield f"cut{number}.parquet", whole[: rng.randrange(len(whole))]


def table(metadata: bytes = b"", **columns: list) -> bytes:
    """A Parquet file of these columns."""
    made = pa.table(columns)
    if metadata:
        made = made.replace_schema_metadata({"huggingface": metadata})
    file = io.BytesIO()
    pq.write_table(made, file, compression="zstd")
    return file.getvalue()


def shards(rng: random.Random, canary: Path) -> Iterator[File]:
    """WebDataset with broken labels: JSON lines, numbers beyond the classes, other types, other encodings."""
    image = encoded(".png", drawn(rng))
    notes = (
        b"",
        b"{",
        b"[]",
        b"5",
        b"null",
        b'"x"',
        b'{"label": {}}',
        b'{"label": [1]}',
        b'{"label": null}',
        b'{"label": NaN}',
        b'{"label": 1e999}',
        b'{"label": true}',
        b"\xff\xfe",
        b"[" * 100_000,
    )
    notes += (
        b'{"label": "a"}\n{"label": "b"}',
        b'{"label": "\\ud800"}',
        b'{"label": ' + b"9" * 9000 + b"}",
        b'{"label": "../../out"}',
        b"\0",
        b"1" * 9000,
        "²".encode(),
        "٣".encode(),
        b"-1",
        b"\n\n",
    )
    for number, note in enumerate(notes):
        for suffix in (".json", ".cls", ".txt"):
            yield f"{number}{suffix}.tar", tar([(f"{number}.png", image), (f"{number}{suffix}", note)])
    for number, name in enumerate(NAMES):
        text = json.dumps({"label": with_slashes(name)}).encode()
        yield f"name{number}.tar", tar([("a.png", image), ("a.json", text)])
    yield "large.tar", tar([("a.png", image), ("a.json", b'"' + b"x" * 2_000_000 + b'"')])
    yield "keys.tar", tar([(f"a.{number}.png", image) for number in range(300)] + [("a.cls", b"1")])
