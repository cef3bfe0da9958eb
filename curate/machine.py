"""What this process may use of the machine: cores, memory, a GPU, fast bfloat16; and what that is called."""

import os
import platform
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from curate.errors import UserError

if TYPE_CHECKING:
    import torch

GROUP, GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
"""Where Linux tells this process's control group, and what groups may use."""
PROCESSOR = Path("/proc/cpuinfo")


def cores() -> int:
    """Cores that this process may use: those it is bound to (`taskset`, SLURM), or what its control groups allow.

    Groups are those of v2 (`docker --cpus` sets one), its own and those that it lies in. Parts of a core are rounded
    up.
    """
    least = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for told in _groups("cpu.max"):
        with suppress(ValueError):  # no limit
            time_us, period_us = map(int, told.split())
            least = min(least, max(1, -(-time_us // period_us)))
    return least


def memory() -> int:
    """Bytes of main memory that this process may use: the machine's, or what its control groups allow, see `cores`."""
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([there, *(int(told) for told in _groups("memory.max") if told.isdigit())])


def _groups(file: str) -> Iterator[str]:
    """What this file of each control group says, where there is one."""
    with suppress(OSError):
        own = [line.removeprefix("0::/") for line in GROUP.read_text().splitlines() if line.startswith("0::/")]
        for folder in [path for name in own for path in (GROUPS / name, *(GROUPS / name).parents)]:
            with suppress(OSError):
                yield (folder / file).read_text().strip()


def processor() -> str:
    """The processor's name, for instance "AMD EPYC 9R14"."""
    lines = PROCESSOR.read_text().splitlines() if PROCESSOR.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def choose_device(name: str) -> "torch.device":
    """The device to compute on; "auto" takes CUDA where there is some. Raises `UserError` where there is none."""
    import torch

    if name not in ("auto", "cpu", "cuda"):
        raise UserError(f"--device {name!r} must be auto, cpu or cuda")
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise UserError(
            "device cuda was asked for, but torch sees no CUDA device here; 'curate doctor' says what it sees, and "
            "--device auto or cpu goes on"
        )
    return torch.device("cuda" if there and name != "cpu" else "cpu")


def hardware(device: "torch.device") -> str:
    """The device in words, for instance "NVIDIA H200" or "AMD EPYC 9R14, 2 of 8 cores"."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{processor()}, {torch.get_num_threads()} of {os.cpu_count()} cores"


def fast_bf16() -> bool:
    """Whether the processor computes in bfloat16, and torch lets it.

    oneDNN, which computes torch's convolutions, says yes on every processor with AVX-512, and emulates bfloat16 where
    there are no instructions for it; and it may be kept from those that there are (`ONEDNN_MAX_CPU_ISA`). Emulated,
    convolutions take twice the time of float32.
    """
    import torch

    instructions = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return instructions and torch.ops.mkldnn._is_mkldnn_bf16_supported()
