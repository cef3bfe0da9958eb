"""A small part of the corpus, given to the real commands; the whole is `python -m tests.benchmarks hostile_input`."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from curate.engine import CRASHED
from tests.conftest import write_tree
from tests.hostile.markup import harm
from tests.hostile.names import MARK, NAMES
from tests.hostile.trial import run, totals

FAMILIES = ["no-content", "claimed-sizes", "image-bombs", "folders"]


def test_a_part_of_the_corpus(tmp_path: Path) -> None:
    trial = run(tmp_path / "hostile", families=FAMILIES, most=6)
    assert [line for family in trial.families.values() for line in family.crashed] == []
    assert (trial.code_run, trial.outside, trial.harm) == (0, [], [])
    assert {"folders/report.html", "folders/review.html"} <= set(trial.marked)
    for name in FAMILIES[:3]:
        family = trial.families[name]
        assert family.decoded + family.corrupt == family.files
    sums = totals(trial)
    assert sums["lost"] == 0
    assert sums["peak_mb"] < 600  # pandas, Arrow and OpenCV take 150; an image of the corpus claims 11 GB


CRASHES = """
import os, signal
import cv2
decode = cv2.imdecode
def crash(data, flags):
    if data.tobytes().endswith(b"crash"):
        os.kill(os.getpid(), signal.SIGSEGV)
    return decode(data, flags)
cv2.imdecode = crash
"""
"""What Python runs before anything else: a decoder with a bug that one image meets."""
VERBS = """
import sys
if __name__ == "__main__":
    from curate.cli import app
    for line in sys.argv[1:]:
        app(line.split(), standalone_mode=False)
"""


def test_a_decoder_that_crashes_is_a_finding(tmp_path: Path) -> None:
    photos = write_tree(tmp_path / "photos", ["cat/1.png", "cat/2.png", "dog/1.png"])
    with (photos / "cat/2.png").open("ab") as file:
        file.write(b"crash")
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(CRASHES)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(Path(__file__).parents[2])])}
    (tmp_path / "verbs.py").write_text(VERBS)
    verbs = ["add ws photos --workers 2", "scan ws --workers 1 --only corrupt", "report ws"]
    command = [sys.executable, "verbs.py", *verbs]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    rows = pd.read_parquet(tmp_path / "ws/manifest.parquet").set_index("image_id")
    assert rows["error"].to_dict() == {"photos/cat/1.png": "", "photos/cat/2.png": CRASHED, "photos/dog/1.png": ""}
    assert rows["content_hash"]["photos/cat/2.png"]
    found = pd.read_parquet(tmp_path / "ws/findings.parquet")
    assert found[["image_id", "finder", "detail"]].to_numpy().tolist() == [["photos/cat/2.png", "corrupt", CRASHED]]
    assert CRASHED in (tmp_path / "ws/report.html").read_text()


@pytest.mark.parametrize("name", [name for name in NAMES if MARK in name])
def test_the_trial_sees_what_is_not_escaped(name: str) -> None:
    """Of the names that are markup; those of templates and of links act elsewhere."""
    acts = name.replace("|", "/")
    if acts.startswith(("<", '"')):
        assert harm(f'<p title="{acts}">{acts}</p>')
    assert harm(f'<p title="x">{acts.replace("&", "&amp;").replace("<", "&lt;")}</p>') == []
