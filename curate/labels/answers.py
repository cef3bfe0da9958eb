"""What people's decisions say about the labels that `label_error` doubts, and the probabilities set right by them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from curate.decisions import POLICY
from curate.labels import threshold
from curate.labels.threshold import Calibration

LABEL_ERROR = "label_error"


@dataclass(frozen=True)
class Answers:
    """Labels that people decided on."""

    count: int
    wrong: int
    """How many of these labels were wrong."""
    expected: float
    """How many were expected to be, by the probabilities of the scan."""


def answered(decisions: pd.DataFrame, findings: pd.DataFrame, images: pd.DataFrame | None = None) -> pd.DataFrame:
    """A row for each label that people decided on: `image_id`, `wrong`, and `probability`, the finder's that it is.

    `keep` says that a label is right; `relabel`, and a `drop` because of `label_error`, that it is wrong. A `drop`
    because of other finders says nothing. Labels that `label_error` has no finding of are left out: it takes them for
    certainly right. images: the manifest; with it, a `relabel` to the label that the image has counts as `keep`, and
    what is said of images without a label is left out.
    """
    said = decisions[(decisions["by"] != POLICY).to_numpy(bool)]
    found = findings.loc[findings["finder"] == LABEL_ERROR, ["image_id", "score"]]
    said = said.merge(found[found["image_id"].isin(said["image_id"])], on="image_id")
    relabelled = said["action"] == "relabel"
    if images is not None:
        given = said["image_id"].map(images[images["image_id"].isin(said["image_id"])].set_index("image_id")["label"])
        said = said[given != ""].reset_index(drop=True)
        given, relabelled = (each[given != ""].reset_index(drop=True) for each in (given, relabelled))
        relabelled = relabelled & (said["label"] != given)
    named = np.array([LABEL_ERROR in because.split(";") for because in said["because"]], bool)
    dropped = said["action"] == "drop"
    table = pd.DataFrame(
        {
            "image_id": said["image_id"],
            "wrong": (relabelled | dropped).astype(bool),
            "probability": 1 - said["score"].astype(np.float64),
        }
    )
    return table[~dropped | named].reset_index(drop=True)


def calibrate(
    findings: pd.DataFrame, decisions: pd.DataFrame, images: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, Calibration]:
    """The findings with the probabilities of `label_error` set right by people's answers, and the calibration.

    A label that people decided on is wrong with probability 0 or 1. `suggested_prob` changes in the proportion in which
    the probability that the label is wrong does. What is `flagged`, and the rows of other finders, stay. Scores that
    are no probabilities (`method="confident_learning"`) become such as far as a shift and a slope can make them.
    """
    said = answered(decisions, findings, images)
    calibration = threshold.learn(said["probability"].to_numpy(np.float64), said["wrong"].to_numpy(bool))
    if not len(said):
        return findings, calibration
    mine = (findings["finder"] == LABEL_ERROR).to_numpy(bool)
    score, suggested = (findings[name].to_numpy(copy=True) for name in ("score", "suggested_prob"))
    before = 1 - score[mine].astype(np.float64)
    after = calibration.apply(before)
    position = pd.Index(said["image_id"]).get_indexer(pd.Index(findings["image_id"][mine]))
    after[position >= 0] = said["wrong"].to_numpy(bool)[position[position >= 0]]
    share = np.divide(after, before, out=np.zeros_like(after), where=before > 0)
    score[mine] = 1 - after
    suggested[mine] = np.minimum(suggested[mine] * share, after)
    return findings.assign(score=score, suggested_prob=suggested), calibration


def counted(said: pd.DataFrame) -> Answers:
    """The answers in figures. said: as `answered` gives them."""
    return Answers(len(said), int(said["wrong"].sum()), float(said["probability"].sum()))
