"""TensorBoard event files of a run: its learning curve while it trains, and exact once it has ended."""

import shutil
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from curate.errors import UserError
from train.checkpoint import Epoch


def check_installed() -> None:
    """Raises `UserError` where the package is missing."""
    if not find_spec("tensorboard"):
        raise UserError("--tensorboard takes the package tensorboard: pip install tensorboard")


def append_event(folder: Path, epoch: Epoch) -> None:
    """Add an epoch to the curves of its seed, `folder/seed-N/`."""
    _append(folder / f"seed-{epoch.seed}", [epoch])


def rewrite_events(folder: Path, history: Iterable[Epoch]) -> None:
    """One file per seed with all epochs, in place of what was added while the run went on, with its interruptions."""
    history = list(history)
    shutil.rmtree(folder, ignore_errors=True)
    for seed in dict.fromkeys(epoch.seed for epoch in history):
        _append(folder / f"seed-{seed}", [epoch for epoch in history if epoch.seed == seed])


def scalars(epoch: Epoch) -> dict[str, float]:
    """Curve -> its value after the epoch."""
    values = {
        "train/loss": epoch.train_loss,
        "train/accuracy": epoch.train_acc,
        "train/lr": epoch.lr,
        "train/images_per_second": epoch.images / max(1e-9, epoch.seconds),
    }
    return values if epoch.eval_acc is None else values | {"eval/accuracy": epoch.eval_acc}


def _append(folder: Path, epochs: list[Epoch]) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder), max_queue=1000) as writer:
        for epoch in epochs:
            for name, value in scalars(epoch).items():
                writer.add_scalar(name, value, epoch.epoch)
