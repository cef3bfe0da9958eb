"""A run's folder: complete, readable, and resumable."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from curate.cli.learn import describe
from curate.errors import UserError
from curate.images import content_hash, encode_png
from tests.train.digits import QUICK, digits
from train.checkpoint import Epoch
from train.evaluate import predict
from train.loop import train
from train.plots import confusion_matrix, learning_curve
from train.result import RunResult
from train.run import load_model, save_model, train_run

CONFIG = replace(QUICK, epochs=1, batch_size=16)
CLASSES = tuple("0123456789")
FILES = {
    "config.json",
    "metrics.jsonl",
    "model.safetensors",
    "learning_curve.png",
    "confusion.png",
    "predicted.parquet",
    "result.json",
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("digits")
    image_set = digits(90)
    files = [encode_png(np.ascontiguousarray(image)) for image in image_set.images.permute(0, 2, 3, 1).numpy()]
    for number, data in enumerate(files):
        (folder / f"{number}.png").write_bytes(data)
    return pd.DataFrame(
        {
            "image_id": image_set.image_ids,
            "path": [str(folder / f"{number}.png") for number in range(90)],
            "label": [CLASSES[label] for label in image_set.labels.tolist()],
            "content_hash": [content_hash(data) for data in files],
            "width": 16,
            "height": 16,
        }
    )


def run(rows: pd.DataFrame, folder: Path, **settings: object) -> RunResult:
    train_rows, eval_rows = rows[:60], rows[60:]
    return train_run(
        CONFIG, train_rows, eval_rows, folder, folder / "run", classes=CLASSES, data_hash="abc", **settings
    )  # type: ignore[arg-type]


def test_a_run_writes_its_folder(rows: pd.DataFrame, tmp_path: Path) -> None:
    result = run(rows, tmp_path, seeds=2, leak_free_ids=set(rows["image_id"][60:70]))
    folder = tmp_path / "run"
    assert {path.name for path in folder.iterdir()} == FILES
    written = json.loads((folder / "result.json").read_text())
    assert written["data_hash"] == "abc"
    assert written["config"]["image_size"] == 16
    assert written["accuracy"]["mean"] == pytest.approx(np.mean(result.accuracy.values))
    assert len(result.accuracy.values) == 2
    assert result.accuracy.half_width is not None
    assert result.accuracy_flip is None  # digits are not mirrored
    assert result.leak_free_images == 10
    predicted = pd.read_parquet(folder / "predicted.parquet")
    right = (predicted["seed-1"] == predicted["label"])[predicted["leak_free"]]
    assert right.mean() == pytest.approx(result.accuracy_leak_free.values[1])  # type: ignore[union-attr]
    assert np.sum(result.confusion) == 2 * 30
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["seed"] for line in lines] == [0, 1]
    saved = load_model(folder)
    assert saved.classes == CLASSES
    probs = predict(saved.model, digits(30, start=60).images).probs
    assert (probs.argmax(1) == digits(30, start=60).labels.numpy()).mean() == pytest.approx(result.accuracy.values[-1])


def test_where_every_test_image_leaks_it_is_said(rows: pd.DataFrame, tmp_path: Path) -> None:
    result = run(rows, tmp_path, leak_free_ids=())
    assert (result.accuracy_leak_free, result.leak_free_images) == (None, 0)
    lines = describe(result)
    assert [line for line in lines if "leaked" in line or "nan" in line] == []
    assert sum(line.startswith("Every test image has a twin in the training set") for line in lines) == 1
    assert "NaN" not in "".join(path.read_text() for path in (tmp_path / "run").glob("*.json*"))


@pytest.mark.parametrize(
    ("settings", "says"), [({}, "after 0.5 of 1 epochs."), ({"steps": 20}, "after 0.5 of 6.7 epochs.")], ids=str
)
def test_what_time_allowed_is_told_of_what_was_asked_for(
    rows: pd.DataFrame, tmp_path: Path, settings: dict[str, int], says: str
) -> None:
    """In batches of 16, 60 images are three steps of an epoch where steps are counted."""
    whole = run(rows, tmp_path)
    cut = replace(whole, config=replace(whole.config, **settings), epochs_done=(0.5,), cut_short=True)
    assert f"The time budget ended training {says}" in describe(cut)


def test_an_interrupted_run_resumes(rows: pd.DataFrame, tmp_path: Path) -> None:
    whole = run(rows, tmp_path / "whole", seeds=2)

    def stop(epoch: Epoch) -> None:
        if epoch.seed == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(rows, tmp_path, seeds=2, on_epoch=stop)
    assert not (tmp_path / "run" / "result.json").exists()
    trained = []
    resumed = run(rows, tmp_path, seeds=2, on_epoch=trained.append)
    assert trained == []  # both seeds had finished their only epoch
    assert resumed.accuracy == whole.accuracy


def test_weights_of_a_seed_that_is_not_asked_for_are_not_taken(rows: pd.DataFrame, tmp_path: Path) -> None:
    """A run of more seeds was ended when its last one had finished: its network is not that of the run of two."""

    def stop(epoch: Epoch) -> None:
        if epoch.seed == 1:
            raise KeyboardInterrupt

    alone = run(rows, tmp_path / "alone", seeds=1)
    with pytest.raises(KeyboardInterrupt):
        run(rows, tmp_path, seeds=2, on_epoch=stop)
    stale = tmp_path / "run" / "seed-7" / "model.safetensors"
    stale.parent.mkdir()
    stale.write_bytes(b"of another run")
    assert run(rows, tmp_path, seeds=1).accuracy == alone.accuracy
    one, other = load_model(tmp_path / "run").model, load_model(tmp_path / "alone" / "run").model
    assert all(torch.equal(value, other.state_dict()[key]) for key, value in one.state_dict().items())
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES


def test_the_networks_options_are_saved_with_the_weights(tmp_path: Path) -> None:
    config = replace(QUICK, model="resnet20", model_options={"shortcut": "C"}, epochs=1)
    trained = train(config, digits(20))
    save_model(tmp_path / "model.safetensors", trained)
    saved = load_model(tmp_path)
    assert saved.config.model_options == {"shortcut": "C"}
    state = trained.model.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in saved.model.state_dict().items())


def test_no_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="train first"):
        load_model(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"\x80\x04pickle")
    with pytest.raises(UserError, match="train again"):
        load_model(tmp_path)


def test_nothing_to_evaluate_on_is_an_error(rows: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="90 images to train on and 0"):
        train_run(CONFIG, rows, rows[:0], tmp_path, tmp_path / "run", classes=CLASSES, data_hash="abc")
    unlabelled = rows[60:].assign(label="")
    with pytest.raises(UserError, match="has a label"):
        train_run(CONFIG, rows[:60], unlabelled, tmp_path, tmp_path / "run", classes=CLASSES, data_hash="abc")


def test_classes_may_be_called_anything() -> None:
    drawn = [confusion_matrix(np.eye(3), ["under_$5_$7", *names]) for names in (["$x$", "$"], ["猫", "犬"], ["1", "2"])]
    assert drawn[0] != drawn[2]
    assert drawn[1] == drawn[2]  # numbers, where the font has no such signs


@pytest.mark.parametrize("count", [1, 10, 100])
def test_pictures_are_drawn(count: int) -> None:
    confusion = np.diag(np.arange(count)) + np.eye(count, k=1, dtype=int)
    png = b"\x89PNG"
    assert confusion_matrix(confusion, [f"class number {k} of many" for k in range(count)]).startswith(png)
    history = [Epoch(seed, epoch, 1 / epoch, 0.5, None, 1.0) for seed in (0, 1) for epoch in range(1, count + 1)]
    assert learning_curve(history).startswith(png)
