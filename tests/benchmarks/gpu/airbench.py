"""Ours against `cifar10-airbench` (Jordan 2024), on the same images, card and torch, in the same run.

The peer's scripts come from a clone in the folder that `$CURATE_PEERS` names; see `airbench_peer.py` for how they run.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import torch

from tests.benchmarks.gpu.data import splits
from tests.benchmarks.gpu.job import Figures, Job, Missing, Parts
from tests.benchmarks.gpu.training import FAST, LARGE, RESNET18, Settings, Splits, climb, mean, repeated, spread
from train.data import ImageSet

PEERS = "CURATE_PEERS"
REPOSITORY = "https://github.com/KellerJordan/cifar10-airbench"
TRIAL_IMAGES = 2000
"""Training images in a trial on a CPU, the few there are many times over: a batch of the peer's."""

MUON18: Settings = {
    **LARGE,
    "model_options": {},
    "model": "resnet18",
    "batch_size": 512,  # what Muon turns in a step does not grow with the batch, so more steps are more learning
    "small_first": 0.0,
    "compile": "auto",  # many times the arithmetic of the others: it pays, and saves time for one more setting
}
TO_94 = {f"fast, {epochs} epochs": {**FAST, "epochs": epochs} for epochs in (8, 11, 14, 18, 24)}
TO_96 = {
    "resnet_whitened, large, 20 epochs": {**LARGE, "epochs": 20},
    "resnet18 with Muon, 16 epochs": {**MUON18, "epochs": 16},
    **{f"resnet_whitened, large, {epochs} epochs": {**LARGE, "epochs": epochs} for epochs in (30, 40)},
    "resnet18 with Muon, 30 epochs": {**MUON18, "epochs": 30},
    "resnet18 with SGD, 40 epochs": {**RESNET18, "epochs": 40, "compile": "auto"},
}
"""Cheapest first, by multiply-adds."""
SHARE_COMPILED = 0.6
"""Of the time that is left: where the peer takes longer to compile and run, it runs without compiling."""


def airbench94(job: Job) -> Parts:
    """Against `airbench94_muon.py`, 8 epochs: its accuracy, and how long ours takes to get there."""
    return against(job, "airbench94_muon.py", runs=5, candidates=TO_94, seeds=5)


def airbench96(job: Job) -> Parts:
    """Against `airbench96_faster.py`, 45 epochs with data filtering."""
    return against(job, "airbench96_faster.py", runs=2, candidates=TO_96, seeds=2)


def against(job: Job, script: str, *, runs: int, candidates: Mapping[str, Settings], seeds: int) -> Parts:
    """The peer's runs, then ours up to its mean accuracy, small networks not compiled; then the one that reached it,
    compiled.

    Both average the same six views: those of `accuracy_multi_crop` are the peer's choice.
    """
    path = peer_script(script)
    both = splits(job, "cifar10")
    target = 0.0
    for name, figures in peer(job, path, both, 1 if job.small else runs):
        yield name, figures
        target = mean(figures, "accuracy")
    reached: Figures = {}
    ours = {name: {"compile": "off", **settings} for name, settings in candidates.items()}
    ours = dict(islice(ours.items(), 1 if job.small else None))
    for name, figures in climb(job, both, ours, view="accuracy_multi_crop", target=target, seeds=seeds):
        yield name, figures
        reached = figures if figures["reaches"] else {}
    if isinstance(settings := reached.get("settings"), Mapping):
        for mode in ("auto", "graphs"):
            repeated(job, both, {**settings, "compile": mode, "epochs": 2}, seeds=1)  # sets up libraries; left out
            compiled = repeated(job, both, {**settings, "compile": mode}, seeds=min(3, seeds))
            yield f"the one that reached it, compile {mode}", compiled


def peer_script(script: str) -> Path:
    """The peer's script in `$CURATE_PEERS`."""
    folder = os.environ.get(PEERS)
    path = Path(folder or "") / "cifar10-airbench" / script
    if not folder or not path.exists():
        where = f"{path} is missing" if folder else f"{PEERS} is not set"
        raise Missing(f"{where}; set {PEERS} to a folder with a clone of {REPOSITORY}")
    return path.resolve()


def peer(job: Job, path: Path, both: Splits, runs: int) -> Parts:
    """Accuracies and seconds of the peer, after each of its runs; the first is left out, for it compiles.

    Seconds are the peer's own: of training and of its six views, on CUDA events. Where it fails compiled, which it may
    with a torch it was not written for, it runs once more without: slower, but as accurate.
    """
    folder = job.work / "airbench"
    give_images(folder / "cifar10", both, TRIAL_IMAGES if job.small else None)
    for compiled in (False,) if job.small else (True, False):
        found: list[dict[str, float]] = []
        try:
            for run in results(job, path, folder, runs + 1, compiled=compiled):
                found.append(run)
                if len(found) > 1:
                    yield path.name, told(found[1:], compiled)
        except RuntimeError as error:
            print(f"{path.name}, {'compiled' if compiled else 'not compiled'}: {error}", flush=True)
        if len(found) > 1:
            return
    raise RuntimeError(f"{path.name} does not run here, compiled or not")


def told(found: list[dict[str, float]], compiled: bool) -> Figures:
    """The spread of the peer's runs."""
    return {
        **{name: spread([run[name] for run in found]) for name in ("accuracy", "seconds")},
        "compiled": compiled,
    }


def results(job: Job, path: Path, folder: Path, runs: int, *, compiled: bool) -> Iterator[dict[str, float]]:
    """Run the script and read its table: a row per epoch, and one called `eval` at the end of each run."""
    # the first script makes a run more by itself, on labels by chance: its first row is left out like any first
    own = runs - 1 if 'main("warmup"' in path.read_text(encoding="utf-8") else runs
    command = [sys.executable, str(Path(__file__).with_name("airbench_peer.py")), str(path), str(own)]
    process = subprocess.Popen(
        [*command, *(["cpu"] if job.small else [])],
        cwd=folder,
        env=environment(folder, compiled),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    last: list[str] = []
    stop = threading.Timer(job.left() * (SHARE_COMPILED if compiled else 1), process.kill)
    stop.daemon = True
    stop.start()
    with process:
        assert process.stdout
        header: list[str] = []
        for line in process.stdout:
            cells = [cell.strip() for cell in line.split("|")]
            header = cells if "tta_val_acc" in cells else header
            row = dict(zip(header, cells, strict=False))
            if row.get("epoch") == "eval":
                seconds = row.get("time_seconds") or row["total_time_seconds"]
                yield {"accuracy": float(row["tta_val_acc"]), "seconds": float(seconds)}
            last = [*last[-4:], line.strip()]
    stop.cancel()
    if process.returncode:
        raise RuntimeError(f"it ended with status {process.returncode}: {' / '.join(filter(None, last))[-600:]}")


def environment(folder: Path, compiled: bool) -> dict[str, str]:
    """That of this process; with a stand-in for torchvision where there is none."""
    told = dict(os.environ, PYTHONUNBUFFERED="1")
    if not compiled:
        told["TORCH_COMPILE_DISABLE"] = "1"
    if find_spec("torchvision") is None:
        write_stand_in(folder / "stand-in" / "torchvision")
        told["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder / "stand-in"), told.get("PYTHONPATH")]))
    return told


def write_stand_in(package: Path) -> None:
    """A `torchvision` that has `transforms.Normalize` and nothing else; whatever else is used fails by its name."""
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text("")
    (package / "transforms.py").write_text(
        "class Normalize:\n"
        "    def __init__(self, mean, std):\n"
        "        self.mean, self.std = mean, std\n"
        "    def __call__(self, images):\n"
        "        mean, std = (value.to(images).view(-1, 1, 1) for value in (self.mean, self.std))\n"
        "        return (images - mean) / std\n"
    )


def give_images(folder: Path, both: Splits, at_least: int | None) -> None:
    """Write `train.pt` and `test.pt` as the scripts keep them: images, shape (N, 32, 32, 3), uint8; labels, (N,)."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, images in zip(("train", "test"), both, strict=True):
        index = torch.arange(max(len(images), (at_least or 0) if name == "train" else 0)) % len(images)
        torch.save(as_the_peer(images, index), folder / f"{name}.pt")


def as_the_peer(images: ImageSet, index: torch.Tensor) -> dict[str, object]:
    """The images at `index`, shape (N,), in the peer's layout."""
    assert isinstance(images.images, torch.Tensor)
    pixels = images.images.permute(0, 2, 3, 1)[index].contiguous()
    return {"images": pixels, "labels": images.labels[index], "classes": list(images.classes)}
