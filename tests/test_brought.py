"""Predictions of another program: taken over from a table, used by the finders, and refused where they are none."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from curate import brought, predictions, scans, verbs
from curate.engine import Local
from curate.errors import UserError
from curate.ingest.add import add
from curate.workspace import FINDINGS, MANIFEST, Workspace, read_table
from tests.command import invoke, run
from tests.conftest import write_digits

ROOT = Path(__file__).parents[1]


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    """300 digits, an 8 of them filed as a 1, and one that cannot be decoded."""
    write_digits(tmp_path / "photos", 300)
    eight = sorted((tmp_path / "photos" / "train" / "8").glob("*.png"))[0]
    eight.rename(tmp_path / "photos" / "train" / "1" / "wrong.png")
    (tmp_path / "photos" / "train" / "0" / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    made = Workspace(tmp_path / "ws")
    add(made, tmp_path / "photos")
    return made


def test_the_way_that_the_docs_show(ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "predictions.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    code = page.split("```python\n")[1].split("```")[0]
    exec(compile(code, "docs/predictions.md", "exec"), {"embed": lambda image: image.mean(axis=2).ravel() / 255})
    command = ["predict", "ws", "--from", "probabilities.csv", "--embeddings", "embeddings.npy"]
    assert " ".join(["curate", *command]) in page
    told = run(*command)
    trained = read_table(ws.path(MANIFEST)).query("split == 'train' and error == ''")
    assert f"{len(trained)} images have predictions for 10 classes." in told
    scanned = verbs.scan(ws, only=None, settings={}, engine=Local())
    assert scanned.not_run == []
    worst = verbs.list_findings(ws, finder="label_error", flagged_only=False).table.iloc[0]
    assert (worst["image_id"].split("/")[-1], worst["suggested_label"]) == ("wrong.png", "8")
    assert "outlier" in set(read_table(ws.path(FINDINGS))["finder"])
    assert scans.stale(ws, ["label_error"], scans.of(ws)) == []


def table(ws: Workspace) -> pd.DataFrame:
    """Even probabilities for all images, and a row of an image that is not there."""
    ids = [*read_table(ws.path(MANIFEST))["image_id"], "of another set"]
    return pd.DataFrame({"image_id": ids, **{str(digit): 0.1 for digit in range(10)}})


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_without_embeddings_and_with_rows_of_other_images(ws: Workspace, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"probs.{ending}"
    table(ws).to_csv(path, index=False) if ending == "csv" else table(ws).to_parquet(path, index=False)
    told = invoke("predict", ws.root, "--from", path, "--json")
    count = len(read_table(ws.path(MANIFEST))) - 1  # one cannot be decoded
    said = json.loads(told.stdout)
    assert (said["images"], said["classes"]) == (count, 10)
    assert "2 rows are of no image" in told.stderr
    images = read_table(ws.path(MANIFEST))
    found = predictions.read(ws, images)
    assert found.present.sum() == count
    assert np.isnan(found.embeddings).all()
    verbs.scan(ws, only=["label_error", "outlier"], settings={}, engine=Local())
    assert set(read_table(ws.path(FINDINGS))["finder"]) == {"label_error"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda rows: rows.drop(columns="image_id"), "column 'image_id' is missing"),
        (lambda rows: rows.drop(columns=["8", "9"]), "has no column for 2 classes: '8', '9'"),
        (lambda rows: rows.assign(**{"3": 0.7}), "line 2: the sum is 1.6; probabilities are from 0 to 1"),
        (lambda rows: rows.assign(**{"3": -0.1, "4": 0.3}), "line 2: '3' is -0.1; probabilities"),
        (lambda rows: rows.assign(idx=1), r"line 2: the sum is 2; .*; 'idx' of its columns is no class here"),
        (lambda rows: rows.assign(**{"3": "much"}), "line 2: '3' is 'much', which is no number"),
        (lambda rows: rows.assign(**{"3": ""}), "line 2: '3' is '', which is no number"),
        (lambda rows: pd.concat([rows, rows.iloc[:1]]), "stands twice"),
        (lambda rows: rows.iloc[-1:], "no image_id is one of"),
    ],
)
def test_what_is_no_table_of_probabilities(
    ws: Workspace, tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame], says: str
) -> None:
    change(table(ws)).to_csv(tmp_path / "probs.csv", index=False)
    with pytest.raises(UserError, match=says):
        brought.bring(ws, tmp_path / "probs.csv")
    assert not predictions.exists(ws)
    assert [entry.command for entry in ws.ledger()] == ["add"]


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (np.zeros((3, 2), np.float32), r"holds \(3, 2\); embeddings are floating-point numbers of shape \(301, D\)"),
        (np.zeros((301, 2), np.int64), "embeddings are floating-point"),
        (np.zeros((301, 0)), r"holds \(301, 0\); embeddings are"),
        (np.where(np.arange(602).reshape(301, 2) == 7, np.inf, 0), "row 3: inf among the numbers; give finite"),
        (np.where(np.arange(602).reshape(301, 2) == 7, np.nan, 0), "row 3: nan among the numbers; give finite"),
        (np.full((301, 2), 1e300), "row 0: inf among the numbers"),
        (np.array([{}], dtype=object), "cannot be read as .npy"),
        (None, "cannot be read as .npy"),
        (b"", "cannot be read as .npy: No data left in file"),
        (b"PK\x03\x04 cut off", "cannot be read as .npy: File is not a zip file"),
    ],
)
def test_what_are_no_embeddings(ws: Workspace, tmp_path: Path, written: np.ndarray | bytes | None, says: str) -> None:
    table(ws).iloc[:301].to_csv(tmp_path / "probs.csv", index=False)
    if isinstance(written, bytes):
        (tmp_path / "seen.npy").write_bytes(written)
    elif written is not None:
        np.save(tmp_path / "seen.npy", written, allow_pickle=True)
    with pytest.raises(UserError, match=says):
        brought.bring(ws, tmp_path / "probs.csv", tmp_path / "seen.npy")
    assert not predictions.exists(ws)


def test_a_damaged_table_is_named(ws: Workspace, tmp_path: Path) -> None:
    """Or read, where the damage lies in what nobody asks for."""
    table(ws).to_parquet(tmp_path / "probs.parquet", index=False)
    whole = (tmp_path / "probs.parquet").read_bytes()
    named = 0
    for start in range(0, len(whole), len(whole) // 20):
        (tmp_path / "probs.parquet").write_bytes(whole[:start] + bytes([255] * 64) + whole[start + 64 :])
        try:
            brought._read(tmp_path / "probs.parquet")
        except UserError as error:
            named += "probs.parquet" in str(error)
    assert named > 5


def test_what_is_taken_as_it_is_meant(ws: Workspace, tmp_path: Path) -> None:
    rows = (
        table(ws).iloc[:301].assign(**{"3": -1e-9, "4": 0.2, "Z": 0.0})[["image_id", "Z", *map(str, range(9, -1, -1))]]
    )
    rows.set_index("image_id").to_parquet(tmp_path / "P.PARQUET")
    seen = np.ones((301, 2))
    seen[5] = np.nan
    np.save(tmp_path / "seen.npy", seen)
    done = brought.bring(ws, tmp_path / "P.PARQUET", tmp_path / "seen.npy")
    assert [warning for warning in done.warnings if "is a class that no image has ('Z')" in warning]
    found = predictions.read(ws, read_table(ws.path(MANIFEST)))
    assert found.classes == [*map(str, range(10)), "Z"]
    assert (found.pred_probs[found.present][:, 3] == 0).all()


def test_what_the_file_lacks_is_told_so(ws: Workspace, tmp_path: Path) -> None:
    table(ws).iloc[20:].to_csv(tmp_path / "probs.csv", index=False)
    brought.bring(ws, tmp_path / "probs.csv")
    told = verbs.scan(ws, only=["dark"], settings={}, engine=Local()).warnings
    (lacking,) = [warning for warning in told if "have no prediction" in warning]
    assert lacking.endswith("probs.csv has no row of them, or they have changed since")


def test_options_of_a_training_are_refused(ws: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="trains nothing; leave --folds, --workers out"):
        run("predict", ws.root, "--from", tmp_path / "probs.csv", "--workers", "2", "--folds", "3")


def test_a_file_that_is_none(ws: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no file; name a CSV or Parquet file"):
        brought.bring(ws, tmp_path / "nothing.csv")
    (tmp_path / "probs.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        brought.bring(ws, tmp_path / "probs.parquet")
    with pytest.raises(UserError, match="--embeddings belongs to predictions that come --from a file"):
        run("predict", ws.root, "--embeddings", "x.npy")
