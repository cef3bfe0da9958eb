"""Evidence moves a probability as far as it told planted errors from given labels, and not where it is noise."""

import numpy as np
import pytest
from scipy.special import expit

from curate.fusion import FEWEST, Seen, learn, nothing


def sets(*, count: int = 4000, extra: int = 400, informative: float, seed: int = 0) -> tuple[Seen, Seen, np.ndarray]:
    """Given labels, planted ones, and which of the given ones are wrong. One kind of evidence is `informative` standard
    deviations lower for wrong labels, the other is noise; both follow the predictions, too. Log-odds are calibrated."""
    random = np.random.default_rng(seed)

    def seen(odds: np.ndarray, wrong: np.ndarray) -> Seen:
        evidence = random.normal(size=(len(wrong), 2)) - np.tanh(odds / 3)[:, None]
        evidence[:, 0] -= informative * wrong
        return Seen(odds, -odds + random.normal(size=len(wrong)) / 2, evidence)

    odds = random.normal(-3.5, 2.5, count)
    wrong = random.random(count) < expit(odds)
    many = random.normal(-3.5, 2.5, 100 * extra)
    like_wrong = many[random.random(len(many)) < expit(many)][:extra]
    return seen(odds, wrong), seen(like_wrong, np.ones(extra, bool)), wrong


def _follows(seen: Seen, shift: float) -> np.ndarray:
    """Its evidence, as it would be with log-odds that are higher by `shift`."""
    return seen.evidence + (np.tanh(seen.odds / 3) - np.tanh((seen.odds + shift) / 3))[:, None]


def log_loss(odds: np.ndarray, wrong: np.ndarray) -> float:
    return float(np.logaddexp(0, np.where(wrong, -odds, odds)).mean())


def said(given: Seen, planted: Seen) -> np.ndarray:
    return learn(given, planted).said(given.odds, given.heldout, given.evidence)


@pytest.mark.parametrize("informative", [1.0, 2.0, -1.5])
def test_evidence_that_tells_is_used_and_moves_the_right_way(informative: float) -> None:
    given, planted, wrong = sets(informative=informative)
    added = said(given, planted)
    assert added[wrong, 0].mean() > 0.2 > 0 > added[~wrong, 0].mean()
    assert np.abs(added[:, 1]).mean() < np.abs(added[:, 0]).mean() / 5
    assert log_loss(given.odds + added.sum(axis=1), wrong) < log_loss(given.odds, wrong)


def test_stronger_evidence_adds_more() -> None:
    sizes = [np.abs(said(*sets(informative=strength)[:2])[:, 0]).mean() for strength in (0.0, 0.7, 1.5, 3.0)]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_noise_adds_almost_nothing(seed: int) -> None:
    given, planted, wrong = sets(informative=0.0, seed=seed)
    added = said(given, planted)
    assert np.abs(added).mean() < 0.12
    assert log_loss(given.odds + added.sum(axis=1), wrong) < log_loss(given.odds, wrong) + 0.005


def test_evidence_that_only_repeats_the_predictions_adds_almost_nothing() -> None:
    given, planted, _ = sets(informative=0.0)
    copies = [Seen(part.odds, part.heldout, np.tanh(part.odds / 3)[:, None] * [-1.0, 2.0]) for part in (given, planted)]
    assert np.abs(said(*copies)).mean() < 0.15


def test_planted_errors_may_be_easier_to_see_than_real_ones() -> None:
    """What predictions say of planted labels is no weight: with useless evidence probabilities stay as they were."""
    given, planted, _ = sets(informative=0.0)
    easy = Seen(planted.odds + 3, planted.heldout - 3, _follows(planted, 3))
    assert np.abs(said(given, easy)).mean() < 0.15


def test_what_is_not_known_adds_nothing() -> None:
    given, planted, wrong = sets(informative=2.0)
    given.evidence[::3, 0] = np.nan
    planted.evidence[::2, 0] = np.nan
    added = said(given, planted)
    assert (added[::3, 0] == 0).all()
    assert added[1::3][wrong[1::3], 0].mean() > 0.2
    assert np.isfinite(added).all()


@pytest.mark.parametrize("known", [0, FEWEST - 1])
def test_evidence_that_hardly_anybody_has_is_not_weighed(known: int) -> None:
    given, planted, _ = sets(informative=2.0)
    given.evidence[:, 0] = np.nan
    planted.evidence[known:, 0] = np.nan
    weights = learn(given, planted)
    every = weights.said(planted.odds, planted.heldout, planted.evidence)
    assert (every[:, 0] == 0).all()
    assert np.isfinite(every).all()


@pytest.mark.parametrize("extra", [0, 1, FEWEST - 1])
def test_too_few_planted_labels_teach_nothing(extra: int) -> None:
    assert (said(*sets(extra=extra, informative=3.0)[:2]) == 0).all()


def test_from_enough_planted_labels_on_something_is_learned() -> None:
    assert (said(*sets(extra=FEWEST, informative=3.0)[:2])[:, 0] != 0).any()


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_evidence_that_is_the_same_for_all_adds_nothing(value: float) -> None:
    given, planted, _ = sets(informative=0.0)
    alike = [Seen(part.odds, part.heldout, np.full_like(part.evidence, value)) for part in (given, planted)]
    assert np.abs(said(*alike)).max() < 1e-3


def test_extreme_values_move_a_label_by_a_bounded_amount() -> None:
    given, planted, _ = sets(informative=1.0)
    weights = learn(given, planted)
    odds, heldout = np.array([-14.0, 0, 14]), np.array([14.0, 0, -14])
    far, further = (weights.said(odds, heldout, np.full((3, 2), value)) for value in (-1e3, -np.inf))
    assert np.isfinite(far).all()
    np.testing.assert_allclose(far, further)


def test_no_rows() -> None:
    given, planted, _ = sets(informative=1.0)
    weights = learn(given, planted)
    none = np.zeros(0)
    assert weights.said(none, none, np.zeros((0, 2))).shape == (0, 2)
    assert nothing(3).said(none, none, np.zeros((0, 3))).shape == (0, 3)
    empty = Seen(none, none, np.zeros((0, 2)))
    assert np.isfinite(learn(empty, planted).said(planted.odds, planted.heldout, planted.evidence)).all()
    assert expit(nothing(2).said(given.odds, given.heldout, given.evidence)).max() == 0.5
