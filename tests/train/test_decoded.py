"""A set in a file trains as one in memory does, and the file is written once."""

import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from curate.errors import UserError
from curate.images import content_hash, encode_png
from tests.train.digits import QUICK, digits
from train import decoded, loop, parallel
from train.crossval import cross_validate
from train.data import ImageSet, load_images
from train.evaluate import predict
from train.mapped import MappedImages

CLASSES = tuple("0123456789")
CONFIG = replace(QUICK, epochs=2, cutout=4)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """100 digits as files; every tenth has no label."""
    folder = tmp_path_factory.mktemp("digits")
    images = digits(100)
    files = [encode_png(np.ascontiguousarray(image)) for image in images.images.permute(0, 2, 3, 1).numpy()]
    for number, data in enumerate(files):
        (folder / f"{number}.png").write_bytes(data)
    return pd.DataFrame(
        {
            "image_id": images.image_ids,
            "path": [str(folder / f"{number}.png") for number in range(100)],
            "label": [
                "" if number % 10 == 9 else CLASSES[label] for number, label in enumerate(images.labels.tolist())
            ],
            "content_hash": [content_hash(data) for data in files],
            "width": 32,
            "height": 32,
        }
    )


def load(rows: pd.DataFrame, root: Path, limit: int | None) -> ImageSet:
    return load_images(rows, root, classes=CLASSES, workers=1, memory_limit=limit)


def test_it_holds_the_same_and_nothing_is_copied(rows: pd.DataFrame, tmp_path: Path) -> None:
    memory, file = load(rows, tmp_path, None), load(rows, tmp_path, 1000)
    assert isinstance(memory.images, torch.Tensor)
    assert isinstance(file.images, MappedImages)
    assert file.images.shape == memory.images.shape
    assert file.fingerprint() == memory.fingerprint()
    assert all(torch.equal(one, two) for one, two in zip(file.mean_std(), memory.mean_std(), strict=True))
    some = torch.tensor([7, 3, 98])
    for subset in (file.subset(some), file.labelled(), file.subset(np.arange(100) < 5).subset(torch.tensor([4, 0]))):
        assert isinstance(subset.images, MappedImages)
        assert subset.images.pixels.data_ptr() == file.images.pixels.data_ptr()
    assert file.subset(some).fingerprint() == memory.subset(some).fingerprint()
    assert file.subset(some).image_ids == ("digits/7", "digits/3", "digits/98")


def test_it_trains_to_the_same_weights(rows: pd.DataFrame, tmp_path: Path) -> None:
    memory, file = load(rows, tmp_path, None), load(rows, tmp_path, 0)
    ours, theirs = loop.train(CONFIG, file, eval_set=file), loop.train(CONFIG, memory, eval_set=memory)
    one, two = ours.model.state_dict(), theirs.model.state_dict()
    assert all(torch.equal(one[name], two[name]) for name in two)
    assert [epoch.eval_acc for epoch in ours.history] == [epoch.eval_acc for epoch in theirs.history]
    assert np.array_equal(predict(ours.model, file.images).probs, predict(theirs.model, memory.images).probs)


def test_it_cross_validates_to_the_same_predictions(rows: pd.DataFrame, tmp_path: Path) -> None:
    config, others = replace(CONFIG, epochs=1), rows[:20]
    results = [
        cross_validate(config, load(rows, tmp_path, limit), folds=2, others=load(others, tmp_path, limit))
        for limit in (None, 0)
    ]
    for name in ("pred_probs", "embeddings", "neighbors", "others_pred_probs", "others_embeddings"):
        assert np.array_equal(getattr(results[0], name), getattr(results[1], name)), name


def test_the_file_is_written_once(rows: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(rows, tmp_path, 0)
    monkeypatch.setattr("train.data.read_batch", lambda paths, size: pytest.fail("decoded again"))
    again = load(rows, tmp_path, 0)
    assert again.fingerprint() == load(rows, tmp_path, 0).fingerprint()
    assert len(list((tmp_path / decoded.FOLDER).glob("*.u8"))) == 1


def test_changed_images_are_another_file_and_old_ones_go(rows: pd.DataFrame, tmp_path: Path) -> None:
    sets = []
    for number in range(decoded.KEPT + 2):
        sets.append(load(rows[number : number + 2], tmp_path, 0))
        for at, path in enumerate(sorted((tmp_path / decoded.FOLDER).glob("*.u8"), key=os.path.getmtime)):
            os.utime(path, (at, at))  # older than the next, however coarse the clock of the disk
    assert len(list((tmp_path / decoded.FOLDER).glob("*.u8"))) == decoded.KEPT
    assert sets[0].fingerprint() == load(rows[:2], tmp_path, None).fingerprint()  # whoever has it open can read on


def test_what_trainings_at_once_share_stays(rows: pd.DataFrame, tmp_path: Path) -> None:
    """Processes open it by its name, when others may long have looked for room."""
    with parallel.shared(load(rows[:2], tmp_path, 0), at_once=2) as (kept,):
        for number in range(1, decoded.KEPT + 2):
            load(rows[number : number + 2], tmp_path, 0)
        assert torch.equal(pickle.loads(pickle.dumps(kept)).images[torch.arange(2)], kept.images[torch.arange(2)])
    load(rows[50:52], tmp_path, 0)
    assert isinstance(kept.images, MappedImages)
    assert kept.images.file is not None
    assert not kept.images.file.exists()


def test_what_is_gone_is_written_for_trainings_at_once(rows: pd.DataFrame, tmp_path: Path) -> None:
    images = load(rows, tmp_path, 0)
    assert isinstance(images.images, MappedImages)
    assert images.images.file is not None
    images.images.file.unlink()
    with parallel.shared(images, at_once=2) as (there,):
        assert pickle.loads(pickle.dumps(there)).fingerprint() == load(rows, tmp_path, None).fingerprint()


def test_a_writer_that_stops_leaves_nothing_that_looks_complete(rows: pd.DataFrame, tmp_path: Path) -> None:
    missing = pd.concat([rows[:50], rows[:1].assign(path="nowhere.png")])
    with pytest.raises(UserError, match=r"nowhere\.png"):
        load(missing, tmp_path, 0)
    assert list((tmp_path / decoded.FOLDER).glob("*.u8")) == []
    assert list((tmp_path / decoded.FOLDER).glob(".partial*")) == []


def test_a_full_disk_is_said_before_anything_is_decoded(
    rows: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("train.decoded.shutil.disk_usage", lambda folder: type("Usage", (), {"free": 10**5}))
    with pytest.raises(UserError, match=r"100 images of 32 x 32 px .* 0\.0 GB are free"):
        load(rows, tmp_path, 0)


def test_no_rows_no_file(rows: pd.DataFrame, tmp_path: Path) -> None:
    assert len(load(rows[:0], tmp_path, -1)) == 0
    assert not (tmp_path / decoded.FOLDER).exists()
