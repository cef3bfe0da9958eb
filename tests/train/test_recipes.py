"""Training recipes are settings that the trainer knows, and the command line takes them by name."""

from pathlib import Path

import pytest

from curate.errors import UserError
from curate.workspace import Workspace
from train import recipes
from train.config import TrainConfig
from train.verbs import configure


@pytest.mark.parametrize("name", recipes.names())
def test_a_recipe_is_settings_with_a_summary(name: str) -> None:
    TrainConfig.from_mapping(recipes.load(name))
    assert recipes.summaries()[name]


def test_settings_of_the_command_line_beat_the_recipe(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "ws")
    assert configure(workspace, {}, "fast").optimizer == "muon"
    assert configure(workspace, {"epochs": 2}, "fast").epochs == 2
    assert configure(workspace, {}).optimizer == "sgd"


def test_an_unknown_recipe_names_the_known_ones() -> None:
    with pytest.raises(UserError, match="best, fast, standard"):
        recipes.load("faster")
