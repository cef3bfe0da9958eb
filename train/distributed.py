"""Several processes train one network: each takes its share of every batch, and all take the same step.

`curate train --processes N` starts them, on one machine; `torchrun --nproc-per-node=N -m curate train …` works as well.
Nothing here listens beyond 127.0.0.1: the processes find each other through a file, and gloo and NCCL are told to use
the loopback interface. The server that torchrun opens for its own processes listens on every interface; `launch` does
without.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn

from curate.errors import UserError
from curate.machine import cores
from train.synced_norm import synchronised

MEETING = "CURATE_MEETING"
"""Variable of the environment with the folder in which the processes that `launch` started find each other."""
PATIENCE = timedelta(days=7)
"""That processes have with each other: the first decodes and evaluates alone, and `launch` ends all where one fails."""
GRACE_SECONDS = 5
"""For the others to end by themselves when one has failed: what is wrong for one is mostly wrong for all."""


def launched() -> bool:
    """Whether this is one of several processes, started by `launch` or by torchrun."""
    return "WORLD_SIZE" in os.environ and (MEETING in os.environ or "TORCHELASTIC_ERROR_FILE" in os.environ)


def launch(processes: int, arguments: Sequence[str]) -> int:
    """Run `curate` with these arguments in so many processes; the exit status of the first that fails, or 0.

    The first process speaks; what another says is shown where it fails and the first has not failed by itself. Raises
    `UserError` where a signal ended one of them.
    """
    with tempfile.TemporaryDirectory(prefix="curate-") as meeting:
        running, said = [], [Path(meeting) / f"{number}.txt" for number in range(processes)]
        for number in range(processes):
            with said[number].open("w") as file:
                quiet = file if number else None
                environment = _environment(number, processes, meeting)
                command = [sys.executable, "-m", "curate", *arguments]
                running.append(subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet))
        try:
            while None in (statuses := [process.poll() for process in running]) and not any(statuses):
                time.sleep(0.1)
            killed = next((status for status in statuses if status and status < 0), 0)
            patience = time.monotonic() + (0 if killed else GRACE_SECONDS)  # others would only say that it has gone
            while any(process.poll() is None for process in running) and time.monotonic() < patience:
                time.sleep(0.1)
        finally:
            for process in running:
                process.kill()
                process.wait()
        if killed:
            reason = f"a process was ended by {signal.Signals(-killed).name}, most likely because memory ran out"
            raise UserError(f"{reason}; start fewer --processes, or set a smaller batch_size")
        failed = next((number for number, process in enumerate(running) if process.returncode > 0), None)
        if failed:
            print(said[failed].read_text(), end="", file=sys.stderr)
        return running[failed].returncode if failed is not None else max(-process.returncode for process in running)


def _environment(number: int, processes: int, meeting: str) -> dict[str, str]:
    """What torchrun would set, but for the address of a server."""
    threads = str(max(1, cores() // processes))
    told = {"RANK": str(number), "WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes), MEETING: meeting}
    return {"OMP_NUM_THREADS": threads, **os.environ, **told}


@contextmanager
def joined(device: str) -> Iterator[None]:
    """Be one of torchrun's processes while the block runs; nothing happens where torchrun started none or one."""
    if not launched() or int(os.environ["WORLD_SIZE"]) == 1:
        yield
        return
    number, processes = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    if os.environ["LOCAL_WORLD_SIZE"] != os.environ["WORLD_SIZE"]:
        raise UserError("torchrun was started for several machines; training runs on one: leave --nnodes out")
    cuda = device != "cpu" and torch.cuda.is_available()
    if cuda:
        if torch.cuda.device_count() < processes:
            raise UserError(
                f"{processes} processes, but torch sees {torch.cuda.device_count()} CUDA devices here; start fewer"
            )
        torch.cuda.set_device(number)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    os.environ.setdefault("NCCL_SOCKET_IFNAME", "lo")
    if MEETING in os.environ:
        folder = Path(os.environ[MEETING])
    else:
        folder = Path(os.environ["TORCHELASTIC_ERROR_FILE"]).parents[1]  # new for each attempt, and this user's alone
    store = dist.FileStore(str(folder / "store"), processes)
    backend = "nccl" if cuda else "gloo"
    dist.init_process_group(backend, store=store, rank=number, world_size=processes, timeout=PATIENCE)
    try:
        yield
    finally:
        dist.destroy_process_group()


def count() -> int:
    """Processes that train together; 1 for a training of its own."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Which of them this process is, 0 for the first."""
    return dist.get_rank() if dist.is_initialized() else 0


def first() -> bool:
    """Whether this is the process that writes and prints."""
    return rank() == 0


def wait() -> None:
    """Until all processes have come here."""
    if count() > 1:
        dist.barrier()


def share(index: Tensor) -> Tensor:
    """This process's part of a batch, shape (B,) -> (about B / count(),)."""
    if count() == 1:
        return index
    if len(index) < count():
        raise UserError(f"a batch of {len(index)} images is too small for {count()} processes; start fewer of them")
    return index.tensor_split(count())[dist.get_rank()]


def prepare(model: nn.Module) -> None:
    """Let batch normalisation see the whole batch."""
    if count() > 1:
        synchronised(model)


def backward(loss: Tensor, model: nn.Module, part: float) -> None:
    """Gradients of the whole batch's mean loss. loss: mean over this process's share, which is `part` of the batch."""
    if count() == 1:
        loss.backward()
        return
    (loss * part).backward()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    for gradient, summed in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(summed.view(gradient.shape))


def total(value: Tensor) -> Tensor:
    """The sum over all processes."""
    if count() == 1:
        return value
    summed = value.clone()
    dist.all_reduce(summed)
    return summed


def as_the_first_says(value: float) -> float:
    """The first process's value, so that all decide the same."""
    if count() == 1:
        return value
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    told = torch.tensor(value, dtype=torch.float64, device=device)
    dist.broadcast(told, 0)
    return float(told)
