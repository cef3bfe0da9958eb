"""Networks and families of networks, one file each, found by a walk over this folder.

A file `x.py` with a function `x(*, num_classes, image_size)` is the network `x`. A function that also takes
`depth: Literal[20, 32]`, without a default, is a family: the networks `x20` and `x32`. Further keyword-only parameters,
all with defaults, are a network's options: `Literal` choices, `bool`, or `float` for a share from 0 up to 1, as in
dropout.
"""

import copy
import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Literal, get_args, get_origin

import torch

from curate import registry
from curate.errors import UserError, known
from train.blocks import Network

Option = str | bool | float
NEEDED = ("num_classes", "image_size")
"""What every network is built with."""


def families() -> dict[str, dict[str, Callable[..., Network]]]:
    """File -> its networks by name, each as a function of `num_classes`, `image_size` and its options.

    Raises `UserError` for a function that does not take what the head of this module says.
    """
    found: dict[str, dict[str, Callable[..., Network]]] = {}
    for family, function in registry.functions(sys.modules[__name__]).items():
        with registry.Blaming("network", family, function):
            found[family] = _members(family, function)
    return found


def _members(family: str, function: Callable[..., Network]) -> dict[str, Callable[..., Network]]:
    """The networks of a file's function, by name."""
    depth = _check_function(family, function).get("depth")
    if depth is None:
        return {family: function}
    return {f"{family}{each}": functools.partial(function, depth=each) for each in get_args(depth.annotation)}


def names() -> list[str]:
    """The networks there are, sorted by family and depth."""
    return [name for members in families().values() for name in members]


def build(name: str, *, num_classes: int, image_size: int, options: Mapping[str, Option] | None = None) -> Network:
    """A fresh network, its weights drawn from torch's global generator.

    It maps images of `image_size` x `image_size` pixels to `num_classes` logits; `features` gives its embeddings.
    Raises `UserError` for an unknown name or option, for images that are too small for the network, and for one of an
    installed package that gives something else.
    """
    options = options or {}
    check(name, options)
    function = _function(name)
    written = getattr(function, "func", function)
    with registry.Blaming("network", name, written):
        network = function(num_classes=num_classes, image_size=image_size, **options)
        if registry.package_of(written):
            _try_out(name, written, network, num_classes, image_size)
    return network


def _try_out(name: str, function: Callable, network: object, num_classes: int, image_size: int) -> None:
    """Raises `UserError` where what the function gave gives no logits of images."""
    faulty = functools.partial(registry.faulty, f"network {name!r}", function)
    if not isinstance(network, Network):
        raise faulty(f"gave a {type(network).__name__}, no train.blocks.Network")
    images = torch.zeros(2, 3, image_size, image_size)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        copy.deepcopy(network).train()(images)
        shape = tuple(network.eval()(images).shape)
    network.train()
    if shape != (2, num_classes):
        raise faulty(f"gave logits of shape {shape} in place of {(2, num_classes)}")


def check(name: str, options: Mapping[str, Option]) -> None:
    """Raises `UserError` where there is no such network, or it has no such option or not with such a value."""
    parameters = _options(_function(name))
    for option, value in options.items():
        if option not in parameters:
            raise known(f"option of {name}", str(option), list(parameters))  # YAML makes numbers of keys
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
        raise registry.missing("model", str(name), sys.modules[__name__], list(found))
    return found[name]


def _parameters(function: Callable[..., Network]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(function, eval_str=True).parameters


def _options(function: Callable[..., Network]) -> dict[str, inspect.Parameter]:
    return {name: each for name, each in _parameters(function).items() if name not in (*NEEDED, "depth")}


def check_module(name: str, module: ModuleType) -> None:
    """Raises `UserError` for a module of an installed package without a function that takes what the head of this one
    says, or with a network that is called like one of curate's."""
    function = registry.function_of(name, module)
    own = {family: registry.function_of(family, module) for family, module in registry.own(__name__).items()}
    ours = {member for family, function in own.items() for member in _members(family, function)}
    if taken := sorted(ours & _members(name, function).keys()):
        raise registry.faulty(f"network {name!r}", function, f"gives {taken[0]!r}, as curate does; call it otherwise")


def _check_function(family: str, function: Callable[..., Network]) -> Mapping[str, inspect.Parameter]:
    """The parameters of a file's function; else as `check_module`."""
    parameters = _parameters(function)
    faulty = functools.partial(registry.faulty, f"network {family!r}", function)
    if missing := [name for name in NEEDED if name not in parameters]:
        raise faulty(f"does not take {missing[0]}")
    if "depth" in parameters and not get_args(parameters["depth"].annotation):
        raise faulty("takes a depth that is no Literal of the depths that there are")
    for name, each in parameters.items():
        texts = get_origin(each.annotation) is Literal and all(isinstance(it, str) for it in get_args(each.annotation))
        fits = (each.annotation in (bool, float) or texts) and each.default is not each.empty
        if name not in (*NEEDED, "depth") and not fits:
            raise faulty(f"has an option {name} that is no Literal of texts, bool or float with a default")
    return parameters


def _takes(annotation: object) -> str:
    if annotation is bool:
        return "true or false"
    if annotation is float:
        return "a number from 0 up to 1"
    return f"one of: {', '.join(get_args(annotation))}"
