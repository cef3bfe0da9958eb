"""What `curate.augment.rendering` does to a pixel, in one Triton kernel: read once as a byte, written once.

One program renders a block of pixels of one image. Arithmetic is that of `curate.augment.warp` and `rendering`, in
whole numbers where these have them. `TRITON_INTERPRET=1` runs it on a CPU, which is how it is tested there.
"""

import cv2
import torch
import triton
import triton.language as tl
from torch import Tensor

from curate.augment.lattice import Moves, per_channel
from curate.augment.parts import Fill, Parts
from curate.augment.pointwise import Linear

BLOCK = 1024
"""Pixels that a program renders: those of an image of 32 px."""
ROUND_64 = tl.constexpr(6755399441055744.0)
ROUND_32 = tl.constexpr(12582912.0)
"""Added and taken away again they leave the nearest whole number, ties to even: 1.5 * 2**52 and 1.5 * 2**23."""
FINE_UNIT, HALF = tl.constexpr(1024.0), tl.constexpr(16)
"""OpenCV's units of a pixel, and half of what it rounds coordinates to in these, see `curate.augment.warp`."""
CONSTANT, REPLICATE, REFLECT, WRAP = (
    tl.constexpr(each) for each in (cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT, cv2.BORDER_WRAP)
)


def render_with_kernel(pixels: Tensor, parts: Parts, *, dtype: torch.dtype | None = None) -> Tensor:
    """As `curate.augment.rendering.render`, and of another type where `dtype` says so."""
    count, height, width, channels = pixels.shape
    size, device = parts.size, pixels.device
    dtype = dtype or (torch.uint8 if parts.scale_shift is None else torch.float32)
    result = torch.empty((count, size.height, size.width, channels), dtype=dtype, device=device)
    none = torch.empty(0, device=device)
    rows, columns, turned = _lines(parts.moves, none)
    matrix = none if parts.matrix is None else parts.matrix[:, :2].contiguous()
    still = none if parts.still is None else parts.still.to(torch.uint8)
    table = none if parts.table is None else parts.table.contiguous()
    mix = none if parts.linear is None else _mix(parts.linear)
    holes = none if parts.holes is None else parts.holes.int().contiguous()
    scale, shift = parts.scale_shift or (none, none)
    moves_fill, border_fill = (_levels(fill, channels, device) for fill in (parts.moves_fill, parts.border_fill))
    holes_fill = per_channel(parts.holes_fill, channels, device).trunc().float()  # NumPy cuts off, OpenCV rounds
    blocks = triton.cdiv(size.height * size.width, BLOCK)
    # fmt: off
    _render[(count * blocks,)](
        pixels, result, blocks, height, width, size.height, size.width, *_inner(parts, height, width),
        rows, columns, _step(rows), _step(columns), turned, _step(turned), moves_fill,
        matrix, _step(matrix), border_fill, still,
        table, _step(table), 256 if table.ndim == 3 and table.shape[1] > 1 else 0, mix, _step(mix),
        holes, holes.shape[1] if holes.ndim == 3 else 0, holes_fill, scale.contiguous(), shift.contiguous(),
        C=channels, MOVED=parts.moves is not None, TURNED=turned.numel() > 0,
        WARPED=parts.matrix is not None, BORDER=parts.border, STILL=parts.still is not None,
        TABLE=parts.table is not None, MIXED=parts.linear is not None, HOLES=parts.holes is not None,
        SCALED=parts.scale_shift is not None, BLOCK=BLOCK,
    )
    # fmt: on
    return result


@triton.jit
def _at_border(place, size, BORDER: tl.constexpr):
    """As `curate.augment.lattice.within`."""
    if BORDER == CONSTANT:
        place = tl.where((place < 0) | (place >= size), -1, place)
    elif BORDER == REPLICATE:
        place = tl.minimum(tl.maximum(place, 0), size - 1)
    elif BORDER == WRAP:
        place = ((place % size) + size) % size
    elif BORDER == REFLECT:
        place = ((place % (2 * size)) + 2 * size) % (2 * size)
        place = tl.minimum(place, 2 * size - 1 - place)
    else:
        period = tl.maximum(2 * size - 2, 1)
        place = ((place % period) + period) % period
        place = tl.minimum(place, 2 * size - 2 - place)
    return place


@triton.jit
def _source(row, column, rows, columns, turned, MOVED: tl.constexpr, TURNED: tl.constexpr):
    """Where in the image a pixel of the moved image comes from; negative for one that is filled."""
    if MOVED:
        if TURNED:
            row, column = tl.where(turned, column, row), tl.where(turned, row, column)
        outside = (row < 0) | (column < 0)
        row = tl.load(rows + tl.maximum(row, 0))
        column = tl.load(columns + tl.maximum(column, 0))
        row = tl.where(outside, 0, row)
    return row, column


@triton.jit
def _level(image, row, column, width, channel, mask, C: tl.constexpr):
    place = (tl.maximum(row, 0) * width + tl.maximum(column, 0)) * C + channel
    return tl.load(image + place, mask=mask, other=0).to(tl.int32)


@triton.jit
def _render(
    pixels, result, blocks, height, width, out_height, out_width, inner_height, inner_width,
    rows, columns, rows_step, columns_step, turned, turned_step, moves_fill,
    matrix, matrix_step, border_fill, still,
    table, table_step, table_channel_step, mix, mix_step,
    holes, holes_count, holes_fill, scale, shift,
    C: tl.constexpr, MOVED: tl.constexpr, TURNED: tl.constexpr, WARPED: tl.constexpr, BORDER: tl.constexpr,
    STILL: tl.constexpr, TABLE: tl.constexpr, MIXED: tl.constexpr, HOLES: tl.constexpr, SCALED: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    number = (tl.program_id(0) // blocks).to(tl.int64)
    at = (tl.program_id(0) % blocks) * BLOCK + tl.arange(0, BLOCK)
    mask = at < out_height * out_width
    y, x = at // out_width, at % out_width
    image = pixels + number * height * width * C
    rows += number * rows_step
    columns += number * columns_step
    is_turned = 0
    if TURNED:
        is_turned = tl.load(turned + number * turned_step) != 0

    if WARPED:
        of = matrix + number * matrix_step
        a, b, c = tl.load(of), tl.load(of + 1), tl.load(of + 2)
        d, e, f = tl.load(of + 3), tl.load(of + 4), tl.load(of + 5)
        fx, fy = x.to(tl.float64), y.to(tl.float64)
        along_x = (a * fx * FINE_UNIT + ROUND_64) - ROUND_64
        along_y = (d * fx * FINE_UNIT + ROUND_64) - ROUND_64
        down_x = ((b * fy + c) * FINE_UNIT + ROUND_64) - ROUND_64
        down_y = ((e * fy + f) * FINE_UNIT + ROUND_64) - ROUND_64
        at_x = (along_x.to(tl.int32) + down_x.to(tl.int32) + HALF) >> 5
        at_y = (along_y.to(tl.int32) + down_y.to(tl.int32) + HALF) >> 5
        if STILL:
            is_still = tl.load(still + number) != 0
            at_x = tl.where(is_still, tl.minimum(tl.maximum(at_x, 0), (inner_width - 1) * 32), at_x)
            at_y = tl.where(is_still, tl.minimum(tl.maximum(at_y, 0), (inner_height - 1) * 32), at_y)
        part_x, part_y = at_x & 31, at_y & 31
    else:
        row, column = _source(y, x, rows, columns, is_turned, MOVED, TURNED)

    levels_0 = tl.zeros((BLOCK,), tl.float32)
    levels_1 = tl.zeros((BLOCK,), tl.float32)
    levels_2 = tl.zeros((BLOCK,), tl.float32)
    for channel in tl.static_range(C):
        if WARPED:
            total = tl.zeros((BLOCK,), tl.int32)
            for below in tl.static_range(2):
                inner_row = _at_border((at_y >> 5) + below, inner_height, BORDER)
                weight_y = part_y if below else 32 - part_y
                for right in tl.static_range(2):
                    inner_column = _at_border((at_x >> 5) + right, inner_width, BORDER)
                    weight = weight_y * (part_x if right else 32 - part_x)
                    row, column = _source(inner_row, inner_column, rows, columns, is_turned, MOVED, TURNED)
                    tap = _level(image, row, column, width, channel, mask, C)
                    if MOVED:
                        tap = tl.where((row < 0) | (column < 0), tl.load(moves_fill + channel).to(tl.int32), tap)
                    if BORDER == CONSTANT:
                        outside = (inner_row < 0) | (inner_column < 0)
                        tap = tl.where(outside, tl.load(border_fill + channel).to(tl.int32), tap)
                    total += tap * weight
            level = (total + 512) >> 10
        else:
            level = _level(image, row, column, width, channel, mask, C)
            if MOVED:
                level = tl.where((row < 0) | (column < 0), tl.load(moves_fill + channel).to(tl.int32), level)
        if TABLE:
            level = tl.load(table + number * table_step + channel * table_channel_step + level).to(tl.int32)
        if channel == 0:
            levels_0 = level.to(tl.float32)
        elif channel == 1:
            levels_1 = level.to(tl.float32)
        else:
            levels_2 = level.to(tl.float32)

    hidden = tl.zeros((BLOCK,), tl.int1)
    if HOLES:
        for hole in range(holes_count):
            of = holes + (number * holes_count + hole) * 4
            inside_x = (x >= tl.load(of)) & (x < tl.load(of + 2))
            hidden = hidden | (inside_x & (y >= tl.load(of + 1)) & (y < tl.load(of + 3)))

    for channel in tl.static_range(C):
        if MIXED:
            of = mix + number * mix_step + channel * (C + 1)
            value = tl.load(of + C) + tl.load(of) * levels_0
            if C > 1:
                value += tl.load(of + 1) * levels_1 + tl.load(of + 2) * levels_2
            value = tl.minimum(tl.maximum(value, 0.0), 255.0)
        elif channel == 0:
            value = levels_0
        elif channel == 1:
            value = levels_1
        else:
            value = levels_2
        if HOLES:
            value = tl.where(hidden, tl.load(holes_fill + channel), value)
        if SCALED:
            value = value * tl.load(scale + channel) + tl.load(shift + channel)
        elif MIXED:
            value = (value + ROUND_32) - ROUND_32
        to = result + (number * out_height * out_width + at) * C + channel
        tl.store(to, value.to(result.dtype.element_ty), mask=mask)


def _inner(parts: Parts, height: int, width: int) -> tuple[int, int]:
    """Height and width of the moved image, which is resampled."""
    return (height, width) if parts.moves is None else parts.moves.size


def _lines(moves: Moves | None, none: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rows, columns, and which images are turned."""
    if moves is None:
        return none, none, none
    turned = none if moves.turned is None else moves.turned.to(torch.uint8)
    return moves.rows.int().contiguous(), moves.columns.int().contiguous(), turned


def _mix(linear: Linear) -> Tensor:
    """Matrix and shift side by side: shape (N, C, C + 1), float32."""
    return torch.cat([linear.matrix, linear.shift[:, :, None]], 2).float().contiguous()


def _step(values: Tensor) -> int:
    """Numbers from one image's to the next one's; 0 where all images have the same."""
    return values[0].numel() if len(values) > 1 else 0


def _levels(fill: Fill, channels: int, device: torch.device) -> Tensor:
    return per_channel(fill, channels, device).round().clamp(0, 255).float()
