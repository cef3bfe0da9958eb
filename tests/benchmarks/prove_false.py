"""How often `curate prove` says "better" or "worse" where nothing was changed that matters: digits at smoke size.

In each of 100 trials a workspace of 160 digits has one training image dropped, another one each time: to a network that
is no difference, but its training takes another course. `prove` is asked twice: with five seeds, and with as many as it
takes until it says that the answer is clear (ten at most), which goes on with the seeds there are.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from scipy import stats

from curate import deciding, tables, verbs
from curate.ingest.add import add
from curate.layouts import Options
from curate.results.proof import Proof
from curate.workspace import Workspace
from tests.benchmarks import label_sets
from tests.benchmarks.record import earlier, record
from train.prove import prove

TRIALS, SEEDS, IMAGES = 100, 5, 16
"""Trials, seeds of the fixed rule, training images of each of the ten digits."""
SETTINGS = {"image_size": 16, "flip": False, "pad": 1, "epochs": 2, "device": "cpu"}


def run(arguments: list[str] | None = None) -> None:
    """A trial takes about ten seconds of a core; those that were finished before are kept."""
    asked = argparse.ArgumentParser(prog="python -m tests.benchmarks.prove_false", description=__doc__)
    asked.add_argument("--trials", type=int, default=TRIALS)
    trials = asked.parse_args(arguments or []).trials
    figures = earlier("prove_false")
    done = list(figures.get("trials", []))
    torch.set_num_threads(1)
    for number in range(len(done), trials):
        with tempfile.TemporaryDirectory() as folder:
            done.append(trial(Path(folder), number))
        print(f"trial {number}: {done[-1]}", file=sys.stderr, flush=True)
        if (number + 1) % 5 == 0 or number + 1 == trials:
            record("prove_false", "handwritten digits, 160 training and 355 test images of 16 px", summed_up(done))


def trial(folder: Path, number: int) -> dict[str, dict[str, object]]:
    """One workspace, by both rules."""
    root, table = label_sets.files("digits")
    place = table.groupby(["split", "label"]).cumcount()
    ws = Workspace(folder)
    table[(table["split"] == "test") | (place < IMAGES)].to_csv(folder / "labels.csv", index=False)
    add(ws, folder / "labels.csv", layout="csv", name="digits", split=None, options=Options(root=root))
    images = tables.read_manifest(ws)
    train = images["image_id"][images["split"] == "train"]
    gone = train.iloc[np.random.default_rng(number).integers(len(train))]
    (folder / "gone.csv").write_text(f"image_id,action\n{gone},drop\n")
    deciding.import_decisions(ws, folder / "gone.csv", "nobody")
    verbs.apply(ws, include_test=False)
    return {"fixed": said(prove(ws, settings=SETTINGS, seeds=SEEDS)), "sequential": said(prove(ws, settings=SETTINGS))}


def said(found: Proof) -> dict[str, object]:
    """The answer, and after how many seeds."""
    main = found.main.accuracy
    return {"verdict": main.verdict, "seeds": len(main.values), "mean": main.mean, "half_width": main.half_width}


def summed_up(trials: list[dict[str, dict[str, object]]]) -> dict[str, object]:
    """Shares of wrong answers with the 95 % interval of Clopper and Pearson 1934."""
    figures: dict[str, object] = {"trials": trials, "n": len(trials)}
    for rule in ("fixed", "sequential"):
        verdicts = [each[rule]["verdict"] for each in trials]
        for verdict in ("better", "worse"):
            count = verdicts.count(verdict)
            low = stats.beta.ppf(0.025, count, len(trials) - count + 1) if count else 0.0
            high = stats.beta.ppf(0.975, count + 1, len(trials) - count) if count < len(trials) else 1.0
            share = count / len(trials)
            figures[f"{rule}_{verdict}"] = {"share": share, "low": float(low), "high": float(high)}
        figures[f"{rule}_seeds"] = float(np.mean([each[rule]["seeds"] for each in trials]))
    return figures
