"""Leaving out images that are learned already, so that the same time holds more epochs."""

from dataclasses import replace

import torch
from torch import Tensor

from train import distributed
from train.augment import Draws
from train.config import TrainConfig
from train.schedule import parts

ALL_AGAIN = 0.875
"""Share of training after which every image is seen again: Qin et al. 2024, section 3.4."""


def without_easy(draws: Draws, losses: Tensor, config: TrainConfig, epoch: int) -> Draws:
    """The draws of epoch `epoch`, with a share of the images left out whose last loss is below the mean.

    Those of them that stay count for those that go, so that the mean gradient stays what it was: Qin et al. 2024,
    "InfoBatch: Lossless Training Speed Up by Unbiased Dynamic Data Pruning". Batches keep their size, for which code
    is compiled; what is over is left out, too. losses: shape (N,), float32.
    """
    if not config.skip_easy or not 0 < epoch < ALL_AGAIN * config.epochs:
        return draws
    generator = torch.Generator().manual_seed((config.seed * 1_000_003 + epoch + 1) % 2**63)
    chance = torch.rand(len(losses), generator=generator).to(losses.device)
    easy = losses < losses.mean()
    order = draws.order[~(easy & (chance < config.skip_easy))[draws.order]]
    size = len(parts(draws.order, config, len(losses))[0])
    whole = len(order) // size * size
    if not whole:  # a set of a batch or two
        return draws
    weight = torch.where(easy, 1 / (1 - config.skip_easy), 1.0)
    return replace(draws, order=order[:whole], weight=weight)


def share_losses(losses: Tensor, draws: Draws, config: TrainConfig) -> None:
    """Let every process know what the others saw in an epoch. losses: shape (N,), changed in place."""
    if distributed.count() == 1:
        return
    mine = torch.cat([distributed.share(part) for part in parts(draws.order, config, len(losses))])
    own = torch.zeros_like(losses).index_copy_(0, mine, losses[mine])
    losses[draws.order] = distributed.total(own)[draws.order]
