"""How many steps training takes, and the learning rate of each."""

import math
from dataclasses import replace

from torch import Tensor

from train.config import TrainConfig

MIN_STEPS = 32
"""Steps an epoch at least (in batches of 16 or more): with fewer, small sets see too few updates. Chosen by eye."""


def wanted_batch(config: TrainConfig, count: int) -> int:
    """Images a step, about, for a set of `count` images: fewer than asked for where the set is small."""
    if config.steps is not None:
        return min(config.batch_size, count)
    return min(config.batch_size, max(16, count // MIN_STEPS))


def steps_an_epoch(config: TrainConfig, count: int) -> int:
    """Steps that one pass over `count` images takes. Where `steps` are asked for, all batches are of one size, so that
    sets of any size see as many images; the rest of each pass, less than a batch, is left out."""
    wanted = wanted_batch(config, count)
    if config.steps is not None:
        return count // wanted
    return max(1, min(round(count / wanted), count // 2))  # batch normalisation needs two images


def epochs_in_all(config: TrainConfig, count: int) -> float:
    """Passes over a set of `count` images in the whole training; the last in part where `steps` are asked for."""
    return config.epochs if config.steps is None else config.steps / steps_an_epoch(config, count)


def with_steps_of(config: TrainConfig, count: int, *, fewest: int | None = None) -> TrainConfig:
    """The settings by which sets of any size see as many steps as one of `count` images does, all of as many images.

    Without `skip_easy`: how many images it leaves out depends on the set. fewest: images of the smallest set; no batch
    is larger, so that steps are of fewer images where that is below the batch.
    """
    an_epoch = steps_an_epoch(config, count)
    whole = wanted_batch(config, count) if config.steps is not None else count // an_epoch
    batch = whole if fewest is None else min(whole, fewest)
    share = lr_share(config, count) * math.sqrt(batch / whole)
    return replace(
        config,
        steps=round(epochs_in_all(config, count) * an_epoch),
        skip_easy=0.0,
        batch_size=batch,
        lr=config.lr * share,
        head_lr=None if config.head_lr is None else config.head_lr * share,
        bias_lr=None if config.bias_lr is None else config.bias_lr * share,
    )


def batches(order: Tensor, config: TrainConfig, count: int) -> tuple[Tensor, ...]:
    """The batches of an epoch over a set of `count` images: their lengths differ by one at most, and not at all where
    `steps` are asked for.

    order: shape (M,), the images in the order of their use. Fewer than `count` come in batches of the longer length,
    and have to be a multiple of it: compiled code is for one length or two.
    """
    if config.steps is not None:
        size = wanted_batch(config, count)
        return order[: len(order) // size * size].split(size)
    steps = steps_an_epoch(config, count)
    return order.tensor_split(steps) if len(order) == count else order.split(-(-count // steps))


def lr_share(config: TrainConfig, count: int) -> float:
    """Share of the learning rate for a set of `count` images: smaller batches keep a step's noise, Krizhevsky 2014."""
    return math.sqrt(wanted_batch(config, count) / config.batch_size)


def epoch_seed(config: TrainConfig, epoch: int) -> int:
    """What decides the random numbers of an epoch, 0 for the first: a resumed run has those of an uninterrupted one."""
    return (config.seed * 1_000_003 + epoch + 1) % 2**63


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
