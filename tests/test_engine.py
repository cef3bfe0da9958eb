"""Batches come back in order, streams are not swallowed, and workers end when they should."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from curate import engine
from curate.engine import SMALL, Local, interrupted_later
from curate.errors import UserError


def double(batch: list[int]) -> list[int]:
    return [2 * item for item in batch]


def where(batch: list[int]) -> int:
    return os.getpid()


def fail_on_600(batch: list[int]) -> list[int]:
    if 600 in batch:
        raise ValueError("600")
    return batch


def end_on_600(batch: list[int]) -> list[int]:
    if 600 in batch:
        os.kill(os.getpid(), signal.SIGKILL)
    return batch


def crash(batch: list[int]) -> list[int]:
    """As a decoder that crashes does, at one item."""
    if 599 in batch:
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)  # pytest's own handler would print a traceback
        os.kill(os.getpid(), signal.SIGSEGV)
    return batch


def end_the_first(batch: list[int], *, marker: Path) -> list[int]:
    if 100 in batch and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return batch


def minus(item: int) -> list[int]:
    return [-item]


@pytest.mark.parametrize(
    ("count", "batch_size", "workers"),
    [(0, 4, 1), (1, 4, 1), (4, 4, None), (5, 4, None), (SMALL, 100, None), (SMALL + 1, 100, 1), (SMALL + 1, 100, 2)],
)
def test_every_item_once_and_in_order(count: int, batch_size: int, workers: int | None) -> None:
    results = list(Local(workers).map_batches(double, range(count), batch_size=batch_size))
    assert [item for batch in results for item in batch] == [2 * item for item in range(count)]
    assert all(0 < len(batch) <= batch_size for batch in results)


def test_few_items_run_here_and_many_in_workers() -> None:
    assert set(Local().map_batches(where, range(SMALL))) == {os.getpid()}
    assert os.getpid() not in set(Local(2).map_batches(where, range(SMALL + 1)))


def test_a_stream_is_read_only_as_far_as_needed() -> None:
    taken = 0

    def stream() -> Iterator[int]:
        nonlocal taken
        while taken < 100_000:
            taken += 1
            yield taken

    results = Local(2).map_batches(double, stream(), batch_size=10)
    next(results)
    results.close()
    assert taken <= SMALL + 1 + 10 * (4 * 2 + 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_in_the_function_arrives(workers: int) -> None:
    with pytest.raises(ValueError, match="600"):
        list(Local(workers).map_batches(fail_on_600, range(1000), batch_size=10))


def test_a_killed_worker_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(UserError, match=r"^600 ended the process .*memory.*; take that out of the set"):
        list(Local(2).map_batches(end_on_600, range(1000), batch_size=10))


def test_only_what_crashes_gets_another_result() -> None:
    """Items around it, in its batch and in those that were under way, come out as ever, once and in order."""
    results = list(Local(2).map_batches(crash, range(700), batch_size=256, crashed=minus))
    assert [item for batch in results for item in batch] == [*range(599), -599, *range(600, 700)]


def test_a_worker_that_was_killed_once_blames_nothing(tmp_path: Path) -> None:
    function = partial(end_the_first, marker=tmp_path / "killed")
    results = Local(2).map_batches(function, range(600), batch_size=50, crashed=minus)
    assert [item for batch in results for item in batch] == list(range(600))
    assert (tmp_path / "killed").exists()


def test_workers_that_cannot_start_are_an_error_and_blame_nothing(tmp_path: Path) -> None:
    """A script without `if __name__ == "__main__"`: its workers run it again, and end."""
    (tmp_path / "script.py").write_text(
        "from curate.engine import Local\nprint(list(Local(2).map_batches(len, [1, 2], crashed=lambda item: -1)))\n"
    )
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == ""
    assert done.stderr.endswith(
        "worker processes end as soon as they begin; run the command again with --workers 1, which needs none\n"
    )


def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(
        textwrap.dedent("""
        import os, time
        def slow(batch):
            os.write(1, b"%d\\n" % os.getpid())  # one write: two workers share the pipe; it comes to stderr
            time.sleep(0.05)
        if __name__ == "__main__":
            from curate.engine import Local
            list(Local(2).map_batches(slow, range(100_000), batch_size=10))
        """)
    )
    parent = subprocess.Popen([sys.executable, "work.py"], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert parent.stderr is not None
    workers = {int(parent.stderr.readline()) for _ in range(20)}
    parent.kill()
    parent.wait()
    parent.stderr.close()
    patience = time.monotonic() + 10
    while (left := [pid for pid in workers if alive(pid)]) and time.monotonic() < patience:
        time.sleep(0.05)
    assert left == []


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie, which nobody has waited for, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_default_is_one_worker_a_core(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(engine, "cores", lambda: asked.append(1) or 1)
    assert list(Local().map_batches(where, range(SMALL + 1))) == [os.getpid()] * 3
    assert asked


def test_ctrl_c_while_processes_start_comes_when_they_have_started() -> None:
    """Also where the system hands the signal to one of torch's threads, which no mask of the main thread hinders."""
    hold, reached = threading.Event(), threading.Event()
    other = threading.Thread(target=hold.wait)
    other.start()

    def start() -> None:
        with interrupted_later():
            signal.pthread_kill(other.ident or 0, signal.SIGINT)
            for _ in range(1000):  # the handler would run between two of these
                time.sleep(0.0001)
            reached.set()

    try:
        with pytest.raises(KeyboardInterrupt):
            start()
    finally:
        hold.set()
        other.join()
    assert reached.is_set()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


BEGINS = """
import sys
from curate.engine import Local
from tests.test_engine import double

try:
    print("ready", flush=True)
    list(Local(2).map_batches(double, range(100_000), batch_size=1))
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.3])
def test_ctrl_c_while_workers_import_is_not_heard_of(seconds: float) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", BEGINS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
        start_new_session=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it
    assert process.communicate(timeout=120)[1] == ""
    assert process.returncode == 130
