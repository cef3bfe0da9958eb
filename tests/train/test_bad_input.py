"""What cannot be trained is one line that says the way out."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from curate.augment import MixUp
from curate.augment.upstream import albumentations
from curate.errors import UserError
from curate.machine import choose_device
from curate.workspace import MANIFEST, Workspace, read_table
from tests.train.digits import QUICK, digits
from train import models, verbs
from train.blocks import Network
from train.checkpoint import read_checkpoint, restore
from train.evaluate import predict
from train.loop import train
from train.optimizer import build
from train.run import load_model, save_model

A = albumentations()
SETTINGS = {"epochs": 1, "image_size": 16, "device": "cpu", "flip": False}


def network_with_room_for(most: int, error: Exception) -> Callable[..., Network]:
    def build(name: str, **settings: object) -> Network:
        network = original(name, **settings)
        features = network.features

        def limited(images: Tensor) -> Tensor:
            if len(images) > most:
                raise error
            return features(images)

        network.features = limited  # type: ignore[method-assign]
        return network

    original = models.build
    return build


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: 9 bytes"),
        MemoryError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_out_of_memory_names_a_batch_that_fits(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "build", network_with_room_for(9, error))
    with pytest.raises(UserError, match=r"batch of 32 images of 16 px with resnet_fast; 8 fit: --set batch_size=8$"):
        train(replace(QUICK, batch_size=32), digits(1024))


def test_out_of_memory_whatever_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "build", network_with_room_for(0, MemoryError()))
    with pytest.raises(UserError, match="not even 2 images fit; set a smaller image_size"):
        train(QUICK, digits(40))


def test_out_of_memory_where_nothing_is_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluation takes smaller batches by itself: they change nothing."""
    network = models.build("resnet20", num_classes=10, image_size=32)
    images = digits(40).images
    expected = predict(network.eval(), images)
    monkeypatch.setattr(models, "build", network_with_room_for(9, MemoryError()))
    small = models.build("resnet20", num_classes=10, image_size=32)
    small.load_state_dict(network.state_dict())
    small.train()
    np.testing.assert_allclose(predict(small, images).probs, expected.probs, atol=1e-3)
    assert small.training
    monkeypatch.setattr(models, "build", network_with_room_for(0, MemoryError()))
    with pytest.raises(MemoryError):
        predict(models.build("resnet20", num_classes=10, image_size=32), images)


def test_easy_images_are_not_left_out_of_mixtures() -> None:
    mixing = A.to_dict(A.Compose([MixUp(0.2)]))
    with pytest.raises(UserError, match=r"skip_easy = 0\.5, and the pipeline mixes images; set it to 0"):
        train(replace(QUICK, skip_easy=0.5, augment=mixing), digits(40))


@pytest.mark.parametrize("name", ["prove-raw", "augment-search"])
def test_a_run_does_not_take_the_folder_of_another_verb(name: str, workspace: Workspace) -> None:
    with pytest.raises(UserError, match=f"--name '{name}': .*; choose another"):
        verbs.train(workspace, data="raw", seeds=1, settings={}, name=name)


def test_images_that_a_network_cannot_begin_with() -> None:
    with pytest.raises(UserError, match=r"vgg16 cannot take the 12 px images .*; set small_first=0"):
        train(replace(QUICK, model="vgg16", small_first=0.5), digits(40))


def test_other_errors_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "build", network_with_room_for(0, RuntimeError("mat1 and mat2 do not fit")))
    with pytest.raises(RuntimeError, match="do not fit"):
        train(QUICK, digits(40))


def changed(workspace: Workspace, change: Callable[[pd.DataFrame], object]) -> None:
    rows = read_table(workspace.path(MANIFEST))
    change(rows)
    rows.to_parquet(workspace.path(MANIFEST), index=False)


def without_threes(rows: pd.DataFrame) -> None:
    rows.loc[(rows["label"] == "3") & (rows["split"] == "train"), "split"] = "pool"


def of_one_class(rows: pd.DataFrame) -> None:
    rows["label"] = "3"


def unlabelled(rows: pd.DataFrame) -> None:
    rows.loc[rows["split"] == "train", "label"] = ""


def without_tests(rows: pd.DataFrame) -> None:
    rows.loc[rows["split"] == "test", "label"] = ""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (without_threes, "class '3' has 2 images to evaluate on and none to train on; add training images"),
        (of_one_class, "of 1 classes, '3'; it takes at least 2"),
        (unlabelled, "30 training images and none of them has a label; add labelled ones"),
        (without_tests, "no labelled test images to evaluate on; add some"),
    ],
)
def test_classes_that_cannot_be_trained(
    workspace: Workspace, change: Callable[[pd.DataFrame], object], says: str
) -> None:
    changed(workspace, change)
    with pytest.raises(UserError, match=says):
        verbs.train(workspace, data="raw", seeds=1, settings=SETTINGS)
    assert not (workspace.root / "runs/raw-resnet_fast/result.json").exists()


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    config = replace(QUICK, epochs=1)
    trained = train(config, digits(40), run_dir=tmp_path)
    other = models.build("resnet20", num_classes=10, image_size=32)
    checkpoint = read_checkpoint(tmp_path / "checkpoint.safetensors", config, digits(40).fingerprint())
    assert checkpoint
    with pytest.raises(UserError, match=r"another network: .* is missing there .*--fresh"):
        restore(checkpoint, other, build(other, config))
    save_model(tmp_path / "model.safetensors", replace(trained, config=replace(config, model="resnet20")))
    with pytest.raises(UserError, match=r"model\.safetensors is of another network: .*train again"):
        load_model(tmp_path)


def test_a_device_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"torch sees no CUDA device here; .*, and --device auto or cpu goes on"):
        choose_device("cuda")
