"""Where do normalisation and activation belong? Five kinds of residual block."""

import numpy as np

from train import figures
from train.study import HE_2015, TINY, Arm, ArmResult, Claim, Outcome, Scale, Study, lower, summary, train_arms

KINDS = {
    "original": (6.61, 5.93),
    "bn_after_addition": (8.17, 6.50),
    "relu_before_addition": (7.84, 6.14),
    "relu_only_preactivation": (6.71, 5.91),
    "full_preactivation": (6.37, 5.46),
}
"""Test error in per cent with 110 and 164 layers: He et al. 2016, table 2, median of 5 runs."""
PAPER = {f"{kind}{depth}": error for kind, pair in KINDS.items() for depth, error in zip((110, 164), pair, strict=True)}
# The optimiser is that of the first paper: section 5 and appendix, where 128 images are 64 on each of two GPUs.


def arms(*depths: int) -> tuple[Arm, ...]:
    """The five kinds with each depth."""
    names = [f"{kind}{depth}" for depth in depths for kind in KINDS]
    return tuple(Arm(name, name) for name in names)


SCALES = {
    "smoke": Scale(
        arms=arms(56),  # the shallowest there is; all five, so that the table and all claims are tested
        train_images=TINY,
        test_images=TINY,
        curve_images=TINY,
        seeds=1,  # the least
        settings={**HE_2015, "epochs": 1, "schedule": "cosine", "warmup": 0.0},
    ),
    "short": Scale(
        arms=arms(56),  # 110 layers take twice the time of each step
        train_images=8_000,  # 6 epochs of all five take about 15 minutes on two cores
        test_images=5_000,  # good to +-1.4 % at 95 % confidence
        curve_images=1_000,  # +-3 %: the curves are for the eye, the table is measured on all
        seeds=1,  # differences of a point need more: --seeds 3 takes three times as long
        settings={
            **HE_2015,
            "epochs": 6,  # 372 steps: what the time allows
            "schedule": "cosine",  # ends at 0, so that few steps come to rest; steps of a tenth need more of them
            "warmup": 0.1,  # the appendix warms up, too
        },
    ),
    "paper": Scale(
        arms=arms(56, 110, 164),  # 56 is not in the paper; --only leaves out what takes too long
        train_images=None,
        test_images=None,
        curve_images=5_000,  # +-1.4 %, at a tenth of the cost of all
        seeds=3,  # the paper takes the median of 5
        settings={
            **HE_2015,
            "epochs": 164,  # 64,000 steps of 128 on 50,000 images
            "schedule": "step",  # a tenth at 32,000 and at 48,000 steps
            "warmup": 0.00625,  # 400 steps: appendix
        },
    ),
}


def identity_mappings(study: Study) -> Outcome:
    """Five kinds of residual block: the cleaner the way past it, the better; full pre-activation is best.

    He, Zhang, Ren, Sun 2016, "Identity Mappings in Deep Residual Networks", table 2: test error with 110 and 164 layers
    where batch normalisation and relu stand before or after the convolutions and the addition.
    """
    results = train_arms(study)
    claims: list[Claim] = []
    for depth in sorted({name_and_depth(arm.name)[1] for arm in study.scale.arms}):
        claims += claims_at(depth, results)
    table = summary(study, results, PAPER)
    return Outcome(
        tuple(results),
        table,
        tuple(claims),
        {"test_error": bars(study, results), "curves": curves(study, results)},
        "the paper's figures are for CIFAR-10 (lossless), 64,000 steps of 128 images, median of 5 runs",
    )


def claims_at(depth: int, results: list[ArmResult]) -> list[Claim]:
    """What table 2 says of one depth, and the order of all five."""
    full, original = f"full_preactivation{depth}", f"original{depth}"
    claims = [
        *lower(f"{depth} layers: full pre-activation beats the original", results, full, original),
        *lower(
            f"{depth} layers: normalising after the addition is worse", results, original, f"bn_after_addition{depth}"
        ),
        *lower(f"{depth} layers: relu before the addition is worse", results, original, f"relu_before_addition{depth}"),
    ]
    mine = {
        kind: float(np.mean(errors))
        for kind in KINDS
        if (errors := [100 * item.test_error for item in results if item.arm == f"{kind}{depth}"])
    }
    if len(mine) == len(KINDS):
        best = min(mine, key=mine.__getitem__)
        says = f"{depth} layers: full pre-activation is the best of the five"
        claims.append(Claim(says, f"best is {best}, {mine[best]:.2f} %", best == "full_preactivation"))
    return claims


def name_and_depth(arm: str) -> tuple[str, int]:
    """`"original110"` as `("original", 110)`."""
    kind = arm.rstrip("0123456789")
    return kind, int(arm[len(kind) :])


def bars(study: Study, results: list[ArmResult]) -> figures.Figure:
    """Test error of every arm beside the paper's."""
    table = summary(study, results, PAPER)
    figure, (axes,) = figures.new(1, width=7.5, height=1.2 + 0.48 * len(table))
    figures.grouped_bars(
        axes,
        [words(name) for name in table["arm"]],
        table["test_error_percent"].tolist(),
        table["paper_test_error_percent"].tolist(),
        table["test_error_half_width"].tolist(),
    )
    axes.set(xlabel="test error (%)")
    figure.legend(loc="outside upper right", ncols=2, frameon=False, fontsize=9)
    return figure


def curves(study: Study, results: list[ArmResult]) -> figures.Figure:
    """Error against iterations: training on the left, test on the right, for the deepest networks."""
    deepest = max(name_and_depth(arm.name)[1] for arm in study.scale.arms)
    figure, panels = figures.new(2)
    for axes, kind in zip(panels, ("training", "test"), strict=True):
        lines = []
        for colour, name in zip(figures.PALETTE, KINDS, strict=False):
            for line in figures.error_curves(results, {f"{name}{deepest}": colour}):
                if line.dashed == (kind == "training"):
                    shown = words(f"{name}{deepest}") if axes is panels[0] else None  # one legend for both
                    lines.append(figures.Line(line.x, line.y, colour, shown))
        title = f"{kind} error"
        figures.draw(axes, lines, title=title, x="iterations", y="error (%)" if axes is panels[0] else "")
    return figure


def words(arm: str) -> str:
    """An arm's name as it stands in figures."""
    kind, depth = name_and_depth(arm)
    plain = (
        kind.replace("bn", "BN").replace("relu", "ReLU").replace("_", " ").replace("preactivation", "pre-activation")
    )
    return f"{plain}, {depth}"
