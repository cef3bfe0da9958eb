"""The fused mode: steps after one another become one look-up of pixels, one table, one matrix.

Where it differs from the exact mode: resampling happens once for all geometric steps, so their borders are those of the
first one, and what a first turn cut off may come back with the second; matrices are composed without rounding and
cutting off in between. Everything else is computed as in the exact mode.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol, runtime_checkable

import cv2
import torch
from torch import Tensor

from curate.augment.choices import Chooser
from curate.augment.draws import Stream
from curate.augment.frame import Frame
from curate.augment.lattice import Moves, moved
from curate.augment.pipeline import Step
from curate.augment.pointwise import Linear, Pointwise, Recolor, looked_up
from curate.augment.transform import Lattice, Params, Transform, frame_of
from curate.augment.warp import Warp, warp_affine

Run = Callable[[Step, Tensor, Stream, Chooser], Tensor]
"""How a step is run by itself: `curate.augment.program.exact`."""


@runtime_checkable
class Aimed(Protocol):
    """A transform that resamples from where a matrix points, though it is no `Warp`: a crop that is resized."""

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
        """shape (N, H, W, C) -> (N, H', W', C)."""


@dataclass(frozen=True)
class Drawn:
    """What was drawn for a step, and for which images: shape (N,), bool, or None for all."""

    step: Step
    params: Params
    passed: Tensor | None

    @classmethod
    def of(cls, step: Step, frame: Frame, stream: Stream, chooser: Chooser) -> "Drawn":
        return cls(step, step.transform.draw(stream.at(step.place), frame), chooser.passes(step.gates))


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
class Geometry(Stage):
    """Pixels that move, and then at most one resampling."""

    moves: Sequence[Step]
    aims: Sequence[Step]
    """The first one resamples; those after it, too, or they are moves that a matrix can express."""

    def __call__(self, pixels: Tensor, stream: Stream, chooser: Chooser) -> Tensor:
        pixels = rounded(pixels)
        if self.moves:
            pixels = self._moved(pixels, stream, chooser)
        return self._aimed(pixels, stream, chooser) if self.aims else pixels

    def _moved(self, pixels: Tensor, stream: Stream, chooser: Chooser) -> Tensor:
        frame, total = frame_of(pixels), None
        fill: float | Sequence[float] = 0
        for step in self.moves:
            drawn, transform = Drawn.of(step, frame, stream, chooser), step.transform
            assert isinstance(transform, Lattice), "see `fused`"
            moves = transform.moves(drawn.params, frame, pixels.device).only(drawn.passed)
            fill = transform.fill() if moves.fills else fill
            total = moves if total is None else total.after(moves)
            frame = transform.output(frame)
        assert total is not None, "there is a first one"
        return moved(pixels, total, fill)

    def _aimed(self, pixels: Tensor, stream: Stream, chooser: Chooser) -> Tensor:
        frame, total = frame_of(pixels), torch.eye(3, dtype=torch.float64, device=pixels.device)[None]
        for step in self.aims:
            drawn = Drawn.of(step, frame, stream, chooser)
            matrix = _matrix(step.transform, drawn.params, frame, pixels.device)
            if drawn.passed is not None:
                same = torch.eye(3, dtype=torch.float64, device=pixels.device)
                matrix = torch.where(drawn.passed[:, None, None], matrix, same)
            total, frame = total @ matrix, step.transform.output(frame)
        border, fill = _border(self.aims)
        return warp_affine(pixels, total.expand(len(pixels), 3, 3), frame, border=border, fill=fill)


@dataclass(frozen=True)
class Tables(Stage):
    """Tables of levels after one another: one table, to the same pixels."""

    steps: Sequence[Step]

    def __call__(self, pixels: Tensor, stream: Stream, chooser: Chooser) -> Tensor:
        pixels, total = rounded(pixels), None
        frame = frame_of(pixels)
        same = torch.arange(256, dtype=torch.uint8, device=pixels.device)
        for step in self.steps:
            drawn, transform = Drawn.of(step, frame, stream, chooser), step.transform
            assert isinstance(transform, Pointwise), "see `fused`"
            table = transform.table(drawn.params, frame.channels)
            if drawn.passed is not None:
                table = torch.where(drawn.passed[:, None, None], table, same)
            total = table if total is None else _composed(total, table)
        assert total is not None, "there is a first one"
        return looked_up(pixels, total)


@dataclass(frozen=True)
class Colours(Stage):
    """Colours mixed by one matrix for each image; what is no matrix is computed on unrounded levels."""

    steps: Sequence[Step]

    def __call__(self, pixels: Tensor, stream: Stream, chooser: Chooser) -> Tensor:
        levels, frame, total = pixels.float(), frame_of(pixels), None
        for step in self.steps:
            drawn, transform = Drawn.of(step, frame, stream, chooser), step.transform
            if isinstance(transform, Fast):
                levels, total = _mixed(levels, total), None
                done = transform.fast(levels, drawn.params)
                levels = done if drawn.passed is None else torch.where(drawn.passed[:, None, None, None], done, levels)
            else:
                linear = _linear(transform, drawn.params)
                assert linear is not None, "see `fused`"
                linear = linear.only(drawn.passed)
                total = linear if total is None else total.then(linear)
        return _mixed(levels, total)


@dataclass(frozen=True)
class Scale(Stage):
    """Levels become floats: normalised."""

    step: Step

    def __call__(self, pixels: Tensor, stream: Stream, chooser: Chooser) -> Tensor:
        transform, frame = self.step.transform, frame_of(pixels)
        assert isinstance(transform, Scaling), "see `fused`"
        found = transform.scale_shift(frame.channels)
        assert found is not None, "see `fused`"
        scale, shift = (part.to(pixels.device).repeat(frame.height * frame.width) for part in found)
        return torch.addcmul(shift, pixels.flatten(1), scale).view(pixels.shape)


def fused(steps: Sequence[Step], run: Run) -> list[Stage]:
    """The steps in stages. run: how a step is run that cannot be composed with others."""
    stages: list[Stage] = []
    scaled = next((number for number, step in enumerate(steps) if isinstance(step.transform, Scaling)), len(steps) - 1)
    for kind, group in groupby(steps[: scaled + 1], _kind):
        members = list(group)
        if kind == "geometry":
            stages.extend(_geometry(members))
        elif kind == "colour" and all(isinstance(step.transform, Pointwise) for step in members):
            stages.append(Tables(members))
        elif kind == "colour":
            stages.extend(_colours(members))
        elif kind == "scale":
            stages.extend(Scale(step) for step in members)
        else:
            stages.extend(Single(step, run) for step in members)
    return [*stages, *(Single(step, run, scaled=True) for step in steps[scaled + 1 :])]


def scales(steps: Sequence[Step]) -> bool:
    """Whether the steps make floats of levels."""
    return any(isinstance(step.transform, Scaling) for step in steps)


def rounded(pixels: Tensor) -> Tensor:
    """Levels as uint8."""
    return pixels if pixels.dtype == torch.uint8 else pixels.round().to(torch.uint8)


def _kind(step: Step) -> str:
    transform = step.transform
    if isinstance(transform, Lattice) or _aims(transform):
        return "geometry"
    if isinstance(transform, Pointwise | Recolor | Fast):
        return "colour"
    if isinstance(transform, Scaling) and not step.gates and transform.scale_shift(3) is not None:
        return "scale"
    return "single"


def _aims(transform: Transform) -> bool:
    """Whether it resamples as one matrix says, bilinear."""
    return isinstance(transform, Aimed) and transform.method() == cv2.INTER_LINEAR


def _geometry(steps: Sequence[Step]) -> list[Stage]:
    """Moves come before what resamples; after it they join where a matrix can express them."""
    stages: list[Stage] = []
    moves: list[Step] = []
    aims: list[Step] = []
    for step in steps:
        transform = step.transform
        if isinstance(transform, Lattice) and not aims:
            joins = _same([*moves, step], _filled)
        elif isinstance(transform, Lattice):
            joins = not transform.fills()
        else:
            joins = _same([*aims, step], _edge)
        if not joins:
            stages.append(Geometry(moves, aims))
            moves, aims = [], []
        (aims if aims or not isinstance(transform, Lattice) else moves).append(step)
    return [*stages, Geometry(moves, aims)]


def _same(steps: Sequence[Step], what: Callable[[Transform], object]) -> bool:
    """Whether all that say something to it say the same."""
    return len({repr(found) for step in steps if (found := what(step.transform)) is not None}) <= 1


def _filled(transform: Transform) -> object:
    return transform.fill() if isinstance(transform, Lattice) and transform.fills() else None


def _edge(transform: Transform) -> object:
    """Border and what it is filled with; None for what shows nothing from outside."""
    return (transform.border(), transform.fill()) if isinstance(transform, Warp) else None


def _border(steps: Sequence[Step]) -> tuple[int, float | Sequence[float]]:
    """Border of all of these steps, and what it is filled with."""
    for step in steps:
        if isinstance(step.transform, Warp):
            return step.transform.border(), step.transform.fill()
    return cv2.BORDER_REPLICATE, 0


def _matrix(transform: Transform, params: Params, frame: Frame, device: torch.device) -> Tensor:
    """From pixels of the result to those of the image: shape (N, 3, 3) or (1, 3, 3), float64."""
    if isinstance(transform, Lattice):
        return as_matrix(transform.moves(params, frame, device))
    assert isinstance(transform, Aimed), "see `fused`"
    return transform.matrix(params, frame)


def as_matrix(moves: Moves) -> Tensor:
    """Moves that show pixels of the image alone, in order or in reverse, as a matrix: shape (N, 3, 3), float64."""
    rows, columns = moves.rows.double(), moves.columns.double()
    count = max(len(rows), len(columns), 0 if moves.turned is None else len(moves.turned))
    matrix = torch.zeros((count, 3, 3), dtype=torch.float64, device=rows.device)
    matrix[:, 2, 2] = 1
    for line, places in ((0, columns), (1, rows)):
        step = places[:, 1] - places[:, 0] if places.shape[1] > 1 else torch.ones_like(places[:, 0])
        matrix[:, line, line] = step
        matrix[:, line, 2] = places[:, 0]
    if moves.turned is not None:
        crossed = matrix[:, :, [1, 0, 2]]
        matrix = torch.where(moves.turned[:, None, None], crossed, matrix)
    return matrix


def _colours(steps: Sequence[Step]) -> list[Stage]:
    """Runs of tables, and of what is a matrix or computed on levels."""

    def floats(step: Step) -> bool:
        transform = step.transform
        return not isinstance(transform, Pointwise) or type(transform).linear is not Pointwise.linear

    stages: list[Stage] = []
    for mixes, group in groupby(steps, floats):
        members = list(group)
        stages.append(Colours(members) if mixes else Tables(members))
    return stages


def _linear(transform: Transform, params: Params) -> Linear | None:
    return transform.linear(params) if isinstance(transform, Pointwise | Recolor) else None


def _mixed(levels: Tensor, linear: Linear | None) -> Tensor:
    """matrix @ levels + shift, cut off: shape (N, H, W, C), float32."""
    if linear is None:
        return levels
    count, height, width, channels = levels.shape
    matrix = linear.matrix.to(levels.dtype).mT.expand(count, channels, channels)
    shift = linear.shift.to(levels.dtype)[:, None].expand(count, 1, channels)
    done = torch.baddbmm(shift, levels.view(count, height * width, channels), matrix)
    return done.clamp_(0, 255).view(levels.shape)


def _composed(first: Tensor, second: Tensor) -> Tensor:
    """second[first], level by level: shape (N or 1, C or 1, 256), uint8 each."""
    shape = torch.broadcast_shapes(first.shape, second.shape)
    return second.expand(shape).gather(2, first.long().expand(shape))
