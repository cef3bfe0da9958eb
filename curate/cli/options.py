"""Arguments and options that several verbs share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curate.errors import UserError, known

if TYPE_CHECKING:
    from curate import engine

LONGEST_NUMBER = 1024
"""Bits: longer ones are no settings, do not fit into a float, and cannot be printed from some 14,000 on."""

Workspace = Annotated[Path, typer.Argument(metavar="WS", help="The workspace: a folder with the tables of one set.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Worker processes; by default one per core.")]
Engine = Annotated[
    str, typer.Option(help="Where work per image runs: local, or ray: on a Ray cluster that sees the same files.")
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="With --engine ray: the cluster, which this machine is a node of; by default $RAY_ADDRESS, or a Ray of "
        "this machine alone.",
    ),
]
Device = Annotated[str | None, typer.Option(help="auto, cpu or cuda; by default what the settings say: auto.")]
TrainingRecipe = Annotated[
    str | None, typer.Option("--recipe", help="Settings by name, from train/recipes; --set changes them further.")
]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Change a setting; may be repeated.")
]
AtOnce = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Trainings at the same time; by default one per core where that pays, 1 on a GPU or with little to do.",
    ),
]
Folds = Annotated[int | None, typer.Option(min=2, help="Number of folds; by default the profile's.")]


def choose_engine(name: str, ray_address: str | None, workers: int | None) -> "engine.Engine":
    """The engine that `--engine`, `--ray-address` and `--workers` ask for."""
    from curate.engine import Local
    from curate.ray_engine import Ray

    if name not in ("local", "ray"):
        raise known("engine", name, ["local", "ray"])
    if ray_address and name != "ray":
        raise UserError(f"--ray-address {ray_address} goes with --engine ray; add that, or leave the address out")
    return Ray(ray_address, workers) if name == "ray" else Local(workers)


def parse_settings(pairs: list[str] | None) -> dict[str, object]:
    """`["epochs=5", "flip=false"]` as `{"epochs": 5, "flip": False}`: values are read as YAML scalars."""
    settings: dict[str, object] = {}
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UserError(f"--set {pair!r} must be NAME=VALUE")
        settings[name] = _read(value)
    return settings


def _read(text: str) -> object:
    """What YAML takes a value for; the text itself where that is none, such as `2026-13-45`, or too long a number."""
    import yaml

    from curate import yaml_text

    try:
        value = yaml_text.read(text)
    except (yaml.YAMLError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError, RecursionError):
        return text  # all but the first come of texts that look like a date, a number or a tag, and are none
    return text if isinstance(value, int) and value.bit_length() > LONGEST_NUMBER else value


def training_settings(recipe: str | None, changes: list[str] | None, **given: object) -> dict[str, object]:
    """The settings of a training recipe, changed by `--set`, and by options of their own where these were given."""
    from train import recipes

    own = recipes.load(recipe) if recipe else {}
    return {**own, **parse_settings(changes), **{name: it for name, it in given.items() if it is not None}}


def parse_finder_settings(pairs: list[str] | None) -> dict[str, dict[str, object]]:
    """`["dark.level=0.1"]` as `{"dark": {"level": 0.1}}`."""
    settings: dict[str, dict[str, object]] = {}
    for name, value in parse_settings(pairs).items():
        finder, dot, setting = name.partition(".")
        if not dot:
            raise UserError(f"--set {name!r} must be FINDER.SETTING=VALUE, for instance near_duplicate.probability=0.8")
        settings.setdefault(finder, {})[setting] = value
    return settings


def parse_columns(pairs: list[str] | None) -> dict[str, str]:
    """`["path=file"]` as `{"path": "file"}`."""
    known = ("path", "image", "label", "split")
    columns = {}
    for pair in pairs or []:
        what, equals, name = pair.partition("=")
        if what not in known or not equals or not (name or what == "label"):  # "label=": there are no labels
            raise UserError(f"--column {pair!r} must be WHAT=NAME, where WHAT is one of: {', '.join(known)}")
        columns[what] = name
    return columns
