"""Two processes come to what one comes to, and open nothing to other machines."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from curate.errors import UserError
from tests.conftest import write_digits
from tests.train.share import SETTINGS
from train import distributed

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


TORCHRUN = ("-m", "torch.distributed.run", "--nproc-per-node=2", "--rdzv-backend=c10d", "--local-addr=127.0.0.1")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """What `share.py` wrote in one process, and in two."""
    one, two, meeting = (tmp_path_factory.mktemp(name) for name in ("one", "two", "meeting"))
    rendezvous = (f"--rdzv-endpoint={meeting / 'file'}", "--rdzv-conf=store_type=file")
    for folder, launcher in ((one, ()), (two, (*TORCHRUN, *rendezvous))):
        done = subprocess.run(
            [sys.executable, *launcher, str(ROOT / "tests/train/share.py"), str(folder)],
            env={**ENVIRONMENT, "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    return one, two


def weights(file: Path) -> tuple[dict[str, torch.Tensor], list[list[float]]]:
    """And figures of each epoch."""
    with safe_open(file, "pt") as read:
        return {name: read.get_tensor(name) for name in read.keys()}, json.loads(read.metadata()["history"])  # noqa: SIM118


@pytest.mark.parametrize("settings", SETTINGS)
def test_two_processes_take_the_steps_of_one(trained: tuple[Path, Path], settings: str) -> None:
    """125 images in batches of 31 and 32, or of 31 and one over: the shares are not equal."""
    one, two = trained
    alone, history = weights(one / f"{settings}.safetensors")
    together, theirs = weights(two / f"{settings}.safetensors")
    assert together.keys() == alone.keys()
    for name, tensor in alone.items():
        assert torch.allclose(together[name], tensor, rtol=1e-3, atol=1e-3), name
    for ours, other in zip(history, theirs, strict=True):
        assert other == pytest.approx(ours, rel=1e-3)
    first, second = (json.loads((two / f"{settings}.{rank}").read_text()) for rank in (0, 1))
    assert first == json.loads((one / f"{settings}.0").read_text())
    assert all(ours != other for ours, other in zip(first[1:], second[1:], strict=True))  # its images have own dropout


def listening() -> set[tuple[str, str]]:
    """Sockets of this machine that other machines can reach: address and inode."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            part = line.split()
            if part[3] == "0A" and not part[1].startswith(("0100007F", "0" * 24 + "01000000")):
                found.add((part[1], part[9]))
    return found


def sockets(parent: int) -> set[str]:
    """Inodes of the sockets of a process and all that it started."""
    inodes, waiting = set(), [parent]
    while waiting:
        pid = waiting.pop()
        try:
            for handle in Path(f"/proc/{pid}/fd").iterdir():
                inodes.add(str(handle.readlink()).removeprefix("socket:[").removesuffix("]"))
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        except OSError:  # ended meanwhile
            continue
    return inodes


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's /proc")
def test_the_command_line_trains_in_two_processes(tmp_path: Path) -> None:
    write_digits(tmp_path / "photos", 80)
    run = [sys.executable, "-m", "curate"]
    subprocess.run([*run, "add", "ws", "photos"], cwd=tmp_path, env=ENVIRONMENT, check=True, capture_output=True)
    settings = ["--set", "epochs=2", "--set", "flip=false", "--device", "cpu", "--name", "both"]
    (own_temp := tmp_path / "temp").mkdir()
    process = subprocess.Popen(
        [*run, "train", "ws", "--processes", "2", *settings],
        cwd=tmp_path,
        env={**ENVIRONMENT, "TMPDIR": str(own_temp)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    reachable: set[tuple[str, str]] = set()
    while process.poll() is None:
        own = sockets(process.pid)
        reachable |= {(address, inode) for address, inode in listening() if inode in own}
        time.sleep(0.05)
    said, errors = process.communicate()
    assert process.returncode == 0, errors
    assert reachable == set()
    assert said.count("accuracy, single view") == 1
    assert errors.count("seed 0 epoch   1") == 1
    result = json.loads((tmp_path / "ws/runs/both/result.json").read_text())
    assert result["epochs_done"] == [2]
    assert result["train_images"] == 60
    assert result["hardware"].endswith(", 2 processes")
    assert not list(own_temp.glob("curate-*"))


def test_a_process_that_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others, which wait for it, say nothing."""
    script = tmp_path / "python"
    script.write_text('#!/bin/sh\nif [ "$RANK" = 1 ]; then kill -9 $$; fi\nexec sleep 60\n')
    script.chmod(0o755)
    monkeypatch.setattr(distributed.sys, "executable", str(script))
    began = time.monotonic()
    with pytest.raises(UserError, match=r"a process was ended by SIGKILL, most likely .*; start fewer --processes"):
        distributed.launch(3, ["train"])
    assert time.monotonic() - began < 30


def test_what_is_wrong_is_said_once(tmp_path: Path) -> None:
    write_digits(tmp_path / "photos", 40)
    run = [sys.executable, "-m", "curate"]
    subprocess.run([*run, "add", "ws", "photos"], cwd=tmp_path, env=ENVIRONMENT, check=True, capture_output=True)
    done = subprocess.run(
        [*run, "train", "ws", "--processes", "2", "--device", "cpu", "--set", "lr=1000000", "--set", "warmup=0"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "lr 1e+06 is too high" in done.stderr
    assert done.stderr.count("curate: ") == 1
    assert "Traceback" not in done.stderr
