"""The random words of `curate.augment.draws` in one Triton kernel; in torch they take a hundred."""

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 256


def words_with_kernel(counters: Tensor, epoch: int | Tensor, ids: Tensor, seed: int) -> Tensor:
    """Four words for each image and counter: shapes (K,) and (N,), int64 -> (N, 4 * K), int64."""
    words = torch.empty((len(ids), 4 * len(counters)), dtype=torch.int64, device=ids.device)
    of_epoch = epoch if isinstance(epoch, Tensor) else torch.full((), epoch, dtype=torch.int64, device=ids.device)
    total = len(ids) * len(counters)
    keys = seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF
    _words[(triton.cdiv(total, BLOCK),)](words, counters, of_epoch, ids, *keys, len(counters), total, BLOCK=BLOCK)
    return words


@triton.jit(do_not_specialize=["key_low", "key_high"])  # Triton would make a key of 1 a constant, and compile anew
def _words(words, counters, epoch, ids, key_low, key_high, count, total, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < total
    image = tl.load(ids + at // count, mask=mask, other=0)
    a = tl.load(counters + at % count, mask=mask, other=0).to(tl.uint32)
    b = tl.zeros((BLOCK,), tl.uint32) + tl.load(epoch).to(tl.uint32)
    c, d = (image & 0xFFFFFFFF).to(tl.uint32), (image >> 32 & 0xFFFFFFFF).to(tl.uint32)
    low = tl.full((BLOCK,), key_low, tl.uint32)  # torch.compile analyses the kernel with keys as constants
    high = tl.full((BLOCK,), key_high, tl.uint32)
    a, b, c, d = tl.philox_impl(a, b, c, d, low, high)
    to = words + at.to(tl.int64) * 4
    tl.store(to, a.to(tl.int64), mask=mask)
    tl.store(to + 1, b.to(tl.int64), mask=mask)
    tl.store(to + 2, c.to(tl.int64), mask=mask)
    tl.store(to + 3, d.to(tl.int64), mask=mask)
