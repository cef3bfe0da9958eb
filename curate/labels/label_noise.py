"""How labels go wrong, learned from predictions and labels alone: who was right where the two differ?

A network that did not see an image is wrong at times, and so is who labelled it. Both leave traces. How wrong networks
are shows in how far two of them, trained apart, agree: about as far as each agrees with the truth (Jiang et al. 2022,
"Assessing Generalization via Disagreement"). How often labels are wrong shows in how much more often they disagree with
the networks than the networks among themselves. `fit` puts both into a model of the labels, that of Dawid and Skene
(1979) with predictions in the place of other annotators, and a rate of errors that depends on how hard an image is.
"""

from dataclasses import dataclass

import numpy as np
import scipy
from scipy.special import expit

STEPS = 50
"""Of expectation and maximisation; the rates change by less than 0.001 in further ones."""
MOST_ROWS = 50_000
"""Images the model is fitted on, at most, drawn at random: rates are good to 0.3 % then. Every second image would be of
half of the classes where classes take turns."""
ALONE = 1.4
"""Without a second network to agree with, agreement is taken to be so many times as sure as the likelihood: it was 1.6
to 2 times as sure on CIFAR-10N, 1.4 to 1.6 times on CIFAR-10 with planted errors, and 0.9 times on digits with some."""
LIMITS = (-2.0, 3.0)
"""Of the logarithm of the sharpness."""
OWN = 0.13
"""Labels that seem wrong and plausible though none is wrong, as a share of the networks' own mistakes. CIFAR-10 with 0
to 25 % of planted errors, uniform and by class, has 0 to 0.075 (networks trained on `aggre`), CIFAR-10N `aggre` 0.23,
`worse` 0.53. See `fit`."""
STEEPEST = -0.7
"""Labels of hard images are more often wrong: at most so many log-odds per standard deviation of hardness, or what is
the networks' failure would be taken for it. On CIFAR-10N `aggre`, whose errors are people's, the truth was at -0.7."""
PSEUDO = 1.0
"""Wrong labels of each class that are assumed to have been seen, spread over the other classes."""
USUAL = 0.1
"""Share of wrong labels that is expected before any is seen: of few labels, and networks that know little, "all is
wrong" explains as much as "the networks are". It decides nothing for thousands of labels."""
TINY = 1e-8
NEVER = 1e-300
"""In place of a sum of 0: a label may be far less probable than `TINY` under the truth that explains it best."""


@dataclass(frozen=True)
class Noise:
    """How labels of a set go wrong, for K classes."""

    sharpness: float
    """Power to which averaged probabilities are raised to say how sure the networks are of the truth."""
    bias: np.ndarray
    """Shape (K,): added to log-probabilities for classes that the networks name too seldom."""
    rate: tuple[float, float]
    """Log-odds of a wrong label: at average hardness, and what each standard deviation of sureness adds."""
    scale: tuple[float, float]
    """Mean and standard deviation of the networks' sureness: log-odds of the class they name."""
    confusion: np.ndarray
    """Shape (K, K): row true class, column the label it gets where it gets a wrong one; rows sum to 1, diagonal 0."""

    def truth(self, probs: np.ndarray) -> np.ndarray:
        """What the networks say of the true class, whatever the label: shape (N, K) -> (N, K), rows sum to 1."""
        return _softmax(self.sharpness * np.log(np.maximum(probs, TINY)) + self.bias)

    def posterior(self, truth: np.ndarray, labels: np.ndarray, hardness: np.ndarray | None = None) -> np.ndarray:
        """The true class, given the label too: shapes (N, K), (N,) -> (N, K), rows sum to 1.

        hardness: shape (N, K), what the networks alone say, where `truth` says more than they do.
        """
        joint = truth * self.likelihood(truth if hardness is None else hardness, labels)
        return joint / np.maximum(joint.sum(axis=1, keepdims=True), NEVER)

    def likelihood(self, truth: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """How probable each image's label is for every true class: shape (N, K)."""
        rate = self.rates(truth)
        likelihood = rate[:, None] * self.confusion[:, labels].T
        likelihood[np.arange(len(labels)), labels] = 1 - rate
        return likelihood

    def rates(self, truth: np.ndarray) -> np.ndarray:
        """Share of wrong labels among images that are as hard: shape (N, K) -> (N,)."""
        mean, deviation = self.scale
        return expit(self.rate[0] + self.rate[1] * (_sureness(truth) - mean) / deviation)


def fit(repeats: np.ndarray, labels: np.ndarray, probs: np.ndarray | None = None) -> Noise:
    """Learn how labels go wrong.

    repeats: shape (R, N, K), out-of-fold probabilities of R repetitions; the networks of the first have never met a
    label of the images they speak of, not even by way of soft labels that others made. labels: shape (N,), given, -1
    for unlabelled. probs: shape (N, K), what the repetitions say together; None: their mean.
    Sharpness lies between two estimates: the one that makes the labels most likely, and the one with which networks
    predict each other, which is the most it can be, as they share mistakes. The first is right where wrong labels are
    unlike what networks would name. People mistake what networks mistake; then labels agree with networks that are
    wrong, or not sure, for the same reason, and the likelihood calls images ambiguous where labels are wrong. How many
    labels seem wrong *and* plausible, beyond what networks' own mistakes account for (`OWN`), says how far to go from
    the first to the second. Both are estimates for the first repetition, see `_as_often_right`. Which classes are taken
    for which is learned only where the labels tell it, see `_most_likely`. Of no labels there is nothing to learn: they
    count as good, but for one in 13, whatever the image.
    """
    rows = np.flatnonzero(labels >= 0)
    if not len(rows):
        return _start(np.zeros(repeats.shape[2]), (0.0, 1.0), 1.0)
    if len(rows) > MOST_ROWS:
        rows = rows[np.sort(np.random.default_rng(0).choice(len(rows), MOST_ROWS, replace=False))]
    repeats, labels = repeats[:, rows].astype(np.float64), labels[rows]
    mean = repeats.mean(axis=0) if probs is None else probs[rows].astype(np.float64)
    mean /= np.maximum(mean.sum(axis=1, keepdims=True), TINY)
    likely, in_pairs = _most_likely(repeats[0], labels)
    if len(repeats) > 1:
        likely, agreement = (_as_often_right(mean, repeats[0], power) for power in (likely, _agreement(repeats)))
    else:
        agreement = ALONE * likely
    noise = _fit(mean, labels, likely, steps=STEPS, in_pairs=in_pairs)
    truth = noise.truth(mean)
    mistakes = float(1 - truth.max(axis=1).mean())
    share = np.clip(1 - OWN * mistakes / max(_plausible(noise, truth, labels), TINY), 0, 1)
    sharpness = float(min(likely, agreement) ** (1 - share) * agreement**share)
    return noise if sharpness == likely else _fit(mean, labels, sharpness, steps=STEPS, in_pairs=in_pairs)


def _plausible(noise: Noise, truth: np.ndarray, labels: np.ndarray) -> float:
    """Share of the labels that are wrong and drawn from the classes as the networks find them probable, not evenly.

    truth: shape (N, K), as `Noise.truth` gives it. Expected wrong labels are compared with both ways of drawing, by how
    probable the networks find them among the classes that are not the truth.
    """
    every = np.arange(len(labels))
    others = noise.posterior(truth, labels)
    wrong = 1 - others[every, labels]
    others[every, labels] = -1
    right = others.argmax(axis=1)
    among = truth.copy()
    among[every, right] = 0
    among /= np.maximum(among.sum(axis=1, keepdims=True), NEVER)
    even = 1 / max(truth.shape[1] - 1, 1)
    seen = float((wrong * (among[every, labels] - even)).sum())
    most = float((wrong * ((among**2).sum(axis=1) - even)).sum())
    return float(wrong.mean()) * seen / most if most > TINY else 0.0


def _fit(probs: np.ndarray, labels: np.ndarray, sharpness: float, *, steps: int, in_pairs: bool) -> Noise:
    """Expectation and maximisation with a sharpness that is given. in_pairs: learn which classes are taken for which;
    else a wrong label is any other class."""
    bias = _bias(sharpness * np.log(np.maximum(probs, TINY)), labels)
    truth = _softmax(sharpness * np.log(np.maximum(probs, TINY)) + bias)
    sureness = _sureness(truth)
    scale = float(sureness.mean()), max(float(sureness.std()), 1e-3)
    noise = _start(bias, scale, sharpness)
    even = noise.confusion
    for _ in range(steps):
        posterior = noise.posterior(truth, labels)
        wrong = 1 - posterior[np.arange(len(labels)), labels]
        rate = _rate(noise.rate, (sureness - scale[0]) / scale[1], wrong)
        confusion = _confusion(posterior, labels, even) if in_pairs else even
        noise = Noise(sharpness, bias, rate, scale, confusion)
    return noise


def _start(bias: np.ndarray, scale: tuple[float, float], sharpness: float) -> Noise:
    """Where expectation and maximisation start: few wrong labels, all alike."""
    classes = len(bias)
    even = (1 - np.eye(classes)) / max(classes - 1, 1)
    return Noise(sharpness, bias, (-2.5, 0.0), scale, even)


def _rate(rate: tuple[float, float], sureness: np.ndarray, wrong: np.ndarray) -> tuple[float, float]:
    """Two Newton steps of a logistic regression: shares of wrong labels, shape (N,), on sureness, shape (N,).

    One wrong label of as many as it is usual (`USUAL`) counts as seen, of average hardness. A step that leads uphill is
    halved until it does not: where nearly all images are equally sure it may be far too long.
    """
    at = np.array(rate)
    sureness, wrong = np.append(sureness, 0), np.append(wrong, USUAL)
    terms, count = np.stack([np.ones_like(sureness), sureness]), np.ones_like(sureness)
    count[-1] = 1 / USUAL

    def loss(at: np.ndarray) -> float:
        value = at @ terms
        return float(count @ (np.logaddexp(0, value) - wrong * value) + at[1] ** 2 / 2)

    for _ in range(2):
        fitted = expit(at @ terms)
        weight = count * fitted * (1 - fitted) + 1e-9
        gradient = terms @ (count * (wrong - fitted)) - np.array([0.0, at[1]])
        step = np.linalg.solve((terms * weight) @ terms.T + np.eye(2), np.clip(gradient, -1e12, 1e12))
        before = loss(at)
        while loss(at + step) > before and np.abs(step).max() > TINY:
            step = step / 2
        at = at + step
    if at[1] < STEEPEST:
        fitted = expit(at[0] + STEEPEST * sureness)
        step = count @ (wrong - fitted) / max(count @ (fitted * (1 - fitted)), 1e-3)
        at = np.array([at[0] + np.clip(step, -2, 2), STEEPEST])
    return float(np.clip(at[0], -12, 6)), float(np.clip(at[1], STEEPEST, -STEEPEST))


def _sureness(truth: np.ndarray) -> np.ndarray:
    """Log-odds of the class that is named: shape (N, K) -> (N,)."""
    top = truth.max(axis=1)
    return np.log((top + 1e-6) / (1 - top + 1e-6))


def _confusion(posterior: np.ndarray, labels: np.ndarray, even: np.ndarray) -> np.ndarray:
    """Expected share of each wrong label per true class, drawn towards evenness where there are few: shape (K, K)."""
    order = np.argsort(labels, kind="stable")
    present, starts = np.unique(labels[order], return_index=True)
    counts = np.zeros(even.shape)
    counts[:, present] = np.add.reduceat(posterior[order], starts, axis=0).T
    np.fill_diagonal(counts, 0)
    counts += PSEUDO * even
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), TINY)


def _bias(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """What to add so that every class is named at least half as often as it is given: rare ones are not, by many
    networks. Shape (K,), 0 for classes that are named often enough.
    """
    given = np.bincount(labels, minlength=logits.shape[1]) / 2
    bias = np.zeros(logits.shape[1])
    for _ in range(100):
        named, before = _softmax(logits + bias).sum(axis=0), bias
        bias = np.maximum(bias + 0.5 * np.log(np.maximum(given, 1) / np.maximum(named, 1)), 0)
        if np.abs(bias - before).max() < 1e-3:
            break
    return bias


def _agreement(repeats: np.ndarray) -> float:
    """Sharpness with which the first repetition predicts what the others call most probable."""
    logs = np.log(np.maximum(repeats[0], TINY))
    found = []
    for said in repeats[1:].argmax(axis=2):

        def loss(power: float, said: np.ndarray = said) -> float:
            logits = np.exp(power) * logs
            return float((_log_sum(logits) - logits[np.arange(len(said)), said]).mean())

        found.append(scipy.optimize.minimize_scalar(loss, bounds=LIMITS, method="bounded", options={"xatol": 0.01}).x)
    return float(np.exp(np.mean(found)))


def _as_often_right(probs: np.ndarray, first: np.ndarray, sharpness: float) -> float:
    """Sharpness with which `probs` say that `first` is right as often as `first` says so itself with its sharpness.

    What repetitions say together cannot be asked directly. Networks that learned soft labels have met each image's own
    label in those of similar images, and so agree with wrong labels too often; and they are better than the first ones,
    which therefore disagree with them where they are right. probs, first: shape (N, K).
    """
    named = (np.arange(len(first)), first.argmax(axis=1))
    wanted = _softmax(sharpness * np.log(np.maximum(first, TINY)))[named].mean()
    logs = np.log(np.maximum(probs, TINY))

    def miss(power: float) -> float:
        return float(abs(_softmax(np.exp(power) * logs)[named].mean() - wanted))

    return float(
        np.exp(scipy.optimize.minimize_scalar(miss, bounds=LIMITS, method="bounded", options={"xatol": 0.01}).x)
    )


def _most_likely(probs: np.ndarray, labels: np.ndarray) -> tuple[float, bool]:
    """Sharpness with which the labels are most likely, errors included; and whether to learn which class is taken for
    which.

    K (K - 2) shares fit whatever labels there are: 189 labels of 8 classes, 7 of them wrong, came out as 64 % wrong
    beside networks that knew next to nothing. They have to make the labels likelier by a factor of e each (Akaike 1974,
    "A New Look at the Statistical Model Identification").
    """
    classes = probs.shape[1]
    (power, loss), (alone, alike) = (_likeliest(probs, labels, in_pairs) for in_pairs in (True, False))
    in_pairs = alike - loss > classes * (classes - 2)
    return (power, True) if in_pairs else (alone, False)


def _likeliest(probs: np.ndarray, labels: np.ndarray, in_pairs: bool) -> tuple[float, float]:
    """The sharpness with which the labels are most likely, and the negative logarithm of how likely that is, the prior
    of `USUAL` included."""

    def loss(power: float) -> float:
        noise = _fit(probs, labels, float(np.exp(power)), steps=15, in_pairs=in_pairs)
        truth = noise.truth(probs)
        joint = truth * noise.likelihood(truth, labels)
        likely = np.maximum(joint.sum(axis=1), TINY)
        right = joint[np.arange(len(labels)), labels] / likely
        return float(-np.log(likely).sum() + (1 - right.mean()) / USUAL)

    found = scipy.optimize.minimize_scalar(loss, bounds=LIMITS, method="bounded", options={"xatol": 0.02})
    return float(np.exp(found.x)), float(found.fun)


def _softmax(logits: np.ndarray) -> np.ndarray:
    return np.exp(logits - _log_sum(logits)[:, None])


def _log_sum(logits: np.ndarray) -> np.ndarray:
    highest = logits.max(axis=1)
    return highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1))


def soft_labels(noise: Noise, probs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """What to train on in place of the labels: how probable each class is, given prediction and label.

    probs: shape (N, K). labels: shape (N,), -1 for unlabelled. Returns: shape (N, K), float32, rows sum to 1; of an
    unlabelled image, what the networks say.
    """
    soft = noise.truth(probs.astype(np.float64))
    rows = np.flatnonzero(labels >= 0)
    soft[rows] = noise.posterior(soft[rows], labels[rows])
    return soft.astype(np.float32)
