"""Does depth help? Plain networks against residual ones."""

from train import figures
from train.study import HE_2015, TINY, Arm, Claim, Outcome, Scale, Study, lower, summary, train_arms

PAPER = {"plain20": 9.5, "plain56": 13.5} | {
    f"resnet{depth}": error for depth, error in ((20, 8.75), (32, 7.51), (44, 7.17), (56, 6.97), (110, 6.43))
}
"""Test error in per cent: He et al. 2015, residual ones from table 6, plain ones read off figure 6."""
ARMS = tuple(Arm(name, name) for name in ("plain20", "plain56", "resnet20", "resnet56"))
BETWEEN = tuple(Arm(name, name) for name in ("plain32", "plain44", "resnet32", "resnet44", "resnet110"))
"""The other lines of figure 6 but for 1,202 layers, which take as long as all others together."""
SCALES = {
    "smoke": Scale(
        arms=ARMS,  # all four: the table and all claims are tested
        train_images=TINY,
        test_images=TINY,
        curve_images=TINY,
        seeds=1,  # the least
        settings={**HE_2015, "epochs": 1, "schedule": "cosine", "warmup": 0.0},
    ),
    "short": Scale(
        arms=ARMS,
        train_images=10_000,  # 20 epochs of all four take about half an hour on two cores
        test_images=5_000,  # good to +-1.4 % at 95 % confidence
        curve_images=1_000,  # +-3 %: the curves are for the eye, the table is measured on all
        seeds=1,  # a second one would double the time
        settings={
            **HE_2015,
            "epochs": 20,  # 1,560 steps: after 702 the deeper residual network is not yet ahead of the other
            "schedule": "cosine",  # ends at 0, so that few steps come to rest; steps of a tenth need more of them
            "warmup": 0.1,  # 56 layers start badly at 0.1: section 4.2 warms up its deepest network, too
        },
    ),
    "paper": Scale(
        arms=ARMS + BETWEEN,  # what figure 1 shows comes first; --only leaves out what takes too long
        train_images=None,  # the paper holds 5,000 of 50,000 back to choose settings; there is nothing to choose here
        test_images=None,
        curve_images=5_000,  # +-1.4 %, at a tenth of the cost of all
        seeds=3,  # the paper has 1 (5 for 110 layers); 3 give an interval
        settings={
            **HE_2015,
            "epochs": 164,  # 64,000 steps of 128 on 50,000 images
            "schedule": "step",  # a tenth at 32,000 and at 48,000 steps
            "warmup": 0.00625,  # 400 steps: section 4.2, there for 110 layers alone
        },
    ),
}


def degradation(study: Study) -> Outcome:
    """Plain networks get worse with depth, residual ones better: 20 and 56 layers, training and test error.

    He, Zhang, Ren, Sun 2015, "Deep Residual Learning for Image Recognition", figures 1 and 6: of plain networks the one
    of 56 layers has the higher *training* error, so it is not overfitting; with shortcuts it has the lower one.
    Training error is that of the network in evaluation mode on training images as they are.
    """
    results = train_arms(study)
    claims: list[Claim] = []
    for of in ("train", "test"):
        kind = "training" if of == "train" else of
        claims += lower(f"deeper plain is worse in {kind} error", results, "plain20", "plain56", of=of)
        claims += lower(f"deeper residual is better in {kind} error", results, "resnet56", "resnet20", of=of)
    claims += lower("at 56 layers residual beats plain", results, "resnet56", "plain56")

    kinds = [kind for kind in ("plain", "resnet") if any(arm.name.startswith(kind) for arm in study.scale.arms)]
    figure, panels = figures.new(len(kinds), width=10.4 / len(kinds))
    for axes, kind in zip(panels, kinds, strict=True):
        colours = {
            f"{kind}{depth}": colour for depth, colour in zip((20, 56, 32, 44, 110), figures.PALETTE, strict=False)
        }
        title = "plain" if kind == "plain" else "residual"
        lines = figures.error_curves(results, colours)
        figures.draw(axes, lines, title=title, x="iterations", y="error (%)" if axes is panels[0] else "")
    table = summary(study, results, PAPER)
    note = (
        "the paper's figures are for CIFAR-10 (lossless), 64,000 steps of 128 images; those of plain networks are read "
        "off its figure 6"
    )
    return Outcome(tuple(results), table, tuple(claims), {"errors": figure}, note)
