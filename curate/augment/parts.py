"""All that is to be done to the pixels of a batch, composed: where each comes from, and what becomes of its colour."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import torch
from torch import Tensor

from curate.augment.frame import Frame
from curate.augment.lattice import Moves
from curate.augment.pointwise import Linear

Fill = float | Sequence[float]
"""One level for all channels, or one for each."""


@dataclass
class Parts:
    """What is done to each pixel of N images, in this order; None for what is not."""

    size: Frame
    """Of the results."""
    moves: Moves | None = None
    moves_fill: Fill = 0
    matrix: Tensor | None = None
    """Shape (N, 3, 3) or (1, 3, 3), float64: from pixels of the results to those of the moved images."""
    border: int = cv2.BORDER_REPLICATE
    border_fill: Fill = 0
    still: Tensor | None = None
    """Shape (N,), bool: images that have BORDER_REPLICATE instead; None: no image."""
    table: Tensor | None = None
    """Shape (N or 1, C or 1, 256), uint8: of levels."""
    linear: Linear | None = None
    """Of colours; only one of the two is there."""
    holes: Tensor | None = None
    """Shape (N, K, 4), int64."""
    holes_fill: Fill = 0
    scale_shift: tuple[Tensor, Tensor] | None = None
    """Shape (C,), float32 each: the result is levels * scale + shift."""

    def add_moves(self, moves: Moves, fill: Fill) -> None:
        self.moves = moves if self.moves is None else self.moves.after(moves)
        self.moves_fill = fill if moves.fills else self.moves_fill

    def add_matrix(self, matrix: Tensor, border: int | None, fill: Fill) -> None:
        """border: None for what shows nothing from outside."""
        self.matrix = matrix if self.matrix is None else self.matrix @ matrix
        if border is not None:
            self.border, self.border_fill = border, fill

    def add_linear(self, linear: Linear) -> None:
        self.linear = linear if self.linear is None else self.linear.then(linear)

    def add_table(self, table: Tensor) -> None:
        if self.table is not None:
            shape = torch.broadcast_shapes(self.table.shape, table.shape)
            table = table.expand(shape).gather(2, self.table.long().expand(shape))
        self.table = table

    def add_holes(self, holes: Tensor, fill: Fill) -> None:
        self.holes = holes if self.holes is None else torch.cat([self.holes, holes], 1)
        self.holes_fill = fill
