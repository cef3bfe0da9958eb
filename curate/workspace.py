"""The workspace: names of its files, complete writes, one writer at a time, ledger and history."""

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import filelock
import pandas as pd

from curate import __version__
from curate.csv_text import read_csv, write_csv
from curate.errors import UserError, first_line, from_system
from curate.files import (
    TEMPORARY_PREFIX,
    file_hash,
    flush,
    make_folder,
    named_in_errors,
    remove_abandoned,
    replacing,
    write_bytes_atomic,
    write_json,
)
from curate.wording import pasted

MANIFEST, FINDINGS, DECISIONS, CURATED = "manifest.parquet", "findings.parquet", "decisions.csv", "curated.parquet"
VERSIONED = (MANIFEST, FINDINGS, DECISIONS, CURATED)
"""The files whose earlier versions are kept: everything else can be computed from them."""
LEDGER, HISTORY, LOCK, RECIPE = "ledger.jsonl", "history", ".lock", "recipe.yaml"
PENDING = ".pending.json"
"""The entry of a verb from when it begins to publish its tables until the ledger has it; see `Workspace._finish`."""
UNDER_THE_LOCK = (".", HISTORY, "signals/*/v*")
"""Folders that only the holder of the tables' lock writes to: the measures, but not the folds of a training."""
EDIT = "edit"
"""Command of a ledger entry for files that were changed by hand."""
RAN = "ran"
"""Argument of a scan's entry that says which finders ran, and what the recipe had them do; nobody gives it."""
DECIDED_BY = "rules"
"""Argument of a decision's entry that says by which rules; nobody gives it."""
JOURNAL = "review.jsonl"
"""What people decided in a review, as it came: a line per act, see `curate.journal`."""
SECONDS_TO_WAIT = 10
"""How long a writer waits for another before it gives up."""


@dataclass(frozen=True)
class Entry:
    """A line of the ledger: a version of the workspace."""

    version: int
    at: str
    command: str
    arguments: dict[str, object]
    reads: dict[str, str] = field(default_factory=dict)
    writes: dict[str, str] = field(default_factory=dict)
    curate: str = __version__

    @property
    def given(self) -> dict[str, object]:
        """The arguments that people gave, those left empty left out."""
        given = {name: value for name, value in self.arguments.items() if name not in (RAN, DECIDED_BY)}
        return {name: value for name, value in given.items() if value not in (None, "", [], {})}


@dataclass
class Transaction:
    """What one verb writes; published together when the verb ends well."""

    workspace: "Workspace"
    staged: dict[str, Path] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        """Stage a table under one of the workspace's names; the ending says the format."""
        path = self._stage(name)
        with named_in_errors(self.workspace.path(name)):
            if path.suffix == ".csv":
                write_csv(path, table)
            else:
                table.to_parquet(path, index=False, compression="zstd")

    def write_text(self, name: str, text: str) -> None:
        """Stage a text file."""
        path = self._stage(name)
        with named_in_errors(self.workspace.path(name)):
            path.write_text(text, encoding="utf-8")

    def copy(self, name: str, source: Path) -> None:
        """Stage a copy of a file."""
        shutil.copyfile(source, self._stage(name))

    def remove(self, name: str) -> None:
        """Stage taking a file away, for going back to a version that did not have it; history keeps its content."""
        self.removed.append(name)

    def _stage(self, name: str) -> Path:
        path = self.workspace.root / f"{TEMPORARY_PREFIX}{os.getpid()}-{name}"
        self.staged[name] = path
        return path


@dataclass(frozen=True)
class Workspace:
    """A folder with the tables of one training set."""

    root: Path
    seconds_to_wait: float = SECONDS_TO_WAIT

    @classmethod
    def open(cls, root: Path) -> "Workspace":
        """A workspace that exists, or an error that says how to make one.

        One with a ledger and no manifest is one, too: it was taken back to before its first `add`.
        """
        if not (root / MANIFEST).is_file() and not (root / LEDGER).is_file():
            way_out = f"make one with 'curate add {pasted(root)} SOURCE'"
            if root.is_dir() and any(root.glob("*")):
                way_out = f"make one of the images in it with 'curate add WS {pasted(root)}'"
            raise UserError(f"{pasted(root)} is no workspace (it has no {MANIFEST}); {way_out}")
        return cls(root)

    def path(self, name: str) -> Path:
        return self.root / name

    def has(self, name: str) -> bool:
        return self.path(name).exists()

    def refuse_out(self, out: Path, name: str) -> None:
        """Raise `UserError` where `--out` might write over another verb's file: in the workspace, not called `name`."""
        there = out.resolve()
        if there.name != name and there.is_relative_to(self.root.resolve()):
            raise UserError(
                f"--out {pasted(out)} lies in the workspace, where only {name} may be; name a file elsewhere"
            )

    def read_table(self, name: str, *, written_by: str) -> pd.DataFrame:
        """A table; where it is missing the error names the verb that writes it."""
        path = self.path(name)
        if not path.exists():
            raise UserError(f"{path} is missing; '{written_by}' writes it")
        return read_table(path)

    def ledger(self) -> list[Entry]:
        """All entries, oldest first. A last line cut short by a power failure is left out."""
        return self._read_ledger()[0]

    def _read_ledger(self) -> tuple[list[Entry], bytes]:
        """The entries, and the bytes that they stand in: all of the file but a damaged last line. Versions only go up,
        but where a merge has kept the lines of two branches."""
        path = self.path(LEDGER)
        # Lines of bytes: a line cut within a character is no UTF-8, and text has more line ends than "\n".
        lines = path.read_bytes().rstrip(b"\n").split(b"\n") if path.exists() else []
        entries: list[Entry] = []
        for number, line in enumerate(lines, 1):
            try:
                entries.append(Entry(**json.loads(line)))
            except (ValueError, TypeError):
                if number < len(lines):
                    raise UserError(f"{path}, line {number} is damaged; remove that line to go on") from None
                lines.pop()
                break
            if len(entries) > 1 and entries[-1].version <= entries[-2].version:
                twice = f"version {entries[-1].version} comes after version {entries[-2].version}"
                raise UserError(
                    f"{path}, line {number}: {twice}; of lines that a merge has put together keep one branch's"
                )
        return entries, b"".join(line + b"\n" for line in lines)

    def hashes(self) -> dict[str, str]:
        """Hash of each versioned file that is there now."""
        return {name: digest for name in VERSIONED if (digest := self.hash(name))}

    def hash(self, name: str) -> str:
        """Hash of a file; "" for one that is not there."""
        return file_hash(self.path(name)) if self.has(name) else ""

    def state(self, version: int) -> dict[str, str]:
        """Hash of each versioned file as of `version` ("" for one that was taken away)."""
        entries = self.ledger()
        if not any(entry.version == version for entry in entries):
            known = f"1 to {entries[-1].version}" if entries else "none yet"
            raise UserError(f"{self.root} has no version {version}; there are: {known} ('curate log' lists them)")
        state: dict[str, str] = {}
        for entry in entries:
            if entry.version <= version:
                state |= entry.writes
        return {name: digest for name, digest in state.items() if name in VERSIONED and digest}

    def keeps(self, name: str, digest: str) -> bool:
        """Whether `history/` holds that content; a repository may have the ledger alone."""
        return self._kept(name, digest).exists()

    def version_file(self, name: str, digest: str) -> Path:
        """The file in `history/` that holds that content."""
        path = self._kept(name, digest)
        if not path.exists():
            raise UserError(f"{path} is missing, so {name} of that version cannot be shown; restore it from a backup")
        return path

    @contextmanager
    def locked(self, part: str = "") -> Iterator[None]:
        """Hold the lock of the tables, or of a folder of the workspace; waits for another writer, then says so.

        Training takes hours and holds the lock of its own folder alone, so that people can decide meanwhile. Who has a
        lock removes the temporary files of a verb that was killed, and no others: those may be in use. A verb that
        fails takes the lock file, and the folder, that it made with it: a refused `add` makes no workspace.
        """
        folder = self.root / part
        lock = folder / LOCK
        had_folder, had_lock = folder.is_dir(), lock.exists()
        with self._held(lock):
            try:
                for place in ("**",) if part else UNDER_THE_LOCK:
                    remove_abandoned(folder.glob(f"{place}/{TEMPORARY_PREFIX}*"))
                yield
            except BaseException:
                if not had_lock:
                    lock.unlink(missing_ok=True)
                if not had_folder and not any(folder.iterdir()):
                    folder.rmdir()
                raise

    @contextmanager
    def _held(self, path: Path) -> Iterator[None]:
        """Hold a lock. One that a verb which failed took away, while this one waited for it, holds nobody off."""
        path = path.absolute()  # so that what is locked and what is looked at are one file
        lock = filelock.FileLock(path, timeout=self.seconds_to_wait)
        while not lock.is_locked:
            make_folder(path.parent)
            try:
                lock.acquire()
            except filelock.Timeout:
                raise UserError(f"another curate is writing to {path.parent}; wait until it has ended") from None
            if not path.exists():
                lock.release()
        try:
            yield
        finally:
            lock.release()

    def waiting(self) -> "Workspace":
        """The same, for who waits for other writers as long as they take: what hours of training have made is not to
        end at a scan that takes minutes."""
        return replace(self, seconds_to_wait=-1)

    @contextmanager
    def writing(
        self, command: str, arguments: dict[str, object], *, read: dict[str, str] | None = None
    ) -> Iterator[Transaction]:
        """One verb's writes: staged in the block, published when it ends well, and noted in the ledger.

        Each file is complete at every moment. An edit made by hand since the last verb (of `decisions.csv`, say) is
        kept in the history first, as an entry of its own. read: `hashes` of the tables when the verb read them, where
        it let others write since; None: as they are now.
        """
        with self.locked():
            self.note_edits()
            reads = self.hashes()
            transaction = Transaction(self)
            try:
                yield transaction
                self._publish(transaction, command, arguments, reads, reads if read is None else read)
            finally:
                for path in transaction.staged.values():
                    path.unlink(missing_ok=True)

    def note(self, command: str, arguments: dict[str, object], *, read: dict[str, str] | None = None) -> None:
        """A line in the ledger of a verb that writes no table: a run, say, and of which data it is. See `writing`."""
        with self.writing(command, arguments, read=read):
            pass

    def _publish(
        self,
        transaction: Transaction,
        command: str,
        arguments: dict[str, object],
        now: dict[str, str],
        reads: dict[str, str],
    ) -> None:
        """Put what was staged in its place. What needs room comes first, so that a full disk changes nothing."""
        contents = dict.fromkeys(transaction.removed, "")
        for name, path in transaction.staged.items():
            flush(path)
            if name in VERSIONED:
                contents[name] = self._keep(name, path)
        self._refuse_edited(contents, now)
        writes = {name: digest for name, digest in contents.items() if now.get(name, "") != digest}
        entry = self._next(command, arguments, reads, writes)
        if writes:
            write_json(self.path(PENDING), asdict(entry))
        try:
            for name, path in transaction.staged.items():
                path.replace(self.path(name))
        except BaseException:
            if self.hashes() == now:  # none has its place yet: it was for nothing
                self.path(PENDING).unlink(missing_ok=True)
            raise
        for name in transaction.removed:
            self.path(name).unlink(missing_ok=True)
        flush(self.root)
        self._append(entry)
        self.path(PENDING).unlink(missing_ok=True)

    def _refuse_edited(self, names: Iterable[str], before: dict[str, str]) -> None:
        """Raise `UserError` where a table that is to be replaced was edited while the verb ran: the edit stays, and is
        an entry of its own."""
        edited = [name for name in names if self.hash(name) != before.get(name, "")]
        if edited:
            self.note_edits()
            raise UserError(
                f"{pasted(self.path(edited[0]))} was edited meanwhile, and nothing was written; run it again"
            )

    def _finish(self) -> None:
        """Bring to its end what a verb that was killed had begun to publish: tables that it had not put in their place
        come from the history. Where one of them was edited meanwhile, the edit stays, and so does the rest."""
        path = self.path(PENDING)
        if not path.exists():
            return
        entry, entries, now = Entry(**json.loads(path.read_bytes())), self.ledger(), self.hashes()
        open_ = {name: digest for name, digest in entry.writes.items() if now.get(name, "") != digest}
        as_before = all(now.get(name, "") == entry.reads.get(name, "") for name in open_)
        kept = all(not digest or self.keeps(name, digest) for name, digest in open_.items())
        if as_before and kept and not (entries and entries[-1].version >= entry.version):
            for name, digest in open_.items():
                if digest:
                    with replacing(self.path(name)) as temporary:
                        shutil.copyfile(self._kept(name, digest), temporary)
                else:
                    self.path(name).unlink()
            flush(self.root)
            self._append(entry)
        path.unlink()

    def _keep(self, name: str, path: Path) -> str:
        """Put a file's content into the history, under its hash."""
        digest = file_hash(path)
        kept = self._kept(name, digest)
        if not kept.exists():
            with replacing(kept) as temporary:
                shutil.copyfile(path, temporary)
        return digest

    def _kept(self, name: str, digest: str) -> Path:
        return self.path(HISTORY) / f"{digest}{Path(name).suffix}"

    def note_edits(self) -> None:
        """An entry for what changed outside curate, or in a review, once its content is in the history; and for a verb
        that was killed before it had one. Tables that came without their history, as in a clone, go there, too. Whoever
        calls it holds the lock."""
        self._finish()
        known: dict[str, str] = {}
        for entry in self.ledger():
            known |= entry.writes
        known = {name: digest for name, digest in known.items() if digest}
        now = self.hashes()
        for name, digest in now.items():
            if not self.keeps(name, digest):
                self._keep(name, self.path(name))
        writes = {name: now.get(name, "") for name in now | known if now.get(name, "") != known.get(name, "")}
        if writes:
            reviewed = DECISIONS in now and writes == {DECISIONS: self.reviewed()}
            self._append(self._next("review" if reviewed else EDIT, {}, known, writes))

    def reviewed(self) -> str:
        """The hash of the decisions as the last act of a review left them; "" where there was none."""
        path = self.path(JOURNAL)
        lines = path.read_bytes().splitlines() if path.exists() else []
        try:
            return str(json.loads(lines[-1])["decisions"]) if lines else ""
        except (ValueError, KeyError, TypeError):  # cut short by a power failure
            return ""

    def _next(self, command: str, arguments: dict[str, object], reads: dict[str, str], writes: dict[str, str]) -> Entry:
        """The entry that comes after those that there are."""
        entries = self.ledger()
        return Entry(entries[-1].version + 1 if entries else 1, timestamp(), command, arguments, reads, writes)

    def _append(self, entry: Entry) -> None:
        line = json.dumps(asdict(entry)).encode() + b"\n"  # ASCII: a path need not be UTF-8
        write_bytes_atomic(self.path(LEDGER), self._read_ledger()[1] + line)


def read_table(path: Path, *, columns: list[str] | None = None) -> pd.DataFrame:
    """A parquet or CSV table; CSV cells stay text, and an empty cell is "". columns: of Parquet those that are read."""
    if path.suffix == ".csv":
        return read_csv(path)
    try:
        return pd.read_parquet(path, columns=columns)
    except (ValueError, OSError) as error:
        if from_system(error):
            raise
        way_out = "'curate log' and 'curate restore' bring it back"
        raise UserError(f"{path} cannot be read ({first_line(error)}); {way_out}") from None


def timestamp() -> str:
    """Now, as ISO 8601 in UTC to the second; SOURCE_DATE_EPOCH stands in for now where it is set."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
