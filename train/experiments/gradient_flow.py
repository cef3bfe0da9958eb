"""How far does the gradient reach? Its norm in every layer, plain against residual."""

import copy
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.colors import LogNorm
from torch import nn

from train import figures
from train.blocks import Network
from train.data import ImageSet
from train.study import HE_2015, TINY, Arm, ArmResult, Claim, Outcome, Scale, Study, spread, summary, train_arms

PAPER = {"plain56": 13.5, "resnet56": 6.97}
"""Test error in per cent: He et al. 2015, figure 6 and table 6."""
ARMS = (Arm("plain56", "plain56"), Arm("resnet56", "resnet56"))
PROBE_IMAGES = 128
"""Images the gradient is measured on: a batch of the training."""
SHARES = (5, 25, 50, 75, 95)
"""Percentiles of the weights that are kept."""
LINEAR = 0.1
"""Up to here weights are drawn in a linear scale, beyond in a logarithmic one: those of plain networks grow a
hundredfold near the image, and the others stay within 0.2."""
TINIEST = 1e-12
"""Gradients below are drawn as this: a logarithm needs more than 0."""
SCALES = {
    "smoke": Scale(
        arms=(Arm("plain20", "plain20"), Arm("resnet20", "resnet20")),  # the shallowest of each kind
        train_images=TINY,
        test_images=TINY,
        curve_images=TINY,
        seeds=1,  # the least
        settings={**HE_2015, "epochs": 1, "schedule": "cosine", "warmup": 0.0},
    ),
    "short": Scale(
        arms=ARMS,  # 56 layers: where the plain network fails
        train_images=5_000,  # 5 epochs of both take about 3 minutes on two cores
        test_images=2_000,  # +-2 %: the error is not what this is about
        curve_images=500,  # the error is not what this is about
        seeds=1,  # gradients differ between kinds by far more than between seeds
        settings={
            **HE_2015,
            "epochs": 5,  # 195 steps: the picture is made in the first of them
            "schedule": "cosine",  # ends at 0 whatever the length
            "warmup": 0.1,  # as in degradation
        },
    ),
    "paper": Scale(
        arms=(*ARMS, Arm("plain110", "plain110"), Arm("resnet110", "resnet110")),  # deepest of the paper's figure 6
        train_images=None,
        test_images=None,
        curve_images=5_000,  # +-1.4 %, at a tenth of the cost of all
        seeds=1,  # gradients differ between kinds by far more than between seeds
        settings={
            **HE_2015,
            "epochs": 164,  # 64,000 steps of 128 on 50,000 images
            "schedule": "step",  # a tenth at 32,000 and at 48,000 steps
            "warmup": 0.00625,  # 400 steps: section 4.2
        },
    ),
}


def gradient_flow(study: Study) -> Outcome:
    """Gradient norms and weights of every layer, from the start on: shortcuts are a highway for the gradient.

    He, Zhang, Ren, Sun 2016, "Identity Mappings in Deep Residual Networks", section 2: through shortcuts the gradient
    reaches every layer undiminished. Without them, and with batch normalisation, it does not vanish but grows from
    layer to layer on its way to the image. Measured on one batch of training images as they are: the norm of the
    gradient of the loss in each 3x3 convolution, and percentiles of its weights. Figures: norms against depth, norms
    through training as maps, weights against depth.
    """
    batch = spread(study.train_set, PROBE_IMAGES)
    results = train_arms(study, probe=partial(measure, batch=batch))
    claims: list[Claim] = []
    for plain, residual in pairs(study):
        own = {result.arm: result for result in reversed(results)}
        for at, when in ((0, "before the first step"), (-1, "at the end")):
            uneven = [unevenness(own[name].points[at].measured["gradient_norm"]) for name in (plain, residual)]
            says = f"{when}, the gradient is spread more evenly over the layers of {residual} than of {plain}"
            ours = f"largest norm / smallest: {plain} {uneven[0]:,.1f}, {residual} {uneven[1]:,.1f}"
            claims.append(Claim(says, ours, uneven[1] < uneven[0]))
    drawn = {"gradient_norms": norms(study, results), "gradient_maps": maps(study, results)}
    drawn["weights"] = weights(study, results)
    note = "the paper's figures are for CIFAR-10 (lossless), 64,000 steps of 128 images; it has none for gradients"
    return Outcome(tuple(results), summary(study, results, PAPER), tuple(claims), drawn, note)


def measure(network: Network, *, batch: ImageSet) -> dict[str, list[float]]:
    """Gradient norm and percentiles of the weights of each 3x3 convolution, in order of depth, on `batch`.

    Batches normalise themselves, as in training; in full precision, so that small gradients are not rounded away.
    Before the first step this says something because these networks start as in the papers: behind a head of zeros, or
    in blocks that start as their shortcuts, there is no gradient.
    """
    twin = copy.deepcopy(network).train()
    device = twin.pixel_mean.device
    layers = convolutions(twin)
    with torch.enable_grad():
        loss = F.cross_entropy(twin(batch.images[:].to(device)).float(), batch.labels.to(device))
        gradients = torch.autograd.grad(loss, [layer.weight for layer in layers])
    measured = {"gradient_norm": [float(gradient.norm()) for gradient in gradients]}
    values = [np.percentile(layer.weight.detach().float().cpu().numpy(), SHARES) for layer in layers]
    return measured | {f"weight_p{share}": [float(row[at]) for row in values] for at, share in enumerate(SHARES)}


def convolutions(network: Network) -> list[nn.Conv2d]:
    """The convolutions of more than one pixel, in order of depth; projections in shortcuts are left out."""
    return [module for module in network.modules() if isinstance(module, nn.Conv2d) and module.kernel_size[0] > 1]


def unevenness(norms: list[float]) -> float:
    """Largest norm over smallest, 1 or more: how much more one layer is told than another."""
    return max(norms) / max(min(norms), TINIEST)


def pairs(study: Study) -> list[tuple[str, str]]:
    """Plain and residual arms of the same depth."""
    names = [arm.name for arm in study.scale.arms]
    both = [(name, name.replace("plain", "resnet")) for name in names if name.startswith("plain")]
    return [(plain, residual) for plain, residual in both if residual in names]


def of_first_seed(study: Study, results: list[ArmResult]) -> list[ArmResult]:
    """What is drawn: one training of each arm."""
    return [result for result in results if result.seed == study.seeds[0]]


def norms(study: Study, results: list[ArmResult]) -> figures.Figure:
    """Gradient norm against depth, before the first step, half-way and at the end."""
    drawn = of_first_seed(study, results)
    longest = [point.epoch for point in drawn[0].points]
    moments = list(dict.fromkeys((longest[0], longest[len(longest) // 2], longest[-1])))
    figure, panels = figures.new(len(moments), width=4.4)
    for axes, epoch in zip(panels, moments, strict=True):
        lines = []
        for colour, result in zip(figures.PALETTE, drawn, strict=False):
            for point in result.points:
                if point.epoch == epoch:
                    values = np.maximum(point.measured["gradient_norm"], TINIEST)
                    lines.append(figures.Line(range(1, len(values) + 1), values.tolist(), colour, result.arm))
        title = "before the first step" if epoch == 0 else f"after epoch {epoch}"
        y = "gradient norm of the layer" if axes is panels[0] else ""
        figures.draw(axes, lines, title=title, x="layer (1 is nearest to the image)", y=y)
        figures.log_scale(axes)
    return figure


def maps(study: Study, results: list[ArmResult]) -> figures.Figure:
    """Gradient norm by layer and epoch, a map per arm, all in one scale."""
    drawn = of_first_seed(study, results)
    grids = [np.array([point.measured["gradient_norm"] for point in result.points]).T for result in drawn]
    positive = np.concatenate([np.maximum(grid, TINIEST).ravel() for grid in grids])
    figure, panels = figures.new(len(drawn), width=4.6, share=False)
    scale = LogNorm(positive.min(), positive.max())
    for axes, result, grid in zip(panels, drawn, grids, strict=True):
        edges = (result.points[0].epoch - 0.5, result.points[-1].epoch + 0.5, 0.5, len(grid) + 0.5)
        shown = np.maximum(grid, TINIEST)
        image = axes.imshow(shown, aspect="auto", origin="lower", extent=edges, norm=scale, cmap="viridis")
        axes.set_title(result.arm, fontsize=11)
        axes.set(xlabel="epoch (0: before the first step)", ylabel="layer" if axes is panels[0] else "")
        figures.whole_numbers(axes)
    bar = figure.colorbar(image, ax=panels, label="gradient norm of the layer", shrink=0.9)
    figures.log_scale(bar.ax)
    return figure


def weights(study: Study, results: list[ArmResult]) -> figures.Figure:
    """Percentiles of the weights against depth, first and last, a panel per arm."""
    drawn = of_first_seed(study, results)
    figure, panels = figures.new(len(drawn), width=4.8)
    for axes, result in zip(panels, drawn, strict=True):
        before, after = result.points[0].measured, result.points[-1].measured
        layers = np.arange(1, len(before["weight_p50"]) + 1)
        for low, high, grey, style in ((5, 95, "#e5e7eb", ":"), (25, 75, figures.PALE, "-")):
            inner = f"middle {high - low} % of the weights"
            first, last = ([at[f"weight_p{low}"], at[f"weight_p{high}"]] for at in (before, after))
            axes.fill_between(layers, first[0], first[1], color=grey, lw=0, label=f"{inner}, before the first step")
            axes.plot(layers, last[0], style, color=figures.PALETTE[1], label=f"{inner}, at the end")
            axes.plot(layers, last[1], style, color=figures.PALETTE[1])
        axes.set_title(result.arm, fontsize=11)
        axes.set(xlabel="layer (1 is nearest to the image)", ylabel="weight" if axes is panels[0] else "")
        axes.set_yscale("symlog", linthresh=LINEAR)
        axes.yaxis.set_major_formatter(figures.PLAIN_NUMBERS)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        figures.whole_numbers(axes)
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False, fontsize=9
    )
    return figure
