"""The labels: how many are wrong, how far that can be trusted, and whether it fits what people and networks say."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from curate import manifest, predictions, tables, verbs
from curate.labels import answers, label_noise
from curate.labels.threshold import Cut, moved
from curate.results.interval import share_interval
from curate.workspace import FINDINGS, Workspace

BINS = 10
"""Of equal size: Naeini et al. 2015, "Obtaining Well Calibrated Probabilities Using Bayesian Binning"."""
FEWEST = 20
"""Answers in a bin, at least; with fewer of them there are fewer bins."""


@dataclass(frozen=True)
class Bin:
    """Images of about the same probability: what was expected of them, and what was seen. 0 to 1."""

    count: int
    expected: float
    observed: float
    low: float
    """Limits in which the true share lies in 95 of 100 cases."""
    high: float


@dataclass(frozen=True)
class Labels:
    """What is expected of the labels in training that were judged."""

    expected: Cut
    answers: int
    """People's decisions on labels; they have set the probabilities right."""
    answered: list[Bin]
    """Of the labels that people decided on: the probability that each is wrong, as it was before, and how many were."""
    agreement: list[Bin]
    """Of all labels in training: the probability that the label is the class that the networks name, and how many
    labels are. It needs no truth, so it can be told for every set."""

    @property
    def moved(self) -> bool:
        """See `curate.labels.threshold.moved`."""
        return moved(self.expected, self.answers)


def labels(workspace: Workspace, images: pd.DataFrame, decisions: pd.DataFrame) -> Labels | None:
    """Gather the section; None where `label_error` was not run, or without probabilities."""
    if not workspace.has(FINDINGS):
        return None
    listed = verbs.list_findings(workspace, finder=answers.LABEL_ERROR, flagged_only=True)
    if listed.expected is None:
        return None
    said = answers.answered(decisions, tables.read_findings(workspace), images)
    return Labels(
        listed.expected,
        listed.answers,
        bins(said["probability"].to_numpy(np.float64), said["wrong"].to_numpy(bool), fewest=FEWEST),
        _agreement(workspace, images),
    )


def bins(expected: np.ndarray, happened: np.ndarray, *, fewest: int = 1) -> list[Bin]:
    """Up to `BINS` bins of equal size, least probable first. expected, happened: shape (N,), probability and bool."""
    parts = np.array_split(np.argsort(expected, kind="stable"), max(1, min(BINS, len(expected) // fewest)))
    found = []
    for part in parts:
        if not len(part):
            continue
        right, count = int(happened[part].sum()), len(part)
        low, high = share_interval(right, count)
        found.append(Bin(count, float(expected[part].mean()), right / count, low, high))
    return found


def _agreement(workspace: Workspace, images: pd.DataFrame) -> list[Bin]:
    """How often labels are what the networks name, as the model of the labels has it and as it is."""
    if not predictions.exists(workspace):
        return []
    rows = manifest.training(images).reset_index(drop=True)
    found = predictions.read(workspace, rows)
    codes = manifest.label_codes(rows, found.classes)
    known = found.present & (codes >= 0)
    given, probs = codes[known], found.pred_probs[known].astype(np.float64)
    repeats = found.pred_probs[None, known] if found.repeats is None else found.repeats[:, known]
    if len(np.unique(given)) < 2:
        return []
    noise = label_noise.fit(repeats, given, probs)
    truth = noise.truth(probs)
    named = truth.argmax(axis=1)
    return bins((truth * noise.likelihood(truth, named)).sum(axis=1), named == given)
