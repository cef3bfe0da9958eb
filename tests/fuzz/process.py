"""One target in a process of its own: `python -m tests.fuzz.process TARGET SECONDS`, or `--try FILE` for one input.

What a target raises is kept with its input, once for each place that raises, and the search goes on. What ends the
process (a crash of native code, too much memory, an input that takes too long) atheris keeps by itself.
"""

import hashlib
import importlib
import mmap
import os
import resource
import struct
import sys
import time
import traceback
from pathlib import Path
from types import ModuleType

from curate.errors import UserError

INSTRUMENTED = ["curate", "train", "yaml", "tarfile", "zipfile", "pickle"]
SLOW_SECONDS = 10
"""Processor time that one input may take."""
HANGS_SECONDS = 300
"""After which the process is ended: generous, as other programs may want the processor more."""
MORE_MEMORY = 2 << 30
"""Bytes beyond what the process has when it begins; a `MemoryError` is a finding."""
LONGEST = 4096
"""Bytes of an input at least; twice the longest seed where that is more."""
COUNTS = struct.Struct("qdd")
"""Executions, processor seconds, seconds: in a file that is mapped, so that they are there however the process ends."""
OWN = ("/curate/", "/train/", "/tests/fuzz/")


def fuzz(name: str, seconds: int, folder: Path) -> None:
    """Search for so long. Does not return: atheris ends the process."""
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED):
        target = importlib.import_module(f"tests.fuzz.targets.{name}")
        for seed in target.seeds():  # what is imported in functions is instrumented, too
            _try(target, seed, folder)
    seeds, corpus = folder / "seeds", folder / "corpus"
    for number, seed in enumerate(target.seeds()):
        _written(seeds / f"{number}", seed)
    corpus.mkdir(exist_ok=True)
    longest = max(LONGEST, 2 * max(map(len, target.seeds())))
    counts = _counts(folder)
    begun, used = time.monotonic(), time.process_time()
    executions = 0

    def one(data: bytes) -> None:
        nonlocal executions
        before = time.process_time()
        _try(target, data, folder)
        executions += 1
        now = time.process_time()
        if now - before > SLOW_SECONDS:
            _written(folder / f"slow-{_digest(data)}", data)
        COUNTS.pack_into(counts, 0, executions, now - used, time.monotonic() - begun)

    _limit_memory()
    arguments = [f"-max_total_time={seconds}", f"-max_len={longest}", f"-timeout={HANGS_SECONDS}"]
    arguments += [
        "-rss_limit_mb=0",
        "-report_slow_units=1000000",
        f"-artifact_prefix={folder}/",
        "-print_final_stats=1",
        str(corpus),
        str(seeds),
    ]
    atheris.Setup([sys.argv[0], *arguments], one)
    atheris.Fuzz()


def _try(target: ModuleType, data: bytes, folder: Path) -> None:
    """Keep the input and the traceback of what the target raises."""
    try:
        target.one(data)
    except Exception as error:
        name = f"raised-{type(error).__name__}-{_place(error)}"
        if not (folder / name).exists():
            _written(folder / f"{name}.txt", traceback.format_exc().encode("utf-8", "backslashreplace"))
            _written(folder / name, data)


def _place(error: Exception) -> str:
    """The last line of ours that the error went through: `curate-recipe-120`. Of an error with several lines, where
    that was raised."""
    if isinstance(error.__context__, UserError):
        error = error.__context__
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if any(own in frame.filename for own in OWN)]
    if not frames:
        return "elsewhere"
    path = Path(frames[-1].filename)
    return f"{path.parent.name}-{path.stem}-{frames[-1].lineno}"


def _counts(folder: Path) -> mmap.mmap:
    path = folder / "counts"
    path.write_bytes(bytes(COUNTS.size))
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), COUNTS.size)


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + MORE_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _written(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def main() -> None:
    """See the module."""
    name, what, *rest = sys.argv[1:]
    if what == "--try":
        _limit_memory()
        importlib.import_module(f"tests.fuzz.targets.{name}").one(Path(rest[0]).read_bytes())
    else:
        fuzz(name, int(what), Path(rest[0]))


if __name__ == "__main__":
    main()
