"""Differences of trainings that are paired by seed: how large, how sure, and whether that is clear yet.

A difference is curated minus raw, or with a step minus without it, of one seed each: same initial weights, same test
images. Seeds are added until the answer is clear, so a plain 95 % interval, looked at after each seed, would be wrong
more often than it says. The interval for that case holds at all times at once: it inverts a t test whose Bayes factor
is an e-value (normal prior on the effect size, right Haar prior on the deviation), so that by Ville's inequality the
chance that it ever leaves out the truth is `ALPHA` at most. Sources: Gönen et al. 2005, "The Bayesian Two-Sample t
Test"; Pérez-Ortiz et al. 2022, "E-statistics, group invariance and anytime-valid testing"; Wang, Ramdas 2023,
"Anytime-valid t-tests and confidence sequences for Gaussian means with unknown variance".
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from scipy.special import ndtri, stdtr, stdtrit

ALPHA = 0.05
"""Chance of an interval to leave out the truth: half of it on either side, so 2.5 % for a false "better"."""
EFFECTS = 10.0
"""Variance of the prior on effect sizes (mean over deviation). Of 1 to 100, this one needs about the fewest seeds where
a difference is clear within five: t has to be 13 with 3 seeds, 5.4 with 5, 4.2 with 10 (Student's: 4.3, 2.8, 2.3)."""
LEAST = 3
"""Seeds at least: with two, no difference however large is clear at all times."""
MOST = 1000
"""Seeds that are ever advised; beyond, the answer is "too many"."""
ROUNDED = 1 / 12
"""Variance of rounding to whole images."""
RESAMPLES = 2000
"""Of the bootstrap: its ends are good to about a twentieth of the interval."""

Seed = TypeVar("Seed", int, str)
Verdict = Literal["better", "worse", "the same", "unclear", "one seed"]


@dataclass(frozen=True)
class Difference:
    """What is known of a difference. Accuracies and their differences are shares: 0.01 is one percentage point."""

    values: tuple[float, ...]
    """Per seed."""
    mean: float
    half_width: float | None
    """Of the 95 % interval; None where there is none yet."""
    at_all_times: bool
    """Whether the interval holds however the number of seeds was chosen; else it is Student's, for a number that was
    fixed before."""
    probability: float | None
    """That training again, on average, the difference is above 0; None for one seed."""
    bootstrap: tuple[float, float] | None
    """95 % interval over seeds and test images; None where images are not known one by one, or for one seed."""
    verdict: Verdict


def difference(right: np.ndarray, *, at_all_times: bool, margin: float | None = None) -> Difference:
    """Sum up a difference on N test images for S seeds, at least one.

    right: shape (S, N), int8, per seed and image 1 where only the second network is right, -1 where only the first one
    is, else 0. margin: smaller differences count as none, "the same" where the whole interval lies within.
    """
    values = right.mean(1)
    least = least_deviation(right)
    half = half_width(values, least=least, at_all_times=at_all_times)
    mean, several = float(values.mean()), len(values) > 1
    return Difference(
        tuple(values.tolist()),
        mean,
        half if math.isfinite(half) else None,
        at_all_times,
        probability_above(values, least=least) if several else None,
        bootstrap(right) if several else None,
        verdict(mean, half, margin, len(values)),
    )


def common(before: Sequence[Seed], after: Sequence[Seed]) -> list[Seed]:
    """The seeds on which two runs are paired; none where fewer than two are the same, unless these are all."""
    same = [seed for seed in before if seed in after]
    return same if len(same) > 1 or list(before) == list(after) else []


def answer(right: np.ndarray, *, at_all_times: bool, margin: float | None = None) -> Verdict:
    """The verdict of `difference` alone, which takes no time."""
    values = right.mean(1)
    half = half_width(values, least=least_deviation(right), at_all_times=at_all_times)
    return verdict(float(values.mean()), half, margin, len(values))


def least_deviation(right: np.ndarray) -> float:
    """How far differences scatter at least: as if each image that only one of two networks is right about were tossed
    (McNemar 1947). Few seeds that agree by chance, on few test images above all, would prove too much.

    right: see `difference`.
    """
    seeds, images = right.shape
    return deviation_of_flips(np.count_nonzero(right) / seeds, images)


def deviation_of_flips(flipped: float, images: int) -> float:
    """How far differences on so many images scatter where each that flipped, so many on average, might have not."""
    return math.sqrt(max(flipped, ROUNDED)) / images


def verdict(mean: float, half: float, margin: float | None, seeds: int) -> Verdict:
    """What the interval mean ± half says; half is inf or nan where there is no interval yet."""
    if seeds == 1:
        return "one seed"
    if math.isfinite(half):
        if margin is not None and abs(mean) + half <= margin:
            return "the same"
        if abs(mean) > half:
            return "better" if mean > 0 else "worse"
    return "unclear"


def half_width(values: np.ndarray, *, least: float, at_all_times: bool, alpha: float = ALPHA) -> float:
    """Half of the interval of the mean of `values`, shape (S,): inf where so few seeds can have none, nan for one.

    least: their deviation at least.
    """
    count = len(values)
    if count < 2:
        return float("nan")
    return _quantile(count, alpha, at_all_times) * _deviation(values, least) / math.sqrt(count)


def _quantile(count: int, alpha: float, at_all_times: bool) -> float:
    return at_all_times_quantile(count, alpha) if at_all_times else float(stdtrit(count - 1, 1 - alpha / 2))


def at_all_times_quantile(count: int, alpha: float = ALPHA, effects: float = EFFECTS) -> float:
    """The |t| of `count` values, at least 2, from which the Bayes factor is 1 / alpha and more; inf where none is."""
    free = count - 1
    shrunk = 1 + count * effects
    ratio = (math.sqrt(shrunk) / alpha) ** (-2 / count)
    slope = ratio - 1 / shrunk
    return math.sqrt(free * (1 - ratio) / slope) if slope > 0 else math.inf


def probability_above(values: np.ndarray, *, least: float) -> float:
    """Probability that the true mean is above 0, under a flat prior: Student's distribution function at t."""
    spread = _deviation(values, least) / math.sqrt(len(values))
    return float(stdtr(len(values) - 1, values.mean() / spread))


def seeds_needed(right: np.ndarray, precision: float, *, at_all_times: bool = False) -> int | None:
    """How many seeds give a half width of `precision` if they scatter as these, at least 2, do; None: over `MOST`.

    right: see `difference`.
    """
    spread = _deviation(right.mean(1), least_deviation(right))
    for count in range(2, MOST + 1):
        if _quantile(count, ALPHA, at_all_times) * spread / math.sqrt(count) <= precision:
            return count
    return None


def bootstrap(right: np.ndarray, *, resamples: int = RESAMPLES, seed: int = 0) -> tuple[float, float]:
    """Interval of the mean difference over other seeds and other test images of the kind, both drawn with replacement.

    right: see `difference`. Seeds and images are drawn apart, and their deviations added. Few seeds scatter too little
    when they are drawn from themselves, by (S - 1) / S, and that scatter is not known well: it is stretched by as much,
    and by Student's quantile over the normal one. Source: Hesterberg 2015, "What Teachers Should Know About the
    Bootstrap", the expanded percentile interval.
    """
    seeds, images = right.shape
    random = np.random.default_rng(seed)
    stretch = math.sqrt(seeds / (seeds - 1)) * float(stdtrit(seeds - 1, 1 - ALPHA / 2) / ndtri(1 - ALPHA / 2))
    per_seed, per_image = right.mean(1), right.mean(0, dtype=np.float32)
    drawn = random.multinomial(seeds, np.full(seeds, 1 / seeds), resamples) / seeds
    means = []
    for part in np.array_split(drawn - 1 / seeds, max(1, resamples * images // 5_000_000)):
        counts = random.poisson(1.0, (len(part), images)).astype(np.float32)
        counts[counts.sum(1) == 0] = 1  # of a handful of images it may draw none
        means.append(counts @ per_image / counts.sum(1) + stretch * (part @ per_seed))
    low, high = np.quantile(np.concatenate(means), [ALPHA / 2, 1 - ALPHA / 2])
    return float(low), float(high)


def _deviation(values: np.ndarray, least: float) -> float:
    """Standard deviation, not below `least`."""
    return max(float(values.std(ddof=1)), least)
