"""The fused mode: steps after one another become one look-up of pixels, one table or matrix of colours, one mask.

Where it differs from the exact mode: resampling happens once for all geometric steps after one another, so what a first
one cut off may come back with the second, a border of one meets the edges of those beside it, and places between pixels
are rounded once, to 1/32 of a pixel; at the edge of a crop that is resized up to half a pixel of what lies beyond it is
mixed in; matrices of colours are composed without rounding and cutting off in between; jitter of colours is computed on
unrounded levels. Everything else gives the same pixels, and floats that differ by their last bits.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import cv2
import torch
from torch import Tensor

from curate.augment.choices import Chooser
from curate.augment.device import constant
from curate.augment.draws import Stream
from curate.augment.frame import Frame
from curate.augment.holes import Holes
from curate.augment.lattice import Moves
from curate.augment.parts import Parts
from curate.augment.pipeline import Step
from curate.augment.pointwise import Linear, Pointwise, Recolor
from curate.augment.rendering import render
from curate.augment.transform import Lattice, Params, Transform, frame_of
from curate.augment.warp import Warp

Run = Callable[[Step, Tensor, Stream, Chooser], Tensor]
"""How a step is run by itself: `curate.augment.program.exact`."""
MOVES, AIMS, COLOURS, HOLES, SCALE = range(5)
"""What is done to the pixels of a group, in this order."""


@runtime_checkable
class Aimed(Protocol):
    """A transform that resamples from where a matrix points: a `Warp`, or a crop that is resized."""

    def matrix(self, params: Params, frame: Frame) -> Tensor:
        """As `Warp.matrix`."""

    def method(self) -> int:
        """`cv2.INTER_…`."""


@runtime_checkable
class Fast(Protocol):
    """A transform of colours that is computed in one go on unrounded levels."""

    def fast(self, levels: Tensor, params: Params) -> Tensor:
        """Shape (N, H, W, C), float32, from 0 to 255, in and out."""


@runtime_checkable
class Scaling(Protocol):
    """A transform that makes floats of levels."""

    def scale_shift(self, channels: int) -> tuple[Tensor, Tensor] | None:
        """Result = levels * scale + shift, shape (C,), float32; None where that depends on the image."""


class Stage(ABC):
    """Steps that are computed at once. Takes and gives uint8, or unrounded levels from 0 to 255 in float32."""

    @abstractmethod
    def __call__(self, pixels: Tensor, stream: Stream, chooser: Chooser) -> Tensor:
        """Shape (N, H, W, C) -> (N, H', W', C)."""


@dataclass(frozen=True)
class Single(Stage):
    """One step, as the exact mode runs it."""

    step: Step
    run: Run
    scaled: bool = False
    """Whether it is given what was normalised."""

    def __call__(self, pixels: Tensor, stream: Stream, chooser: Chooser) -> Tensor:
        return self.run(self.step, pixels if self.scaled else rounded(pixels), stream, chooser)


@dataclass(frozen=True)
class Levels(Stage):
    """One step, on unrounded levels."""

    step: Step

    def __call__(self, pixels: Tensor, stream: Stream, chooser: Chooser) -> Tensor:
        drawn, levels = Drawn.of(self.step, frame_of(pixels), stream, chooser), pixels.float()
        assert isinstance(self.step.transform, Fast), "see `_kind`"
        done = self.step.transform.fast(levels, drawn.params)
        return done if drawn.passed is None else torch.where(drawn.passed[:, None, None, None], done, levels)


@dataclass
class Group(Stage):
    """Steps whose pixels are computed at once."""

    steps: tuple[list[Step], ...] = field(default_factory=lambda: tuple([] for _ in range(SCALE + 1)))
    """Those of each kind, in order."""
    dtype: torch.dtype | None = None
    """Of the result; None: float32 where it is scaled, otherwise uint8."""

    def __call__(self, pixels: Tensor, stream: Stream, chooser: Chooser) -> Tensor:
        pixels = rounded(pixels) if any(self.steps[:HOLES]) else pixels
        return render(pixels, self.parts(frame_of(pixels), pixels.device, stream, chooser), self.dtype)

    def parts(self, frame: Frame, device: torch.device, stream: Stream, chooser: Chooser) -> Parts:
        """What is done to each pixel of images of this size."""
        parts = Parts(frame)
        for step in self.steps[MOVES]:
            drawn = Drawn.of(step, frame, stream, chooser)
            parts.add_moves(_moves(drawn, frame, device), _fill(step.transform))
            frame = step.transform.output(frame)
        parts.still = self.still(chooser)
        for step in self.steps[AIMS]:
            drawn = Drawn.of(step, frame, stream, chooser)
            parts.add_matrix(_matrix(drawn, frame, device), *_edge(step.transform))
            frame = step.transform.output(frame)
        for step in self.steps[COLOURS]:
            drawn = Drawn.of(step, frame, stream, chooser)
            if self.mixes():
                parts.add_linear(_linear(drawn, frame.channels))
            else:
                parts.add_table(_table(drawn, frame.channels))
        for step in self.steps[HOLES]:
            parts.add_holes(*_holes(Drawn.of(step, frame, stream, chooser), frame))
        for step in self.steps[SCALE]:
            parts.scale_shift = _scale_shift(step.transform, frame.channels, device)
        parts.size = frame
        return parts

    def still(self, chooser: Chooser) -> Tensor | None:
        """Images that no warp changes, so that its border would show at the edges of what is resized: as in `Parts`."""
        if all(isinstance(step.transform, Warp | Lattice) for step in self.steps[AIMS]):
            return None
        still: Tensor | None = None
        for step in self.steps[AIMS]:
            if _edge(step.transform)[0] not in (None, cv2.BORDER_REPLICATE):
                passed = chooser.passes(step.gates)
                if passed is None:
                    return None
                still = ~passed if still is None else still & ~passed
        return still

    def mixes(self) -> bool:
        """Whether colours go through a matrix; otherwise through a table."""
        return any(isinstance(step.transform, Recolor) for step in self.steps[COLOURS])

    def takes(self, step: Step, kind: int) -> bool:
        """Whether a step that comes next can be one of the group."""
        transform = step.transform
        if any(self.steps[kind + 1 :]):
            plain_move = kind == MOVES and not any(self.steps[COLOURS:]) and not _fills(transform)
            return plain_move and bool(self.steps[AIMS])
        if kind == MOVES:
            return _same([*self.steps[MOVES], step], _filled)
        if kind == AIMS:
            return _same([*self.steps[AIMS], step], _bordered)
        if kind == COLOURS:
            tables = all(isinstance(each.transform, Pointwise) for each in self.steps[COLOURS])
            joined = [*self.steps[COLOURS], step]
            return (tables and isinstance(transform, Pointwise)) or all(_is_linear(each.transform) for each in joined)
        return not self.steps[SCALE] and (kind != HOLES or _same([*self.steps[HOLES], step], _hole_value))

    def add(self, step: Step, kind: int) -> None:
        """Make it one of the group. A move after what resamples is a matrix, too."""
        self.steps[AIMS if kind == MOVES and self.steps[AIMS] else kind].append(step)


@dataclass(frozen=True)
class Drawn:
    """What was drawn for a step, and for which images: shape (N,), bool, or None for all."""

    transform: Transform
    params: Params
    passed: Tensor | None

    @classmethod
    def of(cls, step: Step, frame: Frame, stream: Stream, chooser: Chooser) -> "Drawn":
        return cls(step.transform, step.transform.draw(stream.at(step.place), frame), chooser.passes(step.gates))


def fused(steps: Sequence[Step], run: Run, dtype: torch.dtype | None = None, *, rare: float = 0) -> list[Stage]:
    """The steps in stages.

    run: how a step is run that cannot be composed with others, or that a share of the images below `rare` pass: on a
    CPU it is cheaper to change these alone. dtype: of the result, where the last stage is a group.
    """
    stages: list[Stage] = []
    scaled = False
    for step in steps:
        alone = scaled or math.prod(gate.share for gate in step.gates) < rare
        kind = None if alone else _kind(step)
        if kind is None:
            fast = isinstance(step.transform, Fast) and not alone
            stages.append(Levels(step) if fast else Single(step, run, scaled))
        else:
            last = stages[-1] if stages else None
            if not isinstance(last, Group) or not last.takes(step, kind):
                stages.append(last := Group())
            last.add(step, kind)
        scaled = scaled or isinstance(step.transform, Scaling)
    if stages and isinstance(stages[-1], Group):
        stages[-1].dtype = dtype
    return stages


def scales(steps: Sequence[Step]) -> bool:
    """Whether the steps make floats of levels."""
    return any(isinstance(step.transform, Scaling) for step in steps)


def rounded(pixels: Tensor) -> Tensor:
    """Levels as uint8."""
    return pixels if pixels.dtype == torch.uint8 else pixels.round().to(torch.uint8)


def _kind(step: Step) -> int | None:
    """What a step does to pixels; None for what cannot be composed."""
    transform = step.transform
    if isinstance(transform, Lattice):
        return MOVES
    if isinstance(transform, Aimed):
        return AIMS if transform.method() == cv2.INTER_LINEAR else None
    if isinstance(transform, Pointwise | Recolor):
        return COLOURS if transform.composes() else None
    if isinstance(transform, Holes):
        return HOLES if transform.value() is not None else None
    if isinstance(transform, Scaling) and not step.gates and transform.scale_shift(3) is not None:
        return SCALE
    return None


def _is_linear(transform: Transform) -> bool:
    """Whether a matrix says what becomes of colours."""
    return isinstance(transform, Recolor) or (
        isinstance(transform, Pointwise) and type(transform).linear is not Pointwise.linear
    )


def _same(steps: Sequence[Step], what: Callable[[Transform], object]) -> bool:
    """Whether all that say something to it say the same."""
    return len({repr(found) for step in steps if (found := what(step.transform)) is not None}) <= 1


def _fills(transform: Transform) -> bool:
    return isinstance(transform, Lattice) and transform.fills()


def _filled(transform: Transform) -> object:
    return _fill(transform) if _fills(transform) else None


def _fill(transform: Transform) -> float | Sequence[float]:
    return transform.fill() if isinstance(transform, Lattice) else 0


def _bordered(transform: Transform) -> object:
    """Border and what it is filled with; None for what shows nothing from outside."""
    return _edge(transform) if isinstance(transform, Warp) else None


def _edge(transform: Transform) -> tuple[int | None, float | Sequence[float]]:
    return (transform.border(), transform.fill()) if isinstance(transform, Warp) else (None, 0)


def _hole_value(transform: Transform) -> object:
    return transform.value() if isinstance(transform, Holes) else None


def _moves(drawn: Drawn, frame: Frame, device: torch.device) -> Moves:
    assert isinstance(drawn.transform, Lattice), "see `_kind`"
    return drawn.transform.moves(drawn.params, frame, device).only(drawn.passed)


def _matrix(drawn: Drawn, frame: Frame, device: torch.device) -> Tensor:
    """From pixels of the result to those of the image: shape (N, 3, 3) or (1, 3, 3), float64."""
    if isinstance(drawn.transform, Lattice):
        return as_matrix(_moves(drawn, frame, device))
    assert isinstance(drawn.transform, Aimed), "see `_kind`"
    matrix = drawn.transform.matrix(drawn.params, frame)
    if drawn.passed is None:
        return matrix
    same = torch.eye(3, dtype=torch.float64, device=device)
    return torch.where(drawn.passed[:, None, None], matrix, same)


def as_matrix(moves: Moves) -> Tensor:
    """Moves that show pixels of the image alone, in order or in reverse, as a matrix: shape (N, 3, 3), float64."""
    rows, columns = moves.rows.double(), moves.columns.double()
    count = max(len(rows), len(columns), 0 if moves.turned is None else len(moves.turned))
    matrix = torch.zeros((count, 3, 3), dtype=torch.float64, device=rows.device)
    matrix[:, 2, 2] = 1
    for line, places in ((0, columns), (1, rows)):
        matrix[:, line, line] = places[:, 1] - places[:, 0] if places.shape[1] > 1 else 1
        matrix[:, line, 2] = places[:, 0]
    if moves.turned is not None:
        crossed = torch.stack([matrix[:, :, 1], matrix[:, :, 0], matrix[:, :, 2]], 2)
        matrix = torch.where(moves.turned[:, None, None], crossed, matrix)
    return matrix


def _linear(drawn: Drawn, channels: int) -> Linear:
    assert isinstance(drawn.transform, Pointwise | Recolor), "see `_kind`"
    linear = drawn.transform.linear(drawn.params, channels)
    assert linear is not None, "see `_is_linear`"
    return linear.only(drawn.passed)


def _table(drawn: Drawn, channels: int) -> Tensor:
    assert isinstance(drawn.transform, Pointwise), "see `_kind`"
    table = drawn.transform.table(drawn.params, channels)
    if drawn.passed is None:
        return table
    same = torch.arange(256, dtype=torch.uint8, device=table.device)
    return torch.where(drawn.passed[:, None, None], table, same)


def _holes(drawn: Drawn, frame: Frame) -> tuple[Tensor, float | Sequence[float]]:
    assert isinstance(drawn.transform, Holes), "see `_kind`"
    holes, value = drawn.transform.holes(drawn.params, frame), drawn.transform.value()
    assert value is not None, "see `_kind`"
    return holes if drawn.passed is None else holes * drawn.passed[:, None, None], value


def _scale_shift(transform: Transform, channels: int, device: torch.device) -> tuple[Tensor, Tensor]:
    assert isinstance(transform, Scaling), "see `_kind`"
    found = transform.scale_shift(channels)
    assert found is not None, "see `_kind`"
    scale, shift = (constant(part.tolist(), torch.float32, device) for part in found)
    return scale, shift
