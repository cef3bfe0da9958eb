"""Random shift, mirror, cut-out, crop and mixing of whole batches, drawn per image."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from train.config import TrainConfig
from train.mapped import Images, fetched
from train.schedule import epoch_seed


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
    """Shape (N, 2), int64: centre of the square that is cut out or taken from another image, row and column."""
    own: Tensor
    """Shape (N,), float32: share of an image that stays its own where images are mixed, 0 to 1."""
    window: Tensor
    """Shape (N, 4), float32: what a random crop shows; top, left, height and width as shares of the side."""
    chance: Tensor
    """Shape (N,), float32, from 0 to 1: an image that may be left out is, where it is low."""
    weight: Tensor
    """Shape (N,), float32: what the loss of an image counts."""

    def to(self, device: torch.device) -> "Draws":
        parts = (self.order, self.shift, self.mirror, self.hole, self.own, self.window, self.chance, self.weight)
        return Draws(*(part.to(device) for part in parts))


def draw(config: TrainConfig, count: int, side: int, epoch: int) -> Draws:
    """The draws for `count` images of `side` pixels in epoch `epoch`: a function of the seed and the epoch alone, so
    that a resumed run sees what an uninterrupted one does.

    Mirroring alternates: half of the images, drawn once, are mirrored in even epochs and the other half in odd ones,
    so that two epochs show every image both ways (Jordan 2024, "94 % on CIFAR-10 in 3.29 seconds", section 3.6).
    """
    once = torch.Generator().manual_seed(config.seed)
    first = torch.rand(count, generator=once) < 0.5
    seed = epoch_seed(config, epoch)
    generator = torch.Generator().manual_seed(seed)
    random = np.random.default_rng(seed)
    alpha = config.mixup or config.cutmix
    own = random.beta(alpha, alpha, count) if alpha else np.ones(count)
    return Draws(
        order=torch.randperm(count, generator=generator),
        shift=torch.randint(-config.pad, config.pad + 1, (count, 2), generator=generator),
        mirror=(first ^ bool(epoch % 2)) & config.flip,
        hole=torch.randint(0, side, (count, 2), generator=generator),
        own=torch.from_numpy(own.astype(np.float32)),
        window=torch.from_numpy(_windows(config.crop_area, count, random)),
        chance=torch.rand(count, generator=generator),
        weight=torch.ones(count),
    )


def _windows(least: float, count: int, random: np.random.Generator) -> np.ndarray:
    """Windows of `least` to 1 of the area and 3:4 to 4:3 in shape, anywhere: Szegedy et al. 2015, section 6.

    Returns: shape (count, 4), float32, as `Draws.window`.
    """
    if least == 1:
        return np.tile(np.array([0, 0, 1, 1], np.float32), (count, 1))
    area, shape = random.uniform(least, 1, count), np.exp(random.uniform(np.log(3 / 4), np.log(4 / 3), count))
    sides = np.minimum(np.sqrt(np.stack([area / shape, area * shape], 1)), 1)
    return np.concatenate([random.random((count, 2)) * (1 - sides), sides], 1).astype(np.float32)


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
        inside = squares(draws.hole[index], torch.full_like(index, cutout), side)
        batch = batch.masked_fill(inside[:, :, :, None], 128)
    return batch.permute(0, 3, 1, 2)


def cropped(batch: Tensor, window: Tensor) -> Tensor:
    """What lies in a window of each image, brought to full size, bilinear.

    batch: shape (B, 3, S, S). window: shape (B, 4), as `Draws.window`. Returns: the images, float32.
    """
    start, sides = window[:, :2], window[:, 2:]
    centre = 2 * start + sides - 1  # from -1 to 1
    scale = torch.diag_embed(sides.flip(1))
    grid = F.affine_grid(torch.cat([scale, centre.flip(1)[:, :, None]], 2), list(batch.shape), align_corners=False)
    return F.grid_sample(batch.float(), grid, padding_mode="border", align_corners=False)


def mixed(
    pair: tuple[Tensor, Tensor], labels: tuple[Tensor, Tensor], draws: Draws, index: Tensor, *, cut: bool
) -> tuple[Tensor, Tensor]:
    """Each image mixed with another, and its label with that one's.

    Zhang et al. 2018, "mixup": the weighted mean of two images. `cut`: Yun et al. 2019, "CutMix": a square of the other
    image in this one. The weights are `draws.own`, drawn per image.
    pair: shape (B, 3, S, S) each, those at `index`, shape (B,), and the others. labels: of the two, shape (B, K),
    rows sum to 1. Returns: images and labels of these shapes, float32 (images with `cut`: of their own type).
    """
    batch, other = pair
    own = draws.own[index]
    if cut:
        side = batch.shape[-1]
        inside = squares(draws.hole[index], (side * (1 - own).sqrt()).round().long(), side)
        batch = torch.where(inside[:, None], other, batch)
        own = 1 - inside.float().mean((1, 2))
    else:
        weight = own[:, None, None, None]
        batch = weight * batch.float() + (1 - weight) * other.float()
    return batch, own[:, None] * labels[0] + (1 - own[:, None]) * labels[1]


def squares(centre: Tensor, width: Tensor, side: int) -> Tensor:
    """Which pixels lie in squares around these centres, cut off at the border.

    centre: shape (B, 2), row and column. width: shape (B,), pixels. Both int64. Returns: shape (B, side, side), bool.
    """
    line = torch.arange(side, device=centre.device)
    distance = line - centre[:, :, None] + (width // 2)[:, None, None]
    inside = (distance >= 0) & (distance < width[:, None, None])
    return inside[:, 0, :, None] & inside[:, 1, None, :]


def small_side(side: int) -> int:
    """Three quarters of a side, in whole pixels."""
    return side * 3 // 4


def three_quarters(images: Tensor) -> Tensor:
    """The images at three quarters of their side: (B, 3, S, S) -> (B, 3, 3S/4, 3S/4), float32, channels last."""
    side = small_side(images.shape[-1])
    small = F.interpolate(images.float(), size=(side, side), mode="bilinear", antialias=True)
    return small.contiguous(memory_format=torch.channels_last)


def reflect(position: Tensor, side: int) -> Tensor:
    """Positions outside 0 .. side - 1 thrown back at the border pixel; shifts of side or more repeat the border."""
    position = (side - 1) - ((side - 1) - position.abs()).abs()
    return position.clamp(0, side - 1)
