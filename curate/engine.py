"""Where work per image runs. `Local`: in this process when there is little, in worker processes when it is much."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import chain, islice
from typing import Protocol, TypeVar

from curate.errors import UserError
from curate.progress import progress

Item = TypeVar("Item")
Result = TypeVar("Result")

SMALL = 512
"""Up to this many items run in this process: starting two workers costs about 0.5 s, 512 thumbnails 0.1 s."""
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
    ) -> Iterator[Result]:
        """Apply `function` to batches of `items` and yield the results in order.

        `function` is a pure function over a list, importable by name (workers are separate processes). `items` may be
        a stream that does not fit into memory: it is read as work goes on. `total`, where known, gives the progress
        bar its end. `threaded`: the function keeps `threads()` busy by itself, and on this machine needs no workers.
        """


@dataclass(frozen=True)
class Local:
    """This machine: `workers` processes, by default one per core. At most four batches a worker are under way."""

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
    ) -> Iterator[Result]:
        """See `Engine`."""
        workers = 1 if threaded else self.workers or os.cpu_count() or 1
        stream = iter(items)
        head = list(islice(stream, SMALL + 1))
        with progress(describe, total) as advance:
            if workers == 1 or len(head) <= SMALL:
                for batch in batches(chain(head, stream), batch_size):
                    yield function(batch)
                    advance(len(batch))
                return
            context = multiprocessing.get_context("spawn")  # fork copies locked mutexes of OpenCV's and torch's threads
            with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin) as pool:
                pending: deque[tuple[int, Future[Result]]] = deque()
                try:
                    for batch in batches(chain(head, stream), batch_size):
                        pending.append((len(batch), pool.submit(function, batch)))
                        if len(pending) >= 4 * workers:
                            size, future = pending.popleft()
                            yield future.result()
                            advance(size)
                    while pending:
                        size, future = pending.popleft()
                        yield future.result()
                        advance(size)
                except BrokenProcessPool:
                    reason = "a worker process was killed, most likely because memory ran out"
                    raise UserError(f"{reason}; run the command again with --workers 1") from None
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise


def threads() -> int:
    """How many threads this process may keep busy: one in a worker, of which there are as many as cores."""
    return _threads or os.cpu_count() or 1


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
