"""In which order images are seen in an epoch, and what each counts."""

from dataclasses import dataclass

import torch
from torch import Tensor

from train.config import TrainConfig
from train.schedule import epoch_seed


@dataclass(frozen=True)
class Visits:
    """What chance decided for N images in one epoch, but for how they are augmented."""

    order: Tensor
    """Shape (N,), int64: the order in which images are used."""
    chance: Tensor
    """Shape (N,), float32, from 0 to 1: an image that may be left out is, where it is low."""
    weight: Tensor
    """Shape (N,), float32: what the loss of an image counts."""

    def to(self, device: torch.device) -> "Visits":
        return Visits(self.order.to(device), self.chance.to(device), self.weight.to(device))


def draw_visits(config: TrainConfig, count: int, epoch: int) -> Visits:
    """Those of `count` images in epoch `epoch`: a function of the seed and the epoch alone, so that a resumed run sees
    what an uninterrupted one does."""
    generator = torch.Generator().manual_seed(epoch_seed(config, epoch))
    order = torch.randperm(count, generator=generator)
    return Visits(order, torch.rand(count, generator=generator), torch.ones(count))
