"""A proof in the report: its steps, its runs compared with each other alone, and a line for a damaged one."""

import re

import numpy as np
import pandas as pd
import pytest

from curate import report, verbs
from curate.errors import UserError
from curate.results import interval, paired, proof
from curate.workspace import Workspace
from tests.report.made import EVIL, decide, make, train
from tests.report.seen import Page, sections, written


def prove(workspace: Workspace, *, at_all_times: bool = False, name: str = "without-dark", notes: str = "") -> None:
    """A proof as `curate prove` leaves it, of the runs prove-raw, prove-curated and one that leaves a step out."""
    counts = {"raw": [24, 25, 24], "curated": [28, 27, 28], name: [26, 27, 25]}  # right, of 30 cats
    right = {each: np.arange(30) < np.array(of_seeds)[:, None] for each, of_seeds in counts.items()}
    arms = [
        proof.ArmScore(
            name=each,
            run=f"prove-{each}",
            says=f"{each} set",
            images=90,
            right_labels=None if each == "raw" else 0.925,
            seeds=(0, 1, 2),
            accuracy=interval.score(of_seeds.mean(1).tolist()),
            leak_free=interval.score(of_seeds.mean(1).tolist()),
            seconds=9.0,
            images_seen=270,
        )
        for each, of_seeds in right.items()
    ]
    compared = []
    for step, before, count in (("curated", "raw", 12), (name, name, 1)):
        change = right["curated"].astype(np.int8) - right[before].astype(np.int8)
        found = paired.difference(change, at_all_times=at_all_times)
        compared.append(proof.Compared(step, f"worth of {step}", before, "curated", count, found, found))
    made = proof.Proof(
        config={},
        hardware="CPU",
        arms=tuple(arms),
        compared=tuple(compared),
        split=proof.Split(0.06, 0.04),
        gap_closed=0.75,
        test_images=30,
        leak_free_images=28,
        stopped="seeds",
        precision=None,
        seeds_needed=None,
        notes=(notes,) if notes else (),
    )
    for each, of_seeds in right.items():
        train(workspace, f"prove-{each}", of_seeds.mean(1).tolist(), ["cat", "dog"])
        table = pd.DataFrame({"image_id": [f"cat/{number}" for number in range(30)], "label": "cat"})
        table = table.assign(**{f"seed-{seed}": np.where(of_seeds[seed], "cat", "dog") for seed in range(3)})
        table.to_parquet(workspace.root / "runs" / f"prove-{each}" / "predicted.parquet")
    (workspace.root / proof.PROOF).write_text(proof.as_json(made))
    kinds = {"raw": "raw", "curated": "curated"}
    with workspace.writing("prove", {"runs": {f"prove-{each}": kinds.get(each, "other") for each in right}}):
        pass


def test_a_proof_of_another_set_is_no_headline(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"])
    decide(workspace, [{"image_id": "set/0.png", "action": "drop"}])
    verbs.apply(workspace, include_test=False)
    prove(workspace)
    assert "points of accuracy by curating" in written(workspace).text
    workspace.path("decisions.csv").write_text("image_id,action\nset/1.png,drop\n")
    told = written(workspace).text
    assert "The set has changed since this was proven" in told
    assert "points of accuracy by curating" not in told


@pytest.mark.parametrize("at_all_times", [False, True])
def test_a_proof_is_shown_with_its_steps(tmp_path, at_all_times):
    workspace = make(tmp_path / "ws", ["cat", "dog"])
    prove(workspace, at_all_times=at_all_times, notes="two steps are one")
    page = written(workspace)
    assert sections(page) == {"overview", "proof", "worth", "history"}
    text = " ".join(page.text.split())
    for words in (
        "Curated minus raw: +11.11 ±",
        "two steps are one",
        "worth of without-dark 1 image",
        "better with probability",
        "92.5",
        "Trained 9 networks for 27 s on 810 images in all, on CPU",
    ):
        assert words in text, words
    proven = re.findall(r"worth of curated 12 images \+11\.11 \((.*?)\)", text)
    assert proven == re.findall(r"Single view \+11\.11 \((.*?)\)", text)  # the section and the comparison agree
    assert len(proven) == 1
    assert text.count("against prove-raw") == 1
    assert "has changed since" not in text
    decide(workspace, [{"image_id": "set/0.png", "action": "drop"}])
    verbs.apply(workspace, include_test=False)
    assert "has changed since this was proven" in written(workspace).text


def test_arms_of_a_proof_are_compared_with_each_other_alone(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"])
    train(workspace, "curated-a", [0.9, 0.9, 0.91], ["cat", "dog"])
    train(workspace, "raw-a", [0.8, 0.81, 0.8], ["cat", "dog"])
    prove(workspace)
    text = " ".join(written(workspace).text.split())
    assert re.findall(r"(\S+-\S+) against (\S+)", text) == [("prove-curated", "prove-raw"), ("curated-a", "raw-a")]
    drawn = text[text.index("All runs") : text.index("What was trained Run")]
    assert "prove-raw" in drawn
    assert "prove-without-dark 8" not in drawn  # it is one of the steps above


def test_a_proof_with_hostile_names(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"])
    prove(workspace, name=f"without-{EVIL}".replace("/", "|"), notes=EVIL)
    html = report.write(workspace).read_text(encoding="utf-8")
    assert "<script" not in html
    assert EVIL in Page(html).text


def test_a_damaged_proof_is_named(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"])
    workspace.path(proof.PROOF).write_text("{}")
    with pytest.raises(UserError, match=r"proof\.json cannot be read"):
        report.write(workspace)
