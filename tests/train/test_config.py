"""Settings are checked once, and errors say the way out."""

from typing import Any

import pytest

from curate.errors import UserError
from train.config import TrainConfig


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"model": "resnet1000"}, "resnet20"),
        ({"model": ["resnet20"]}, "resnet20"),
        ({"model": {}}, "resnet20"),
        ({"lr": 10**400}, "lr"),
        ({"epochs": 10**400}, "epochs"),
        ({"epochs": 0}, "epochs"),
        ({"epochs": 2.5}, "epochs"),
        ({"lr": float("nan")}, "lr"),
        ({"lr": float("inf")}, "lr"),
        ({"lr": "high"}, "lr"),
        ({"momentum": 1.0}, "momentum"),
        ({"batch_size": 1}, "batch_size"),
        ({"batch_size": True}, "batch_size"),
        ({"flip": "no"}, "flip"),
        ({"image_size": 4}, "image_size"),
        ({"label_smoothing": 1}, "label_smoothing"),
        ({"optimizer": "adam"}, "sgd, muon"),
        ({"head_lr": 0}, "head_lr"),
        ({"schedule": "stairs"}, "cosine, triangular"),
        ({"precision": "fp8"}, "auto, bf16, fp32"),
        ({"device": "tpu"}, "auto, cpu, cuda"),
        ({"model_options": "C"}, "shortcut: B"),
        ({"model_options": {"shortcut": "A"}}, "no option of resnet_fast is called 'shortcut'"),
        ({"model": "resnet20", "model_options": {"shortcut": "D"}}, "paper, A, B, C"),
        ({"compile": "yes"}, "auto, on, graphs, off"),
        ({"mixup": -1}, "mixup"),
        ({"crop_area": 0}, "crop_area"),
        ({"skip_easy": 0.5, "mixup": 0.2}, "set one of them to 0"),
        ({"model": "resnet20", "model_options": {"stem": "none"}}, "auto, small, large"),
        ({"mixup": 0.2, "cutmix": 1.0}, "set one of them to 0"),
        ({"epoch": 3}, "epochs"),  # unknown key: the known ones are named
    ],
)
def test_a_bad_setting_is_named(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        TrainConfig.from_mapping(settings)


def test_settings_survive_the_way_through_a_mapping() -> None:
    config = TrainConfig("resnet20", {"shortcut": "C"}, epochs=3, flip=False, image_size=64)
    assert TrainConfig.from_mapping(config.as_dict()) == config


def test_configurations_can_be_keys_and_differ_by_the_networks_options() -> None:
    other = TrainConfig("resnet20", {"shortcut": "C"})
    assert len({TrainConfig("resnet20"), other, TrainConfig("resnet20", {"shortcut": "C"})}) == 2


@pytest.mark.parametrize(("told", "means"), [(True, "on"), (False, "off"), ("auto", "auto")])
def test_on_and_off_are_truth_values_in_yaml(told: object, means: str) -> None:
    assert TrainConfig.from_mapping({"compile": told}).compile == means
