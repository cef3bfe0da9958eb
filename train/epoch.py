"""One pass over the training images. On a GPU it only queues work: nothing here waits for a result.

Images that don't fit into the GPU's memory are the exception: each batch of them waits for its copy.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from curate.augment import Program
from curate.augment.transform import frame_of
from curate.errors import UserError
from train import distributed
from train.augment import three_quarters
from train.blocks import Network
from train.budget import Clock
from train.compiling import Forward
from train.config import TrainConfig
from train.hardware import autocast
from train.mapped import Images, fetched
from train.optimizer import SGD
from train.room import explained
from train.schedule import batches, epochs_in_all, schedule
from train.visits import Visits, draw_visits

AUXILIARY = 0.3
"""What the loss of an auxiliary head counts: Szegedy et al. 2015, section 5."""


ROUNDING = 1e-9
"""Of shares of steps that are added up."""


@dataclass(frozen=True)
class Training:
    """What every epoch of a training works on."""

    config: TrainConfig
    model: Network
    optimizer: SGD
    augment: Program
    """What is done to images before the network sees them."""
    images: Images
    """Shape (N, 3, S, S), uint8, on the network's device or on their way to it, see `train.mapped`."""
    ids: Tensor
    """Shape (N,), int64, on the network's device: what names the images, so that each has its own random numbers."""
    labels: Tensor
    """Shape (N,), int64, there."""
    soft_labels: Tensor | None
    """Shape (N, K), float32, there: what the network is to say in place of the labels; None: these."""
    losses: Tensor
    """Shape (N,), float32, there: of each image, when it was last seen; infinite before. Kept for `skip_easy` alone."""
    margins: Tensor | None = None
    """Shape (E, N), float16, there: by how much the logit of an image's label was above the highest other one when the
    image was seen in that epoch, NaN where it was not; None: not kept."""


@dataclass(frozen=True)
class Passed:
    """What an epoch came to. The sums are still on the device, and of this process's share alone."""

    loss_sum: Tensor
    """Of all images, each counted as `Visits.weight` says; so is `correct`."""
    correct: Tensor
    weight_sum: Tensor
    seen: int
    """Images, of all processes."""
    progress: float
    """Of the whole training at the last step, 0 to 1."""
    share: float
    """Of the epoch's steps that were taken: 1, or less where training ended in it."""


def run_epoch(training: Training, forward: Forward, visits: Visits, epoch: int, clock: Clock) -> Passed:
    """Take the steps of epoch `epoch`, 0 for the first; fewer, but one, where training or its time ends in it.

    Raises `UserError` where memory runs out, and, on a CPU, at the first loss that is no number.
    """
    config, model, device = training.config, training.model, training.labels.device
    criterion = nn.CrossEntropyLoss(label_smoothing=config.label_smoothing, reduction="none")
    loss_sum, correct, weight_sum = torch.zeros((3,), device=device).unbind()
    steps = batches(visits.order, config, len(training.labels))
    epochs = epochs_in_all(config, len(training.labels))
    done, seen, progress = 0, 0, 0.0
    for index in steps:
        now = clock.progress((epoch + done / len(steps)) / epochs)
        if now > 1 - ROUNDING and done:
            break
        progress = now
        for group in training.optimizer.param_groups:
            group["lr"] = group["peak"] * schedule(config, progress)
        mine = distributed.share(index)
        weight = visits.weight[mine]
        with explained(model, training.images, config, len(mine)):
            batch, target = inputs(training, index, epoch, progress)
            with autocast(config.precision, device):
                logits = forward(model, batch)
            loss = criterion(logits.float(), target)
            auxiliary = sum((criterion(head.float(), target) * weight).mean() for head in model.auxiliary)
            distributed.backward((loss * weight).mean() + AUXILIARY * auxiliary, model, len(mine) / len(index))
            training.optimizer.step()
        training.optimizer.zero_grad()
        loss = loss.detach()
        if config.skip_easy:
            training.losses[mine] = loss
        if training.margins is not None:
            training.margins[epoch, mine] = margin(logits.detach(), training.labels[mine]).half()
        loss_sum += (loss * weight).sum()
        correct += ((logits.detach().argmax(1) == training.labels[mine]) * weight).sum()
        weight_sum += weight.sum()
        done, seen = done + 1, seen + len(index)
        if device.type == "cpu":  # elsewhere a look at each step would wait for it
            check_finite(distributed.total(loss_sum), config, f"epoch {epoch + 1}, step {done}")
    return Passed(loss_sum, correct, weight_sum, seen, progress, done / len(steps))


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """The label's logit minus the highest other one: shapes (B, K) and (B,) -> (B,), float32.

    Its mean over epochs is the "area under the margin" of Pleiss et al. 2020: low for wrong labels, which a network
    comes to believe late.
    """
    own = logits.float().gather(1, labels[:, None])
    others = logits.float().scatter(1, labels[:, None], float("-inf"))
    return own[:, 0] - others.max(1).values


def inputs(training: Training, index: Tensor, epoch: int, progress: float) -> tuple[Tensor, Tensor]:
    """What the network is shown of this process's share of a batch, the images at `index`, and what it is to say.

    Returns: shape (B, 3, S, S), uint8 or float32; shape (B,), int64, or, with soft labels or mixed images, (B, K),
    float32.
    """
    config, augment = training.config, training.augment
    labels = training.labels if training.soft_labels is None else training.soft_labels
    if augment.mixes:  # of the whole batch: pairs are the same for any number of processes
        targets = labels[index] if labels.ndim == 2 else F.one_hot(labels[index], training.model.head.out_features)
        batch = augment.run(pixels(training, index), training.ids[index], epoch)
        target = augment.targets(targets.float(), training.ids[index], epoch, frame_of(batch))
        batch, target = distributed.share(batch), distributed.share(target)
    else:
        mine = distributed.share(index)
        batch, target = augment.run(pixels(training, mine), training.ids[mine], epoch), labels[mine]
    batch = batch.permute(0, 3, 1, 2)
    if config.small_first == 1 or progress < config.small_first:
        batch = three_quarters(batch)
    return batch.contiguous(memory_format=torch.channels_last), target


def pixels(training: Training, index: Tensor) -> Tensor:
    """The images at `index` as they are: shape (B,) -> (B, S, S, 3), uint8."""
    images, at = fetched(training.images, index)
    return images.permute(0, 2, 3, 1)[at]


def kinds_of_batch(training: Training) -> Iterator[Tensor]:
    """One batch of each shape that `run_epoch` will show the network: what has to be compiled."""
    count = len(training.labels)
    visits = draw_visits(training.config, count, epoch=0).to(training.labels.device)
    steps = batches(visits.order, training.config, count)
    lengths = {len(index): index for index in steps}  # two, where not all are alike
    stages = [0.0, 1.0] if 0 < training.config.small_first < 1 else [0.0]
    for index in lengths.values():
        for progress in stages:
            yield inputs(training, index, 0, progress)[0]


def check_finite(loss: Tensor, config: TrainConfig, when: str) -> None:
    """Raises `UserError` for a loss that is no number; waits for the device. when: for instance "epoch 2, step 3"."""
    if not torch.isfinite(loss):
        raise UserError(
            f"the loss is no longer a number in {when}: lr {config.lr:g} is too high for "
            f"{config.model}; try {config.lr / 4:g}"
        )
