"""The corpus, given to the real commands: what became of every file, and of what lies around the workspaces."""

import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from tests.hostile import corpus, pictures
from tests.hostile.forks import Ended, Forks, forks
from tests.hostile.markup import harm
from tests.hostile.names import MARK

LONGEST = 1000
"""Characters of an error: more than that nobody reads."""
NOISE = re.compile(
    r"libpng |Corrupt JPEG|Premature end|Invalid |Unsupported |Inconsistent |Bogus |Warning: |.*extraneous bytes"
)
"""How the lines begin that decoders write to stderr by themselves."""
ASK_EVERYTHING = "policy:\n" + "".join(
    f"  - {{finder: {finder}, action: review, splits: [train, val, test, pool]}}\n"
    for finder in (
        "corrupt",
        "odd_size",
        "odd_aspect",
        "low_information",
        "near_duplicate",
        "exact_duplicate",
        "blurry",
    )
)


@dataclass
class Family:
    """What became of a family's files. Every file is `added`, `refused` or, of a set of images, counted as such."""

    files: int = 0
    added: int = 0
    """Sources that were added, or tables and recipes that were taken."""
    refused: int = 0
    """Commands that ended with one line."""
    decoded: int = 0
    """Images in the manifest that were decoded."""
    corrupt: int = 0
    """Images in the manifest that cannot be decoded, each with a finding of `corrupt`."""
    left_out: int = 0
    """Files that are no image, links and devices, by the count of `add`."""
    lost: int = 0
    """Images that cannot be decoded and have no finding."""
    crashed: list[str] = field(default_factory=list)
    """Commands that ended with a traceback, a signal, more than one line, or not at all."""
    peak_mb: float = 0
    slowest_seconds: float = 0


@dataclass
class Trial:
    """The whole: by family, and what happened outside."""

    families: dict[str, Family]
    code_run: int
    outside: list[str]
    """Files that came, went or changed outside the workspaces."""
    harm: list[str]
    """What acts in the pages; see `tests.hostile.markup`."""
    marked: list[str]
    """Pages in which a hostile name stands as text."""


def run(folder: Path, *, seed: int = 0, families: list[str] | None = None, most: int | None = None) -> Trial:
    """Make the corpus in `folder`, give every family to `curate`, and count. most: sources of a family, at most."""
    canary, files, work = folder / "canary", folder / "corpus", folder / "work"
    canary.mkdir(parents=True)
    counts = corpus.make(files, canary, seed=seed, families=families)
    for name, content in pictures.sound(random.Random(seed)):
        place = folder / "plain" / ("cat", "dog")[len(content) % 2] / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    before = _listing(folder)
    found = {name: Family(files=count) for name, count in counts.items()} | {"images": Family()}
    with forks(work) as commands:
        (work / "ws").mkdir()
        for given, name, sources in _by_way(files):
            _give(commands, found[name], given, work / "ws" / name, sources[:most])
        pages = [page for ws in sorted((work / "ws").iterdir()) for page in _finish(commands, found, ws)]
    texts = {f"{page.parent.name}/{page.name}": page.read_text(encoding="utf-8") for page in pages}
    beside = {path.name for path in work.rglob("*") if path.parent in (work, work / "tmp")} - {"ws", "tmp"}
    return Trial(
        families=found,
        code_run=int((canary / "ran").exists()),
        outside=sorted(_listing(folder) ^ before) + sorted(beside),
        harm=[f"{page}: {what}" for page, text in texts.items() for what in harm(text)],
        marked=[page for page, text in texts.items() if MARK in text],
    )


def _by_way(files: Path) -> Iterator[tuple[str, str, list[Path]]]:
    """(how given, family, sources); the images of all families are one source, a class for each of them."""
    for way in sorted(files.iterdir()):
        if way.name == "images":
            yield "source", "images", [way]
        elif way.name == "folder":
            yield "source", "folders", sorted(way.iterdir())
        else:
            for family in sorted(way.iterdir()):
                yield way.name, family.name, sorted(family.iterdir())


def _give(commands: Forks, family: Family, given: str, ws: Path, sources: list[Path]) -> None:
    """Every source of a family to the command that takes it."""
    if given != "source":
        for verb, *options in (["add", str(ws.parents[2] / "plain")], ["scan"], ["decide"]):
            ended = commands.run(verb, str(ws), *options)
            assert ended.status == 0, ended.stderr
    for source in sources:
        tables = [*source.glob("*.csv"), *source.glob("*.tsv")] if (source / "labels.csv").is_file() else []
        for place in map(str, sorted(tables) or [source]):
            if given == "recipe":
                ended = commands.run("decide", str(ws), "--policy", place)
            elif given == "answers":
                ended = commands.run("decide", str(ws), "--import", place, "--by", "eve")
            else:
                workers = ["--workers", "1"] if ws.name != "images" else []
                ended = commands.run("add", str(ws), place, *workers, seconds=600)
            _count(family, ended, place)


def _count(family: Family, ended: Ended, what: str) -> None:
    """Note how a command ended that was given a hostile file."""
    left = re.findall(r"([\d,]+) (?:left out \(|there already|cop(?:y|ies) of)", ended.stdout)
    family.left_out += sum(int(number.replace(",", "")) for number in left)
    if _note(family, ended, what):
        family.added += ended.status == 0
        family.refused += ended.status == 1


def _note(family: Family, ended: Ended, what: str) -> bool:
    """Note what a command took, and whether it came to a good end: done, or refused in one line."""
    family.peak_mb = max(family.peak_mb, ended.peak_mb)
    family.slowest_seconds = max(family.slowest_seconds, ended.seconds)
    lines = [line for line in ended.stderr.splitlines() if not NOISE.match(line)]
    told = all(line.startswith("curate: ") and len(line) <= LONGEST for line in lines)
    if told and not ended.hung and (ended.status == 0 or (ended.status == 1 and lines)):
        return True
    family.crashed.append(f"{what}: {'hung' if ended.hung else ended.status}, {ended.stderr[-400:]!r}")
    return False


def _finish(commands: Forks, found: dict[str, Family], ws: Path) -> list[Path]:
    """Scan, decide, report and sheet of a workspace; every row of its manifest is counted. Gives the pages."""
    if not (ws / "manifest.parquet").exists():
        return []
    (ws / "recipe.yaml").write_text(ASK_EVERYTHING)
    family = found[ws.name]
    for verb, *options in (["scan"], ["decide"], ["report"], ["review", "--sheet"]):
        ended = commands.run(verb, str(ws), *options, seconds=600)
        if _note(family, ended, f"{verb} {ws}") and ended.status and "no image" not in ended.stderr:
            family.crashed.append(f"{verb} {ws}: {ended.stderr[-400:]!r}")
    manifest = pd.read_parquet(ws / "manifest.parquet")
    findings = pd.read_parquet(ws / "findings.parquet")
    corrupt = set(findings["image_id"][findings["finder"] == "corrupt"])
    for image_id, label, error in zip(manifest["image_id"], manifest["label"], manifest["error"], strict=True):
        family = found[label if ws.name == "images" else ws.name]
        family.decoded += error == ""
        family.corrupt += error != "" and image_id in corrupt
        family.lost += error != "" and image_id not in corrupt
    return [path for path in (ws / "report.html", ws / "review.html") if path.exists()]


def _listing(folder: Path) -> set[str]:
    """Every file of the corpus and the canary with its size and time."""
    listed = set()
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(place, name)
            status = path.lstat()
            if path != folder / "work":
                listed.add(f"{os.fsencode(path)!r} {status.st_size} {status.st_mtime_ns}")
        if place == str(folder):
            folders[:] = [name for name in folders if name != "work"]
    return listed


def totals(trial: Trial) -> dict[str, float]:
    """Sums over the families, and the most memory."""
    sums: Counter[str] = Counter()
    for family in trial.families.values():
        for name in ("files", "added", "refused", "decoded", "corrupt", "left_out", "lost"):
            sums[name] += getattr(family, name)
        sums["crashed"] += len(family.crashed)
    peak = max(family.peak_mb for family in trial.families.values())
    around = {"code_run": trial.code_run, "outside": len(trial.outside), "harm": len(trial.harm)}
    return {**sums, **around, "marked": len(trial.marked), "peak_mb": peak}
