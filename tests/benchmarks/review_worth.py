"""What an hour of looking is worth: a reviewer who knows the truth, asked by our queue and by cleanlab's ranking.

`python -m tests.benchmarks.review_worth [SET …]` simulates answers on sets whose true labels are known (`worse`: the
labels of one person each in CIFAR-10N, 40.2 % wrong). An answer is a key press, and the reviewer gives each image its
true label:

* `cleanlab`: worst first by cleanlab's self-confidence, an image an answer; the same probabilities as ours.
* `single`: our queue, an image an answer.
* `grouped`: our queue as the sheet and the App show it. A cluster takes one key where most of it needs the same verdict
  (its suggestions are right, or its labels are), and one for each image that needs another or was marked odd.

`mended` is the share of all wrong labels that the answers made right. `left_wrong` is the share of wrong labels in the
curated set, once the policy has read the answers and acted on the rest.
"""

import argparse
import sys

import numpy as np
import pandas as pd
from cleanlab.rank import get_label_quality_scores

from curate import apply, decisions, predictions, recipe, tables
from curate.labels import answers
from curate.manifest import label_codes
from curate.policy import apply_rules
from curate.review import asking
from curate.workspace import Workspace
from tests.benchmarks import label_errors, label_sets
from tests.benchmarks.record import circumstances, earlier, record, signals_of

BUDGETS = (100, 300, 1000, 3000)
"""Answers."""
ASKED = 1.3
"""Times as many labels mended as by cleanlab's ranking: what was to be reached after 1,000 answers."""


def run(arguments: list[str] | None = None) -> None:
    """Results of one set are kept should the next fail."""
    asked = argparse.ArgumentParser(prog="python -m tests.benchmarks.review_worth", description=__doc__)
    asked.add_argument("sets", nargs="*", default=["worse"], metavar="SET")
    asked.add_argument("--planted", type=float, default=0.0, help="share of labels to make wrong on top")
    asked.add_argument("--kind", default="uniform", choices=label_sets.KINDS, help="which labels these take")
    given = asked.parse_args(arguments or [])
    for name in given.sets:
        ws = label_sets.workspace(name, planted=given.planted, kind=given.kind)
        label_errors.measure(ws, profile="quick", settings=label_sets.SETTINGS.get(name, {}))
        figures = earlier("review_worth")
        signals = signals_of("label_error")
        figures[ws.root.name] = measure(ws) | {"measured": circumstances(signals)}
        record("review_worth", "simulated answers by the true labels", figures, signals=signals)


def measure(ws: Workspace) -> dict[str, object]:
    """All ways of asking, at each number of answers."""
    rows, true = label_sets.truth(ws)
    truth = dict(zip(rows["image_id"], true, strict=True))
    given = dict(zip(rows["image_id"], rows["label"], strict=True))
    wrong = sum(given[image_id] != truth[image_id] for image_id in truth)
    table = asking.asked(ws, "simulated").table
    table = table[(table["kind"] == "labels") & table["asked"]]
    ways = {
        "cleanlab": [[image_id] for image_id in worst_first(ws, rows)],
        "single": [[image_id] for image_id in table.sort_values("gain", ascending=False, kind="stable")["image_id"]],
        "grouped": grouped(table, truth),
    }
    found = {
        name: [outcome(ws, acts[:budget], budget, truth, given, wrong) for budget in BUDGETS]
        for name, acts in ways.items()
    }
    by_cleanlab = {row["answers"]: row["mended"] for row in found["cleanlab"]}
    for name, outcomes in found.items():
        for row in outcomes:
            row["times_cleanlab"] = row["mended"] / by_cleanlab[row["answers"]] if name != "cleanlab" else 1.0
    return {
        "images": len(rows),
        "wrong": wrong,
        "asked": len(table),
        "clusters": int(table["cluster"].nunique()),
        "odd": odd_ones(table, truth),
        "left_wrong_by_policy_alone": left_wrong(ws, {}, truth),
        "ways": found,
    }


def worst_first(ws: Workspace, rows: pd.DataFrame) -> list[str]:
    """image_ids of the training set by cleanlab's score of label quality, worst first."""
    found = predictions.read(ws, rows)
    labels = label_codes(rows, found.classes)
    known = found.present & (labels >= 0)
    scores = get_label_quality_scores(labels[known], found.pred_probs[known].astype(np.float64))
    return rows["image_id"][known].iloc[np.argsort(scores, kind="stable")].to_list()


def grouped(table: pd.DataFrame, truth: dict[str, str]) -> list[list[str]]:
    """What each key press decides, cluster by cluster in the order of the queue."""
    acts: list[list[str]] = []
    for _, members in table.groupby("cluster", sort=False):
        verdicts = [
            "accept" if truth[image_id] == suggested else "keep" if truth[image_id] == given else "other"
            for image_id, suggested, given in zip(
                members["image_id"], members["suggested_label"], members["given_label"], strict=True
            )
        ]
        plain = ~members["odd"].to_numpy()
        same = {name: np.array([verdict == name for verdict in verdicts]) & plain for name in ("accept", "keep")}
        together = max(same.values(), key=lambda which: int(which.sum()))
        ids = members["image_id"].to_numpy(object)
        acts += [[image_id] for image_id in ids[~together]]  # singly first: the key for all leaves out what is decided
        if together.any():
            acts.append(list(ids[together]))
    return acts


def outcome(
    ws: Workspace, acts: list[list[str]], budget: int, truth: dict[str, str], given: dict[str, str], wrong: int
) -> dict[str, float]:
    """What `budget` key presses come to."""
    answered = [image_id for act in acts for image_id in act]
    mended = sum(given[image_id] != truth[image_id] for image_id in answered)
    said = {image_id: truth[image_id] for image_id in answered}
    return {
        "answers": budget,
        "looked_at": len(answered),
        "mended": mended / wrong,
        "mended_per_answer": mended / max(len(acts), 1),
        "left_wrong": left_wrong(ws, said, truth),
    }


def left_wrong(ws: Workspace, said: dict[str, str], truth: dict[str, str]) -> float:
    """Share of wrong labels among the training images that are left, once policy and answers are applied."""
    images = tables.read_manifest(ws)
    label = dict(zip(images["image_id"], images["label"], strict=True))
    people = pd.DataFrame(
        [
            (
                image_id,
                *(("keep", "") if name == label[image_id] else ("relabel", name)),
                "truth",
                answers.LABEL_ERROR,
                "",
                "",
            )
            for image_id, name in said.items()
        ],
        columns=list(decisions.COLUMNS),
        dtype="str",
    )
    found, _ = answers.calibrate(tables.read_findings(ws), people, images)
    decided = apply_rules(found, images, recipe.in_workspace(ws).policy, people, at="")
    curated = apply.apply(images, decided.decisions).table
    curated = curated[curated["split"] == "train"]
    return float(
        np.mean([name != truth[image_id] for image_id, name in zip(curated["image_id"], curated["label"], strict=True)])
    )


def odd_ones(table: pd.DataFrame, truth: dict[str, str]) -> dict[str, float]:
    """How often the suggestion is wrong among the images that were marked odd, and among the others."""
    missed = np.array([truth[i] != s for i, s in zip(table["image_id"], table["suggested_label"], strict=True)], float)
    odd = table["odd"].to_numpy()
    return {
        "count": int(odd.sum()),
        "suggestion_wrong": float(missed[odd].mean()) if odd.any() else 0.0,
        "others_suggestion_wrong": float(missed[~odd].mean()),
    }


if __name__ == "__main__":
    run(sys.argv[1:])
