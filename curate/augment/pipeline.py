"""Reads a pipeline of Albumentations, objects or what `A.save` and `A.to_dict` write, and gives its steps."""

import importlib
import inspect
import json
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from curate.augment import transforms
from curate.augment.choices import Choice, Gate, Gates, coin
from curate.augment.draws import PLACES
from curate.augment.transform import Transform
from curate.augment.upstream import albumentations
from curate.errors import UserError, alike
from curate.registry import modules
from curate.wording import pasted

MAJOR = "2.0"
"""Versions of Albumentations whose pipelines are read."""
MOST = 4096
"""Steps that a pipeline may have."""
MAX_BYTES, MAX_VALUES = 1_000_000, 100_000
"""Of a file with a pipeline, and of what it comes to: a name for a part, used nine times in a part with a name, and so
on, makes gigabytes of a kilobyte."""
UNREADABLE = (yaml.YAMLError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError, RecursionError)
"""What JSON and YAML readers raise: most of it where a text looks like a date, a number or a tag, and is none."""
SHORT = {
    "border_mode": {"constant": 0, "replicate": 1, "reflect": 2, "wrap": 3, "reflect_101": 4},
    "interpolation": {"nearest": 0, "linear": 1, "cubic": 2, "area": 3, "lanczos4": 4},
}
"""Words that a written pipeline may have in place of OpenCV's numbers."""


@dataclass(frozen=True)
class Step:
    """One transform at one place of a pipeline."""

    transform: Transform
    place: int
    """Its random numbers are those of this place."""
    gates: Gates
    """Which images it changes."""


def steps(pipeline: Any, fallback: Callable[[Any], Transform] | None = None) -> list[Step]:
    """What is done to an image, in order. Raises `UserError` for a transform that there is no version for batches of.

    fallback: makes one from such a transform of Albumentations; None: that is an error.
    """
    found = list(islice(_steps(pipeline, (), False, _places(), fallback), MOST + 1))
    if len(found) > MOST:
        raise UserError(f"the pipeline has more than {MOST:,} steps; SomeOf and RandomOrder have one for each choice")
    return found


def _places() -> Iterator[int]:
    """0, 1, …, each for one random number. Raises `UserError` where there are no more."""
    yield from range(PLACES)
    raise UserError(f"the pipeline draws more than {PLACES:,} times; write it with fewer transforms")


def _steps(
    node: Any, gates: Gates, forced: bool, places: Iterator[int], fallback: Callable[[Any], Transform] | None
) -> Iterator[Step]:
    """The steps of a transform or composition. forced: whether its own probability does not count."""
    a = albumentations()
    if not isinstance(node, a.BasicTransform | a.BaseCompose):
        raise UserError(
            f"{_shortened(node)} is no transform of Albumentations; it has to be like A.HorizontalFlip(p=0.5)"
        )
    check_probability(node)
    children: Sequence[Any] = getattr(node, "transforms", ())
    if isinstance(node, a.BaseCompose) and not isinstance(node, a.Compose | a.Sequential) and not children:
        raise UserError(f"{type(node).__name__} has no transforms to choose from; put one in")
    if isinstance(node, a.SomeOf) or not forced:
        gates = (*gates, *coin(next(places), node.p))
    if isinstance(node, a.OneOf):
        weights = tuple(child.p for child in children)
        choice = Choice(next(places), weights)
        for number, child in enumerate(children):
            yield from _steps(child, (*gates, Gate(choice, number, 0)), True, places, fallback)
    elif isinstance(node, a.SomeOf):
        yield from _some(node, gates, places, fallback)
    elif isinstance(node, a.Compose | a.Sequential):
        for child in children:
            yield from _steps(child, gates, False, places, fallback)
    elif isinstance(node, a.BaseCompose):
        raise UserError(
            f"{type(node).__name__} cannot be run on batches; Compose, Sequential, OneOf, SomeOf and RandomOrder can"
        )
    elif type(node) is not a.NoOp:
        yield Step(batched(node, fallback), next(places), gates)


def _some(
    node: Any, gates: Gates, places: Iterator[int], fallback: Callable[[Any], Transform] | None
) -> Iterator[Step]:
    a = albumentations()
    if not isinstance(node.n, int) or node.n < 1:
        raise UserError(f"{type(node).__name__}: n is {node.n!r}; it has to be a whole number from 1 on")
    ordered = not isinstance(node, a.RandomOrder)
    choice = Choice(next(places), (1.0,) * len(node.transforms), node.n, node.replace, ordered)
    slots: Sequence[int | None] = [None] if ordered and not node.replace else range(node.n)
    for slot in slots:
        for number, child in enumerate(node.transforms):
            yield from _steps(child, (*gates, Gate(choice, number, slot)), False, places, fallback)


def batched(settings: Any, fallback: Callable[[Any], Transform] | None = None) -> Transform:
    """The version for batches of one transform of Albumentations."""
    name = type(settings).__name__
    if unknown := getattr(settings, "invalid_args", None):
        there_are = ", ".join(["p", *_setting_names(settings)])
        raise UserError(f"{name} has no setting {_names(unknown)}; it has {there_are}")
    found = known_transforms()
    if name in found and classes().get(name) is type(settings):  # not another one that is called so
        return found[name](settings)
    if fallback is not None:
        return fallback(settings)
    close = alike(name, list(found), 3)
    near = f" (near it: {', '.join(close)})" if close else ""
    raise UserError(
        f'there is no version of {name} for batches{near}; with fallback="cpu" (--fallback cpu of curate augment '
        "preview, bench and add) Albumentations runs it on the processor"
    )


@cache
def known_transforms() -> dict[str, type[Transform]]:
    """Every transform for batches by the name that Albumentations has for it, sorted."""
    found = {}
    for module in modules(transforms).values():
        for name, value in vars(module).items():
            own = isinstance(value, type) and issubclass(value, Transform) and value.__module__ == module.__name__
            if own and not name.startswith("_"):
                found[name] = value
    found |= {name: kind.for_batches for name, kind in added().items() if hasattr(kind, "for_batches")}
    return dict(sorted(found.items()))


@cache
def added() -> dict[str, Any]:
    """What this package adds to Albumentations by its name, see `curate.augment.policies`."""
    a = albumentations()
    return {
        name: value
        for module in modules(importlib.import_module("curate.augment.policies")).values()
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, a.BasicTransform | a.BaseCompose)
        and value.__module__ == module.__name__
    }


def read_pipeline(path: Path) -> Any:
    """The pipeline of a file: JSON or YAML, as `A.save` writes it, or a plain list of transforms and their settings.

    Raises `UserError` for a file that is none.
    """
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise UserError(
                f"{pasted(path)} has {size:,} bytes, a pipeline at most {MAX_BYTES:,}; is it the right file?"
            )
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise UserError(f"{pasted(path)}: {reason}; a pipeline is a JSON or YAML file, see A.save") from None
    try:
        content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except UNREADABLE as error:
        line = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{pasted(path)} is neither JSON nor YAML: {line}; mend that") from None
    try:
        if MAX_VALUES < (count := _count(content, {})) < math.inf:
            raise UserError(
                f"it comes to {count:,.0f} values, a pipeline at most to {MAX_VALUES:,}; write it with fewer"
            )
        if count == math.inf:
            raise RecursionError
        return from_dict(content)
    except UserError as error:
        raise UserError(f"{pasted(path)}: {error}") from None
    except RecursionError:
        raise UserError(
            f"{pasted(path)}: a transform that holds itself, or too many in one another; write it with fewer"
        ) from None


def _count(content: object, known: dict[int, float]) -> float:
    """How many values there are, those that YAML has a name for once for each use; infinity for what holds itself.

    known: the counts of lists and mappings by their `id`.
    """
    if not isinstance(content, list | tuple | dict):
        return 1.0
    if id(content) not in known:
        known[id(content)] = math.inf
        try:
            inside = content.values() if isinstance(content, dict) else content
            known[id(content)] = 1.0 + sum(_count(each, known) for each in inside)
        except RecursionError:
            return known[id(content)]
    return known[id(content)]


def as_dict(pipeline: Any) -> dict[str, Any]:
    """What `A.to_dict` gives, as a JSON file would hold it."""
    found: dict[str, Any] = json.loads(json.dumps(albumentations().to_dict(pipeline), default=_plain))
    return found


def _plain(value: Any) -> Any:
    """A value that JSON has not: an enumeration, an array, a number of NumPy."""
    return value.value if hasattr(value, "value") else value.tolist()


def from_dict(content: Any) -> Any:
    """The pipeline that `A.to_dict` gave, or a list such as [{"HorizontalFlip": {"p": 0.5}}, "Transpose"]."""
    if isinstance(content, list):
        content = {"transform": {"__class_fullname__": "Compose", "transforms": content, "p": 1.0}}
    if not isinstance(content, Mapping) or not isinstance(content.get("transform"), Mapping):
        raise UserError(
            "no pipeline: it has to be what A.to_dict gives, or a list such as [HorizontalFlip: {p: 0.5}, Transpose]"
        )
    written = content.get("__version__")
    if written is not None and not f"{written}.".startswith(f"{MAJOR}."):
        raise UserError(
            f"written by albumentations {written}; pipelines of {MAJOR} are read (installed: "
            f"{version('albumentations')}). Write it again with that version"
        )
    return _built(content["transform"])


def _built(node: Any) -> Any:
    """The object of Albumentations that a dictionary describes."""
    if isinstance(node, str):
        node = {node: {}}
    saved = isinstance(node, Mapping) and "__class_fullname__" in node
    if isinstance(node, Mapping) and "__class_fullname__" not in node and len(node) == 1:
        ((name, settings),) = node.items()
        if not isinstance(settings, Mapping | None):
            raise UserError(f"{_names([str(name)])}: {_shortened(settings)}; its settings have to be like {{p: 0.5}}")
        node = {"__class_fullname__": name, **(settings or {})}
    if not isinstance(node, Mapping) or "__class_fullname__" not in node:
        raise UserError(f"{_shortened(node)} is no transform; it has to be like HorizontalFlip: {{p: 0.5}}")
    kind = _class(str(node["__class_fullname__"]))
    given = {str(key): value for key, value in node.items() if key not in ("__class_fullname__", "__version__")}
    if wrong := [key for key, value in given.items() if value is None and not _is_setting(kind, key)]:
        raise UserError(f"{kind.__name__} has no setting {_names(wrong)}; decimals have a point, as in p: 0.5")
    own = inspect.signature(kind).parameters  # A.save writes what the class sets for its base classes, too
    inherited = {key for key in given if saved and key not in own and _is_setting(kind, key)}
    settings = {key: _number(key, value) for key, value in given.items() if key not in inherited}
    if "transforms" in settings:
        if not isinstance(settings["transforms"], list):
            raise UserError(f"{kind.__name__}: transforms has to be a list")
        settings["transforms"] = [_built(child) for child in settings["transforms"]]
    for name in ("bbox_params", "keypoint_params", "additional_targets"):
        if settings.get(name) in ({}, None):
            settings.pop(name, None)
    return made(kind, settings)


def made(kind: type, settings: Mapping[str, Any]) -> Any:
    """A transform of Albumentations with these settings. Raises `UserError` for one that cannot be."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a setting that it has not is an error here, see `batched`
        try:
            found = kind(**settings)
        except (UserError, RecursionError, MemoryError):
            raise
        except ZeroDivisionError:
            raise UserError(f"{kind.__name__}: the p of all its transforms are 0; one has to be above") from None
        except Exception as error:  # most check their settings, and some fall over them
            raise UserError(f"{kind.__name__}: {one_line(error)}") from None
    check_probability(found)
    return found


def check_probability(node: Any) -> None:
    """Raises `UserError` for a transform whose `p` is no probability."""
    if not isinstance(node.p, int | float) or not 0 <= node.p <= 1:
        raise UserError(f"{type(node).__name__}: p is {node.p!r}; a probability is from 0 to 1")


def _class(full: str) -> type:
    a = albumentations()
    name = full.rsplit(".", 1)[-1]
    found = classes().get(name)
    if found is None:
        close = alike(name, list(classes()), 3)
        hint = f"did you mean {' or '.join(close)}?" if close else "`curate transforms` lists what there is"
        raise UserError(f"no transform is called {_shortened(name)}; {hint}")
    assert issubclass(found, a.BasicTransform | a.BaseCompose)
    return found


@cache
def classes() -> dict[str, type]:
    """Every transform and composition of Albumentations by its name, and those that this package adds."""
    a = albumentations()
    found = {name: value for name, value in {**vars(a), **added()}.items() if isinstance(value, type)}
    found["ToTensorV2"] = albumentations(".pytorch").ToTensorV2
    return {
        name: value
        for name, value in found.items()
        if issubclass(value, a.BasicTransform | a.BaseCompose) and name not in ABSTRACT
    }


ABSTRACT = ("BasicTransform", "DualTransform", "ImageOnlyTransform", "Transform3D", "BaseCompose", "Lambda")
"""What cannot be named in a pipeline: base classes, and functions."""


def _number(key: str, value: Any) -> Any:
    """OpenCV's number for a word such as reflect_101; lists as tuples, which a JSON file has not."""
    if isinstance(value, str) and value in SHORT.get(key, {}):
        return SHORT[key][value]
    if isinstance(value, list) and key != "transforms":
        return tuple(_number("", each) for each in value)
    return value


def _is_setting(kind: type, name: str) -> bool:
    return any(name in inspect.signature(each).parameters for each in kind.__mro__ if each is not object)


def _shortened(value: object) -> str:
    """A value as it would be written, in 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _names(settings: Sequence[str]) -> str:
    """Names of settings, strange ones in quotes and cut."""
    return ", ".join(name if name.isprintable() and len(name) <= 60 else _shortened(name) for name in settings)


def _setting_names(settings: Any) -> list[str]:
    return [name for name in settings.get_transform_init_args_names() if name != "p"]


def one_line(error: Exception) -> str:
    """What Albumentations says over several lines, in one; of pydantic the settings and what is wrong with each."""
    cause = error.__cause__
    problems = getattr(cause, "errors", None)
    if problems is None:
        return " ".join(str(error).split()) or type(error).__name__
    found = []
    for problem in problems():
        place = ".".join(str(part) for part in problem["loc"][:1])
        message = f"{problem['msg'][:1].lower()}{problem['msg'][1:]}"
        given = "" if problem["type"] == "missing" else f" = {_shortened(problem['input'])}"
        found.append(f"{place}{given}: {message}")
    return "; ".join(dict.fromkeys(found))
