"""What must hold after a kill, and after the same command once more: nothing lost, nothing corrupt, nothing left."""

import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from safetensors import safe_open

from curate import findings, journal, manifest, predictions, tables
from curate.csv_text import read_csv
from curate.files import TEMPORARY_PREFIX, file_hash
from curate.images import decode
from curate.results import runs
from curate.workspace import CURATED, FINDINGS, HISTORY, LEDGER, MANIFEST, VERSIONED, Workspace, read_table

WS = "ws"
EVENTS = "events.out.tfevents"
Snapshot = dict[str, str]
"""Path below the place -> hash of the file."""


@dataclass(frozen=True)
class Reference:
    """A case without any kill: what was there before, and afterwards."""

    before: Snapshot
    after: Snapshot
    timed: frozenset[str]
    """Files that differ from one run to the next, since they hold seconds."""
    kept: Path
    """The folder as it was afterwards."""
    seconds: float
    moments: int
    ledger: bytes
    """As it was before: it only grows."""


@dataclass
class Found:
    """What is wrong after a trial; a line each."""

    lost: list[str] = field(default_factory=list)
    corrupt: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    """After the same command once more: not what it makes without a kill."""
    leftovers: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """All of it, in words."""
        return [f"{name}: {line}" for name, lines in vars(self).items() for line in lines]


def snapshot(place: Path) -> Snapshot:
    """Every file below `place`, without TensorBoard's: these have times in their names, and `runs` writes them anew."""
    files = (path for path in sorted(place.rglob("*")) if path.is_file() and not path.name.startswith(EVENTS))
    return {str(path.relative_to(place)): file_hash(path) for path in files}


def after_kill(reference: Reference, place: Path, now: Snapshot) -> Found:
    """Whether all that was there is there, as it was or as the verb makes it, and all that is there is whole."""
    found = Found()
    before, after = reference.before, reference.after
    for path, digest in before.items():
        if now.get(path) == digest or path == f"{WS}/{LEDGER}":
            continue  # the ledger is looked at below
        if path not in now and path in after and not _being_replaced(path, now):
            found.lost.append(f"{path} is gone")
        elif after.get(path) == digest:
            found.lost.append(f"{path} changed, which the verb leaves alone")
        elif path in now and now[path] != after[path] and path not in reference.timed:
            found.corrupt.append(f"{path} is neither what it was nor what it becomes")
        if Path(path).name in VERSIONED and f"{WS}/{HISTORY}/{digest}{Path(path).suffix}" not in now:
            found.lost.append(f"{path} as it was is not in the history")
    for path in now:
        if not is_temporary(path) and (why := damage(place / path)):
            found.corrupt.append(f"{path}: {why}")
    ledger = place / WS / LEDGER
    if not (ledger.read_bytes() if ledger.exists() else b"").startswith(reference.ledger):
        found.lost.append(f"{WS}/{LEDGER} no longer begins as it did")
    if ledger.exists():
        check_workspace(Workspace(place / WS), found)
    return found


def _being_replaced(path: str, now: Snapshot) -> bool:
    """Whether it is the result of a run all of whose seeds are trained anew: the same command writes it at once."""
    run = Path(path).parent
    return Path(path).name in ("result.json", "model.onnx") and any(
        Path(other).name in ("checkpoint.safetensors", "result.json") and Path(other).parent.parent == run
        for other in now
    )


def check_workspace(workspace: Workspace, found: Found) -> None:
    """That it opens, that every table reads, and that the history holds what the ledger says."""
    try:
        entries = workspace.ledger()
        if [entry.version for entry in entries] != list(range(1, len(entries) + 1)):
            found.corrupt.append("the ledger skips a version")
        for entry in entries:
            for name, digest in entry.writes.items():
                if name in VERSIONED and digest and file_hash(workspace.version_file(name, digest)) != digest:
                    found.corrupt.append(f"{name} of version {entry.version} is another in the history")
        if workspace.has(MANIFEST):
            images = tables.read_manifest(workspace)
            if predictions.exists(workspace):
                predictions.read(workspace, images)
        if workspace.has(FINDINGS):
            findings.complete(read_table(workspace.path(FINDINGS)))
        if workspace.has(CURATED):
            manifest.check(read_table(workspace.path(CURATED)), CURATED)
        runs.read(workspace)
        journal.read(workspace)
    except Exception as error:
        found.corrupt.append(f"the workspace does not open: {type(error).__name__}: {error}")


def after_repeat(reference: Reference, place: Path, now: Snapshot, found: Found) -> None:
    """Whether the same command once more came to what it comes to without a kill."""
    for path in reference.after.keys() | now.keys():
        if path not in now:
            found.different.append(f"{path} is missing")
        elif path not in reference.after:
            found.leftovers.append(path)
        elif path == f"{WS}/{LEDGER}":
            found.different += ledgers_differ(reference.kept / path, place / path)
        elif now[path] != reference.after[path] and (
            path not in reference.timed or not alike(reference.kept / path, place / path)
        ):
            found.different.append(f"{path} is another")


def ledgers_differ(undisturbed: Path, killed: Path) -> list[str]:
    """What the entries say of the tables in the end, and which commands there were: one may stand twice."""
    one, other = (Workspace(path.parent).ledger() for path in (undisturbed, killed))
    states: list[dict[str, str]] = [{}, {}]
    for state, entries in zip(states, (one, other), strict=True):
        for entry in entries:
            state |= entry.writes
    wrong = [] if states[0] == states[1] else ["the ledger says other tables"]
    commands = [[(entry.command, entry.arguments) for entry in entries] for entries in (one, other)]
    if commands[1][: len(one)] != commands[0] or commands[1][len(one) :] not in ([], commands[0][-1:]):
        wrong.append(f"the ledger has the commands {[entry.command for entry in other[len(one) - 1 :]]} at its end")
    return wrong


def is_temporary(path: str) -> bool:
    """Whether a file is under a temporary name, or in a folder of one."""
    return any(part.startswith(TEMPORARY_PREFIX) for part in Path(path).parts)


def damage(path: Path) -> str:
    """Why a file is not whole, by its suffix; "" where it is."""
    try:
        whole = READERS.get(path.suffix, _any)(path)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "" if whole else "is cut short"


def _any(path: Path) -> bool:
    return True


def _lines(path: Path) -> bool:
    for line in path.read_bytes().splitlines():
        json.loads(line)
    return path.read_bytes().endswith(b"\n")


def _parquet(path: Path) -> bool:
    pq.read_table(path)
    return True


def _csv(path: Path) -> bool:
    read_csv(path)
    return path.read_bytes().endswith(b"\n")


def _tensors(path: Path) -> bool:
    _weights(path)
    return True


def _png(path: Path) -> bool:
    decode(path.read_bytes())
    return True


def _json(path: Path) -> bool:
    json.loads(path.read_bytes())
    return True


def _html(path: Path) -> bool:
    return path.read_text("utf-8").rstrip().endswith("</html>")


def _arrays(path: Path) -> bool:
    with np.load(path) as content:
        return all(content[name] is not None for name in content.files)


def _tar(path: Path) -> bool:
    with tarfile.open(path) as tar:
        return len(tar.getmembers()) > 0


def _zip(path: Path) -> bool:
    with zipfile.ZipFile(path) as file:
        return file.testzip() is None


READERS: dict[str, Callable[[Path], bool]] = {
    ".parquet": _parquet,
    ".json": _json,
    ".jsonl": _lines,
    ".csv": _csv,
    ".safetensors": _tensors,
    ".png": _png,
    ".html": _html,
    ".npz": _arrays,
    ".tar": _tar,
    ".zip": _zip,
}


def alike(one: Path, other: Path) -> bool:
    """Whether two files are the same but for times and seconds, as far as that can be told."""
    if one.suffix == ".json":
        return bool(_without_times(json.loads(one.read_bytes())) == _without_times(json.loads(other.read_bytes())))
    if one.suffix == ".jsonl":
        return [_without_times(json.loads(line)) for line in one.read_bytes().splitlines()] == [
            _without_times(json.loads(line)) for line in other.read_bytes().splitlines()
        ]
    if one.suffix == ".parquet":
        return _table(one) == _table(other)
    if one.suffix == ".safetensors":
        return _weights(one) == _weights(other)
    return True


def _table(path: Path) -> tuple[bytes, Any]:
    """The columns as bytes, for NaN is not equal to itself, and what is said beside them."""
    table, data = pq.read_table(path), io.BytesIO()
    about = (table.schema.metadata or {}).get(predictions.METADATA, b"null")
    pq.write_table(table.replace_schema_metadata(None), data)
    return data.getvalue(), _without_times(json.loads(about))


def _without_times(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _without_times(value) for name, value in content.items() if "seconds" not in name}
    return [_without_times(each) for each in content] if isinstance(content, list) else content


def _weights(path: Path) -> dict[str, bytes]:
    with safe_open(path, "np") as file:
        return {name: file.get_tensor(name).tobytes() for name in file.keys()}  # noqa: SIM118  (not a dict)
