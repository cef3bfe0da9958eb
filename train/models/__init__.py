"""Networks and families of networks, one file each, found by a walk over this folder.

A file `x.py` with a function `x(*, num_classes, image_size)` is the network `x`. A function that also takes
`depth: Literal[20, 32]`, without a default, is a family: the networks `x20` and `x32`. Further keyword-only parameters,
all with defaults, are a network's options: `Literal` choices, `bool`, or `float` for a share from 0 up to 1, as in
dropout.
"""

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import get_args

from curate import registry
from curate.errors import UserError, known
from train.blocks import Network

Option = str | bool | float


def families() -> dict[str, dict[str, Callable[..., Network]]]:
    """File -> its networks by name, each as a function of `num_classes`, `image_size` and its options."""
    found: dict[str, dict[str, Callable[..., Network]]] = {}
    for family, function in registry.functions(sys.modules[__name__]).items():
        depth = inspect.signature(function).parameters.get("depth")
        if depth is None:
            found[family] = {family: function}
        else:
            depths = get_args(depth.annotation)
            found[family] = {f"{family}{each}": functools.partial(function, depth=each) for each in depths}
    return found


def names() -> list[str]:
    """The networks there are, sorted by family and depth."""
    return [name for members in families().values() for name in members]


def build(name: str, *, num_classes: int, image_size: int, options: Mapping[str, Option] | None = None) -> Network:
    """A fresh network, its weights drawn from torch's global generator.

    It maps images of `image_size` x `image_size` pixels to `num_classes` logits; `features` gives its embeddings.
    Raises `UserError` for an unknown name or option, and for images that are too small for the network.
    """
    options = options or {}
    check(name, options)
    return _function(name)(num_classes=num_classes, image_size=image_size, **options)


def check(name: str, options: Mapping[str, Option]) -> None:
    """Raises `UserError` where there is no such network, or it has no such option or not with such a value."""
    parameters = _options(_function(name))
    for option, value in options.items():
        if option not in parameters:
            raise known(f"option of {name}", option, list(parameters))
        annotation = parameters[option].annotation
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if annotation is bool:
            fits = isinstance(value, bool)
        elif annotation is float:
            fits = number and 0 <= float(value) < 1
        else:
            fits = value in get_args(annotation)
        if not fits:
            raise UserError(f"option {option} of {name} = {value!r}; it has to be {_takes(annotation)}")


def options(name: str) -> dict[str, tuple[Option, str]]:
    """Option -> its default, and what it takes in words."""
    return {
        option: (parameter.default, _takes(parameter.annotation))
        for option, parameter in _options(_function(name)).items()
    }


def summaries() -> dict[str, str]:
    """Name -> the first line of the docstring."""
    found = registry.functions(sys.modules[__name__])
    return {name: registry.summary(found[family]) for family, members in families().items() for name in members}


def _function(name: str) -> Callable[..., Network]:
    found = {name: function for members in families().values() for name, function in members.items()}
    if not isinstance(name, str) or name not in found:
        raise known("model", str(name), list(found))
    return found[name]


def _options(function: Callable[..., Network]) -> dict[str, inspect.Parameter]:
    own = ("num_classes", "image_size", "depth")
    return {name: each for name, each in inspect.signature(function).parameters.items() if name not in own}


def _takes(annotation: object) -> str:
    if annotation is bool:
        return "true or false"
    if annotation is float:
        return "a number from 0 up to 1"
    return f"one of: {', '.join(get_args(annotation))}"
