"""What this process may use is what its control groups allow, not what the machine has."""

from pathlib import Path

import pytest
import torch

from curate import machine
from curate.support import doctor
from train import data
from train.hardware import computing

GIB = 2**30


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The groups of a machine with 8 cores and 16 GiB, on which this process lies in slice/job."""
    (tmp_path / "groups" / "slice" / "job").mkdir(parents=True)
    (tmp_path / "cgroup").write_text("2:cpu:/else\n0::/slice/job\n")
    monkeypatch.setattr(machine, "GROUP", tmp_path / "cgroup")
    monkeypatch.setattr(machine, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda pid: range(8))
    monkeypatch.setattr(machine.os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 16 * GIB // 4096}.__getitem__)
    return tmp_path / "groups"


@pytest.mark.parametrize(
    ("own", "around", "expected"),
    [
        ("max 100000", "max 100000", 8),
        ("250000 100000", "max 100000", 3),
        ("900000 100000", "200000 100000", 2),
        ("5000 100000", "max 100000", 1),
        ("what is this", None, 8),
        (None, None, 8),
    ],
)
def test_cores(own: str | None, around: str | None, expected: int, groups: Path) -> None:
    allow(groups, "cpu.max", own, around)
    assert machine.cores() == expected
    machine.GROUP.unlink()
    assert machine.cores() == 8


@pytest.mark.parametrize(
    ("own", "around", "expected"),
    [
        ("max", "max", 16 * GIB),
        (f"{GIB}", "max", GIB),
        ("max", f"{3 * GIB}", 3 * GIB),
        (f"{32 * GIB}", None, 16 * GIB),
        ("", None, 16 * GIB),
        (None, None, 16 * GIB),
    ],
)
def test_memory(own: str | None, around: str | None, expected: int, groups: Path) -> None:
    allow(groups, "memory.max", own, around)
    assert machine.memory() == data.memory() == expected
    assert doctor._cores().found.endswith(f", {expected / 1e9:.0f} GB memory")
    machine.GROUP.unlink()
    assert machine.memory() == 16 * GIB


def allow(groups: Path, file: str, own: str | None, around: str | None) -> None:
    for folder, told in ((groups / "slice" / "job", own), (groups / "slice", around)):
        if told is not None:
            (folder / file).write_text(f"{told}\n")


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        ("processor\t: 0\nmodel name\t: AMD EPYC: 9R14\nflags\t: fpu\n", "AMD EPYC: 9R14"),
        ("processor\t: 0\n", "a processor"),
        (None, "a processor"),
    ],
)
def test_name(cpuinfo: str | None, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PROCESSOR", tmp_path / "cpuinfo")
    monkeypatch.setattr(machine.platform, "processor", lambda: "a processor")
    if cpuinfo is not None:
        (tmp_path / "cpuinfo").write_text(cpuinfo)
    assert machine.processor() == name


@pytest.mark.parametrize(
    ("avx512_bf16", "amx", "onednn", "fast"),
    [
        (True, False, True, True),
        (False, True, True, True),
        (False, False, True, False),  # AVX-512 without instructions for it
        (True, True, False, False),  # ONEDNN_MAX_CPU_ISA=AVX2
    ],
)
def test_doctor_and_trainer_agree_about_bf16(
    avx512_bf16: bool, amx: bool, onednn: bool, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: onednn)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    expected = "cpu, bf16" if fast else "cpu, fp32"
    assert computing("auto", "auto") == expected
    assert doctor._gpu().found == f"{expected}; no CUDA device"
