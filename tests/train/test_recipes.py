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


def test_an_unknown_recipe_names_the_known_ones() -> None:
    with pytest.raises(UserError, match="best, fast, fast_gpu, standard"):
        recipes.load("faster")
