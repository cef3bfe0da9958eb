"""Time to find the near-duplicates of CIFAR-10, as whole processes: `curate add` and `scan`, imagededup, fastdup.

`python -m tests.benchmarks.dedup_speed [--images N]`: all read the same folder in the same run, the peers once, between
the rounds of ours. Beside the time stands what each finds: how many pairs, and how many of the near-duplicates that
people found (ciFAIR, Barz and Denzler 2020). The peers share a virtual environment of their own, without torch:
    python3.11 -m venv PEERS && PEERS/bin/pip install --no-deps imagededup==0.3.3 && PEERS/bin/pip install \
        fastdup==2.54 scipy pywavelets matplotlib tqdm scikit-learn
and CURATE_PEERS=PEERS in the environment. fastdup's licence is for non-commercial use.
"""

import argparse
import json
import os
import shutil
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pandas as pd

from curate import tables
from curate.evidence import Evidence
from curate.likeness import duplicates
from curate.workspace import Workspace
from tests.benchmarks.copies import RADIUS, WITHOUT_NETWORKS
from tests.benchmarks.record import data, record, signals_of, spread
from tests.benchmarks.scan_speed import CURATE, measured

ROUNDS = 3
LIMIT_MINUTES = 30
CLUSTERED = 0.96
"""fastdup lists pairs from a similarity of 0.9 on, and puts images into one cluster from this on: its defaults."""
Pairs = set[tuple[str, str]]


@dataclass(frozen=True)
class Peer:
    """A program that reads the folder named first and writes to the one named second; read: its pairs, by rule."""

    program: str
    read: Callable[[Path], dict[str, Pairs]]


IMAGEDEDUP = f"""{WITHOUT_NETWORKS}
from imagededup.methods import PHash
images, out = sys.argv[1:]
PHash().find_duplicates(image_dir=images, max_distance_threshold={RADIUS}, outfile=f"{{out}}/pairs.json")
"""
FASTDUP = """
import os, sys
images, out = sys.argv[1:]
os.environ |= {"SENTRY_OPT_OUT": "1", "FASTDUP_PRODUCTION": "1", "HOME": out}
import fastdup
fastdup.create(out, images).run(run_sentry=False)
"""
"""With its defaults, but no reports to its makers, no look at PyPI for a newer version, no file in the home folder."""


def imagededup_pairs(out: Path) -> dict[str, Pairs]:
    listed = json.loads((out / "pairs.json").read_text())
    return {f"at most {RADIUS} of 64 bits differ": {_key(a, b) for a, others in listed.items() for b in others}}


def fastdup_pairs(out: Path) -> dict[str, Pairs]:
    """Of each image at most its two nearest are listed."""
    names = pd.read_csv(out / "atrain_features.dat.csv", index_col="index")["filename"].map(
        lambda path: Path(path).name
    )
    table = pd.read_csv(out / "similarity.csv")
    return {
        rule: _keys(names[chosen["from"]].to_numpy(), names[chosen["to"]].to_numpy())
        for rule, chosen in {
            "similarity of at least 0.9": table,
            f"similarity of at least {CLUSTERED}": table[table["distance"] >= CLUSTERED],
        }.items()
    }


PEERS = {
    "imagededup 0.3.3 PHash": Peer(IMAGEDEDUP, imagededup_pairs),
    "fastdup 2.54": Peer(FASTDUP, fastdup_pairs),
}


def run(arguments: list[str] | None = None) -> None:
    """Rounds of ours with a peer after each while there is one; the ratio is to the median of ours."""
    asked = argparse.ArgumentParser(prog="python -m tests.benchmarks.dedup_speed", description=__doc__)
    asked.add_argument("--images", type=int, default=60_000)
    count = asked.parse_args(arguments or []).images
    with tempfile.TemporaryDirectory() as folder:
        images, ws = Path(folder) / "cifar10", Path(folder) / "ws"
        near = _write(images, count)
        rounds, peers = [], {}
        for _, name in zip_longest(range(ROUNDS), PEERS if "CURATE_PEERS" in os.environ else ()):
            rounds.append(_ours(ws, images))
            print(rounds[-1], flush=True)
            if name:
                peers[name] = _peer(PEERS[name], images, Path(folder) / "out", near)
                print(name, peers[name], flush=True)
        ours: dict[str, object] = {what: spread([row[what] for row in rounds]) for what in ("add", "scan", "seconds")}
        ours["peak_memory_gb"] = max(row["peak_memory_gb"] for row in rounds)
        ours["found"] = _found(_our_pairs(Workspace(ws)), near)
    median = spread([row["seconds"] for row in rounds])["median"]
    for found in peers.values():
        if isinstance(seconds := found.get("seconds"), float):
            found["ratio"] = seconds / median
    what = f"{count:,} images of CIFAR-10 (JPEG, 32x32), in one folder; near-duplicates of ciFAIR among them"
    figures: dict[str, object] = {"images": count, "near_pairs": len(near), "ours": ours, "peers": peers}
    record("dedup_speed", what, figures, signals=signals_of("near_duplicate"))


def _write(images: Path, count: int) -> Pairs:
    """A folder of so many images, those on people's list first, as `<split>-<class>-<file>`; the near pairs in it."""
    listed = pd.read_csv(data("cifar10/cifair10_duplicates.csv"))
    listed = listed[listed["judgment"] == "near"]
    near = _keys(*(listed[side].str.replace("/", "-").to_numpy() for side in ("test_path", "other_path")))
    first = {name for pair in near for name in pair}
    with (
        tempfile.TemporaryDirectory(dir=images.parent) as tree,
        tarfile.open(data("cifar10/cifar10_jpeg.tar.xz")) as tar,
    ):
        tar.extractall(tree, filter="data")
        paths = {"-".join(path.relative_to(tree).parts): path for path in Path(tree).rglob("*.jpg")}
        names = sorted(paths, key=lambda name: (name not in first, name))[:count]
        images.mkdir()
        for name in names:
            paths[name].rename(images / name)
    there = set(names)
    return {pair for pair in near if there.issuperset(pair)}


def _ours(ws: Path, images: Path) -> dict[str, float]:
    shutil.rmtree(ws, ignore_errors=True)
    add, add_memory = measured(*CURATE, "add", str(ws), str(images))
    finders = ("--only", "exact_duplicate", "--only", "near_duplicate")
    scan, scan_memory = measured(*CURATE, "scan", str(ws), *finders)
    return {"add": add, "scan": scan, "seconds": add + scan, "peak_memory_gb": max(add_memory, scan_memory)}


def _our_pairs(ws: Workspace) -> dict[str, Pairs]:
    """The pairs behind the findings, which name one of them per image."""
    manifest = tables.read_manifest(ws)
    pairs = duplicates.same_photo(Evidence(ws, manifest).get("duplicate_pairs"))
    name = manifest["image_id"].str.rpartition("/")[2].to_numpy()
    return {f"probability of at least {duplicates.PROBABILITY}": _keys(name[pairs["a"]], name[pairs["b"]])}


def _peer(peer: Peer, images: Path, out: Path, near: Pairs) -> dict[str, object]:
    """Seconds, memory and what it found; or, in words, how it ended."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    limit = ("timeout", "--kill-after=10", f"{60 * LIMIT_MINUTES}")
    started = time.perf_counter()
    try:
        seconds, memory = measured(
            *limit, f"{os.environ['CURATE_PEERS']}/bin/python", "-c", peer.program, str(images), str(out)
        )
    except SystemExit as failure:
        seconds = time.perf_counter() - started
        if seconds >= 60 * LIMIT_MINUTES:
            return {"status": f"stopped after {LIMIT_MINUTES} minutes"}
        said = str(failure).split(" failed: ", 1)[1].split("\n")
        last = ([line for line in said if line.strip()] or ["it said nothing"])[-1]
        return {"status": f"failed after {seconds:.0f} s: {last}"}
    return {"status": "finished", "seconds": seconds, "peak_memory_gb": memory, "found": _found(peer.read(out), near)}


def _found(pairs: dict[str, Pairs], near: Pairs) -> dict[str, dict[str, int]]:
    """By rule: how many pairs, and how many of those that people found."""
    return {rule: {"pairs": len(found), "near_found": len(found & near)} for rule, found in pairs.items()}


def _keys(first: np.ndarray, second: np.ndarray) -> Pairs:
    return {_key(a, b) for a, b in zip(first, second, strict=True)}


def _key(a: str, b: str) -> tuple[str, str]:
    """A pair of names, whichever comes first."""
    return min(a, b), max(a, b)


if __name__ == "__main__":
    run(sys.argv[1:])
