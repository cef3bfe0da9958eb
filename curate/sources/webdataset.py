"""WebDataset: tar shards in which `key.jpg` stands beside its label, `key.cls`, `key.json` or `key.txt`."""

import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import closing
from itertools import chain, islice
from pathlib import Path

import pandas as pd

from curate.errors import UserError
from curate.images import IMAGE_SUFFIXES, MAX_BYTES, too_large
from curate.layouts import Options, Sample, Skipped, archives, kinds, leaving
from curate.layouts.folders import split_of_shard

PRIORITY = 15
ORIGINALS = True
LABEL_SUFFIXES = (".json", ".cls", ".txt")
"""In order of preference: of a sample that has several, the first that says a label counts."""
CLASSES = "classes.txt"
"""A line for each class, beside the shards: the names behind the numbers in `.cls`."""
MEMBERS_TO_RECOGNISE = 24
MAX_LABEL_BYTES = 1 << 20


def recognises(path: Path) -> bool:
    """A tar file, or a folder of them, whose first members are images with labels beside them."""
    shards = _shards(path)
    return bool(shards) and archives.is_tar(shards[0]) and _pairs(shards[0])


def read(path: Path, options: Options) -> Iterator[Sample | Skipped]:
    """Every sample of every shard; the split comes from the shard's name (`train-000000.tar`).

    A number in `.cls` is a line of `classes.txt`, where that lies beside the shards, and else the label itself.
    """
    shards = _shards(path)
    if not shards:
        raise UserError(f"{path} holds no tar shards; an unpacked folder is added with --as folder")
    classes = _classes(shards[0].parent / CLASSES)
    field = options.columns.get("label", "label")
    for shard in shards:
        split = split_of_shard(shard.name)
        for key, parts in _groups(shard):
            images = [suffix for suffix in parts if _is_image(suffix)]
            if not images:
                yield Skipped(key, "not an image")
            for suffix in images[:1]:
                name = f"{archives.stem(shard.name)}/{key}{suffix}"
                label, content = _label(parts, classes, field, f"{shard}, {key}"), parts[suffix]
                image_id, parent_id = _called(parts)
                if isinstance(content, int):
                    yield Sample(name, label, split, error=too_large(content), image_id=image_id, parent_id=parent_id)
                else:
                    yield Sample(name, label, split, data=content, image_id=image_id, parent_id=parent_id)
            for suffix in images[1:]:
                yield Skipped(key + suffix, "not an image")


def write(table: pd.DataFrame, root: Path, dest: Path) -> int:
    """`<split>-000000.tar` and `classes.txt`. Raises `UserError` for a label with a line break."""
    classes = sorted(set(table["label"]) - {""})
    broken = [name for name in classes if len(name.splitlines()) > 1]
    if broken:
        raise UserError(f"label {broken[0]!r} has a line break; rename it, or export as csv or parquet")
    (dest / CLASSES).write_text("".join(f"{name}\n" for name in classes), encoding="utf-8")
    return sum(_write_split(rows, str(split), classes, root, dest) for split, rows in table.groupby("split", sort=True))


def _shards(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.glob("[!.]*.tar*") if file.name.lower().endswith(archives.TAR_SUFFIXES))


def _pairs(shard: Path) -> bool:
    """Whether an image and a label of the same key are among the first members; `.json` and `.txt` also lie beside
    the images of class folders, so they only count for keys without a folder."""
    keys: dict[str, set[str]] = {}
    try:
        with closing(archives.tar_members(shard)) as members:
            for member, content in islice(members, MEMBERS_TO_RECOGNISE):
                key, suffix = _split_key(member.name.removeprefix("./"))
                if content is not None:
                    keys.setdefault(key, set()).add(suffix)
    except UserError:
        return False
    return any(
        found & IMAGE_SUFFIXES and (".cls" in found or ("/" not in key and found & set(LABEL_SUFFIXES)))
        for key, found in keys.items()
    )


def _split_key(name: str) -> tuple[str, str]:
    """(key, suffix in lower case): the key ends at the first dot of the file's name."""
    folder, slash, file = name.rpartition("/")
    key, dot, suffix = file.partition(".")
    return folder + slash + key, (dot + suffix).lower()


def _is_image(suffix: str) -> bool:
    """Whether the last part of `.jpg` or `.left.jpg` is an image's."""
    return f".{suffix.rpartition('.')[2]}" in IMAGE_SUFFIXES


Parts = dict[str, bytes | int]
"""Content by suffix; of what is not read the size: further images, too large ones, and what says no label."""


def _groups(shard: Path) -> Iterator[tuple[str, Parts]]:
    """(key, parts) of the members that follow each other with the same key."""
    current, parts = "", Parts()
    for member, content in archives.tar_members(shard):
        name = archives.safe_name(shard, member.name)
        if content is None or kinds.is_hidden(name):
            continue
        key, suffix = _split_key(name)
        if key != current and parts:
            yield current, parts
            parts = {}
        current = key
        if suffix in parts:  # the first counts, as where names differ by case
            continue
        if _is_image(suffix):
            limit = 0 if any(map(_is_image, parts)) else MAX_BYTES
        else:
            limit = MAX_LABEL_BYTES if suffix in LABEL_SUFFIXES else 0
        parts[suffix] = member.size
        if member.size <= limit:
            with archives.readable(shard):
                parts[suffix] = content.read()
    if parts:
        yield current, parts


def _classes(path: Path) -> list[str]:
    """A name for each line; none where there is no such file. Raises `UserError` where it is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig").splitlines() if path.is_file() else []
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from None


def _label(parts: Parts, classes: list[str], field: str, where: str) -> str:
    """The sample's label as text; "" where nothing says one."""
    try:
        for suffix in LABEL_SUFFIXES:
            content = parts.get(suffix, b"")
            text = "" if isinstance(content, int) else content.decode("utf-8-sig").strip("\r\n")
            said = json.loads(text) if suffix == ".json" and text else text
            if isinstance(said, dict):
                said = said.get(field)
            if said is None or said == "" or isinstance(said, list):
                continue
            number = int(said) if suffix == ".cls" and text.strip().isdecimal() else -1
            return classes[number] if 0 <= number < len(classes) else str(said)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: the label cannot be read ({error}); mend it, or take the sample out") from None
    return ""


def _called(parts: Parts) -> tuple[str, str]:
    """What a sample, and its original, were called in the workspace that they left; "" where nothing says it. `.json`
    has been read for the label, and so can be."""
    content = parts.get(".json", b"")
    note = json.loads(content.decode("utf-8-sig")) if isinstance(content, bytes) and b'"image_id"' in content else None
    names = [note.get("image_id"), note.get("parent_id")] if isinstance(note, dict) else [None, None]
    image_id, parent_id = (name if isinstance(name, str) else "" for name in names)
    return image_id, parent_id


def _write_split(rows: pd.DataFrame, split: str, classes: list[str], root: Path, dest: Path) -> int:
    codes = {name: code for code, name in enumerate(classes)}
    images = enumerate(leaving.images(rows, root))
    count, shards = 0, 0
    while (first := next(images, None)) is not None:
        with tarfile.open(dest / f"{split}-{shards:06d}.tar", "w") as shard:
            size = 0
            for at, image in chain([first], images):
                _put_image(shard, f"{at:09d}", image, codes)
                count, size = count + 1, size + len(image.data)
                if size > leaving.SHARD_BYTES:
                    break
        shards += 1
    return count


def _put_image(shard: tarfile.TarFile, key: str, image: leaving.Image, codes: dict[str, int]) -> None:
    if image.label:
        _put(shard, f"{key}.cls", str(codes[image.label]).encode())
    _put(shard, key + leaving.suffix(image), image.data)
    note = {"label": image.label, "image_id": image.image_id}
    note |= {"parent_id": image.parent_id} if image.parent_id else {}
    _put(shard, f"{key}.json", json.dumps(note, ensure_ascii=False).encode())


def _put(shard: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    shard.addfile(member, io.BytesIO(data))
