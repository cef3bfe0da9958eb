"""Writing files so that a file that exists is complete, and so that a power cut after the rename keeps it."""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TEMPORARY_PREFIX = ".partial-"
TEMPORARY_FOLDER = f"{TEMPORARY_PREFIX}folder-"
LONGEST_NAME = 255
"""Bytes: what file systems allow."""


@contextmanager
def named_in_errors(path: Path) -> Iterator[None]:
    """What the operating system refuses in the block names `path`: a full disk does not say which file it stopped, or
    names a temporary one."""
    try:
        yield
    except OSError as error:
        if not error.filename or TEMPORARY_PREFIX in str(error.filename):
            error.filename = os.fspath(path)
        raise


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed over it when the block ends well and removed when it does not.

    It is named after `path`, so that what a killed command leaves goes when the same is written again; and it is locked
    while it is in use, by which `remove_abandoned` knows it.
    """
    with named_in_errors(path):
        make_folder(path.parent)
        temporary, handle = _open_temporary(path)
    try:
        with named_in_errors(path):
            yield temporary
            flush(temporary)
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
            flush(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        _unlock(handle)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path`, where nothing or an empty folder is; it takes that name when the block ends
    well, with all its files on the disk, and is removed when it does not. Those that killed commands have left go."""
    with named_in_errors(path):
        make_folder(path.parent)
        remove_abandoned(path.parent.glob(f"{TEMPORARY_FOLDER}*"))
        temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY_FOLDER, dir=path.parent))
        handle = _locked(temporary)
    try:
        with named_in_errors(path):
            yield temporary
        temporary.chmod(0o777 & ~_umask())
        os.sync()  # once for all files: an fsync for each takes minutes for 60,000
        temporary.replace(path)
        flush(path.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    finally:
        _unlock(handle)


@contextmanager
def in_use(path: Path) -> Iterator[bool]:
    """Hold a file that others may remove when it is in nobody's use, by `remove_abandoned`; False where it is gone."""
    handle = _locked(path, how=fcntl.LOCK_SH)
    try:
        yield handle is not None or path.exists()
    finally:
        _unlock(handle)


def remove_abandoned(paths: Iterable[Path]) -> None:
    """Remove those of these files and folders that no process has locked."""
    for path in paths:
        handle = _locked(path)
        if handle is not None:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
            _unlock(handle)


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, so that a power cut keeps them.

    Raises `NotADirectoryError` where one of them is a file.
    """
    if path.is_dir():
        return
    make_folder(path.parent)
    try:
        path.mkdir(exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from None
    flush(path.parent)


def write_bytes_atomic(path: Path, data: bytes) -> None:
    """Write `data` to `path`: all of it or nothing."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: Path, content: object) -> None:
    """Write JSON, all of it or nothing; no NaN, which JSON lacks."""
    write_bytes_atomic(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


def flush(path: Path) -> None:
    """fsync a file, or a folder's list of names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def file_hash(path: Path) -> str:
    """blake2b-128 of a file's bytes, as hex."""
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def json_hash(content: object, *, size: int) -> str:
    """blake2b of what JSON can say, as hex of `size` bytes, whatever order the keys of its mappings have."""
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=size).hexdigest()


def _open_temporary(path: Path) -> tuple[Path, int | None]:
    """An empty temporary file for `path`, and the handle that has it locked."""
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{path.name}")
    if len(os.fsencode(temporary.name)) <= LONGEST_NAME:
        with suppress(OSError):  # it is there, or the folder takes none: the other name says why
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        handle = _locked(temporary, os.O_RDWR)
        if handle is not None and _is_own(handle):
            os.truncate(handle, 0)
            return temporary, handle
        _unlock(handle)
    number, name = tempfile.mkstemp(prefix=TEMPORARY_PREFIX, suffix=path.suffix, dir=path.parent)
    os.close(number)
    return Path(name), _locked(Path(name))


def _locked(path: Path, mode: int = os.O_RDONLY, how: int = fcntl.LOCK_EX) -> int | None:
    """A handle that has the file or folder locked, for itself or, with LOCK_SH, beside others until it is closed or the
    process ends; None where another process has, where nothing is there, and where the file system knows no locks."""
    try:
        handle = os.open(path, mode | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), path.lstat()):  # not removed, or renamed, in between
            return handle
    except OSError:
        pass
    os.close(handle)
    return None


def _unlock(handle: int | None) -> None:
    if handle is not None:
        os.close(handle)


def _is_own(handle: int) -> bool:
    """Whether it is a file that nobody else can have a hand in."""
    status = os.fstat(handle)
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and status.st_nlink == 1


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
