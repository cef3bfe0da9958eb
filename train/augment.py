"""Random shift, mirror and cut-out of whole batches, drawn per image."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from train.config import TrainConfig
from train.mapped import Images, fetched


@dataclass(frozen=True)
class Draws:
    """What chance decided for N images in one epoch."""

    order: Tensor
    """Shape (N,), int64: the order in which images are used."""
    shift: Tensor
    """Shape (N, 2), int64, pixels down and right, from -pad to pad."""
    mirror: Tensor
    """Shape (N,), bool."""
    hole: Tensor
    """Shape (N, 2), int64: centre of the cut-out square, row and column."""

    def to(self, device: torch.device) -> "Draws":
        return Draws(*(part.to(device) for part in (self.order, self.shift, self.mirror, self.hole)))


def draw(config: TrainConfig, count: int, side: int, epoch: int) -> Draws:
    """The draws for `count` images of `side` pixels in epoch `epoch`: a function of the seed and the epoch alone, so
    that a resumed run sees what an uninterrupted one does.

    Mirroring alternates: half of the images, drawn once, are mirrored in even epochs and the other half in odd ones,
    so that two epochs show every image both ways (Jordan 2024, "94 % on CIFAR-10 in 3.29 seconds", section 3.6).
    """
    once = torch.Generator().manual_seed(config.seed)
    first = torch.rand(count, generator=once) < 0.5
    generator = torch.Generator().manual_seed((config.seed * 1_000_003 + epoch + 1) % 2**63)
    return Draws(
        order=torch.randperm(count, generator=generator),
        shift=torch.randint(-config.pad, config.pad + 1, (count, 2), generator=generator),
        mirror=(first ^ bool(epoch % 2)) & config.flip,
        hole=torch.randint(0, side, (count, 2), generator=generator),
    )


def augment(images: Images, draws: Draws, index: Tensor, *, cutout: int = 0) -> Tensor:
    """The images at `index`, shifted (the border is filled by reflection), mirrored, and with a grey square cut out.

    images: shape (N, 3, S, S), uint8. index: shape (B,), int64. cutout: side of the square in pixels, 0 for none.
    Returns: shape (B, 3, S, S), uint8, channels last.
    """
    side = images.shape[-1]
    line = torch.arange(side, device=index.device)
    shift = draws.shift[index]
    rows = reflect(line - shift[:, :1], side)
    columns = torch.where(draws.mirror[index, None], line.flip(0), line) - shift[:, 1:]
    columns = reflect(columns, side)
    pixels, at = fetched(images, index)
    batch = pixels.permute(0, 2, 3, 1)[at[:, None, None], rows[:, :, None], columns[:, None, :]]
    if cutout:
        hole = draws.hole[index]
        near = [(line - hole[:, axis, None] + cutout // 2) for axis in (0, 1)]
        inside = [(distance >= 0) & (distance < cutout) for distance in near]
        batch[inside[0][:, :, None] & inside[1][:, None, :]] = 128
    return batch.permute(0, 3, 1, 2)


def small_side(side: int) -> int:
    """Three quarters of a side, in whole pixels."""
    return side * 3 // 4


def three_quarters(images: Tensor) -> Tensor:
    """The images at three quarters of their side: (B, 3, S, S), uint8 -> (B, 3, 3S/4, 3S/4), float32, channels last."""
    side = small_side(images.shape[-1])
    small = F.interpolate(images.float(), size=(side, side), mode="bilinear", antialias=True)
    return small.contiguous(memory_format=torch.channels_last)


def reflect(position: Tensor, side: int) -> Tensor:
    """Positions outside 0 .. side - 1 thrown back at the border pixel; shifts of side or more repeat the border."""
    position = (side - 1) - ((side - 1) - position.abs()).abs()
    return position.clamp(0, side - 1)
