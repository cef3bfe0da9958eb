"""From stacked layers to the best there is: the whole story on one set."""

from collections.abc import Mapping

import numpy as np

from train import figures, recipes
from train.study import HE_2015, TINY, Arm, ArmResult, Claim, Outcome, Scale, Study, lower, summary, train_arms

STORY = {"alexnet": (70, 80), "deep_stack": (88, 92), "resnet": (90, 94), "best": (95, 100)}
"""Accuracy in per cent that each rung is known for on CIFAR-10; the deeper stack is the story's "about 90 %"."""
PAPER = {"plain20": 9.5, "resnet20": 8.75, "wrn_28_10": 4.0}
"""Network -> test error in per cent: He et al. 2015, figure 6 and table 6; Zagoruyko, Komodakis 2016, table 5, without
dropout, cutout and label smoothing. For AlexNet on CIFAR-10 there is no figure of its makers, and `resnet_whitened` is
our own."""
PLAIN = {
    **HE_2015,
    "schedule": "cosine",  # ends at 0 whatever the length
    "warmup": 0.1,  # networks without normalisation start badly at the full rate
}
ALEXNET = Arm("alexnet", "alexnet", {"lr": 0.01})  # Krizhevsky 2012, section 5: without normalisation 0.1 diverges
STACK = Arm("deep_stack", "plain20")  # deeper, with batch normalisation, without shortcuts
RESNET = Arm("resnet", "resnet20")  # the same layers with shortcuts
FAST = {name: value for name, value in recipes.load("fast").items() if name not in ("model", "epochs", "skip_easy")}
BEST_FAST = Arm("best", "resnet_whitened", FAST)  # as `--recipe fast`, whose reasons stand there, but with all images
SCALES = {
    "smoke": Scale(
        arms=(ALEXNET, STACK, RESNET, BEST_FAST),
        train_images=TINY,
        test_images=TINY,
        curve_images=TINY,
        seeds=1,  # the least
        settings={**PLAIN, "epochs": 1},
    ),
    "short": Scale(
        arms=(ALEXNET, STACK, RESNET, BEST_FAST),
        train_images=25_000,  # 10 epochs of all four take about 20 minutes on two cores
        test_images=10_000,  # good to +-1 % at 95 % confidence
        curve_images=1_000,  # +-3 %: the curves are for the eye, the table is measured on all
        seeds=1,  # rungs lie further apart than seeds
        settings={**PLAIN, "epochs": 10},  # what the time allows, for all the same
    ),
    "paper": Scale(
        arms=(
            ALEXNET,
            STACK,
            Arm("vgg16", "vgg16", {"lr": 0.05, "weight_decay": 5e-4}),  # a wide stack wants less, and more decay
            RESNET,
            Arm("resnet18", "resnet18", {"weight_decay": 5e-4}),  # eleven million weights want more decay
            Arm(
                "best",
                "wrn_28_10",  # Zagoruyko, Komodakis 2016: the widest that is usual
                # their section 3; the other two are not theirs: Szegedy et al. 2016; DeVries, Taylor 2017
                {"weight_decay": 5e-4, "label_smoothing": 0.1, "cutout": 16},
            ),
        ),
        train_images=None,
        test_images=None,
        curve_images=5_000,  # +-1.4 %, at a tenth of the cost of all
        seeds=3,  # 3 give an interval
        settings={**PLAIN, "epochs": 200, "warmup": 0.02},  # Zagoruyko, Komodakis 2016, section 3
    ),
}


def ladder(study: Study) -> Outcome:
    """From AlexNet-like over deeper stacks and ResNet to the best recipe: what each step brings, on one set.

    The story: convolution, pooling, dropout and fully connected layers reach 70 to 80 %, deeper stacks about 90 %,
    skip connections more, the best recipe 95 % and above (on CIFAR-10). All rungs see the same images equally often.
    """
    results = train_arms(study)
    claims: list[Claim] = []
    for better, worse in (("deep_stack", "alexnet"), ("resnet", "deep_stack"), ("best", "resnet")):
        claims += lower(f"{better} is above {worse}", results, better, worse)
    claims += levels(results, STORY)
    table = summary(study, results, {arm.name: PAPER.get(arm.model) for arm in study.scale.arms})
    table.insert(1, "model", [arm.model for arm in study.scale.arms])
    table.insert(5, "test_accuracy_percent", 100 - table["test_error_percent"])
    note = (
        "the papers' figures are for CIFAR-10 (lossless) and trainings of 64,000 steps and more; that of wrn_28_10 is "
        "without label smoothing and cutout, which `best` has at the scale `paper`"
    )
    return Outcome(tuple(results), table, tuple(claims), {"ladder": steps(study, results)}, note)


def levels(results: list[ArmResult], story: Mapping[str, tuple[float, float]]) -> list[Claim]:
    """Whether each rung reaches at least the level it is known for."""
    claims = []
    for name, (low, _) in story.items():
        own = [100 * (1 - result.test_error) for result in results if result.arm == name]
        if own:
            mean = float(np.mean(own))
            claims.append(Claim(f"{name} reaches {low} % accuracy", f"{mean:.2f} %", mean >= low))
    return claims


def steps(study: Study, results: list[ArmResult]) -> figures.Figure:
    """Accuracy against iterations on the left, the rungs with the story's levels on the right."""
    figure, (left, right) = figures.new(2)
    lines = []
    for colour, arm in zip(figures.PALETTE, study.scale.arms, strict=False):
        for line in figures.error_curves(results, {arm.name: colour}):
            if not line.dashed:
                share = np.array(line.x) / max(line.x)
                lines.append(figures.Line((100 * share).tolist(), [100 - y for y in line.y], colour, words(arm.name)))
    figures.draw(left, lines, title="while training", x="share of training done (%)", y="test accuracy (%)")
    unnamed = True
    for row, (colour, arm) in enumerate(zip(figures.PALETTE, study.scale.arms, strict=False)):
        values = [100 * (1 - result.test_error) for result in results if result.arm == arm.name]
        if arm.name in STORY:
            low, high = STORY[arm.name]
            label = "known for, on CIFAR-10" if unnamed else None
            unnamed = False
            right.fill_between([row - 0.4, row + 0.4], low, high, color=figures.PALE, alpha=0.6, lw=0, label=label)
        right.plot([row] * len(values), values, "o", color=colour)
        text = f"{np.mean(values):.1f}"
        right.annotate(text, (row, float(np.mean(values))), (9, 0), textcoords="offset points", va="center", fontsize=9)
    names = [words(arm.name) + (f"\n({arm.model})" if arm.name != arm.model else "") for arm in study.scale.arms]
    right.set_xticks(range(len(names)), names, fontsize=9)
    right.set_xlim(-0.6, len(names) - 0.4)
    right.set_title("the rungs", fontsize=11)
    right.grid(axis="y", alpha=0.3)
    right.spines[["top", "right"]].set_visible(False)
    if not unnamed:
        right.legend(frameon=False, fontsize=9, loc="upper left")
    left.set_ylim(0, 104)
    return figure


def words(arm: str) -> str:
    """An arm's name as it stands in figures."""
    return arm.replace("_", " ")
