"""What the figures of experiments share: palette, curves, bars, PNG and SVG."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from train.study import ArmResult, Point

matplotlib.use("Agg")
matplotlib.rcParams["svg.hashsalt"] = "curate"  # same study, same file
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito 2008: told apart with every kind of colour vision."""
QUIET, PALE = "#6b7280", "#c4c9d1"
"""Of small print, and of what stands beside ours."""
PLAIN_NUMBERS = FuncFormatter(lambda value, _: f"{value:g}")
"""Ticks as 0.01, 1, 100 also where the axis is logarithmic."""
POINTS_WITH_MARKS = 15
"""Up to how many points a line marks each. Chosen by eye."""


@dataclass(frozen=True)
class Line:
    """A curve with its name and look."""

    x: Sequence[float]
    y: Sequence[float]
    colour: str
    name: str | None = None
    dashed: bool = False


def new(panels: int, *, width: float = 5.2, height: float = 4.0, share: bool = True) -> tuple[Figure, list[Axes]]:
    """A figure of panels side by side, with the same scale where they share it."""
    figure = Figure(figsize=(width * panels, height), layout="constrained")
    axes = figure.subplots(1, panels, squeeze=False, sharey=share)
    return figure, list(axes[0])


def draw(axes: Axes, lines: Sequence[Line], *, title: str, x: str, y: str) -> None:
    """Lines into a panel, with labels and a legend of those that have a name."""
    for line in lines:
        few = len(line.x) <= POINTS_WITH_MARKS
        style = "--" if line.dashed else "-"
        axes.plot(line.x, line.y, style, color=line.colour, label=line.name, marker="o" if few else None, ms=3)
    axes.set_title(title, fontsize=11)
    axes.set(xlabel=x, ylabel=y)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    whole_numbers(axes)
    if any(line.name for line in lines):
        axes.legend(frameon=False, fontsize=9)


def log_scale(axes: Axes) -> None:
    """A logarithmic y axis with plain numbers."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(PLAIN_NUMBERS)
    axes.yaxis.set_minor_formatter(NullFormatter())


def whole_numbers(axes: Axes) -> None:
    """An x axis with ticks at whole numbers alone."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def error_curves(results: Sequence[ArmResult], colours: Mapping[str, str]) -> list[Line]:
    """Training error dashed, test error solid, in per cent, mean over the seeds, as in the ResNet papers."""
    lines = []
    for arm, colour in colours.items():
        own = [result.points for result in results if result.arm == arm]
        if not own:
            continue
        points = common(own)
        at = [column[0].iteration for column in points]
        test = [100 * float(np.mean([point.test_error for point in column])) for column in points]
        train = [100 * float(np.mean([point.train_error for point in column])) for column in points]
        lines += [Line(at, test, colour, f"{arm}, test"), Line(at, train, colour, f"{arm}, training", dashed=True)]
    return lines


def common(curves: Sequence[Sequence[Point]]) -> list[list[Point]]:
    """The points of several seeds, epoch by epoch, for the epochs that all of them have."""
    by_epoch = [{point.epoch: point for point in curve} for curve in curves]
    shared = sorted(set.intersection(*(set(points) for points in by_epoch)))
    return [[points[epoch] for points in by_epoch] for epoch in shared]


def grouped_bars(
    axes: Axes, names: Sequence[str], ours: Sequence[float], paper: Sequence[float], spread: Sequence[float]
) -> None:
    """Ours beside the paper's, a pair of horizontal bars per name with their values; nan for none.

    spread: half of the 95 % interval of ours, nan for none; a line over the bar's end.
    """
    rows = np.arange(len(names))
    kinds = [(ours, PALETTE[0], "here"), (paper, PALE, "paper")]
    kinds = [kind for kind in kinds if not np.isnan(kind[0]).all()]
    first = -0.2 * (len(kinds) - 1)  # one bar of a kind stands in the middle
    for number, (values, colour, label) in enumerate(kinds):
        offset = first + 0.4 * number
        axes.barh(rows + offset, np.nan_to_num(values), 0.38, color=colour, label=label)
        halves = spread if values is ours else [0.0] * len(rows)
        for row, value, half in zip(rows + offset, values, halves, strict=True):
            if value == value:
                end = value + (half if half == half else 0)
                if end > value:
                    axes.plot([2 * value - end, end], [row, row], color="black", lw=1)
                axes.annotate(f"{value:.2f}", (end, row), (4, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_yticks(rows, names)
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.set_xlim(left=0)
    axes.margins(x=0.12, y=0.02)
    axes.spines[["top", "right"]].set_visible(False)


def svg(figure: Figure) -> bytes:
    """The figure as SVG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
