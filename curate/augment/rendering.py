"""The pixels of a batch, computed from `Parts`: in torch, or by the kernel where there is one."""

import torch
from torch import Tensor

from curate.augment.device import has_kernels
from curate.augment.holes import inside, painted
from curate.augment.lattice import moved, per_channel
from curate.augment.parts import Parts
from curate.augment.pointwise import Linear, looked_up
from curate.augment.warp import warp_affine


def render(pixels: Tensor, parts: Parts, dtype: torch.dtype | None = None) -> Tensor:
    """The images with all of it done: shape (N, H, W, C) -> (N, H', W', C).

    pixels: uint8; unrounded levels, float32, where nothing but holes and scale are asked for. dtype: of the result;
    None: float32 where it is scaled, otherwise uint8.
    """
    if has_kernels(pixels) and pixels.dtype == torch.uint8:
        from curate.augment.kernel import render_with_kernel

        return render_with_kernel(pixels, parts, dtype=dtype)
    hidden = None if parts.holes is None else inside(parts.holes, parts.size)
    alone = parts.matrix is None and parts.table is None and parts.linear is None
    if parts.moves is not None:
        own = hidden if alone else None
        pixels = moved(pixels, parts.moves, parts.moves_fill, hidden=own, hidden_fill=parts.holes_fill)
        hidden = hidden if own is None else None
    if parts.matrix is not None:
        matrix = parts.matrix.expand(len(pixels), 3, 3)
        border, fill = parts.border, parts.border_fill
        pixels = warp_affine(pixels, matrix, parts.size, border=border, fill=fill, still=parts.still)
    if parts.table is not None:
        pixels = looked_up(pixels, parts.table)
    if parts.linear is not None:
        pixels = mixed(pixels, parts.linear)
    if hidden is not None:
        value = per_channel(parts.holes_fill, pixels.shape[3], pixels.device).trunc().to(pixels.dtype)
        pixels = painted(pixels, hidden, value)
    if parts.scale_shift is None:
        pixels = pixels if pixels.dtype == torch.uint8 else pixels.round().to(torch.uint8)
    else:
        pixels = scaled(pixels, *parts.scale_shift)
    return pixels if dtype is None else pixels.to(dtype)


def mixed(pixels: Tensor, linear: Linear) -> Tensor:
    """matrix @ levels + shift, cut off at 0 and 255: shape (N, H, W, C), float32."""
    planes = pixels.flatten(1, 2).mT.float().contiguous()  # channel by channel it takes half the time on a CPU
    matrix = linear.matrix.float().expand(len(pixels), -1, -1)
    mixed = torch.baddbmm(linear.shift.float()[:, :, None], matrix, planes).clamp_(0, 255)
    return mixed.mT.reshape(*pixels.shape[:3], -1)


def scaled(pixels: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """levels * scale + shift, channel by channel: shape (N, H, W, C), float32."""
    count = pixels.shape[1] * pixels.shape[2]
    return torch.addcmul(shift.repeat(count), pixels.flatten(1), scale.repeat(count)).view(pixels.shape)
