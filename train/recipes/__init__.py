"""How to train: named settings, one YAML file each, with a reason per value. `curate train --recipe NAME`."""

from pathlib import Path
from typing import Any

from curate import yaml_text
from curate.errors import known
from train.config import OF_RUNS, OF_SETS, TrainConfig

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The training recipes there are, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load(name: str) -> dict[str, Any]:
    """The training settings of a recipe, for `TrainConfig.from_mapping`. Raises `UserError` for an unknown name.

    All that decides how a network learns is among them, by default as `TrainConfig` has it: what a workspace sets for
    another network does not get into it. What follows from the images, and where it runs, is left to the workspace.
    """
    defaults = {key: value for key, value in TrainConfig().as_dict().items() if key not in (*OF_SETS, *OF_RUNS)}
    return defaults | {key: value for key, value in _read(name).items() if key != "summary"}


def summaries() -> dict[str, str]:
    """Name -> what the recipe is for."""
    return {name: str(_read(name)["summary"]) for name in names()}


def _read(name: str) -> dict[str, Any]:
    if name not in names():
        raise known("training recipe", name, names())
    content = yaml_text.read((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content
