"""Every pixel from those around it, with a kernel for each image; the arithmetic of OpenCV 4, rounding included.

Sums run over taps in OpenCV's order, each added by one fused multiplication: where the processor has these, and for
kernels below 12 x 12 (OpenCV takes a Fourier transform for larger ones), results are identical.
"""

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
import torch
from torch import Tensor

from curate.augment.device import PART, constant, in_parts
from curate.augment.lattice import within

UNIT = 256
"""What the weights of `cv2.GaussianBlur` for uint8 add up to: whole numbers."""

Cell = tuple[int, int]
"""Rank in its column, and column, of one of the values under a square kernel."""


def filtered(images: Tensor, kernels: Tensor) -> Tensor:
    """What `cv2.filter2D` makes of each image: shapes (N, H, W, C), uint8, and (N, K, K), K odd -> (N, H, W, C).

    Smaller kernels have zeros around.
    """
    return in_parts(_filtered, images, kernels.float())


def filtered_apart(images: Tensor, kernels: Tensor) -> Tensor:
    """What `cv2.sepFilter2D` makes of each image with a symmetric kernel, across and down: kernels of shape (N, K)."""
    return in_parts(lambda part, each: as_levels(smoothed(part, each)), images, kernels.float())


def box(images: Tensor, sizes: Tensor, largest: int) -> Tensor:
    """What `cv2.blur` makes of each image. sizes: shape (N,), int64, odd: of the square's side, at most `largest`."""
    # The sum is exact, and the square of an odd number leaves no tie to round.
    kind = torch.int16 if 255 * largest**2 < 1 << 15 else torch.float32
    scale = 1 / sizes[:, None, None, None].float() ** 2
    return in_parts(
        lambda part, each, by: as_levels(smoothed(part, each) * by), images, _middle(sizes, largest).to(kind), scale
    )


def fixed_gaussian(images: Tensor, size: int, sigma: float) -> Tensor:
    """What `cv2.GaussianBlur` makes of uint8: weights are whole numbers, and a sum is rounded once. size: odd."""
    weights = constant(whole_weights(size, sigma), torch.float32, images.device)
    half = UNIT**2 / 2  # all below 2**24, thus exact
    return in_parts(
        lambda part, each: as_levels(((smoothed(part, each) + half) / UNIT**2).floor_()),
        images,
        weights.expand(len(images), size),
    )


def median(images: Tensor, sizes: Tensor, choices: Sequence[int]) -> Tensor:
    """What `cv2.medianBlur` makes of each image. sizes: shape (N,), int64: of the square's side, one of `choices`."""
    if len(choices) == 1:
        return _median(images, choices[0])
    result = images.clone()
    for size in choices:
        if images.device.type == "cpu":  # elsewhere a look at which they are would wait for it
            chosen = torch.nonzero(sizes == size)[:, 0]
            result.index_copy_(0, chosen, _median(images.index_select(0, chosen), size))
        else:
            result = torch.where((sizes == size)[:, None, None, None], _median(images, size), result)
    return result


def smoothed(values: Tensor, kernels: Tensor) -> Tensor:
    """The sums of a symmetric kernel, across and down, not rounded: shapes (N, H, W, C) and (N, K).

    Across in order, down with both ends at once: as OpenCV does.
    """
    height, width, taps = values.shape[1], values.shape[2], kernels.shape[1]
    middle, weights = taps // 2, kernels[:, :, None, None, None]
    wide = bordered(values, middle, 2).to(kernels.dtype)
    across = wide[:, :, :width] * weights[:, 0]
    for tap in range(1, taps):
        across.addcmul_(wide[:, :, tap : tap + width], weights[:, tap])
    tall = bordered(across, middle, 1)
    down = across.mul_(weights[:, middle]) if middle else across * weights[:, 0]
    for away in range(1, middle + 1):
        above, below = middle - away, middle + away
        down.addcmul_(tall[:, above : above + height] + tall[:, below : below + height], weights[:, below])
    return down


def as_levels(values: Tensor) -> Tensor:
    """Rounded to whole levels, ties to the even one, and cut off at 0 and 255: uint8."""
    return values.clamp(0, 255).round_().to(torch.int16).to(torch.uint8)  # past int16 a CPU is 2.5 times as fast


def bordered(images: Tensor, radius: int, axis: int, border: int = cv2.BORDER_REFLECT_101) -> Tensor:
    """Made longer by `radius` pixels at both ends of an axis, as a border mode of OpenCV says."""
    if not radius:
        return images
    size = images.shape[axis]
    before = torch.arange(-radius, 0, device=images.device)
    after = torch.arange(size, size + radius, device=images.device)
    ends = (images.index_select(axis, within(line, size, border)) for line in (before, after))
    return torch.cat([next(ends), images, next(ends)], axis)


def gaussian(sizes: Tensor, sigmas: Tensor, largest: int) -> Tensor:
    """Gaussian kernels with zeros around: sizes and sigmas of shape (N,) -> (N, largest), float64, rows sum to 1."""
    away = torch.arange(largest, device=sizes.device) - largest // 2
    values = torch.exp(-0.5 * (away / sigmas[:, None]) ** 2) * _middle(sizes, largest)
    return values / values.sum(1, keepdim=True)


def opencv_gaussian(sizes: Tensor, sigmas: Tensor, largest: int) -> Tensor:
    """As `gaussian`, but where sigma is 0 the kernel that OpenCV has for the size."""
    own = constant(_own_kernels(largest), torch.float64, sizes.device)[sizes // 2]
    return torch.where(sigmas[:, None] > 0, gaussian(sizes, sigmas, largest), own)


def stacked(kernels: Sequence[np.ndarray], largest: int, device: torch.device) -> Tensor:
    """Kernels of different odd sizes with zeros around: shape (N, largest) or (N, largest, largest)."""
    rims = [(largest - len(kernel)) // 2 for kernel in kernels]
    return torch.as_tensor(np.stack([np.pad(k, rim) for k, rim in zip(kernels, rims, strict=True)]), device=device)


@cache
def whole_weights(size: int, sigma: float) -> tuple[int, ...]:
    """The kernel of `cv2.GaussianBlur` for uint8, in 256ths: what rounding takes from a weight goes to the next one."""
    left, rest = [], 0.0
    for weight in cv2.getGaussianKernel(size, sigma, cv2.CV_64F)[: size // 2, 0] * UNIT:
        left.append(round(weight + rest))
        rest += weight - left[-1]
    return (*left, UNIT - 2 * sum(left), *reversed(left))


@cache
def _own_kernels(largest: int) -> list[list[float]]:
    """OpenCV's kernels without a sigma, of sizes 1, 3, …, largest, zeros around."""
    found = [cv2.getGaussianKernel(size, 0)[:, 0] for size in range(1, largest + 1, 2)]
    return stacked(found, largest, torch.device("cpu")).tolist()


def _filtered(images: Tensor, kernels: Tensor) -> Tensor:
    height, width, taps = images.shape[1], images.shape[2], kernels.shape[1]
    around = bordered(bordered(images, taps // 2, 1), taps // 2, 2).float()
    total = torch.zeros(images.shape, device=images.device)
    for down in range(taps):
        for across in range(taps):
            weight = kernels[:, down, across, None, None, None]
            total.addcmul_(around[:, down : down + height, across : across + width], weight)
    return as_levels(total)


def _median(images: Tensor, size: int) -> Tensor:
    """By comparisons of whole images: columns are sorted once for all squares that they are in, then `median_steps`."""
    return in_parts(lambda part: _median_of(part, size), images, values=8 * PART // size**2)  # of one byte


def _median_of(images: Tensor, size: int) -> Tensor:
    height, width = images.shape[1:3]
    around = images
    for axis in (1, 2):
        around = bordered(around, size // 2, axis, cv2.BORDER_REPLICATE)
    ranks = [around[:, down : down + height] for down in range(size)]
    for low, high in merge_exchange(size):
        ranks[low], ranks[high] = torch.minimum(ranks[low], ranks[high]), torch.maximum(ranks[low], ranks[high])
    cells = {(rank, x): ranks[rank][:, :, x : x + width] for rank in range(size) for x in range(size)}
    middle, steps = median_steps(size)
    for first, second, lower, higher in steps:
        pair = cells[first], cells[second]
        if lower:
            cells[first] = torch.minimum(*pair)
        if higher:
            cells[second] = torch.maximum(*pair)
    return cells[middle]


@cache
def median_steps(size: int) -> tuple[Cell, tuple[tuple[Cell, Cell, bool, bool], ...]]:
    """Where the median of a square with sorted columns is in the end, and the comparisons that bring it there.

    A comparison puts the lower value first; the flags say which of the two is used later on. Ranks are sorted; then
    cells that more than half of all are known to be below, or above, are left out, as many of either kind.
    """
    half = size**2 // 2 + 1
    cells = [(rank, x) for rank in range(size) for x in range(size)]
    band = [(r, x) for r, x in cells if (size - r) * (size - x) <= half and (r + 1) * (x + 1) <= half]
    band.sort(key=lambda cell: (sum(cell), cell))
    pairs = [((rank, a), (rank, b)) for rank in range(size) for a, b in merge_exchange(size)]
    pairs += [(band[a], band[b]) for a, b in merge_exchange(len(band))]
    middle = band[len(band) // 2]
    needed, steps = {middle}, []
    for first, second in reversed(pairs):
        lower, higher = first in needed, second in needed
        if lower or higher:
            needed |= {first, second}
            steps.append((first, second, lower, higher))
    return middle, tuple(reversed(steps))


@cache
def merge_exchange(count: int) -> tuple[tuple[int, int], ...]:
    """Comparisons that sort `count` values: Batcher's network, Knuth volume 3, 5.2.2, algorithm M."""
    found = []
    top = 1 << (count - 1).bit_length() - 1
    p = top
    while p:
        q, r, distance = top, 0, p
        while True:
            found += [(i, i + distance) for i in range(count - distance) if i & p == r]
            if q == p:
                break
            distance, q, r = q - p, q >> 1, p
        p >>= 1
    return tuple(found)


def _middle(sizes: Tensor, largest: int) -> Tensor:
    """Which of `largest` places the `sizes` ones in the middle are: shape (N,) -> (N, largest), bool."""
    away = torch.arange(largest, device=sizes.device) - largest // 2
    return away.abs() <= sizes[:, None] // 2
