"""Charts as inline SVG that keeps its type size at any width: positions are in per cent, text and strokes in pixels."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from curate.report.labels import Bin
from curate.results.proof import Proof
from curate.results.runs import Run
from curate.results.side_by_side import ClassChange, Comparison

DASHES = ("none", "7 4", "2 3", "10 3 2 3")
"""Of several runs on the same data, so that lines differ in more than colour."""
MARKS = {"raw": "M-4.5-4.5H4.5V4.5H-4.5Z", "curated": "M0-6.5L6.5 0 0 6.5-6.5 0Z", "other": "M0-5.5L5.5 4.5H-5.5Z"}
"""Square, diamond, triangle: what a run was trained on, in pixels around the point."""
CURVES = 6
"""Runs whose learning curves are drawn, the latest ones, raw and curated before others: more cannot be told apart."""
WARMUP = 0.25
"""Share of the epochs that the learning curves' scale need not hold: the climb would press the rest together."""
STRETCHED = Markup(
    '<svg class="clip" viewBox="0 0 100 100" preserveAspectRatio="none" width="100%" height="100%">{}</svg>'
)
"""A line cannot be drawn in per cent, so lines lie in a box of their own that is stretched to the chart."""


@dataclass(frozen=True)
class Axis:
    """A scale from `low` to `high` with round `ticks`."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> str:
        """The position of a value, such as `25.00%`; values outside lie at the end."""
        return f"{min(max(self.position(value), 0.0), 100.0):.2f}%"

    def position(self, value: float) -> float:
        """The position of a value in per cent, below 0 or above 100 for one outside."""
        return 100 * (value - self.low) / (self.high - self.low)

    def label(self, tick: float) -> str:
        """The tick in per cent, with no more digits than the spacing needs."""
        step = 100 * (self.ticks[1] - self.ticks[0])
        return f"{100 * tick:.{max(0, -math.floor(math.log10(step) + 1e-9))}f}".replace("-", "−")


def axis(values: Iterable[float], *, floor: float = -math.inf, ceiling: float = math.inf, steps: int = 4) -> Axis:
    """A scale that holds all values, in about `steps` round steps of 1, 2 or 5, not beyond `floor` and `ceiling`."""
    known = [min(max(value, floor), ceiling) for value in values]
    low, high = min(known), max(known)
    if high - low < 1e-4:
        low, high = max(low - 0.005, floor), min(high + 0.005, ceiling)
    rough = (high - low) / steps
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = [round(number * step, 12) for number in range(first, last + 1)]
    return Axis(ticks[0], ticks[-1], tuple(ticks))


def accuracy_axis(runs: Sequence[Run]) -> Axis:
    """A scale for all accuracies of the runs with their intervals."""
    scores = [score for run in runs for score in run.scores.values()]
    ends = [score.mean + side * (score.half_width or 0) for score in scores for side in (-1, 1)]
    return axis([*ends, *(value for score in scores for value in score.values)], floor=0, ceiling=1)


def difference_axis(comparison: Comparison) -> Axis:
    """A scale for differences, with zero in it."""
    ends = [item.mean + side * (item.half_width or 0) for item in comparison.differences for side in (-1, 1)]
    return axis([0, *ends])


def proof_axis(proof: Proof) -> Axis:
    """A scale for the differences of a proof and those of its seeds, with zero in it."""
    found = [each for item in proof.compared for each in (item.accuracy, item.leak_free) if each]
    ends = [item.mean + side * (item.half_width or 0) for item in found for side in (-1, 1)]
    return axis([0, *ends, *(value for item in found for value in item.values)])


def change_axis(changes: Sequence[ClassChange]) -> Axis:
    """A scale for per-class accuracies before and after."""
    return axis([value for item in changes for value in (item.before, item.after)], floor=0, ceiling=1)


def ticks(scale: Axis) -> Markup:
    """The scale's labels, for the row under the plots."""
    return _svg("scale", [_text(scale.at(tick), "12", "0", "middle", scale.label(tick)) for tick in scale.ticks])


def interval(
    scale: Axis, kind: str, mean: float, half_width: float | None, values: Sequence[float] = (), *, zero: bool = False
) -> Markup:
    """One row: the mean as a mark, the interval as a line with ends, the single seeds as small dots under it; a line at
    `zero` where that is what counts."""
    parts = _grid(scale)
    if zero:
        parts.append(Markup('<line class="zero" x1="{0}" x2="{0}" y1="0" y2="28"/>').format(scale.at(0)))
    if half_width is not None:
        low, high = scale.at(mean - half_width), scale.at(mean + half_width)
        parts.append(Markup('<line class="whisker" x1="{}" x2="{}" y1="12" y2="12"/>').format(low, high))
        parts += [Markup('<line class="whisker" x1="{0}" x2="{0}" y1="7" y2="17"/>').format(end) for end in (low, high)]
    parts += [Markup('<circle class="seed" cx="{}" cy="23" r="2"/>').format(scale.at(value)) for value in values]
    parts.append(_mark(kind, scale.at(mean), "12"))
    return _svg(f"row {kind}", parts)


def change(scale: Axis, item: ClassChange) -> Markup:
    """One row: a class's accuracy before and after, joined by a line."""
    before, after = scale.at(item.before), scale.at(item.after)
    line = Markup('<line class="joint" x1="{}" x2="{}" y1="12" y2="12"/>').format(before, after)
    marks = [
        Markup('<g class="{}">{}</g>').format(kind, _mark(kind, at, "12"))
        for kind, at in (("raw", before), ("curated", after))
    ]
    return _svg("row", [*_grid(scale), line, *marks])


def swatch(kind: str, dash: str = "") -> Markup:
    """A legend's sample: the mark, on a line where `dash` says how it is drawn."""
    parts = (
        [Markup('<line class="mean" x1="0" x2="34" y1="8" y2="8" stroke-dasharray="{}"/>').format(dash)] if dash else []
    )
    parts.append(_mark(kind, "17" if dash else "8", "8"))
    width = 34 if dash else 16
    svg = Markup('<svg class="swatch {}" width="{}" height="16" aria-hidden="true">{}</svg>')
    return svg.format(kind, width, _join(parts))


@dataclass(frozen=True)
class Curves:
    """Learning curves of several runs: the drawing, and a dash pattern per run for the legend."""

    drawing: Markup
    runs: tuple[tuple[Run, str], ...]
    omitted: int


def learning_curves(runs: Sequence[Run]) -> Curves | None:
    """Accuracy on the test images against epochs: per run the mean over its seeds, with the seeds as thin lines."""
    able = [run for run in runs if run.curves]
    if not able:
        return None
    latest = sorted(range(len(able)), key=lambda number: (able[number].data == "other", -number))[:CURVES]
    drawn = [able[number] for number in sorted(latest)]
    order = {run.name: sum(other.data == run.data for other in drawn[:number]) for number, run in enumerate(drawn)}
    dashes = {run.name: DASHES[order[run.name] % len(DASHES)] for run in drawn}
    points = [point for run in drawn for seed in run.curves.values() for point in seed]
    last = max(epoch for epoch, _ in points)
    scale = axis([accuracy for epoch, accuracy in points if epoch > WARMUP * last], floor=0, ceiling=1)
    epochs = Axis(min(1, last - 1), last, _whole_ticks(last))
    parts = [
        Markup('<line class="grid" x1="0" x2="100%" y1="{0}" y2="{0}"/>{1}').format(
            _from_top(scale, tick), _text("-8", _from_top(scale, tick), "4", "end", scale.label(tick))
        )
        for tick in scale.ticks
    ]
    parts += [_text(epochs.at(tick), "100%", "20", "middle", f"{tick:.0f}") for tick in epochs.ticks]
    for run in drawn:
        mean = _mean_curve(run)
        lines = [_line(epochs, scale, seed, "thin", "none") for seed in run.curves.values() if len(run.curves) > 1]
        lines.append(_line(epochs, scale, mean, "mean", dashes[run.name]))
        stretched = STRETCHED.format(_join(lines))
        end = _mark(run.data, epochs.at(mean[-1][0]), _from_top(scale, mean[-1][1]))
        parts.append(Markup('<g class="{}">{}{}</g>').format(run.data, stretched, end))
    return Curves(_svg("curves", parts), tuple((run, dashes[run.name]) for run in drawn), len(able) - len(drawn))


def reliability(bins: Sequence[Bin]) -> Markup:
    """Observed against expected shares, with 95 % limits, and the diagonal on which both are the same."""
    scale = Axis(0.0, 1.0, (0.0, 0.25, 0.5, 0.75, 1.0))
    parts = []
    for tick in scale.ticks:
        at, down = scale.at(tick), _from_top(scale, tick)
        parts.append(Markup('<line class="grid" x1="0" x2="100%" y1="{0}" y2="{0}"/>').format(down))
        parts.append(_text("-8", down, "4", "end", scale.label(tick)))
        parts.append(_text(at, "100%", "20", "middle", scale.label(tick)))
    diagonal = Markup('<polyline class="thin" points="0,100 100,0" vector-effect="non-scaling-stroke"/>')
    parts.append(STRETCHED.format(diagonal))
    for item in bins:
        x = scale.at(item.expected)
        low, high = _from_top(scale, item.low), _from_top(scale, item.high)
        parts.append(Markup('<line class="whisker" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(x, low, high))
        parts.append(_mark("curated", x, _from_top(scale, item.observed)))
    return _svg("curves reliability curated", parts)


def heat(confusion: np.ndarray) -> list[list[tuple[int, float]]]:
    """Per cell of a confusion matrix its count and its strength, 0 to 1: the square root of the share of the true
    class, so that rare mistakes show."""
    shares = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    return [
        [(int(n), float(math.sqrt(share))) for n, share in zip(row, part, strict=True)]
        for row, part in zip(confusion, shares, strict=True)
    ]


def _mean_curve(run: Run) -> list[tuple[int, float]]:
    per_epoch: dict[int, list[float]] = {}
    for seed in run.curves.values():
        for epoch, accuracy in seed:
            per_epoch.setdefault(epoch, []).append(accuracy)
    return [(epoch, sum(values) / len(values)) for epoch, values in sorted(per_epoch.items())]


def _whole_ticks(last: int) -> tuple[float, ...]:
    step = next(size for size in (1, 2, 5, 10, 20, 50, 100, 200, 500, 10**9) if last / size <= 8)
    marks = [float(epoch) for epoch in range(step, last + 1, step)]
    return (1.0, *(mark for mark in marks if mark >= 1 + step / 2)) if last > 1 else (1.0,)


def _line(epochs: Axis, scale: Axis, points: Sequence[tuple[int, float]], kind: str, dash: str) -> Markup:
    path = " ".join(f"{epochs.position(epoch):.2f},{100 - scale.position(accuracy):.2f}" for epoch, accuracy in points)
    line = Markup('<polyline class="{}" points="{}" stroke-dasharray="{}" vector-effect="non-scaling-stroke"/>')
    return line.format(kind, path, dash)


def _from_top(scale: Axis, value: float) -> str:
    return f"{100 - float(scale.at(value)[:-1]):.2f}%"


def _text(x: str, y: str, down: str, anchor: str, text: str) -> Markup:
    return Markup('<text x="{}" y="{}" dy="{}" text-anchor="{}">{}</text>').format(x, y, down, anchor, text)


def _mark(kind: str, x: str, y: str) -> Markup:
    return Markup('<svg x="{}" y="{}" overflow="visible"><path class="mark" d="{}"/></svg>').format(x, y, MARKS[kind])


def _grid(scale: Axis) -> list[Markup]:
    line = Markup('<line class="grid" x1="{0}" x2="{0}" y1="0" y2="28"/>')
    return [line.format(scale.at(tick)) for tick in scale.ticks]


def _svg(kind: str, parts: Iterable[Markup]) -> Markup:
    return Markup('<svg class="plot {}" aria-hidden="true">{}</svg>').format(kind, _join(parts))


def _join(parts: Iterable[Markup]) -> Markup:
    return Markup("").join(parts)
