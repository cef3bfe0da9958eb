"""Neighbours among unit vectors, each compared with each, in blocks on a device."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from curate.errors import UserError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    Vectors = np.ndarray | Tensor

BYTES = {"cuda": 2**31, "cpu": 2**25}
"""For a block of similarities. On a GPU large, since the host waits for each block; on a CPU near its caches."""
COLUMNS = 65_536
"""Vectors that a block compares its queries with."""
CHUNK = 64
"""Similarities in a row that their highest stands for, so that few are looked at one by one. Fewest for `nearest` at
the root of `COLUMNS` / `most`: 77 for 11 neighbours; but a warp takes as long for the highest of 32 as of 64."""
LONGEST = 1.001
"""Length that still passes for 1."""
PLACES = 2**32 - 1
"""The highest position that a key holds."""
NOTHING = -(2**63)
"""The lowest key: of no vector."""


def nearest(
    vectors: "Vectors", *, most: int, device: "torch.device | str", queries: "Vectors | None" = None
) -> tuple[np.ndarray, np.ndarray]:
    """The vectors with the highest inner products with each query, the best first.

    vectors: shape (N, D), float32, of length 1 or 0. queries: shape (Q, D), likewise; the vectors themselves if not
    given, each of which then finds itself as well. Returns: similarity, float32, and positions, int64, both of shape
    (Q, `most`), and both -1 where there are fewer.
    Every query is compared with every vector, in float32. What is returned is the product in float64, rounded, and
    ordered by it, ties by the lower position: so only a neighbour who is as near as the last one but for float32's
    rounding may depend on the device. Memory beyond vectors and result: a few times `BYTES`.
    Raises `UserError` for vectors that are longer than 1, or hold NaN.
    """
    import torch

    unit = _placed(vectors, device)
    asked = unit if queries is None else _placed(queries, device)
    similarity, positions = np.full((len(asked), most), -1, np.float32), np.full((len(asked), most), -1, np.int64)
    columns = min(COLUMNS, len(unit))
    rows = _room(unit) // (4 * columns + 1) + 1
    with _full_precision():
        for start in range(0, len(asked) if len(unit) else 0, rows):
            part = slice(start, start + rows)
            keys = torch.full((len(asked[part]), most), NOTHING, device=unit.device)
            for first in range(0, len(unit), columns):
                more = _best(asked[part], unit[first : first + columns], first, most)
                keys = torch.cat([keys, more], 1).topk(most, sorted=False).values
            similarity[part], positions[part] = _ranked(asked[part], unit, keys)
    return similarity, positions


def _placed(vectors: "Vectors", device: "torch.device | str") -> "Tensor":
    """The vectors on the device, float32, checked."""
    import torch

    given = (
        torch.from_numpy(np.require(vectors, np.float32, ["C", "W"])) if isinstance(vectors, np.ndarray) else vectors
    )
    unit = given.to(device, torch.float32).contiguous()
    length = torch.linalg.vector_norm(unit, dim=1)
    if wrong := (~(length <= LONGEST)).nonzero().flatten().tolist():
        raise UserError(
            f"{len(wrong):,} of {len(unit):,} vectors are no unit vectors, the first is row {wrong[0]}, of length "
            f"{float(length[wrong[0]]):g}; divide each by its length, and leave out those that hold NaN"
        )
    return unit


@contextmanager
def _full_precision() -> Iterator[None]:
    """Within the block, products of float32 are float32's."""
    import torch

    kept = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(kept)


def _room(vectors: "Tensor") -> int:
    return BYTES.get(vectors.device.type, BYTES["cpu"])


def _chunks(left: "Tensor", right: "Tensor") -> "Tensor":
    """Inner products: shapes (Q, D) and (C, D) -> (Q, chunks, `CHUNK`), where -inf fills the last chunk."""
    import torch

    short = -len(right) % CHUNK
    product = left @ (torch.nn.functional.pad(right, (0, 0, 0, short)) if short else right).T
    if short:
        product[:, -short:] = -torch.inf
    return product.unflatten(1, (-1, CHUNK))


def _best(queries: "Tensor", vectors: "Tensor", first: int, most: int) -> "Tensor":
    """Keys of the `most` best vectors for each query, in any order: shape (Q, `most`), or narrower for fewer vectors.

    first: the position of the first vector. They lie in the chunks with the highest maxima: whatever lies elsewhere is
    below `most` of these. Rows where equal ones were left out are sorted by keys, to take those that come first.
    """
    import torch

    chunks = _chunks(queries, vectors)
    number, tied = torch.arange(chunks.shape[1], device=vectors.device).expand(len(queries), -1), None
    chosen = chunks
    if chunks.shape[1] > 2 * most:
        number, tied = _highest(chunks.amax(2), most)
        chosen = chunks.gather(1, number[:, :, None].expand(-1, -1, CHUNK))
    chosen = chosen.flatten(1)
    index, also_tied = _highest(chosen, most)
    place = first + CHUNK * number.gather(1, index // CHUNK) + index % CHUNK
    keys = _keys(chosen.gather(1, index), place)
    again = also_tied if tied is None else tied | also_tied
    every = torch.arange(first, first + chunks[0].numel(), device=vectors.device)
    for rows in again.nonzero().flatten().split(_room(vectors) // (32 * len(every)) + 1):
        if len(rows):
            keys[rows] = _keys(chunks[rows].flatten(1), every).topk(keys.shape[1], sorted=False).values
    return keys


def _highest(values: "Tensor", most: int) -> tuple["Tensor", "Tensor"]:
    """Where the `most` highest of each row are, and whether one that is left out equals one of them.

    values: shape (Q, W). Returns: shapes (Q, `most`), or (Q, W) for a smaller W, and (Q,), bool.
    """
    found = values.topk(min(most + 1, values.shape[1]))
    edge = found.values[:, max(most - 1, 0) :]  # the last that is taken, and the first that is not
    return found.indices[:, :most], (edge[:, :1] == edge[:, 1:2]).any(1)


def _keys(similarity: "Tensor", position: "Tensor") -> "Tensor":
    """A whole number for each: the higher the similarity, the higher, and for equal ones the lower the position;
    `NOTHING` for -inf.

    The upper half is the float's bits, those of negative ones turned round; 0 is added so that -0 equals 0.
    """
    import torch

    bits = (similarity + 0.0).view(torch.int32)
    ordered = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    keys = (ordered.long() << 32) | (PLACES - position)
    return keys.masked_fill(similarity == -torch.inf, NOTHING)


def _position(keys: "Tensor") -> "Tensor":
    return PLACES - (keys & PLACES)


def _ranked(queries: "Tensor", vectors: "Tensor", keys: "Tensor") -> tuple[np.ndarray, np.ndarray]:
    """Similarity and positions of the vectors that were chosen, best first. keys: shape (Q, most), in any order."""
    import torch

    position = _position(keys)
    missing = position >= len(vectors)
    row = torch.arange(len(queries), device=keys.device).repeat_interleave(keys.shape[1])
    similarity = _products(queries, vectors, row, position.masked_fill(missing, 0).flatten()).view(keys.shape)
    order = _keys(similarity.masked_fill(missing, -torch.inf), position).argsort(1, descending=True)
    values, places = (given.masked_fill(missing, -1).gather(1, order) for given in (similarity, position))
    return values.cpu().numpy(), places.cpu().numpy()


def _products(left: "Tensor", right: "Tensor", a: "Tensor", b: "Tensor") -> "Tensor":
    """Inner products of left[a] and right[b] in float64, rounded to float32. a, b, and what is returned: shape (P,)."""
    import torch

    step = _room(left) // (32 * left.shape[1] + 1) + 1
    pieces = zip(a.split(step), b.split(step), strict=True)
    return torch.cat([(left[row].double() * right[column].double()).sum(1).float() for row, column in pieces])
