"""Where work per image runs. `Local`: in this process when there is little, in worker processes when it is much.

A library in C that meets a hostile file may end its process. In a worker that is noticed: the images which the worker
had are done again one by one, and for the one that ends its process twice, alone, `crashed` says what stands instead.
In this process nothing can notice it: the command ends, and `--workers 2` finds the image.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from multiprocessing import resource_tracker
from typing import Protocol, TypeVar

from curate.errors import UserError
from curate.machine import cores
from curate.progress import progress

Item = TypeVar("Item")
Result = TypeVar("Result")

SMALL = 512
"""Up to this many items run in this process, unless workers are asked for: starting two costs about 0.5 s, 512
thumbnails 0.1 s."""
TRIES = 2
"""Processes that an item must have ended, each alone, before it is blamed: the first may have been short of memory."""
CRASHED = "the decoder crashed"
"""Why there is no image, where decoding it ended the process."""
_threads: int | None = None


class Engine(Protocol):
    """What runs a function over batches: `Local`, or `curate.ray_engine.Ray`."""

    def map_batches(
        self,
        function: Callable[[list[Item]], Result],
        items: Iterable[Item],
        *,
        batch_size: int = 256,
        describe: str = "images",
        total: int | None = None,
        threaded: bool = False,
        crashed: Callable[[Item], Result] | None = None,
    ) -> Iterator[Result]:
        """Apply `function` to batches of `items` and yield the results in order.

        `function` is a pure function over a list, importable by name (workers are separate processes). `items` may be
        a stream that does not fit into memory: it is read as work goes on. `total`, where known, gives the progress
        bar its end. `threaded`: the function keeps `threads()` busy by itself, and on this machine needs no workers.
        `crashed` gives the result of an item that ends the process which works on it; it is called in this process. A
        batch with such an item comes back in parts. Raises `UserError` where there is such an item and no `crashed`.
        """


@dataclass(frozen=True)
class Local:
    """This machine: `workers` processes, by default `cores()`. At most four batches a worker are under way."""

    workers: int | None = None

    def map_batches(
        self,
        function: Callable[[list[Item]], Result],
        items: Iterable[Item],
        *,
        batch_size: int = 256,
        describe: str = "images",
        total: int | None = None,
        threaded: bool = False,
        crashed: Callable[[Item], Result] | None = None,
    ) -> Iterator[Result]:
        """See `Engine`."""
        workers = 1 if threaded else self.workers or cores()
        stream = iter(items)
        head = list(islice(stream, SMALL + 1))
        todo = batches(chain(head, stream), batch_size)
        with progress(describe, total) as advance:
            if workers == 1 or (len(head) <= SMALL and not self.workers):
                for batch in todo:
                    yield function(batch)
                    advance(len(batch))
                return
            for size, result in _in_workers(function, todo, workers, crashed):
                yield result
                advance(size)


Results = Generator[tuple[int, Result], None, None]
"""How many items, and what they came to."""


def _in_workers(
    function: Callable[[list[Item]], Result],
    todo: Iterator[list[Item]],
    workers: int,
    crashed: Callable[[Item], Result] | None,
) -> Results[Result]:
    """Batches through worker processes, in order; new ones where one of them has ended."""
    pending: deque[tuple[list[Item], Future[Result]]] = deque()
    pool = _pool(workers)
    try:
        while True:
            for batch in islice(todo, 4 * workers - len(pending)):
                pending.append((batch, _submit(pool, function, batch)))
            if not pending:
                break
            batch, future = pending[0]
            try:
                yield len(batch), future.result()
                pending.popleft()
            except BrokenProcessPool:
                pool.shutdown()
                yield from _again(function, pending, crashed)
                pending.clear()
                pool = _pool(workers)
    finally:
        pool.shutdown(wait=not pending, cancel_futures=True)


def _again(
    function: Callable[[list[Item]], Result],
    pending: Iterable[tuple[list[Item], Future[Result]]],
    crashed: Callable[[Item], Result] | None,
) -> Results[Result]:
    """What came of the batches that were under way when a worker ended: those without a result go through a worker of
    their own, item by item, so that it is known which of them ends it."""
    pool: ProcessPoolExecutor | None = None
    try:
        for batch, future in pending:
            if not future.exception():
                yield len(batch), future.result()
                continue
            for item in batch:
                for _ in range(TRIES):
                    pool = pool or _pool(1)
                    try:
                        result = pool.submit(function, [item]).result()
                        break
                    except BrokenProcessPool:
                        pool.shutdown()
                        pool = None
                else:
                    result = _instead(item, crashed)
                yield 1, result
    finally:
        if pool:
            pool.shutdown(cancel_futures=True)


def _instead(item: Item, crashed: Callable[[Item], Result] | None) -> Result:
    """What stands for an item that ends the process which works on it."""
    _check_starts()
    if crashed is None:
        reason = "memory ran out, or a library crashed"
        way_out = "take that out of the set, or give the command more memory"
        raise UserError(f"{item!r:.200} ended the process that worked on it ({reason}); {way_out}")
    return crashed(item)


def _check_starts() -> None:
    """Raise `UserError` where a worker ends that has nothing to do: no item is to blame for that."""
    with _pool(1) as pool:
        try:
            _submit(pool, len, []).result()
        except BrokenProcessPool:
            reason = "worker processes end as soon as they begin"
            raise UserError(f"{reason}; run the command again with --workers 1, which needs none") from None


def _pool(workers: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")  # fork copies locked mutexes of OpenCV's and torch's threads
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_begin)


def _submit(pool: ProcessPoolExecutor, function: Callable[[list[Item]], Result], batch: list[Item]) -> "Future[Result]":
    """Hand a batch to the workers; where one of them has ended, the result says so, as it does of earlier batches."""
    try:
        with interrupted_later():  # each of the first batches starts one of them
            return pool.submit(function, batch)
    except BrokenProcessPool as error:
        broken: Future[Result] = Future()
        broken.set_exception(error)
        return broken


@contextmanager
def interrupted_later() -> Iterator[None]:
    """Ctrl-C comes to no process that is started in the block, and to this one when the block ends.

    Processes inherit the mask of the thread that starts them. It is not enough here: a signal that the mask keeps from
    the main thread goes to one of torch's threads, and Python runs the handler in the main thread all the same, where
    it would end a start in the middle.
    """
    resource_tracker.ensure_running()  # it would let signals through again when the first process starts it
    came: list[int] = []
    in_main = threading.current_thread() is threading.main_thread()  # no other thread may set handlers, or runs them
    handler = signal.signal(signal.SIGINT, lambda number, frame: came.append(number)) if in_main else None
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if in_main:
            signal.signal(signal.SIGINT, handler)
    if came:
        signal.raise_signal(signal.SIGINT)


def threads() -> int:
    """How many threads this process may keep busy: one in a worker, of which there are as many as cores."""
    return _threads or cores()


def one_thread() -> None:
    """Has this process, a worker, keep one thread busy."""
    import cv2

    global _threads
    _threads = 1
    cv2.setNumThreads(1)


def serve() -> None:
    """What a worker process begins with: it leaves Ctrl-C to its parent, which stops it, and ends with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _begin() -> None:
    one_thread()
    serve()
    os.dup2(2, 1)  # stdout is the verb's own: what Python code prints goes to stderr, as what it warns of does
    sys.stderr = sys.stdout
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders write there what is wrong with an image, without its name


def _end_with_parent() -> None:
    """Workers of a parent that was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "runs in workers alone"
    parent.join()
    os._exit(1)


def batches(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    """Lists of `size` items, the last may be shorter."""
    while batch := list(islice(items, size)):
        yield batch
