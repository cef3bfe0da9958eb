"""Where to cut a list of calibrated probabilities, and what can be expected of the cut; better known as people answer.

Nothing here sees the truth: expected precision, recall and noise rate follow from the probabilities themselves, and
their intervals from how far such probabilities have been off, and from what people said about some of the images.
"""

import re
from dataclasses import dataclass

import numpy as np
import scipy
from scipy.special import expit, logit

from curate.errors import UserError

SHIFT_SD, SLOPE_SD = 0.35, 0.2
"""How far calibrated log-odds may be off before anybody answered, as standard deviations: a shift of 0.35 is a factor
of 1.4 in the odds. Chosen to cover what was measured on the sets of docs/benchmarks.md."""
DRAWS = 400
"""Calibrations that are drawn for an interval; its ends repeat to about a tenth of its width."""
LEAST = 0.4
"""Probability below which nothing is taken for the sake of F1, which in a set without errors would take anything: of
CIFAR-10 with its true labels, and networks trained on CIFAR-10N `aggre`, it takes 0.7 % (1.2 % with 0.25)."""
CELLS = 2000
"""Cells of equal count that probabilities are put in for the draws, so that a million cost no more than 2,000."""
AS_FLAGGED = "as flagged"
EXAMPLES = "f1, precision=0.9, recall=0.8, probability=0.5, budget=500"


@dataclass(frozen=True)
class Interval:
    """What is expected, and the limits that hold in 95 of 100 cases."""

    expected: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.expected:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f})"


@dataclass(frozen=True)
class Cut:
    """A list of probabilities, cut: `flagged` ones are taken."""

    at: str
    """`AS_FLAGGED` where they were cut before."""
    flagged: int
    probability: float
    """The lowest one that is taken; 1 where none is. Of those that were cut before, answers since then may have moved
    it, see `moved`."""
    precision: Interval
    """Share of those taken that are wrong; 1 where none is taken."""
    recall: Interval
    """Share of the wrong ones that are taken."""
    noise_rate: Interval
    """Share of all that are wrong."""


@dataclass(frozen=True)
class Calibration:
    """What answers say about probabilities: their log-odds are to be multiplied by `slope`, and `shift` to be added."""

    slope: float = 1.0
    shift: float = 0.0
    covariance: tuple[tuple[float, float], tuple[float, float]] = ((SLOPE_SD**2, 0.0), (0.0, SHIFT_SD**2))
    answers: int = 0

    def apply(self, probs: np.ndarray) -> np.ndarray:
        """Probabilities as they are to be read: shape (N,), 0 to 1."""
        if not self.answers:
            return probs
        return expit(self.slope * _log_odds(probs) + self.shift)


def learn(probs: np.ndarray, wrong: np.ndarray) -> Calibration:
    """Calibration from n answers: probabilities, shape (n,), that were given, and whether it was so, shape (n,), bool.

    A logistic regression on the log-odds that starts from "as they are" (`SLOPE_SD`, `SHIFT_SD`), with the curvature at
    its optimum as what is known: Platt 1999, with a prior.
    """
    if not len(probs):
        return Calibration()
    odds, precision = _log_odds(probs), np.array([SLOPE_SD, SHIFT_SD]) ** -2.0

    def loss(at: np.ndarray) -> float:
        value = at[0] * odds + at[1]
        prior = 0.5 * float((precision * (at - [1, 0]) ** 2).sum())
        return float(np.logaddexp(0, value).sum() - value[wrong].sum()) + prior

    slope, shift = scipy.optimize.minimize(loss, np.array([1.0, 0.0]), method="BFGS").x
    fitted = expit(slope * odds + shift)
    terms = np.stack([odds, np.ones_like(odds)], axis=1)
    covariance = np.linalg.inv(np.diag(precision) + terms.T @ (terms * (fitted * (1 - fitted))[:, None]))
    (first, both), (_, second) = covariance.tolist()
    return Calibration(float(slope), float(shift), ((first, both), (both, second)), len(probs))


def moved(cut: Cut, answers: int) -> bool:
    """Whether so many answers have moved probabilities since they were cut, so that the lowest tells nothing."""
    return answers > 0 and cut.at == AS_FLAGGED


def cut(probs: np.ndarray, at: str, calibration: Calibration | None = None) -> Cut:
    """Cut at "f1" (the highest expected F1), or where the expected precision or recall, or the probability, or the
    number of images ("budget") is the one asked for.

    probs: shape (N,), probabilities as `Calibration.apply` leaves them; those of images that people decided on are 0 or
    1. Raises `UserError` for another `at`.
    """
    what, value = parse(at)
    order = np.argsort(-probs, kind="stable")
    flagged = np.zeros(len(probs), bool)
    flagged[order[: _count(probs[order], what, value)]] = True
    return expected(probs, flagged, calibration, at=at)


def expected(
    probs: np.ndarray, flagged: np.ndarray, calibration: Calibration | None = None, *, at: str = AS_FLAGGED
) -> Cut:
    """What is expected of those that are flagged, wherever they were cut: they need not be the most probable ones, as
    answers since then have moved some. probs: as for `cut`; flagged: shape (N,), bool."""
    count, lowest = int(flagged.sum()), float(probs[flagged].min(initial=1))
    hits, total = _drawn_sums(
        np.sort(probs[flagged])[::-1], np.sort(probs[~flagged])[::-1], calibration or Calibration()
    )
    expected_hits, expected_total = float(probs[flagged].sum()), float(probs.sum())
    return Cut(
        at,
        count,
        lowest,
        _interval(expected_hits, count, hits, count, empty=1.0),
        _interval(expected_hits, expected_total, hits, total, empty=1.0),
        _interval(expected_total, len(probs), total, len(probs), empty=0.0),
    )


def taken(probs: np.ndarray, cut: Cut) -> np.ndarray:
    """Which ones a cut takes, of equal probabilities the earlier ones: shape (N,), bool."""
    mask = np.zeros(len(probs), bool)
    mask[np.argsort(-probs, kind="stable")[: cut.flagged]] = True
    return mask


def parse(at: str, where: str = "label_error.at") -> tuple[str, float]:
    """("precision", 0.9) of "precision=0.9"; raises `UserError` for what is none of `EXAMPLES`. where: it was given."""
    if at == "f1":
        return at, 0.0
    found = re.fullmatch(r"(precision|recall|probability|budget)=([0-9]*\.?[0-9]+)", at)
    if not found:
        raise UserError(f"{where} {at!r} is no place to cut; there are: {EXAMPLES}")
    what, value = found[1], float(found[2])
    if what == "budget" and not value.is_integer():  # nor is infinity
        raise UserError(f"{where} {at!r}: a budget is a whole number of images, for instance budget=500")
    if what != "budget" and not 0 < value <= 1:
        raise UserError(f"{where} {at!r}: {what} lies above 0 and not above 1, for instance {what}=0.9")
    return what, value


def _count(ranked: np.ndarray, what: str, value: float) -> int:
    """How many of the probabilities, highest first, to take."""
    if what == "budget":
        return min(int(value), len(ranked))
    if what == "probability":
        return int((ranked >= value).sum())
    if not len(ranked) or ranked[0] <= 0:
        return 0
    taken = np.arange(1, len(ranked) + 1)
    hits = np.cumsum(ranked)
    if what == "precision":
        good = np.flatnonzero(hits / taken >= value * (1 - 1e-9))  # sums of a million are rounded
        return int(taken[good[-1]]) if len(good) else 0
    if what == "recall":
        return int(taken[np.searchsorted(hits, value * hits[-1] * (1 - 1e-12))])
    return min(int(taken[np.argmax(hits / (taken + hits[-1]))]), int((ranked >= LEAST).sum()))


def _drawn_sums(flagged: np.ndarray, others: np.ndarray, calibration: Calibration) -> tuple[np.ndarray, np.ndarray]:
    """Wrong ones among those flagged and among all, for each of `DRAWS` calibrations: shapes (`DRAWS`,).

    flagged, others: their probabilities, ranked, so that those of a cell are alike. Each draw changes all log-odds
    together, and on top of that whether the single image is wrong is chance.
    """
    random = np.random.default_rng(0)
    deviation = random.multivariate_normal([0, 0], np.array(calibration.covariance), DRAWS)
    scale = np.array([calibration.slope, calibration.shift])
    sums = []
    for part in (flagged, others):
        part = part[(part > 0) & (part < 1)]  # nobody is in doubt about the others
        cells = np.array_split(part, max(1, min(CELLS, len(part))))
        odds = _log_odds(np.array([cell.mean() if len(cell) else 0.5 for cell in cells]))
        size = np.array([len(cell) for cell in cells])
        before = (odds - scale[1]) / max(scale[0], 1e-6) if calibration.answers else odds
        drawn = expit(odds + deviation[:, :1] * before + deviation[:, 1:])
        chance = np.sqrt((size * drawn * (1 - drawn)).sum(axis=1)) * random.standard_normal(DRAWS)
        sums.append(np.clip((size * drawn).sum(axis=1) + chance, 0, len(part)))
    certain = [float((part >= 1).sum()) for part in (flagged, others)]
    return sums[0] + certain[0], sums[0] + sums[1] + sum(certain)


def _interval(expected: float, of: float, drawn: np.ndarray, drawn_of: np.ndarray | float, *, empty: float) -> Interval:
    if not of:
        return Interval(empty, empty, empty)
    shares = drawn / np.maximum(drawn_of, 1e-9)
    low, high = np.quantile(shares, [0.025, 0.975])
    value = expected / of
    return Interval(value, float(min(low, value)), float(max(high, value)))


def _log_odds(probs: np.ndarray) -> np.ndarray:
    return logit(np.clip(np.asarray(probs, np.float64), 1e-7, 1 - 1e-7))
