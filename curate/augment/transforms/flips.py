"""Mirrored, and turned by quarters."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from curate.augment.device import constant
from curate.augment.draws import Draws
from curate.augment.frame import Frame
from curate.augment.lattice import Moves, stay
from curate.augment.transform import Lattice, Params
from curate.errors import UserError

ELEMENTS = ("e", "r90", "r180", "r270", "v", "hvt", "h", "t")
"""The symmetries of a square, as Albumentations names and orders them; the first four are turns by quarters, against
the clock, and what `RandomRotate90` draws from."""
SYMMETRIES = ((0, 0, 0), (1, 0, 1), (0, 1, 1), (1, 1, 0), (0, 1, 0), (1, 1, 1), (0, 0, 1), (1, 0, 0))
"""Of each: whether rows and columns are exchanged, whether the image's rows are read in reverse, and its columns."""


class HorizontalFlip(Lattice):
    """Mirrored left and right."""

    def draw(self, draws: Draws, frame: Frame) -> Params:
        return {}

    def moves(self, params: Params, frame: Frame, device: torch.device) -> Moves:
        same = stay(frame, device)
        return Moves(same.rows, same.columns.flip(1))


class VerticalFlip(Lattice):
    """Mirrored top and bottom."""

    def draw(self, draws: Draws, frame: Frame) -> Params:
        return {}

    def moves(self, params: Params, frame: Frame, device: torch.device) -> Moves:
        same = stay(frame, device)
        return Moves(same.rows.flip(1), same.columns)


class Transpose(Lattice):
    """Rows become columns."""

    def output(self, frame: Frame) -> Frame:
        frame = super().output(frame)
        return Frame(frame.width, frame.height, frame.channels)

    def draw(self, draws: Draws, frame: Frame) -> Params:
        return {}

    def moves(self, params: Params, frame: Frame, device: torch.device) -> Moves:
        line, turned = torch.arange(max(frame[:2]), device=device)[None], torch.ones(1, dtype=torch.bool, device=device)
        rows, columns = line.clamp(max=frame.height - 1), line.clamp(max=frame.width - 1)
        return Moves(rows, columns, turned, shape=(frame.width, frame.height))


class RandomRotate90(Lattice):
    """Turned by 0, 90, 180 or 270 degrees."""

    def output(self, frame: Frame) -> Frame:
        return _square(self.name, super().output(frame))

    def draw(self, draws: Draws, frame: Frame) -> Params:
        return {"factor": draws.integers(0, 4)}

    def moves(self, params: Params, frame: Frame, device: torch.device) -> Moves:
        return _symmetry(params["factor"], frame, device)


class D4(Lattice):
    """Turned by quarters or mirrored: the eight symmetries of a square."""

    def output(self, frame: Frame) -> Frame:
        return _square(self.name, super().output(frame))

    def draw(self, draws: Draws, frame: Frame) -> Params:
        return {"group_element": draws.integers(0, len(ELEMENTS))}

    def replay(self, drawn: Sequence[Mapping[str, Any]], frame: Frame, device: torch.device) -> Params:
        elements = [ELEMENTS.index(each["group_element"]) for each in drawn]
        return {"group_element": torch.tensor(elements, device=device)}

    def moves(self, params: Params, frame: Frame, device: torch.device) -> Moves:
        return _symmetry(params["group_element"], frame, device)


class SquareSymmetry(D4):
    """D4 under its other name."""


def _symmetry(element: Tensor, frame: Frame, device: torch.device) -> Moves:
    """The moves of `ELEMENTS` at these positions: shape (N,), int64."""
    turned, rows, columns = constant(SYMMETRIES, torch.bool, device)[element].unbind(1)
    line = torch.arange(frame.height, device=device)
    return Moves(
        torch.where(rows[:, None], line.flip(0), line), torch.where(columns[:, None], line.flip(0), line), turned
    )


def _square(name: str, frame: Frame) -> Frame:
    if frame.height != frame.width:
        raise UserError(
            f"{name} would turn some images of {frame} px and not others, which then differ in size; crop or resize "
            "them to a square first"
        )
    return frame
