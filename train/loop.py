"""Training, from top to bottom."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from curate.augment.batches import numbers
from curate.errors import UserError
from curate.machine import choose_device
from train import distributed, models
from train.augment import program, small_side
from train.blocks import Network
from train.budget import Clock
from train.checkpoint import CHECKPOINT, Epoch, read_checkpoint, restore, write_checkpoint
from train.compiling import Forward, compiled, plain
from train.config import TrainConfig
from train.data import ImageSet
from train.epoch import Training, check_finite, kinds_of_batch, run_epoch
from train.evaluate import predict
from train.hardware import fastest_convolutions
from train.mapped import resident
from train.optimizer import build as build_optimizer
from train.room import explained
from train.schedule import epoch_seed, epochs_in_all, lr_share, schedule, wanted_batch
from train.skipping import share_losses, without_easy
from train.visits import draw_visits

STEM_SAMPLE = 2000
"""Images of 32 px, at most, whose patches the first filters are drawn from: half a million patches; fewer of larger
images, so that these come to no more."""
EVAL_SAMPLE, LEAST_EVAL_SAMPLE = 2000, 500
"""Images evaluated after an epoch: half as many as it learned from, within these limits, so that a small set is not
looked at for longer than it is learned from. At an accuracy of 95 % they are good to +-1 and +-2 points."""
APART = 2_654_435_761
"""Between the seeds of processes that share every batch, so that each image has a dropout of its own. On CPUs 32 bits
of a seed count: 2**32 over the golden ratio spreads them."""


@dataclass(frozen=True)
class Trained:
    """A trained network and how it came to be."""

    model: Network
    config: TrainConfig
    classes: tuple[str, ...]
    history: tuple[Epoch, ...]
    seconds: float
    """Of training alone; of a resumed run, over all its parts."""
    eval_seconds: float
    """Of the evaluations after each epoch."""
    compile_seconds: float
    epochs_done: float
    """The last in part where `steps` or the time budget ended training in it."""
    margins: np.ndarray | None
    """Shape (E, N), float16: see `train.epoch.Training`; None where they were not kept."""


@torch.random.fork_rng(devices=[])  # leaves the caller's random numbers on the CPU as they were
def train(
    config: TrainConfig,
    train_set: ImageSet,
    *,
    eval_set: ImageSet | None = None,
    run_dir: Path | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    watch: Callable[[int, Network], None] | None = None,
    keep_margins: bool = False,
) -> Trained:
    """Train a network on the labelled images of `train_set`: to say their labels, or soft labels where there are some.

    With `run_dir` the state is written to `run_dir/checkpoint.safetensors` after each epoch, and a run that was stopped
    goes on from there to the same weights (bit for bit on CPU with the same number of threads). `eval_set` is for the
    learning curve alone: nothing is chosen by it. `on_epoch` is called after each epoch;
    `watch` gets the number of epochs done and the network itself, before the first step and after each epoch, before
    its checkpoint is written, so that it misses no epoch of a run that was stopped; it must leave weights and mode as
    they are. `keep_margins` has it note how each image was classified while it was trained on; not for mixed images,
    nor for several processes that share every batch.
    Raises `UserError` for too few images or classes, for images of another size than is asked for, when the loss is no
    longer finite, when memory runs out (saying which batch size fits), and when the checkpoint is of another run.
    """
    train_set = train_set.labelled()
    count, classes = len(train_set), train_set.classes
    if count < 2 or not classes:
        raise UserError(
            f"the training set has {count} labelled images in {len(classes)} classes; it takes 2 images to train: add "
            "some"
        )
    if config.image_size not in (None, train_set.image_size):
        raise UserError(
            f"image_size = {config.image_size} for training images of {train_set.image_size} px; load them at that size"
        )
    device = choose_device(config.device)
    training = _prepared(config, train_set, device, keep_margins)
    model, losses, margins = training.model, training.losses, training.margins
    data = train_set.fingerprint() if run_dir else ""
    history = _resumed(training, run_dir / CHECKPOINT, data) if run_dir else []
    if watch and not history:
        watch(0, model)
    clock = Clock(config.time_budget, sum(epoch.seconds for epoch in history))
    forward: Forward = plain
    compile_seconds = 0.0
    epochs = epochs_in_all(config, count)
    if len(history) < epochs and clock.progress(0) < 1:
        with fastest_convolutions(device), explained(model, training.images, config, wanted_batch(config, count)):
            forward, compile_seconds = compiled(model.train(), config, kinds_of_batch(training))

    for epoch in range(len(history), math.ceil(epochs)):
        if clock.progress(0) == 1:
            break
        started = clock.spent()
        clock.resume()
        model.train()
        torch.manual_seed((epoch_seed(config, epoch) + APART * distributed.rank()) % 2**63)  # for dropout
        visits = draw_visits(config, count, epoch).to(device)
        if 0 < epoch < epochs - 1:  # there are losses, and the last one leaves nothing out
            visits = without_easy(visits, losses, config, clock.progress(epoch / epochs, ahead=history[-1].seconds))
        with fastest_convolutions(device):
            passed = run_epoch(training, forward, visits, epoch, clock)
        share_losses(losses, visits, config)
        loss_sum, correct = distributed.total(passed.loss_sum), distributed.total(passed.correct)
        check_finite(loss_sum, config, f"epoch {epoch + 1}")
        weight_sum = float(distributed.total(passed.weight_sum))
        clock.pause()
        trained = time.perf_counter()
        eval_acc = sample_accuracy(model, eval_set, config, passed.seen // 2) if eval_set is not None else None
        history.append(
            Epoch(
                seed=config.seed,
                epoch=epoch + 1,
                train_loss=float(loss_sum) / weight_sum,
                train_acc=float(correct) / weight_sum,
                eval_acc=eval_acc,
                seconds=clock.spent() - started,
                eval_seconds=time.perf_counter() - trained,
                compile_seconds=compile_seconds,
                images=passed.seen,
                share=passed.share,
                lr=config.lr * lr_share(config, count) * schedule(config, passed.progress),
            )
        )
        compile_seconds = 0.0
        if watch:
            watch(epoch + 1, model)
        if run_dir and distributed.first():
            path, kept = run_dir / CHECKPOINT, losses if config.skip_easy else None
            write_checkpoint(path, model, training.optimizer, history, config, data, kept, margins)
        if on_epoch:
            on_epoch(history[-1])

    model.eval()
    return Trained(
        model,
        replace(config, image_size=train_set.image_size),
        classes,
        tuple(history),
        seconds=sum(epoch.seconds for epoch in history),
        eval_seconds=sum(epoch.eval_seconds for epoch in history),
        compile_seconds=sum(epoch.compile_seconds for epoch in history),
        epochs_done=sum(epoch.share for epoch in history),
        margins=None if margins is None else margins.cpu().numpy(),
    )


def _prepared(config: TrainConfig, train_set: ImageSet, device: torch.device, keep_margins: bool) -> Training:
    """The network before its first step, and what it is trained with, on the device; chance begins at the seed."""
    size, count = train_set.image_size, len(train_set)
    if config.small_first:
        _check_small(config, size)
    torch.manual_seed(config.seed)
    model = models.build(
        config.model, num_classes=len(train_set.classes), image_size=size, options=config.model_options
    )
    sample = max(1, round(STEM_SAMPLE * min(1, (32 / size) ** 2)))
    model.start_from(train_set.images[:: -(-count // sample)], *train_set.mean_std())
    model.to(device)
    distributed.prepare(model)
    images, labels = resident(train_set.images, device), train_set.labels.to(device)
    soft_labels = None if train_set.soft_labels is None else train_set.soft_labels.to(device)
    optimizer = build_optimizer(model, config, lr_share(config, count))
    losses = torch.full((count,), float("inf"), device=device)
    augment = program(config, size)
    if config.skip_easy and augment.mixes:
        raise UserError(
            f"skip_easy = {config.skip_easy:g}, and the pipeline mixes images; set it to 0: whether an image is easy "
            "cannot be told from its mixture with another"
        )
    assert not (keep_margins and augment.mixes), "a mixture has no label to be right about"
    margins = _margins(config, count).to(device) if keep_margins else None
    ids = numbers(train_set.image_ids, count, device)
    return Training(config, model, optimizer, augment, images, ids, labels, soft_labels, losses, margins)


def _resumed(training: Training, path: Path, data: str) -> list[Epoch]:
    """Bring everything to where a training that was stopped has left it; its epochs. data: hash of the images."""
    checkpoint = read_checkpoint(path, training.config, data)
    if not checkpoint:
        return []
    restore(checkpoint, training.model, training.optimizer)
    if checkpoint.losses is not None:
        training.losses.copy_(checkpoint.losses)
    if training.margins is not None and checkpoint.margins is not None:
        training.margins.copy_(checkpoint.margins)
    return checkpoint.history


def _margins(config: TrainConfig, count: int) -> Tensor:
    """Room for the margins of every epoch: shape (E, N), float16, NaN."""
    assert distributed.count() == 1, "each process would know the margins of its own share alone"
    return torch.full((math.ceil(epochs_in_all(config, count)), count), float("nan"), dtype=torch.float16)


def sample_accuracy(model: Network, eval_set: ImageSet, config: TrainConfig, wanted: int) -> float | None:
    """Single-view accuracy on so many of the labelled images, evenly spread, within the limits of `EVAL_SAMPLE`."""
    eval_set = eval_set.labelled()
    if not len(eval_set):
        return None
    count = min(EVAL_SAMPLE, max(LEAST_EVAL_SAMPLE, wanted), len(eval_set))
    sample = eval_set.subset(torch.linspace(0, len(eval_set) - 1, count).round().long())
    probs = predict(model, sample.images, precision=config.precision).probs
    return float((probs.argmax(1) == sample.labels.numpy()).mean())


def _check_small(config: TrainConfig, size: int) -> None:
    """Raises `UserError` where the network for images of `size` cannot take the smaller ones of the beginning."""
    side = small_side(size)
    try:
        with torch.device("meta"):  # no weights are made, and nothing is computed
            model = models.build(config.model, num_classes=2, image_size=size, options=config.model_options)
            model.eval()(torch.empty(1, 3, side, side))
    except (UserError, RuntimeError):
        raise UserError(
            f"{config.model} cannot take the {side} px images that small_first begins with; set small_first=0, or a "
            f"larger image_size than {size}"
        ) from None
