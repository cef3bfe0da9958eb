"""`curate add` and `curate scan` with every finder that needs no model, against CleanVision's default checks.

The same 60,000 files in the same run, the two in turn. CleanVision wants a virtual environment of its own:
    python3.11 -m venv PEERS && PEERS/bin/pip install cleanvision==0.3.7
and CURATE_PEERS=PEERS in the environment.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Collection
from pathlib import Path

from tests.benchmarks.record import data, record, spread

ROUNDS = 3
SIGNALS = ("color", "duplicate_pairs", "edge_blur", "thumbnail", "tones")
"""What `curate scan` measures where nothing was predicted."""
CURATE = (sys.executable, "-m", "curate")
PEER = """
import sys
from cleanvision import Imagelab
lab = Imagelab(data_path=sys.argv[1])
lab.find_issues(verbose=False)
"""


def run() -> None:
    """Rounds of: ours (add + scan), then the peer. The ratio is taken round by round."""
    peer = f"{os.environ['CURATE_PEERS']}/bin/python" if "CURATE_PEERS" in os.environ else None
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "cifar10"
        with tarfile.open(data("cifar10/cifar10_jpeg.tar.xz")) as archive:
            archive.extractall(images, filter="data")
        rounds = []
        for _ in range(ROUNDS):
            ws = Path(folder) / "ws"
            shutil.rmtree(ws, ignore_errors=True)
            add, add_memory = measured(*CURATE, "add", str(ws), str(images))
            scan, scan_memory = measured(*CURATE, "scan", str(ws))
            row = {"add": add, "scan": scan, "rescan": measured(*CURATE, "scan", str(ws))[0]}
            row["peak_memory_gb"] = max(add_memory, scan_memory)
            if peer:
                row["cleanvision"] = measured(peer, "-c", PEER, str(images))[0]
                row["ratio"] = row["cleanvision"] / (row["add"] + row["scan"])
            rounds.append(row)
            print(row, flush=True)
        helps = [measured(*CURATE, "--help")[0] for _ in range(11)]
    figures: dict[str, object] = {name: spread([row[name] for row in rounds]) for name in rounds[0]}
    figures["help"] = spread(helps)
    figures["peak_memory_gb"] = max(row["peak_memory_gb"] for row in rounds)
    record("scan_speed", "60,000 images of CIFAR-10 (JPEG, 32x32), in a folder; seconds", figures, signals=SIGNALS)


def measured(*command: str, fine: Collection[int] = (0,)) -> tuple[float, float]:
    """Wall-clock seconds of a whole process, and the peak memory, in GB, of it and its workers together.

    Ends where its exit status is not among `fine`.
    """
    started, peak = time.perf_counter(), 0
    with tempfile.TemporaryFile("w+") as said:  # a pipe that nobody reads would stop a process that says much
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)
        while process.poll() is None:
            peak = max(peak, _resident(process.pid))
            time.sleep(0.02)
        seconds = time.perf_counter() - started
        if process.returncode not in fine:
            said.seek(0)
            sys.exit(f"{' '.join(command)} failed: {said.read()}")
    return seconds, peak / 1e9


def _resident(pid: int) -> int:
    """Resident bytes of a process and all below it. Pages that several share are counted several times."""
    try:
        own = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (OSError, IndexError):
        return 0
    return own + sum(_resident(int(child)) for child in children)
