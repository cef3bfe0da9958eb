"""Differences paired by seed: intervals against closed forms and by simulation, and what they are called."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from curate.results import paired
from curate.results.paired import (
    ALPHA,
    EFFECTS,
    LEAST,
    MOST,
    ROUNDED,
    at_all_times_quantile,
    bootstrap,
    difference,
    half_width,
    least_deviation,
    probability_above,
    seeds_needed,
    verdict,
)

SEEDS = 20
"""At which a simulation ends: an interval that is looked at after each of them."""


def changes(*per_seed: tuple[int, int], images: int = 100) -> np.ndarray:
    """Per seed, so many images that only the second network is right about, and so many that only the first one is."""
    right = np.zeros((len(per_seed), images), np.int8)
    for row, (gained, lost) in zip(right, per_seed, strict=True):
        row[:gained] = 1
        row[gained : gained + lost] = -1
    return right


# The interval


def bayes_factor(t: float, count: int) -> float:
    """Of a mean other than 0 against 0, with a normal prior of variance `EFFECTS` on the effect size: integrated."""

    def over_effects(effect: float) -> float:
        prior = stats.norm.pdf(effect, scale=math.sqrt(EFFECTS))
        return float(stats.nct.pdf(t, count - 1, effect * math.sqrt(count)) * prior)

    above, _ = integrate.quad(over_effects, -12, 12, points=[t / math.sqrt(count)], limit=400)
    return above / float(stats.t.pdf(t, count - 1))


@pytest.mark.parametrize("count", [3, 5, 10])
def test_the_quantile_is_where_the_bayes_factor_is_1_over_alpha(count: int) -> None:
    assert bayes_factor(at_all_times_quantile(count), count) == pytest.approx(1 / ALPHA, rel=0.01)


@pytest.mark.parametrize(("count", "quantile"), [(3, 13.2), (5, 5.4), (10, 4.2)])
def test_the_quantiles_that_the_source_names(count: int, quantile: float) -> None:
    assert at_all_times_quantile(count) == pytest.approx(quantile, abs=0.05)
    assert at_all_times_quantile(count) > stats.t.ppf(1 - ALPHA / 2, count - 1)


def test_there_is_no_interval_for_fewer_than_the_least_seeds() -> None:
    assert at_all_times_quantile(LEAST - 1) == math.inf
    assert math.isfinite(at_all_times_quantile(LEAST))
    assert half_width(np.array([0.1, 0.1]), least=0.01, at_all_times=True) == math.inf
    assert math.isfinite(half_width(np.array([0.1, 0.1]), least=0.01, at_all_times=False))
    assert math.isnan(half_width(np.array([0.1]), least=0.01, at_all_times=False))


def ever_wrong(values: np.ndarray, *, at_all_times: bool) -> float:
    """Share of the rows, shape (T, S), whose interval leaves out 0 after some seed, from `LEAST` seeds on."""
    wrong = np.zeros(len(values), bool)
    for count in range(LEAST, values.shape[1] + 1):
        part = values[:, :count]
        quantile = at_all_times_quantile(count) if at_all_times else stats.t.ppf(1 - ALPHA / 2, count - 1)
        wrong |= np.abs(part.mean(1)) > quantile * part.std(1, ddof=1) / math.sqrt(count)
    return float(wrong.mean())


def test_looking_after_each_seed_keeps_the_error_rate_where_students_interval_does_not() -> None:
    values = np.random.default_rng(0).normal(size=(4000, SEEDS))
    assert ever_wrong(values, at_all_times=True) < ALPHA
    assert ever_wrong(values, at_all_times=False) > 3 * ALPHA


def test_equal_networks_are_rarely_told_apart() -> None:
    """Of pairs that are right about the same share of images, looked at after each seed."""
    random, found = np.random.default_rng(1), 0
    for _ in range(400):
        right = (random.random((10, 200)) < 0.1) * random.choice(np.array([-1, 1], np.int8), (10, 200))
        said = [verdict(*interval(right[:count]), None, count) for count in range(LEAST, 11)]
        found += "better" in said or "worse" in said
    assert found / 400 < ALPHA


def interval(right: np.ndarray) -> tuple[float, float]:
    """Mean and half width, as `difference` has them."""
    values = right.mean(1)
    return float(values.mean()), half_width(values, least=least_deviation(right), at_all_times=True)


@pytest.mark.parametrize(("at_all_times", "seeds"), [(True, 5), (False, 3)])
def test_a_large_difference_is_found_within_few_seeds(at_all_times: bool, seeds: int) -> None:
    found = difference(changes(*[(32, 2), (30, 3), (31, 1), (33, 2), (29, 1)][:seeds]), at_all_times=at_all_times)
    assert found.verdict == "better"
    assert found.half_width is not None
    assert 0 < found.half_width < found.mean


# The least deviation


@pytest.mark.parametrize(
    ("per_seed", "images", "expected"),
    [
        ([(5, 4), (5, 4)], 100, 3 / 100),  # nine tosses a seed
        ([(5, 4), (9, 0)], 100, 3 / 100),
        ([(0, 9), (0, 9)], 100, 3 / 100),
        ([(16, 0), (0, 0)], 1000, math.sqrt(8) / 1000),
        ([(0, 0), (0, 0)], 100, math.sqrt(ROUNDED) / 100),
        ([(1, 0)], 1, 1.0),
    ],
)
def test_the_deviation_is_that_of_tossed_images_at_least(
    per_seed: list[tuple[int, int]], images: int, expected: float
) -> None:
    assert least_deviation(changes(*per_seed, images=images)) == pytest.approx(expected)


def test_seeds_that_agree_by_chance_prove_little() -> None:
    """Two more images right of ten, with each of three seeds: the values do not scatter at all."""
    found = difference(changes((3, 1), (3, 1), (3, 1), images=10), at_all_times=False)
    assert found.values == (0.2, 0.2, 0.2)
    assert found.half_width == pytest.approx(stats.t.ppf(0.975, 2) * 0.2 / math.sqrt(3))
    assert found.verdict == "unclear"


def test_a_larger_deviation_is_taken_as_it_is() -> None:
    values = np.array([0.1, 0.3, 0.2])
    expected = stats.t.interval(0.95, 2, values.mean(), stats.sem(values))
    half = half_width(values, least=0.01, at_all_times=False)
    assert (values.mean() - half, values.mean() + half) == pytest.approx(expected)


# Verdicts


@pytest.mark.parametrize(
    ("mean", "half", "margin", "seeds", "expected"),
    [
        (0.02, 0.01, None, 3, "better"),
        (-0.02, 0.01, None, 3, "worse"),
        (0.01, 0.01, None, 3, "unclear"),
        (0.0, 0.001, None, 3, "unclear"),  # nobody said what counts as none
        (0.0, 0.001, 0.01, 3, "the same"),
        (0.005, 0.006, 0.01, 3, "unclear"),  # it may be 1.1 points
        (0.005, 0.001, 0.01, 3, "the same"),  # clear, and too small to count
        (0.02, 0.001, 0.01, 3, "better"),
        (0.5, math.inf, 0.01, 2, "unclear"),
        (0.5, math.nan, None, 1, "one seed"),
    ],
)
def test_verdicts(mean: float, half: float, margin: float | None, seeds: int, expected: str) -> None:
    assert verdict(mean, half, margin, seeds) == expected


def test_one_seed_says_nothing_about_chance() -> None:
    found = difference(changes((9, 0)), at_all_times=True)
    assert found == paired.Difference((0.09,), 0.09, None, True, None, None, "one seed")


def test_two_seeds_have_no_interval_at_all_times() -> None:
    found = difference(changes((9, 0), (9, 1)), at_all_times=True)
    assert (found.half_width, found.verdict) == (None, "unclear")
    assert found.probability is not None
    assert found.probability > 0.9


# Probability


@pytest.mark.parametrize("values", [[0.1, 0.3, 0.2], [-0.1, 0.0, 0.05, -0.2]])
def test_the_probability_is_one_minus_the_p_value_of_a_paired_t_test(values: list[float]) -> None:
    after = np.array(values)
    found = probability_above(after, least=1e-9)
    assert found == pytest.approx(1 - stats.ttest_rel(after, np.zeros(len(after)), alternative="greater").pvalue)
    assert probability_above(-after, least=1e-9) == pytest.approx(1 - found)


def test_no_difference_is_even() -> None:
    assert difference(changes((2, 2), (0, 0), (1, 1)), at_all_times=False).probability == pytest.approx(0.5)


# Seeds for a precision


@pytest.mark.parametrize("precision", [0.05, 0.01, 0.005])
def test_so_many_seeds_give_the_precision_and_one_less_does_not(precision: float) -> None:
    right = changes((10, 4), (12, 6), (4, 4))
    spread = max(right.mean(1).std(ddof=1), least_deviation(right))
    count = seeds_needed(right, precision)
    assert count is not None
    halves = [
        stats.t.ppf(0.975, number - 1) * spread / math.sqrt(number) for number in (count - 1, count) if number > 1
    ]
    assert halves[-1] <= precision
    assert all(half > precision for half in halves[:-1])


def test_more_seeds_than_can_be_trained() -> None:
    assert seeds_needed(changes((10, 4), (12, 6)), 1e-4) is None
    assert seeds_needed(np.zeros((2, 10_000), np.int8), 0.5) == 2
    assert MOST == 1000


# Bootstrap


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_the_bootstrap_covers_other_seeds_and_other_images(seeds: int) -> None:
    """Networks differ by the image and by the seed: of many such worlds, about 95 % hold the truth, also with few."""
    random, worlds, images, intervals, means = np.random.default_rng(2), 200, 150, [], []
    for number in range(worlds):
        gain = 0.10 + 0.03 * random.standard_normal((seeds, 1)) + 0.08 * random.standard_normal((1, images))
        drawn = random.random((seeds, images))
        right = (drawn < np.clip(gain, 0, 1)).astype(np.int8) - (drawn > 0.95).astype(np.int8)
        intervals.append(bootstrap(right, resamples=400, seed=number))
        means.append(right.mean())
    low, high = np.array(intervals).T
    assert ((low <= TRUTH) & (high >= TRUTH)).mean() >= 0.92
    student = stats.t.ppf(0.975, seeds - 1) * np.std(means)  # half of what would do, were the deviation known
    assert np.median(high - low) / 2 < 1.5 * student


TRUTH = (
    float(np.clip(0.10 + math.hypot(0.03, 0.08) * stats.norm.ppf(np.linspace(0.0005, 0.9995, 1000)), 0, 1).mean())
    - 0.05
)
"""Of the worlds above: the mean of a clipped normal variable, less the share that is lost."""


def test_the_bootstrap_repeats_and_follows_its_seed() -> None:
    right = changes((10, 4), (12, 6), (4, 4))
    assert bootstrap(right) == bootstrap(right)
    assert bootstrap(right) != bootstrap(right, seed=1)
    low, high = bootstrap(right)
    assert low < right.mean() < high


def test_the_bootstrap_has_the_deviation_of_seeds_and_of_images() -> None:
    random = np.random.default_rng(3)
    of_seeds = np.repeat((random.random((4, 1)) < 0.5).astype(np.int8), 50, 1)  # seeds alone differ
    low, high = bootstrap(of_seeds, resamples=8000)
    half = stats.t.ppf(0.975, 3) * stats.sem(of_seeds[:, 0])
    assert (low, high) == pytest.approx((of_seeds.mean() - half, of_seeds.mean() + half), abs=0.12)
    of_images = np.repeat((random.random((1, 400)) < 0.2).astype(np.int8), 3, 0)  # images alone differ
    half = 1.96 * stats.sem(of_images[0])
    assert bootstrap(of_images, resamples=8000) == pytest.approx(
        (of_images.mean() - half, of_images.mean() + half), abs=0.1 * half
    )


@pytest.mark.parametrize("images", [1, 2, 5])
def test_a_handful_of_images_has_an_interval(images: int) -> None:
    low, high = bootstrap(changes((1, 0), (0, 0), images=images))
    assert low <= 1 / (2 * images) <= high
    assert difference(changes((1, 0), (1, 0), (1, 0), images=images), at_all_times=True).verdict == "unclear"
