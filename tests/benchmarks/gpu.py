"""Every check and benchmark that needs a GPU, most important first: `make bench-gpu`.

Each runs in a process of its own with a time limit and writes `docs/benchmarks/gpu-<name>.json` before the next starts,
so a lease that ends early keeps what was measured. Without a GPU it says so and exits with status 1; the arithmetic
itself is tested on the CPU by the test suite. `--only NAME` runs one; `--device cpu` tries the script out, small.
"""

import argparse
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from curate.add import add
from curate.manifest import classes
from curate.sources import Options
from curate.workspace import MANIFEST, Workspace, read_table
from tests.benchmarks.record import data, record
from train import models, recipes
from train.config import TrainConfig
from train.crossval import cross_validate
from train.data import ImageSet, load_images
from train.evaluate import evaluate, predict
from train.loop import train

CPU_SAMPLE = 600
"""Images a split when the script is tried out on a CPU."""


def parity(device: str, splits: tuple[ImageSet, ImageSet]) -> dict[str, object]:
    """The same weights on the GPU and on the CPU give the same probabilities, fp32 and bf16, for every network."""
    images = splits[1].images[:256]
    figures: dict[str, object] = {}
    for name in ("resnet_fast", "resnet20", "resnet18"):
        torch.manual_seed(0)
        model = models.build(name, num_classes=10, image_size=32)
        model.start_from(splits[0].images[:500], *splits[0].mean_std())
        model.eval()
        on_cpu = predict(model, images, precision="fp32").probs
        model.to(device)
        figures[name] = {
            precision: float(np.abs(predict(model, images, precision=precision).probs - on_cpu).max())  # type: ignore[arg-type]
            for precision in ("fp32", "bf16")
        }
    return figures


def folds(device: str, splits: tuple[ImageSet, ImageSet]) -> dict[str, object]:
    """Five-fold out-of-fold probabilities for the training images: seconds and accuracy per fold."""
    result = cross_validate(config(device), splits[0], folds=5, seed=0)
    return {"seconds": result.seconds, "fold_accuracy": result.fold_accuracy, "config": config(device)}


def networks(device: str, splits: tuple[ImageSet, ImageSet]) -> dict[str, object]:
    """Seconds an epoch and test accuracy of each network at the default settings."""
    figures: dict[str, object] = {}
    for name in ("resnet_fast", "resnet18", "resnet20"):
        settings = replace(config(device), model=name)
        trained = train(settings, splits[0])
        scored = evaluate(predict(trained.model, splits[1].images, flip=True), splits[1])
        seconds = [epoch.seconds for epoch in trained.history]
        figures[name] = {
            "first_epoch_seconds": seconds[0],
            "median_epoch_seconds": float(np.median(seconds[1:] or seconds)),
            "accuracy": scored.accuracy,
            "accuracy_flip": scored.accuracy_flip,
            "epochs": settings.epochs,
        }
    return figures


def recipes_by_name(device: str, splits: tuple[ImageSet, ImageSet]) -> dict[str, object]:
    """Seconds of training and test accuracy of each training recipe; on a CPU one epoch."""
    figures: dict[str, object] = {}
    for name in recipes.names():
        settings = TrainConfig.from_mapping(recipes.load(name) | {"device": device})
        trained = train(settings if device == "cuda" else replace(settings, epochs=1), splits[0])
        said = predict(trained.model, splits[1].images, flip=True, multi_crop=True)
        scored = evaluate(said, splits[1])
        figures[name] = {
            "seconds": trained.seconds,
            "compile_seconds": trained.compile_seconds,
            "accuracy": scored.accuracy,
            "accuracy_flip": scored.accuracy_flip,
            "accuracy_multi_crop": scored.accuracy_multi_crop,
            "calibration_error": scored.calibration_error,
            "config": trained.config,
        }
        print(name, figures[name], flush=True)
    return figures


CHECKS: dict[str, tuple[Callable[[str, tuple[ImageSet, ImageSet]], dict[str, object]], int]] = {
    "parity": (parity, 90),
    "folds": (folds, 240),
    "recipes": (recipes_by_name, 400),
    "networks": (networks, 300),
}
"""Name -> function and time limit in seconds, most important first."""


def config(device: str) -> TrainConfig:
    """The default settings on that device; on a CPU one epoch."""
    return TrainConfig(device="cuda") if device == "cuda" else TrainConfig(device="cpu", epochs=1)


def load(device: str) -> tuple[ImageSet, ImageSet]:
    """CIFAR-10 (JPEG copy) as training and test set, from its archive."""
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(data("cifar10/cifar10_jpeg.tar.xz")) as archive:
            archive.extractall(Path(folder) / "cifar10", filter="data")
        ws = Workspace(Path(folder) / "ws")
        add(ws, Path(folder) / "cifar10", layout="folder", name="cifar10", split=None, options=Options())
        rows = read_table(ws.path(MANIFEST))
        if device == "cpu":
            rows = rows.sort_values("content_hash").groupby("split").head(CPU_SAMPLE)
        names = classes(rows)
        train_rows, test_rows = (rows[rows["split"] == split] for split in ("train", "test"))
        return load_images(train_rows, ws.root, classes=names), load_images(test_rows, ws.root, classes=names)


def run() -> None:
    """All checks, or the one that is named, each in its own process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=list(CHECKS))
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    wanted = parser.parse_args()
    if wanted.device == "cuda" and not torch.cuda.is_available():
        sys.exit("no CUDA device here; '--device cpu' tries the script out on a few images")
    if wanted.only:
        measure(wanted.only, wanted.device)
        return
    failed = []
    for name, (_, limit) in CHECKS.items():
        print(f"== {name}, at most {limit} s", flush=True)
        command = [sys.executable, "-m", "tests.benchmarks.gpu", "--only", name, "--device", wanted.device]
        try:
            subprocess.run(command, check=True, timeout=limit)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            failed.append(f"{name}: {error}")
    if failed:
        sys.exit("\n".join(failed))


def measure(name: str, device: str) -> None:
    """One check: load, run, write its JSON; on a CPU nothing is written, since its figures mean nothing."""
    splits = load(device)
    started = time.perf_counter()
    figures = CHECKS[name][0](device, splits) | {"total_seconds": time.perf_counter() - started}
    if device == "cuda":
        record(f"gpu-{name}", "CIFAR-10 (JPEG copy)", figures)
    else:
        print(figures)


if __name__ == "__main__":
    run()
