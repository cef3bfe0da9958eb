"""The folder walk: one file in a package is one finder, signal, source or model, and needs no mention elsewhere.

Installed packages add their own by an entry point of the group that is called as the package, such as
`curate.finders`: its name is the finder's, its value a module with a function of that name.
"""

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from types import ModuleType

from curate.errors import UserError, known


def modules(package: ModuleType) -> dict[str, ModuleType]:
    """Every module of `package` by its name, sorted; those that begin with `_` help others."""
    own = [module.name for module in pkgutil.iter_modules(package.__path__) if not module.name.startswith("_")]
    found = {name: f"{package.__name__}.{name}" for name in own}
    for name, place in _installed(package.__name__):
        if name in found:
            raise UserError(f"{name!r} is in {found[name]} and in {place}; one of them must go, or be called otherwise")
        found[name] = place
    return {name: importlib.import_module(found[name]) for name in sorted(found)}


@cache
def _installed(group: str) -> tuple[tuple[str, str], ...]:
    """Names and modules that other packages have for a group: looked for once, as that takes a while."""
    return tuple((entry.name, entry.module) for entry in entry_points(group=group))


def functions(package: ModuleType) -> dict[str, Callable]:
    """Every module's function of the same name: `finders/dark.py` gives `dark`."""
    return {name: _function(name, module) for name, module in modules(package).items()}


def _function(name: str, module: ModuleType) -> Callable:
    function: Callable | None = getattr(module, name, None)
    if function is None:
        raise UserError(f"{module.__file__} has no function {name!r}: it has to be called as its file is")
    return function


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
