"""Several trainings at once, each in a process with its share of the threads; the results come in order."""

import multiprocessing
import pickle
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import torch

from curate.engine import interrupted_later, serve
from curate.errors import UserError
from curate.files import in_use
from curate.machine import choose_device
from train import distributed
from train.config import TrainConfig
from train.data import ImageSet
from train.mapped import MappedImages, in_file
from train.schedule import epochs_in_all

Job = TypeVar("Job")
News = TypeVar("News")
Result = TypeVar("Result")

SMALL = 5_000
"""Up to so many images of 32 x 32 px, counted anew in each epoch and training, one training follows the other here:
about 4 s of two cores, as starting two processes takes. Ten trainings of `resnet_fast` on 1,440 digits of 16 px, 10
epochs (36,000 by this count), took 105 s one after the other with two threads and 71 s two at a time (n = 1)."""


def choose(at_once: int | None, configs: Sequence[TrainConfig], *, images: int, side: int) -> int:
    """How many of the trainings to run at the same time, 1 to their number.

    configs: of each training. images: how many each trains on. side: of the images, in pixels. `at_once` None: one per
    thread of this process on CPU; 1 on CUDA, which one training fills, for little work (see `SMALL`), and with a time
    budget, in which a training with fewer threads would learn less.
    Raises `UserError` for less than 1, and for more than 1 where several processes share every batch.
    """
    if at_once is not None and at_once < 1:
        raise UserError(f"at_once = {at_once}; at least 1 training runs at a time")
    if at_once is not None and at_once > 1 and distributed.count() > 1:
        raise UserError(f"{distributed.count()} processes share every batch of one training; leave --at-once out")
    if at_once is None:
        work = sum(epochs_in_all(config, images) for config in configs) * images * (side / 32) ** 2
        one_by_one = (
            work <= SMALL
            or distributed.count() > 1
            or any(config.time_budget or choose_device(config.device).type == "cuda" for config in configs)
        )
        at_once = 1 if one_by_one else torch.get_num_threads()
    return max(1, min(at_once, len(configs)))


def share_threads(trainings: int, at_once: int, threads: int) -> list[int]:
    """Threads of each training: an even share, and more in the last round where that is a shorter one."""
    last = trainings % at_once or at_once
    return [max(1, threads // at_once)] * (trainings - last) + [max(1, threads // last)] * last


@contextmanager
def shared(*sets: ImageSet, at_once: int) -> Iterator[tuple[ImageSet, ...]]:
    """The sets with their images in files, which processes map and do not copy; as they are for one training at a time.

    Images in memory are written to temporary files, which go when the block ends. A file of the workspace is kept from
    other commands, which make room by removing what was used least; where one has done so, it is written anew.
    """
    if at_once == 1:
        yield sets
        return
    with ExitStack() as held:
        folder = Path(held.enter_context(TemporaryDirectory(prefix="curate_images-")))
        mapped = []
        for number, one in enumerate(sets):
            images = one.images
            if isinstance(images, MappedImages) and images.file and not held.enter_context(in_use(images.file)):
                images = replace(images, file=None)
            mapped.append(replace(one, images=in_file(images, folder / f"{number}.u8")))
        yield tuple(mapped)


def each(
    function: Callable[[Job, Callable[[News], None]], Result],
    jobs: Sequence[Job],
    *,
    at_once: int = 1,
    hear: Callable[[int, News], None] | None = None,
) -> Iterator[Result]:
    """Yield `function(job, tell)` for each job, in order, while up to `at_once` of them run.

    What a job gives to `tell` comes to `hear` in this process, with the job's number, while the job goes on. One at a
    time run in this process. More run in processes that are started anew, so function, jobs and results have to be
    picklable; images should be in files (see `shared`). This process's threads are shared out by `share_threads`, and
    a job runs beside jobs of as many threads alone: how many it has does not depend on which job ends first.
    The first error ends all. Raises `UserError` where a process was killed.
    """
    hear = hear or _ignore
    if min(at_once, len(jobs)) <= 1:
        for number, job in enumerate(jobs):
            yield function(job, partial(hear, number))
        return
    workers: dict[Connection, BaseProcess] = {}
    try:
        _start(workers, min(at_once, len(jobs)))
        for connection, process in workers.items():
            _send(connection, process, function)
        yield from _results(workers, jobs, share_threads(len(jobs), at_once, torch.get_num_threads()), hear)
    finally:
        for process in workers.values():
            process.kill()
        for connection, process in workers.items():
            process.join()
            connection.close()


def _ignore(number: int, news: object) -> None:
    pass


def _results(
    workers: dict[Connection, BaseProcess],
    jobs: Sequence[Job],
    threads: list[int],
    hear: Callable[[int, Any], None],
) -> Iterator[Any]:
    waiting, busy, done = deque(enumerate(jobs)), dict[Connection, int](), dict[int, Any]()
    for wanted in range(len(jobs)):
        while wanted not in done:
            for connection in workers.keys() - busy.keys():
                if waiting and all(threads[number] == threads[waiting[0][0]] for number in busy.values()):
                    busy[connection], job = waiting.popleft()
                    _send(connection, workers[connection], (threads[busy[connection]], job))
            spoke = wait(list(workers))
            for connection in workers.keys() & spoke:
                what, content = _receive(connection, workers[connection])
                if what == "failed":
                    raise content
                if what == "told":
                    hear(busy[connection], content)
                else:
                    done[busy.pop(connection)] = content
        yield done.pop(wanted)


def _start(workers: dict[Connection, BaseProcess], count: int) -> None:
    """Start processes that wait for work; Ctrl-C comes to none of them, not even while it is still importing."""
    context = multiprocessing.get_context("spawn")  # fork copies locked mutexes of torch's threads
    with interrupted_later():
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            workers[ours] = process


def _send(connection: Connection, process: BaseProcess, content: object) -> None:
    """Plain pickles: those of multiprocessing put every tensor into /dev/shm."""
    try:
        connection.send_bytes(pickle.dumps(content))
    except ConnectionError:
        raise _ended(process) from None


def _receive(connection: Connection, process: BaseProcess) -> tuple[str, Any]:
    try:
        what, content = pickle.loads(connection.recv_bytes())
    except (EOFError, ConnectionError):
        raise _ended(process) from None
    return what, content


def _ended(process: BaseProcess) -> UserError:
    process.join()
    status = process.exitcode or 0
    if status < 0:
        reason = f"a training was ended by {signal.Signals(-status).name}, most likely because memory ran out"
    else:
        reason = f"the process of a training ended with status {status}"
    return UserError(f"{reason}; run the command again with --at-once 1")


def _work(connection: Connection) -> None:
    """What a process does: job after job, until it is ended."""
    serve()
    with suppress(EOFError, ConnectionError):  # the other end is closed: there is nobody to work for
        function = pickle.loads(connection.recv_bytes())
        while True:
            threads, job = pickle.loads(connection.recv_bytes())
            torch.set_num_threads(threads)
            connection.send_bytes(outcome(function, job, lambda news: connection.send_bytes(_told(news))))


def _told(news: object) -> bytes:
    return pickle.dumps(("told", news))


def outcome(function: Callable[..., object], job: object, tell: Callable[[object], None]) -> bytes:
    """The result of a job, or the error that it ended with, as a pickle; one of ours says where it happened."""
    try:
        return pickle.dumps(("done", function(job, tell)))
    except Exception as error:
        where = traceback.format_exc()
        if not isinstance(error, UserError):
            error.add_note(f"In the process of a training:\n{where}")
        try:
            data = pickle.dumps(("failed", error))
            pickle.loads(data)
        except Exception:  # an error of a library that cannot be sent
            data = pickle.dumps(("failed", RuntimeError(where)))
        return data
