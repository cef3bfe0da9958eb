"""TensorBoard event files of a run: its learning curve while it trains, and exact once it has ended."""

import json
import shutil
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path

from curate.errors import UserError
from curate.results.runs import read_run
from curate.wording import pasted
from train.checkpoint import Epoch


def check_installed() -> None:
    """Raises `UserError` where the package is missing."""
    if not find_spec("tensorboard"):
        raise UserError("--tensorboard takes the package tensorboard: pip install tensorboard")


def append_event(folder: Path, epoch: Epoch) -> None:
    """Add an epoch to the curves of its seed, `folder/seed-N/`."""
    _append(folder / f"seed-{epoch.seed}", [epoch])


def rewrite_events(
    folder: Path, history: Iterable[Epoch], final: Mapping[int, Mapping[str, float]] | None = None
) -> None:
    """One file per seed with all epochs, in place of what was added while the run went on, with its interruptions.

    final: seed -> figure -> its value at the end of the run; written after the last epoch.
    """
    history = list(history)
    shutil.rmtree(folder, ignore_errors=True)
    for seed in dict.fromkeys(epoch.seed for epoch in history):
        figures = (final or {}).get(seed, {})
        _append(folder / f"seed-{seed}", [epoch for epoch in history if epoch.seed == seed], figures)


def write_finished(run_dir: Path) -> Path:
    """The event files of a finished run, made of what it wrote: its curves, and `final/` with what it came to.

    Raises `UserError` where its files cannot be read.
    """
    run = read_run(run_dir)
    path, folder = run_dir / "metrics.jsonl", run_dir / "tensorboard"
    if not path.exists():
        raise UserError(f"{pasted(path)} is missing, so there is no curve to write; train again, or leave that run out")
    try:
        history = [Epoch(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{pasted(path)} is no history of this trainer ({error}); train again, or leave that run out"
        ) from None
    scores = {**run.scores, "calibration_error": run.calibration_error}
    final = {
        seed: {f"final/{name}": score.values[number] for name, score in scores.items()}
        for number, seed in enumerate(run.seeds)
    }
    rewrite_events(folder, history, final)
    return folder


def scalars(epoch: Epoch) -> dict[str, float]:
    """Curve -> its value after the epoch."""
    values = {
        "train/loss": epoch.train_loss,
        "train/accuracy": epoch.train_acc,
        "train/lr": epoch.lr,
        "train/images_per_second": epoch.images / max(1e-9, epoch.seconds),
    }
    return values if epoch.eval_acc is None else values | {"eval/accuracy": epoch.eval_acc}


def _append(folder: Path, epochs: list[Epoch], final: Mapping[str, float] | None = None) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder), max_queue=1000) as writer:
        for epoch in epochs:
            for name, value in scalars(epoch).items():
                writer.add_scalar(name, value, epoch.epoch)
        for name, value in (final or {}).items():
            writer.add_scalar(name, value, epochs[-1].epoch)
