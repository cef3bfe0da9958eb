"""Random numbers by counter: what is drawn for an image depends on seed, epoch, image and place in the pipeline alone.

So an image gets the same augmentation in an epoch whatever the batch, its order, the device or the number of workers.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from curate.augment.device import constant, has_kernels

WORD = 0xFFFFFFFF
ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
"""Philox 4x32-10 and its constants: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"."""
PLACES = 1 << 16
"""Places in a pipeline, and blocks of four words that may be drawn at each."""
ATTEMPTS = 12
"""Of the gamma distribution's rejection method, each of which is accepted with 95 % or more."""


def philox(counter: Sequence[Tensor], seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Four random words of 32 bits for each counter of four. counter: int64 tensors that broadcast, words in each."""
    a, b, c, d = counter
    key = [seed & WORD, seed >> 32 & WORD]
    for _ in range(ROUNDS):
        left, right = a * MULTIPLIERS[0], c * MULTIPLIERS[1]  # wraps at 64 bits, which keeps them all
        a, b, c, d = (right >> 32 & WORD) ^ b ^ key[0], right & WORD, (left >> 32 & WORD) ^ d ^ key[1], left & WORD
        key = [(part + step) & WORD for part, step in zip(key, WEYL, strict=True)]
    return a, b, c, d


def philox_in_numpy(counter: Sequence[np.ndarray], seed: int) -> np.ndarray:
    """The same on a CPU: int64 arrays -> shape (…, 4), int64. A fifth of the time: shifts need no mask there."""
    state = np.stack(np.broadcast_arrays(*counter)).astype(np.uint64)
    odd, even = state[0::2].copy(), state[1::2].copy()  # a and c, b and d
    factors = np.array(MULTIPLIERS, np.uint64).reshape(2, *[1] * (state.ndim - 1))
    key = np.array([seed & WORD, seed >> 32 & WORD], np.uint64).reshape(factors.shape)
    step, low, half = np.array(WEYL, np.uint64).reshape(factors.shape), np.uint64(WORD), np.uint64(32)
    product = np.empty_like(odd)
    for _ in range(ROUNDS):
        np.multiply(odd, factors, out=product)
        np.right_shift(product[::-1], half, out=odd)
        odd ^= even
        odd ^= key
        np.bitwise_and(product[::-1], low, out=even)
        key = key + step & low
    return np.stack([odd[0], even[0], odd[1], even[1]], -1).view(np.int64)


@dataclass
class Ahead:
    """How many blocks of four words each place took in earlier calls, so that all are made at once."""

    blocks: dict[int, int] = field(default_factory=dict)
    _counters: Tensor | None = None

    def took(self, place: int, blocks: int) -> None:
        if blocks > self.blocks.get(place, 0):
            self.blocks[place] = blocks
            self._counters = None

    def counters(self, device: torch.device) -> Tensor:
        """The first word of the counter of each block: shape (K,), int64."""
        if self._counters is None or self._counters.device != device:
            lines = [place * PLACES + torch.arange(count) for place, count in self.blocks.items()]
            self._counters = torch.cat(lines).to(device)
        return self._counters


@dataclass
class Stream:
    """All random numbers of one call: N images in one epoch."""

    seed: int
    epoch: int | Tensor
    """0 for the first; a tensor of no axes on the device of `ids`, where a CUDA graph is to be replayed for others."""
    ids: Tensor
    """Shape (N,), int64, not negative: names the images for good."""
    ahead: Ahead = field(default_factory=Ahead)
    _ready: dict[int, Tensor] | None = None

    def at(self, place: int, chosen: Tensor | None = None) -> "Draws":
        """The numbers of a place of the pipeline. chosen: shape (M,), positions of the images that need some."""
        return Draws(self, place, chosen)

    def words(self, place: int, first: int, count: int, chosen: Tensor | None) -> Tensor:
        """So many of a place's words, from number `first` on: shape (N, count), int64, each of 32 bits."""
        if self._ready is None:
            self._ready = self._made()
        ready = self._ready.get(place)
        if ready is not None and first + count <= ready.shape[1]:
            words = ready[:, first : first + count]
            return words if chosen is None else words[chosen]
        blocks = range(first // 4, -(-(first + count) // 4))
        self.ahead.took(place, blocks.stop)
        counters = place * PLACES + torch.arange(blocks.start, blocks.stop, device=self.ids.device)
        words = self._blocks(counters, self.ids if chosen is None else self.ids[chosen])
        return words[:, first - 4 * blocks.start :][:, :count]

    def once(self) -> "Stream":
        """The numbers that stay the same in every epoch."""
        return replace(self, epoch=0, ahead=Ahead(), _ready=None)

    def _made(self) -> dict[int, Tensor]:
        blocks = dict(self.ahead.blocks)
        if not blocks:
            return {}
        words = self._blocks(self.ahead.counters(self.ids.device), self.ids)
        return dict(zip(blocks, words.split([4 * count for count in blocks.values()], 1), strict=True))

    def _blocks(self, counters: Tensor, ids: Tensor) -> Tensor:
        if has_kernels(ids):
            from curate.augment.philox_kernel import words_with_kernel

            return words_with_kernel(counters, self.epoch, ids, self.seed)
        low, high = ids[:, None] & WORD, ids[:, None] >> 32 & WORD
        if ids.device.type == "cpu" and not torch.compiler.is_compiling():
            epoch = np.array(int(self.epoch))
            counter = (counters[None].numpy(), epoch, low.numpy(), high.numpy())
            return torch.from_numpy(philox_in_numpy(counter, self.seed)).flatten(1)
        words = philox((counters[None], torch.zeros_like(low) + self.epoch, low, high), self.seed)
        return torch.stack(torch.broadcast_tensors(*words), 2).flatten(1)


@dataclass
class Draws:
    """Random numbers of N images at one place of a pipeline. Every method takes fresh ones, in the order of calls."""

    stream: Stream
    place: int
    chosen: Tensor | None = None
    taken: int = 0
    """Words so far."""

    def __len__(self) -> int:
        """N."""
        return len(self.stream.ids if self.chosen is None else self.chosen)

    @property
    def device(self) -> torch.device:
        return self.stream.ids.device

    @property
    def epoch(self) -> int | Tensor:
        return self.stream.epoch

    def once(self) -> "Draws":
        """Numbers that an image keeps in every epoch."""
        return Draws(self.stream.once(), self.place, self.chosen)

    def words(self, count: int) -> Tensor:
        """Shape (N, count), int64, from 0 to 2**32 - 1."""
        self.taken += count
        return self.stream.words(self.place, self.taken - count, count, self.chosen)

    def uniform(self, low: float = 0.0, high: float = 1.0, shape: Sequence[int] = ()) -> Tensor:
        """Uniform in [low, high): shape (N, *shape), float64."""
        words = self.words(math.prod(shape)).unflatten(1, tuple(shape) or (1,))
        values = low + (high - low) * (words.double() / 2**32)
        return values if shape else values[:, 0]

    def integers(self, low: int | Tensor, high: int | Tensor, shape: Sequence[int] = ()) -> Tensor:
        """Uniform among low, …, high - 1: shape (N, *shape), int64. Bounds may be tensors that broadcast to it.

        `high` must be above `low` and their difference below 2**31.
        """
        words = self.words(math.prod(shape)).unflatten(1, tuple(shape) or (1,))
        words = words if shape else words[:, 0]
        return low + (words * (high - low) >> 32)

    def normal(self, mean: float | Tensor = 0.0, std: float | Tensor = 1.0, shape: Sequence[int] = ()) -> Tensor:
        """Normal: shape (N, *shape), float64. Source: Box and Muller 1958."""
        size = math.prod(shape)
        pairs = self.words(2 * size).unflatten(1, (2, size)).double()
        radius = (-2 * torch.log((pairs[:, 0] + 1) / 2**32)).sqrt()
        values = radius * torch.cos(pairs[:, 1] * (2 * math.pi / 2**32))
        return mean + std * (values.unflatten(1, tuple(shape)) if shape else values[:, 0])

    def coin(self, p: float, shape: Sequence[int] = ()) -> Tensor:
        """True with probability `p`: shape (N, *shape), bool."""
        return self.uniform(shape=shape) < p

    def choice(self, weights: Sequence[float]) -> Tensor:
        """Position in `weights`, each as probable as its weight: shape (N,), int64."""
        bounds = [sum(weights[:count]) / sum(weights) for count in range(1, len(weights))]
        return (self.uniform()[:, None] >= constant(bounds, torch.float64, self.device)).sum(1)

    def permutation(self, count: int) -> Tensor:
        """0 … count - 1 in random order: shape (N, count), int64."""
        return self.words(count).argsort(dim=1, stable=True)

    def gamma(self, shape: float, count: int = 1) -> Tensor:
        """Gamma distribution of this shape and scale 1: shape (N, count), float64.

        Source: Marsaglia and Tsang 2000; below shape 1 boosted by a power of a uniform number.
        """
        boosted = shape if shape >= 1 else shape + 1
        d = boosted - 1 / 3
        x = self.normal(shape=(count, ATTEMPTS))
        u = self.uniform(shape=(count, ATTEMPTS))
        v = (1 + x / math.sqrt(9 * d)).clamp(min=0) ** 3
        accepted = (v > 0) & (torch.log(u) < 0.5 * x**2 + d * (1 - v + torch.log(v)))
        first = accepted.int().argmax(2, keepdim=True)
        value = d * v.gather(2, first)[:, :, 0]
        if shape < 1:
            value = value * (1 - self.uniform(shape=(count,))) ** (1 / shape)
        return value

    def beta(self, a: float, b: float) -> Tensor:
        """Beta distribution: shape (N,), float64."""
        first, second = self.gamma(a)[:, 0], self.gamma(b)[:, 0]
        return torch.where(first + second > 0, first / (first + second), 0.5)

    def grid_words(self, shape: Sequence[int]) -> Tensor:
        """Many words an image, cheaper than `words`: shape (N, *shape), int32, every bit pattern equally probable.

        Hashes of the pixel's number and two words of Philox, mixed as "triple32" does (Wellons 2018, "Prospecting for
        hash functions"): enough for noise on pixels.
        """
        keys = self.words(2)
        keys = torch.where(keys > 0x7FFFFFFF, keys - (1 << 32), keys).int()
        number = torch.arange(math.prod(shape), dtype=torch.int32, device=self.device) * 0x61C88647
        return _mix_(_mix_(number + keys[:, :1]).bitwise_xor_(keys[:, 1:])).unflatten(1, tuple(shape))

    def grid_uniform(self, shape: Sequence[int]) -> Tensor:
        """Uniform in [0, 1), 24 bits: shape (N, *shape), float32."""
        return (self.grid_words(shape) >> 8 & 0xFFFFFF).float() / 2**24

    def grid_normal(self, shape: Sequence[int]) -> Tensor:
        """Standard normal: shape (N, *shape), float32. Source: Box and Muller 1958."""
        size = math.prod(shape)
        half = -(-size // 2)
        radius = (-2 * torch.log(self.grid_uniform((half,)) + 2**-25)).sqrt()
        angle = self.grid_uniform((half,)) * (2 * math.pi)
        both = torch.cat([radius * torch.cos(angle), radius * torch.sin(angle)], 1)
        return both[:, :size].unflatten(1, tuple(shape))


def _mix_(word: Tensor) -> Tensor:
    """A bijection of 32 bits, int32, in place: shifts are those of unsigned numbers."""
    for shift, factor in ((17, -312814405), (11, -1404298415), (15, 830770091)):
        word.bitwise_xor_(_shifted(word, shift)).mul_(factor)
    return word.bitwise_xor_(_shifted(word, 14))


def _shifted(word: Tensor, bits: int) -> Tensor:
    return word.bitwise_right_shift(bits).bitwise_and_((1 << 32 - bits) - 1)
