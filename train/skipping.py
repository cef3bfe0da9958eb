"""Leaving out images that are learned already, so that the same time holds more epochs."""

from dataclasses import replace

import torch
from torch import Tensor

from train import distributed
from train.config import TrainConfig
from train.schedule import batches
from train.visits import Visits

ALL_AGAIN = 0.875
"""Share of training after which every image is seen again: Qin et al. 2024, section 3.4."""


def without_easy(visits: Visits, losses: Tensor, config: TrainConfig, progress: float) -> Visits:
    """The visits of an epoch, without a share of the images of a loss below the mean; all of them near the end.

    Those of them that stay count for those that go, so that an epoch's sum of gradients is what it would have been:
    Qin et al. 2024, "InfoBatch: Lossless Training Speed Up by Unbiased Dynamic Data Pruning". As there, a step averages
    over fewer images, so its gradient is larger. Batches keep their size, for which code is compiled; what is over is
    left out, too. losses: shape (N,), float32, infinite for images that were in no batch yet, which count for nothing
    and stay. progress: of training, 0 to 1, where the epoch begins; by a clock, which may end training in it, where it
    will end.
    """
    if not config.skip_easy or progress >= ALL_AGAIN:
        return visits
    known = losses.isfinite()
    easy = losses < torch.where(known, losses, 0).sum() / known.sum()
    order = visits.order[~(easy & (visits.chance < config.skip_easy))[visits.order]]
    size = len(batches(visits.order, config, len(losses))[0])
    whole = len(order) // size * size
    if not whole:  # a set of a batch or two
        return visits
    return replace(visits, order=order[:whole], weight=torch.where(easy, 1 / (1 - config.skip_easy), 1.0))


def share_losses(losses: Tensor, visits: Visits, config: TrainConfig) -> None:
    """Let every process know what the others saw in an epoch. losses: shape (N,), changed in place."""
    if not config.skip_easy or distributed.count() == 1:
        return
    steps = batches(visits.order, config, len(losses))
    seen, mine = torch.cat(steps), torch.cat([distributed.share(batch) for batch in steps])
    own = torch.zeros_like(losses).index_copy_(0, mine, losses[mine])
    losses[seen] = distributed.total(own)[seen]
