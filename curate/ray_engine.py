"""Work per image on a Ray cluster, by Ray Data: the same results in the same order as on this machine.

The paths among the items must lead to the same files on every node (a shared file system), and every node needs the
same versions of curate, Python, NumPy and OpenCV. This machine must be a node, too; one without cores will do. Items
and results travel as pickled bytes, a row per batch, so that nothing on the way converts them.
"""

import logging
import os
import pickle
import platform
import socket
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from curate.engine import TRIES, Item, Result, batches, one_thread
from curate.errors import UserError
from curate.progress import progress

if TYPE_CHECKING:
    import numpy as np

WINDOW = 1024
"""Batches that are handed to Ray at a time: 262,144 paths, about 40 MB. Between two windows the workers wait once."""
RETRIES = 3
"""How often a batch is tried again whose worker was killed. Ray Data's own default is for ever."""
PATIENCE_S = 5
"""Seconds for an address to answer."""
START_S = 60
"""Seconds for a node to start a worker and import curate; 2 to 5 on two busy cores."""
LOOPBACK = "127.0.0.1"
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # else what befalls a worker is printed on our stdout
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # its default warns
    "RAY_gcs_server_request_timeout_seconds": "15",  # else a machine that is no node of the cluster waits for 60
}
ONLY_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Has a node be 127.0.0.1, where it would else take the machine's address and listen on every interface."""


@dataclass(frozen=True)
class Ray:
    """A Ray cluster: at `address` (HOST:PORT), else at $RAY_ADDRESS, else one that is started on this machine.

    workers: the most batches at the same time; by default as many as the cluster has cores.

    The first use connects, and the process stays connected until it ends.
    """

    address: str | None = None
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
        """See `Engine`. A batch whose worker was killed is tried again; where that does not help, and there is a result
        for an item that kills its worker, its items are tried one by one."""
        stream = batches(iter(items), batch_size)
        with progress(describe, total) as advance:
            while window := list(islice(stream, WINDOW)):
                for size, (result, error) in self._map(function, window, crashed):
                    if error:
                        raise error
                    yield result
                    advance(size)

    def _map(
        self,
        function: Callable[[list[Item]], Result],
        window: list[list[Item]],
        crashed: Callable[[Item], Result] | None,
    ) -> Iterator[tuple[int, tuple[Result, Exception | None]]]:
        """(items, (result, error)) of every batch, or of parts of it."""
        _connect(self.address, self.workers)
        import ray.data

        left = deque(window)
        try:
            _check_nodes()
            rows = ray.data.from_items(
                [{"batch": pickle.dumps(batch)} for batch in window], override_num_blocks=len(window)
            )
            with warnings.catch_warnings():  # there is no other way to limit retries than one that shall go in 2.64
                warnings.simplefilter("ignore")
                mapped = rows.map_batches(
                    partial(_run, function=function),
                    batch_size=1,
                    ray_remote_args_fn=partial(dict, max_retries=RETRIES),
                )
            for row in mapped.iter_rows():
                yield len(left.popleft()), pickle.loads(row["result"])
        except ray.exceptions.RayError as error:
            if crashed is None or not _is_killed(error):
                raise _given_up(error) from None
            yield from _in_parts(function, left, crashed)


def _in_parts(
    function: Callable[[list[Item]], Result], left: Iterable[list[Item]], crashed: Callable[[Item], Result]
) -> Iterator[tuple[int, tuple[Result, Exception | None]]]:
    """Batches as tasks of their own; of one that is killed every item as one, and `crashed` for those that are, too."""
    import ray

    limited: Any = ray.remote(max_retries=TRIES - 1)
    task = limited(_run)

    def begun(part: list[Item]) -> Any:
        return task.remote({"batch": [pickle.dumps(part)]}, function=function)

    parts = deque((part, begun(part)) for part in left)
    while parts:
        part, begins = parts.popleft()
        try:
            yield len(part), pickle.loads(ray.get(begins)["result"][0])
        except ray.exceptions.RayError as error:
            if not _is_killed(error):
                raise _given_up(error) from None
            if len(part) == 1:
                yield 1, (crashed(part[0]), None)
            else:
                parts.extendleft(([item], begun([item])) for item in reversed(part))


def _is_killed(error: Exception) -> bool:
    import ray

    return isinstance(error, ray.exceptions.WorkerCrashedError | ray.exceptions.OutOfMemoryError)


def _given_up(error: Exception) -> UserError:
    if _is_killed(error):
        why = "workers were killed again and again, most likely for want of memory; fewer --workers need less"
    else:
        why = f"{_last_line(error)}; mend that and run the command again"
    return UserError(f"Ray gave up: {why}")


def _run(rows: "dict[str, np.ndarray]", *, function: Callable) -> dict[str, list[bytes]]:
    """Batches through `function`, in a worker. An error of the function is a result, and so arrives as it is."""
    one_thread()
    return {"result": [pickle.dumps(_outcome(function, pickle.loads(batch))) for batch in rows["batch"]]}


def _outcome(function: Callable[[list[Item]], Result], batch: list[Item]) -> tuple[Result | None, Exception | None]:
    try:
        return function(batch), None
    except Exception as error:
        return None, error


def _connect(address: str | None, workers: int | None) -> None:
    address = address or os.environ.get("RAY_ADDRESS")
    if address:
        _check_answers(address)
    os.environ.update(ENVIRONMENT if address else ENVIRONMENT | ONLY_LOOPBACK)  # Ray reads them when it is imported
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import ray.data
    except ImportError:
        raise UserError("--engine ray needs Ray: pip install 'curate-images[ray]'") from None
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True
    context.execution_options.resource_limits = ray.data.ExecutionResources(cpu=workers)
    if ray.is_initialized():
        return
    alone: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False}
    try:
        ray.init(address or "local", logging_level=logging.CRITICAL, log_to_driver=False, **({} if address else alone))
    except (RuntimeError, ConnectionError, ValueError) as error:
        where = f"the Ray cluster at {address}" if address else "a Ray of this machine alone"
        node = f"this machine must be a node of it ('ray start --address={address} --num-cpus=0')"
        way_out = f"; {node}, and where it asks for a token, set RAY_AUTH_MODE=token" if address else ""
        raise UserError(f"cannot use {where}: {' '.join(str(error).split())}{way_out}") from None
    if not address and ray.nodes()[0]["NodeManagerAddress"] != LOOPBACK:
        ray.shutdown()
        raise UserError("Ray would listen beyond this machine; start a cluster yourself and give its --ray-address")


def _check_answers(address: str) -> None:
    """Raise `UserError` unless a gRPC server is there: Ray itself would wait for minutes."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or "/" in host:
        raise UserError(f"the address of a Ray cluster must be HOST:PORT, for instance 10.0.0.1:6379, not {address!r}")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE_S) as connection:
            if os.environ.get("RAY_USE_TLS") == "1":
                return
            connection.settimeout(PATIENCE_S)
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
            reason = "" if connection.recv(9)[3:4] == b"\x04" else "something else answers there"
    except (OSError, OverflowError) as error:
        reason = str(error)
    if reason:
        way_out = "start one there with 'ray start --head', or give the right --ray-address"
        raise UserError(f"no Ray cluster answers at {address} ({reason}); {way_out}")


def _check_nodes() -> None:
    """Raise `UserError` unless every node that works has what this process has."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    if not nodes:
        raise UserError("the Ray cluster has no node with a core to work on; add one with 'ray start --address'")
    asked = ray.remote(num_cpus=0, max_retries=0)(_asked())
    told = [
        asked.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote()
        for node in nodes
    ]
    here = _asked()()
    for node, reference in zip(nodes, told, strict=True):
        where = f"Ray's node {node['NodeManagerAddress']}"
        try:
            there = ray.get(reference, timeout=START_S)
        except ray.exceptions.RayError as error:
            raise UserError(f"{where} starts no worker: {_last_line(error)}") from None
        if there != here:
            raise UserError(f"{where} has {there}, and here is {here}; install the same on every node")


def _asked() -> Callable[[], str]:
    """The function that every node is asked. It is nested so that pickle sends its code: curate may be absent there."""

    def versions() -> str:
        try:
            import cv2
            import numpy

            from curate import __version__, measure  # noqa: F401
        except ImportError as error:
            return f"no working curate ({error})"
        python = ".".join(platform.python_version_tuple()[:2])
        return f"curate {__version__}, Python {python}, NumPy {numpy.__version__}, OpenCV {cv2.__version__}"

    return versions


def _last_line(error: Exception) -> str:
    """What happened, without the traceback that Ray puts before it."""
    return next(line for line in reversed(str(error).splitlines() or [repr(error)]) if line.strip()).strip()
