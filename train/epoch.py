"""One pass over the training images. On a GPU it only queues work: nothing here waits for a result."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from curate.errors import UserError
from train import distributed
from train.augment import Draws, augment, cropped, mixed, three_quarters
from train.blocks import Network
from train.budget import Clock
from train.compiling import Forward
from train.config import TrainConfig
from train.hardware import autocast
from train.mapped import Images
from train.room import explained
from train.schedule import parts, schedule

AUXILIARY = 0.3
"""What the loss of an auxiliary head counts: Szegedy et al. 2015, section 5."""


@dataclass(frozen=True)
class Training:
    """What every epoch of a training works on."""

    config: TrainConfig
    model: Network
    optimizer: torch.optim.Optimizer
    images: Images
    """Shape (N, 3, S, S), uint8, on the network's device or on their way to it, see `train.mapped`."""
    labels: Tensor
    """Shape (N,), int64, on the network's device."""
    losses: Tensor
    """Shape (N,), float32, there: of each image, when it was last seen; infinite before. Kept for `skip_easy` alone."""


@dataclass(frozen=True)
class Passed:
    """What an epoch came to. The sums are still on the device, and of this process's share alone."""

    loss_sum: Tensor
    """Of all images, each counted as `Draws.weight` says."""
    weight_sum: Tensor
    correct: Tensor
    seen: int
    """Images, of all processes."""
    progress: float
    """Of the whole training at the last step, 0 to 1."""
    share: float
    """Of the epoch's steps that were taken: 1, or less where time was up."""


def run_epoch(training: Training, forward: Forward, draws: Draws, epoch: int, clock: Clock) -> Passed:
    """Take the steps of epoch `epoch`, 0 for the first; fewer where the clock says that time is up.

    Raises `UserError` where memory runs out, and, on a CPU, at the first loss that is no number.
    """
    config, model, device = training.config, training.model, training.labels.device
    criterion = nn.CrossEntropyLoss(label_smoothing=config.label_smoothing, reduction="none")
    batches = parts(draws.order, config, len(training.labels))
    loss_sum, weight_sum = torch.zeros((), device=device), torch.zeros((), device=device)
    correct = torch.zeros((), device=device, dtype=torch.int64)
    seen, progress, step = 0, 0.0, 0
    for step, index in enumerate(batches):
        progress = clock.progress((epoch + step / len(batches)) / config.epochs)
        for group in training.optimizer.param_groups:
            group["lr"] = group["peak"] * schedule(config, progress)
        mine = distributed.share(index)
        batch, target = inputs(training, draws, mine, progress)
        with explained(model, training.images, config, len(mine)), autocast(config.precision, device):
            logits = forward(model, batch)
        each, weight = criterion(logits.float(), target), draws.weight[mine]
        if config.skip_easy:
            training.losses[mine] = each.detach()
        loss = (each * weight).mean()
        auxiliary = sum(
            (criterion(logits.float(), target) * weight).mean() for logits in model.auxiliary
        )  # mostly none
        training.optimizer.zero_grad(set_to_none=True)
        with explained(model, training.images, config, len(mine)):
            distributed.backward(loss + AUXILIARY * auxiliary, model, len(mine) / len(index))
        training.optimizer.step()
        loss_sum += (each.detach() * weight).sum()
        weight_sum += weight.sum()
        correct += (logits.detach().argmax(1) == training.labels[mine]).sum()
        seen += len(index)
        if device.type == "cpu":  # elsewhere a look at each step would wait for it
            check_finite(distributed.total(loss_sum), config, epoch, step)
        if clock.progress(0) == 1:
            break
    return Passed(loss_sum, weight_sum, correct, seen, progress, (step + 1) / len(batches))


def inputs(training: Training, draws: Draws, index: Tensor, progress: float) -> tuple[Tensor, Tensor]:
    """What the network is shown of the images at `index`, shape (B,), and what it is to say.

    Returns: shape (B, 3, S, S), uint8 or float32; shape (B,), int64, or, where images are mixed, (B, K), float32.
    """
    config = training.config
    batch, target = augment(training.images, draws, index, cutout=config.cutout), training.labels[index]
    if config.crop_area < 1:
        batch = cropped(batch, draws.window[index])
    if config.mixup or config.cutmix:
        classes = training.model.head.out_features
        batch, target = mixed(batch, target, draws, index, classes=classes, cut=bool(config.cutmix))
    if progress < config.small_first:
        batch = three_quarters(batch)
    return batch.contiguous(memory_format=torch.channels_last), target


def kinds_of_batch(training: Training, draws: Draws) -> Iterator[Tensor]:
    """One batch of each shape that `run_epoch` will show the network: what has to be compiled."""
    batches = parts(draws.order, training.config, len(training.labels))
    lengths = {len(part): part for part in batches}  # two, where not all are alike
    stages = [0.0, 1.0] if 0 < training.config.small_first < 1 else [0.0]
    for part in lengths.values():
        for progress in stages:
            yield inputs(training, draws, distributed.share(part), progress)[0]


def check_finite(loss: Tensor, config: TrainConfig, epoch: int, step: int) -> None:
    """Raises `UserError` for a loss that is no number. It waits for the device."""
    if not torch.isfinite(loss):
        raise UserError(
            f"the loss is no longer a number in epoch {epoch + 1}, step {step + 1}: lr {config.lr:g} is too high for "
            f"{config.model}; try {config.lr / 4:g}"
        )
