"""The two pictures of a run: learning curve and confusion matrix."""

import io
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from train.checkpoint import Epoch

matplotlib.use("Agg")
NAMED_CLASSES, NUMBERED_CLASSES = 40, 15
"""Up to how many classes axes carry names, and cells their counts. Chosen by eye."""


def learning_curve(history: Sequence[Epoch]) -> bytes:
    """Accuracy and loss against epochs, a line per seed, as PNG."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    accuracy, loss = figure.subplots(1, 2)
    for number, seed in enumerate(dict.fromkeys(epoch.seed for epoch in history)):
        mine = [epoch for epoch in history if epoch.seed == seed]
        at = [epoch.epoch for epoch in mine]
        marker = "o" if len(mine) == 1 else None
        names = ("train, augmented", "evaluation") if number == 0 else (None, None)
        accuracy.plot(at, [epoch.train_acc for epoch in mine], "C0", marker=marker, label=names[0])
        if all(epoch.eval_acc is not None for epoch in mine):
            accuracy.plot(at, [epoch.eval_acc or 0.0 for epoch in mine], "C1", marker=marker, label=names[1])
        loss.plot(at, [epoch.train_loss for epoch in mine], "C0", marker=marker)
    accuracy.set(xlabel="epoch", ylabel="accuracy", ylim=(None, 1))
    accuracy.legend(loc="lower right")
    loss.set(xlabel="epoch", ylabel="train loss")
    for axes in (accuracy, loss):
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
    return png(figure)


def confusion_matrix(confusion: np.ndarray, classes: Sequence[str]) -> bytes:
    """Share of each true class (row) that was predicted as each class (column), as PNG.

    confusion: shape (K, K), counts. The colour scale is that of a square root, so that rare mistakes show. A class
    stands as its number where the font cannot show its name.
    """
    count = len(classes)
    shares = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    side = float(np.clip(2.5 + 0.28 * count, 4.5, 11))
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", norm=matplotlib.colors.PowerNorm(0.5, 0, 1))
    figure.colorbar(image, ax=axes, shrink=0.8, label="share of the true class")
    axes.set(xlabel="predicted", ylabel="true")
    if count <= NAMED_CLASSES:
        names = [_drawable(name if len(name) <= 18 else name[:17] + "…", str(at)) for at, name in enumerate(classes)]
        size = 9 if count <= 20 else 7
        axes.set_xticks(range(count), names, rotation=90, fontsize=size, parse_math=False)  # names may have dollars
        axes.set_yticks(range(count), names, fontsize=size, parse_math=False)
    if count <= NUMBERED_CLASSES:
        for row, column in np.argwhere(confusion):
            colour = "white" if shares[row, column] > 0.4 else "black"
            axes.text(column, row, f"{confusion[row, column]}", ha="center", va="center", color=colour, fontsize=7)
    return png(figure)


def _drawable(text: str, otherwise: str) -> str:
    """The text, if the font has all of its signs."""
    font = get_font(findfont(FontProperties()))
    return text if all(font.get_char_index(ord(sign)) for sign in text) else otherwise


def png(figure: Figure, *, dpi: int = 110) -> bytes:
    """The figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})  # same run, same file
    return buffer.getvalue()
