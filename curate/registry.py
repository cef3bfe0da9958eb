"""The folder walk: one file in a package is one finder, signal, source or model, and needs no mention elsewhere."""

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable
from types import ModuleType

from curate.errors import known


def modules(package: ModuleType) -> dict[str, ModuleType]:
    """Every module of `package` by its name, sorted."""
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    return {name: importlib.import_module(f"{package.__name__}.{name}") for name in names}


def functions(package: ModuleType) -> dict[str, Callable]:
    """Every module's function of the same name: `finders/dark.py` gives `dark`."""
    return {name: getattr(module, name) for name, module in modules(package).items()}


def pick(kind: str, name: str, package: ModuleType) -> Callable:
    """The function called `name`, or an error that lists what there is."""
    found = functions(package)
    if name not in found:
        raise known(kind, name, list(found))
    return found[name]


def summary(function: Callable) -> str:
    """First line of the docstring."""
    return (inspect.getdoc(function) or "").split("\n", 1)[0]


def needs(function: Callable) -> list[str]:
    """Names of the positional parameters: what the function is to be given."""
    return [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind != parameter.KEYWORD_ONLY
    ]


def on_request(function: Callable) -> bool:
    """Whether its module says `ON_REQUEST = True`: it runs where somebody asks for it by name, not with the others."""
    return bool(getattr(sys.modules.get(function.__module__), "ON_REQUEST", False))


def version(function: Callable) -> int:
    """`VERSION` of its module, which is raised when the function finds otherwise than before; 1 where there is none."""
    return int(getattr(sys.modules.get(function.__module__), "VERSION", 1))


def settings(function: Callable) -> dict[str, object]:
    """Keyword-only parameters with their defaults: what a recipe or `--set` may change."""
    return {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind == parameter.KEYWORD_ONLY
    }
