"""Training, from top to bottom."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from curate.errors import UserError
from train import distributed, models
from train.augment import augment, draw, small_side, three_quarters
from train.blocks import Network
from train.budget import Clock
from train.checkpoint import Epoch, read_checkpoint, restore, write_checkpoint
from train.compiling import compiled
from train.config import TrainConfig
from train.data import ImageSet
from train.evaluate import predict
from train.hardware import autocast, choose_device
from train.mapped import resident
from train.optimizer import build as build_optimizer
from train.room import explained

MIN_STEPS = 32
"""Steps an epoch at least (in batches of 16 or more): with fewer, small sets see too few updates. Chosen by eye."""
STEM_SAMPLE = 2000
"""Images, at most, whose patches the first filters are drawn from: half a million patches at 32 px."""
AUXILIARY = 0.3
"""What the loss of an auxiliary head counts: Szegedy et al. 2015, section 5."""
EVAL_SAMPLE = 2000
"""Images evaluated after each epoch: good to +-1 % at 95 % confidence, at a fifth of the cost of 10,000."""


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
    """Fewer than `config.epochs` where the time budget ended training; the last in part."""


@torch.random.fork_rng(devices=[])  # leaves the caller's random numbers as they were
def train(
    config: TrainConfig,
    train_set: ImageSet,
    *,
    eval_set: ImageSet | None = None,
    run_dir: Path | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    watch: Callable[[int, Network], None] | None = None,
) -> Trained:
    """Train a network on the labelled images of `train_set`.

    With `run_dir` the state is written to `run_dir/checkpoint.safetensors` after each epoch, and a run that was stopped
    goes on from there to the same weights (bit for bit on CPU with the same number of threads). `eval_set` is for the
    learning curve alone: nothing is chosen by it. `on_epoch` is called after each epoch;
    `watch` gets the number of epochs done and the network itself, before the first step and after each epoch, before
    its checkpoint is written, so that it misses no epoch of a run that was stopped; it must leave weights and mode as
    they are.
    Raises `UserError` for too few images or classes, when the loss is no longer finite, when memory runs out (saying
    which batch size fits), and when the checkpoint is of another run.
    """
    train_set = train_set.labelled()
    count, classes = len(train_set), train_set.classes
    if count < 2 or not classes:
        raise UserError(
            f"the training set has {count} labelled images in {len(classes)} classes; it takes 2 images to train"
        )
    device = choose_device(config.device)

    size = train_set.image_size
    if config.small_first:
        _check_small(config, size)
    torch.manual_seed(config.seed)
    model = models.build(config.model, num_classes=len(classes), image_size=size, options=config.model_options)
    model.start_from(train_set.images[:: -(-count // STEM_SAMPLE)], *train_set.mean_std())
    model.to(device)
    distributed.prepare(model)
    images, labels = resident(train_set.images, device), train_set.labels.to(device)

    steps, batch_size = steps_an_epoch(config, count), largest_batch(config, count)
    share = math.sqrt(batch_size / config.batch_size)  # of the learning rate keeps a step's noise: Krizhevsky 2014
    optimizer = build_optimizer(model, config, share)
    criterion = nn.CrossEntropyLoss(label_smoothing=config.label_smoothing)

    history: list[Epoch] = []
    data = train_set.fingerprint() if run_dir else ""
    checkpoint = read_checkpoint(run_dir / "checkpoint.safetensors", config, data) if run_dir else None
    if checkpoint:
        restore(checkpoint, model, optimizer)
        history = checkpoint.history
    if watch and not history:
        watch(0, model)
    sizes = {len(part): part for part in torch.arange(count).tensor_split(steps)}  # two, where `count` is not divisible
    shares = [distributed.share(part) for part in sizes.values()]
    with explained(model, images, config, len(shares[0])):
        batches = (images[part.to(device)].to(device) for part in shares)
        forward, compile_seconds = compiled(model.train(), config, batches)

    clock = Clock(config.time_budget, sum(epoch.seconds for epoch in history))
    for epoch in range(len(history), config.epochs):
        if clock.progress(0) == 1:
            break
        started, seen = clock.spent(), 0
        clock.resume()
        model.train()
        torch.manual_seed((config.seed * 1_000_003 + epoch + 1) % 2**63)  # for dropout, the same after a resume
        draws = draw(config, count, train_set.image_size, epoch).to(device)
        loss_sum = torch.zeros((), device=device)
        correct = torch.zeros((), device=device, dtype=torch.int64)
        for step, index in enumerate(draws.order.tensor_split(steps)):
            progress = clock.progress((epoch + step / steps) / config.epochs)
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * schedule(config, progress)
            mine = distributed.share(index)
            batch, target = augment(images, draws, mine, cutout=config.cutout), labels[mine]
            if progress < config.small_first:
                batch = three_quarters(batch)
            with explained(model, images, config, len(mine)), autocast(config.precision, device):
                logits = forward(batch)
            loss = criterion(logits.float(), target)
            auxiliary = sum(criterion(logits.float(), target) for logits in model.auxiliary)  # 0 without such heads
            optimizer.zero_grad(set_to_none=True)
            with explained(model, images, config, len(mine)):
                distributed.backward(loss + AUXILIARY * auxiliary, model, len(mine) / len(index))
            optimizer.step()
            loss_sum += loss.detach() * len(mine)
            correct += (logits.detach().argmax(1) == target).sum()
            seen += len(index)
            last = step == steps - 1 or clock.progress(0) == 1
            if device.type == "cpu" or last:  # on CUDA a look at each step would wait for the GPU
                _check_finite(distributed.total(loss_sum), config, epoch, step)
            if last:
                break
        clock.pause()
        trained = time.perf_counter()
        eval_acc = sample_accuracy(model, eval_set, config) if eval_set is not None else None
        history.append(
            Epoch(
                seed=config.seed,
                epoch=epoch + 1,
                train_loss=float(distributed.total(loss_sum)) / seen,
                train_acc=int(distributed.total(correct)) / seen,
                eval_acc=eval_acc,
                seconds=clock.spent() - started,
                eval_seconds=time.perf_counter() - trained,
                compile_seconds=compile_seconds,
                images=seen,
                lr=config.lr * share * schedule(config, progress),
            )
        )
        compile_seconds = 0.0
        if watch:
            watch(epoch + 1, model)
        if run_dir and distributed.first():
            write_checkpoint(run_dir / "checkpoint.safetensors", model, optimizer, history, config, data)
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
        epochs_done=sum(epoch.images for epoch in history) / count,
    )


def largest_batch(config: TrainConfig, count: int) -> int:
    """Images a step for a set of `count` images: fewer than asked for where the set is small."""
    return min(config.batch_size, max(16, count // MIN_STEPS))


def steps_an_epoch(config: TrainConfig, count: int) -> int:
    """Steps that one pass over `count` images takes."""
    return max(1, round(count / largest_batch(config, count)))


def schedule(config: TrainConfig, progress: float) -> float:
    """Share of the highest learning rate at `progress`, 0 at the start and 1 at the end of training.

    It rises in a line over the first `warmup`, then falls to 0: in a line ("triangular") or along half a cosine; or it
    falls to a tenth in two steps, at half and at three quarters ("step": He et al. 2015, section 4.2).
    """
    if progress < config.warmup:
        return 0.05 + 0.95 * progress / config.warmup
    if config.schedule == "step":
        return 1.0 if progress < 0.5 else 0.1 if progress < 0.75 else 0.01
    rest = (progress - config.warmup) / max(1e-9, 1 - config.warmup)
    return 1 - rest if config.schedule == "triangular" else (1 + math.cos(math.pi * rest)) / 2


def sample_accuracy(model: Network, eval_set: ImageSet, config: TrainConfig) -> float | None:
    """Single-view accuracy on the labelled images, on `EVAL_SAMPLE` of them, evenly spread, where there are more."""
    eval_set = eval_set.labelled()
    if not len(eval_set):
        return None
    sample = eval_set.subset(torch.linspace(0, len(eval_set) - 1, min(EVAL_SAMPLE, len(eval_set))).round().long())
    probs = predict(model, sample.images, precision=config.precision).probs
    return float((probs.argmax(1) == sample.labels.numpy()).mean())


def _check_small(config: TrainConfig, size: int) -> None:
    """Raises `UserError` where the network is not for the smaller images that training starts on."""
    side = small_side(size)
    try:
        with torch.device("meta"):  # no weights are made
            models.build(config.model, num_classes=2, image_size=side, options=config.model_options)
    except UserError:
        raise UserError(
            f"{config.model} cannot take the {side} px images that small_first begins with; set small_first=0, or a "
            f"larger image_size than {size}"
        ) from None


def _check_finite(loss: Tensor, config: TrainConfig, epoch: int, step: int) -> None:
    if not torch.isfinite(loss):
        raise UserError(
            f"the loss is no longer a number in epoch {epoch + 1}, step {step + 1}: lr {config.lr:g} is too high for "
            f"{config.model}; try {config.lr / 4:g}"
        )
