"""Training recipes are settings that the trainer knows, and the command line takes them by name."""

import pytest

from curate.cli.options import training_settings
from curate.errors import UserError
from train import recipes
from train.config import TrainConfig


@pytest.mark.parametrize("name", recipes.names())
def test_a_recipe_is_settings_with_a_summary(name: str) -> None:
    TrainConfig.from_mapping(recipes.load(name))
    assert recipes.summaries()[name]


def test_settings_of_the_command_line_beat_the_recipe() -> None:
    assert training_settings("fast", None)["optimizer"] == "muon"
    assert training_settings("fast", ["epochs=2"])["epochs"] == 2
    assert training_settings(None, None) == {}
    assert training_settings(None, ["device=cpu"], device=None, seed=None) == {"device": "cpu"}
    assert training_settings(None, ["device=cpu"], device="cuda")["device"] == "cuda"


@pytest.mark.parametrize(("text", "value"), [("5e-4", 5e-4), ("1e-05", 1e-5), ("1e+3", 1000.0), ("2", 2), ("e5", "e5")])
def test_numbers_of_the_command_line_are_those_of_a_recipe(text: str, value: object) -> None:
    assert training_settings(None, [f"lr={text}"]) == {"lr": value}


def test_what_a_workspace_sets_for_another_network_does_not_get_into_a_recipe() -> None:
    own = {"model": "resnet20", "model_options": {"shortcut": "B"}, "schedule": "step", "steps": 50, "image_size": 24}
    config = TrainConfig.from_mapping(own | recipes.load("fast"))
    assert config == TrainConfig.from_mapping(recipes.load("fast") | {"image_size": 24})
    assert (config.model_options, config.schedule, config.steps) == ({}, "triangular", None)


def test_an_unknown_recipe_names_the_known_ones() -> None:
    with pytest.raises(UserError, match="best, fast, fast_gpu, standard"):
        recipes.load("faster")
