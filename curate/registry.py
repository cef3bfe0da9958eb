"""The folder walk: one file in a package is one finder, signal, source or model, and needs no mention elsewhere.

Installed packages add their own by an entry point of the group that is called as the package, such as
`curate.finders`: its name is the finder's, its value a module with a function of that name.
"""

import hashlib
import importlib
import inspect
import itertools
import pkgutil
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from curate.errors import UserError, known, meant

GROUPS = {"curate.finders": "finder", "curate.signals": "signal", "curate.sources": "layout", "train.models": "network"}
"""What installed packages may bring, by the group of the entry point."""
OURS = {group.partition(".")[0] for group in GROUPS}
SIDE_BY_SIDE = ("curate.finders", "curate.signals")
"""Groups whose names must differ from each other's, too: what is measured of an image lies in `signals/NAME/`."""
GIVEN = {
    "image": "one image: RGB, shape (H, W, 3), uint8; the function runs once per image",
    "gray": "the same image in grey: shape (H, W), uint8",
    "manifest": "the table of all images, one row each; the order of everything below",
    "labels": "shape (N,), positions in `classes`, -1 for unlabelled",
    "classes": "the names of the classes, sorted",
    "pred_probs": "out-of-fold probabilities from `curate predict`: shape (N, K), rows sum to 1, NaN where none",
    "embeddings": "from `curate predict`: shape (N, D), all from one network, NaN where none",
    "repeats": "the probabilities of each of its R rounds: shape (R, N, K); None where another program predicted",
    "neighbors": "rows of the most similar images that were held out together, by round: shape (R, N, 10), -1 where "
    "none; None where another program predicted",
    "margins": "of the given label in each of E epochs of training on it: shape (N, E), NaN where none; None where "
    "another program predicted",
}
"""What a finder or a signal may ask for, and what it is; besides these, every signal by its name."""
GIVEN_TO_SIGNALS = {
    "store": "the path of a folder of its own, of this version of it, that it makes and keeps in it what took long",
    "engine": "`curate.engine.Engine`, by which it takes workers",
}
"""What signals of the whole set may ask for, too."""
PER_IMAGE = frozenset(("image", "gray"))
"""Of what may be asked for, that of one image: it stands beside nothing else."""
_ASKED = {"curate.finders": {*GIVEN}, "curate.signals": {*GIVEN, *GIVEN_TO_SIGNALS}}
"""What may be asked for besides signals, by group."""
KEPT_BESIDE_SIGNALS = ("predictions", "decoded", "review_thumbnails")
"""Folders in `signals/` that are not of signals."""
SHOWN = 200
"""Characters of an error in somebody else's code that are shown; `--verbose` shows all."""


@dataclass(frozen=True)
class Brought:
    """An entry point of an installed package."""

    kind: str
    name: str
    module: str
    package: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r} of the package {self.package}"


def modules(package: ModuleType) -> dict[str, ModuleType]:
    """Every module of `package` by its name, sorted; those that begin with `_` help others. What other packages bring
    and cannot be used is left out, see `faults`."""
    return dict(sorted(_walk(package.__name__)[0].items()))


def faults(package: ModuleType) -> dict[Brought, UserError]:
    """What other packages bring for it and cannot be used, and why not: it does not load, has a name that is taken, or
    is not what the group takes. Only what is asked for it by name, or of everything there is, fails for that."""
    return _walk(package.__name__)[1]


def _walk(group: str) -> tuple[dict[str, ModuleType], dict[Brought, UserError]]:
    found = own(group)
    refused: dict[Brought, UserError] = {}
    if theirs := installed(group):
        taken = {**_taken(group), **{name: module.__name__ for name, module in found.items()}}
        for each in theirs:
            if each.name in taken:
                refused[each] = UserError(
                    f"{each.name!r} is in {taken[each.name]} and in {each.module} of the package {each.package}; "
                    "one of them must go, or be called otherwise"
                )
                continue
            taken[each.name] = each.module
            if isinstance(tried := _tried(group, each), UserError):
                refused[each] = tried
            else:
                found[each.name] = tried
    return found, refused


@cache
def _tried(group: str, brought: Brought) -> ModuleType | UserError:
    """The module of an entry point, or why it cannot be used: once, as what fails to load may take long to."""
    check = getattr(importlib.import_module(group), "check_module", None) or partial(_check_function, group)
    try:
        module = load(brought)
        with Blaming(brought.kind, brought.name, module):
            check(brought.name, module)
    except UserError as error:
        return error
    return module


def own(group: str) -> dict[str, ModuleType]:
    """The modules that curate itself has for a group."""
    return {name: importlib.import_module(f"{group}.{name}") for name in sorted(_own(group))}


def names(group: str) -> set[str]:
    """What curate itself and installed packages have for a group, whether it can be used or not."""
    return {*_own(group), *(each.name for each in installed(group))}


def _own(group: str) -> list[str]:
    walked = pkgutil.iter_modules(importlib.import_module(group).__path__)
    return [module.name for module in walked if not module.name.startswith("_")]


def _taken(group: str) -> dict[str, str]:
    """Names, and where they are, that are not free for what an installed package brings to that group, besides those
    of the group itself."""
    if group not in SIDE_BY_SIDE:
        return {}
    found = dict.fromkeys((*GIVEN, *GIVEN_TO_SIGNALS, *KEPT_BESIDE_SIGNALS), "what curate itself gives or keeps")
    for other in SIDE_BY_SIDE:
        if other != group:
            found |= {name: f"{other}.{name}" for name in _own(other)}
            found |= {each.name: each.module for each in installed(other)}
    return found


@cache
def installed(group: str) -> tuple[Brought, ...]:
    """What other packages have for a group: looked for once, as that takes a while."""
    kind = GROUPS.get(group, group)
    return tuple(
        Brought(kind, entry.name, entry.value.partition(":")[0].strip(), entry.dist.name if entry.dist else "unknown")
        for entry in entry_points(group=group)
    )


def load(brought: Brought) -> ModuleType:
    """The module that an entry point names. Raises `UserError` for whatever keeps it from being imported."""
    try:
        with redirect_stdout(sys.stderr):
            module = importlib.import_module(brought.module)
    except (Exception, SystemExit) as error:
        raise UserError(
            f"{brought} does not load: {_said(error)}; mend it, or 'pip uninstall {brought.package}'"
        ) from error
    function = getattr(module, brought.name, None)
    if callable(function) and _module_of(function).partition(".")[0] not in OURS:
        _imported[_module_of(function)] = brought.module
    return module


_imported: dict[str, str] = {}
"""Module that a function of an installed package is written in -> the one that its entry point names."""


def package_of(part: Callable | ModuleType) -> str:
    """The installed package that brought a function or module by an entry point; "" for all others.

    Of several that have modules in one namespace it is the one whose module is nearest.
    """
    module = _module_of(part)
    parts = _imported.get(module, module).split(".")
    if parts[0] in OURS:
        return ""
    theirs = [each for group in GROUPS for each in installed(group)]
    nearest = max(theirs, key=lambda each: _shared(each.module.split("."), parts), default=None)
    return nearest.package if nearest and _shared(nearest.module.split("."), parts) else ""


def _shared(a: list[str], b: list[str]) -> int:
    """How many names two modules' paths have in common from the start."""
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))


class Blaming:
    """What fails in the block, in code that an installed package brought, is a `UserError` that names it; what it
    prints goes to stderr, as stdout is a verb's own.

    kind, name: of `part`, the function or module that runs, as for `called`. May be entered again.
    """

    def __init__(self, kind: str, name: str, part: Callable | ModuleType) -> None:
        self.kind, self.name, self.part = kind, name, part
        self.printing = redirect_stdout(sys.stderr)

    def __enter__(self) -> None:
        self.printing.__enter__()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.printing.__exit__(None, None, None)
        if not isinstance(error, Exception) or isinstance(error, UserError | MemoryError):
            return
        if package_of(self.part):
            told = called(self.kind, self.name, self.part)
            raise UserError(f"{told} failed: {_said(error)}; 'curate --verbose' shows where") from error


def faulty(what: str, part: Callable | ModuleType, says: str) -> UserError:
    """The error for a function or module that is not what its group takes. says: `has no function 'dark'`."""
    package = package_of(part)
    where = _module_of(part) + f" of the package {package}" * bool(package)
    return UserError(f"{what} ({where}) {says}; mend it" + f", or 'pip uninstall {package}'" * bool(package))


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error)[:SHOWN]}".rstrip(": ")


def _module_of(part: Callable | ModuleType) -> str:
    return part.__name__ if isinstance(part, ModuleType) else str(getattr(part, "__module__", ""))


def functions(package: ModuleType) -> dict[str, Callable]:
    """Every module's function of the same name: `finders/dark.py` gives `dark`."""
    return {name: function_of(name, module) for name, module in modules(package).items()}


def function_of(name: str, module: ModuleType) -> Callable:
    """The function that is called as its module is. Raises `UserError` where there is none."""
    function: Callable | None = getattr(module, name, None)
    if getattr(function, "__name__", None) != name or not callable(function):
        raise faulty(repr(name), module, f"has no function of that name in {getattr(module, '__file__', None) or 'it'}")
    return function


def _check_function(group: str, name: str, module: ModuleType) -> None:
    """Raises `UserError` for a finder or signal that asks for what there is not, or whose settings lack a default, or
    whose version is no number."""
    function = function_of(name, module)
    settings(function)
    parameters = inspect.signature(function).parameters.values()
    if loose := [str(each) for each in parameters if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]:
        raise faulty(repr(name), function, f"takes {loose[0]}; what it needs has to be named")
    there = sorted({*_ASKED[group], *names("curate.signals")} - {name})
    if unknown := [need for need in needs(function) if need not in there]:
        told = f"asks for {unknown[0]!r}{meant(unknown[0], there)}; there are: {', '.join(there)}"
        raise faulty(repr(name), function, told)
    is_per_image(function)
    number = getattr(sys.modules.get(function.__module__), "VERSION", 1)
    if not isinstance(number, int):
        raise faulty(repr(name), function, f"has the VERSION {number!r}, which is no int")


def pick(kind: str, name: str, package: ModuleType) -> Callable:
    """The function called `name`, or an error that lists what there is."""
    found = functions(package)
    if name not in found:
        raise missing(kind, name, package, list(found))
    return found[name]


def missing(kind: str, name: str, package: ModuleType, names: list[str]) -> UserError:
    """The error for a name that is not among `names`: it is that of a part that cannot be used, or there is none."""
    return fault_of(name, package) or known(kind, name, names)


def fault_of(name: str, package: ModuleType) -> UserError | None:
    """Why what an installed package brings under that name cannot be used; None where none brings any."""
    return next((error for each, error in faults(package).items() if each.name == name), None)


def called(kind: str, name: str, part: Callable | ModuleType) -> str:
    """`finder 'dark'`, or `finder 'theirs' of the package p`, as it stands in errors about what it gave."""
    package = package_of(part)
    return f"{kind} {name!r}" + f" of the package {package}" * bool(package)


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


def is_per_image(function: Callable) -> bool:
    """Whether the function needs pixels alone. Raises `UserError` for one that needs other things beside them."""
    asked = needs(function)
    others = [name for name in asked if name not in PER_IMAGE]
    if others and PER_IMAGE & set(asked):
        told = f"asks for pixels beside other things ({', '.join(others)}); settings come after a `*`"
        raise faulty(repr(function.__name__), function, told)
    return not others


def on_request(function: Callable) -> bool:
    """Whether its module says `ON_REQUEST = True`: it runs where somebody asks for it by name, not with the others."""
    return bool(getattr(sys.modules.get(function.__module__), "ON_REQUEST", False))


def version(function: Callable) -> int | str:
    """`VERSION` of its module, which is raised when the function finds otherwise than before; 1 where there is none.

    With a hash of the module's source where an installed package brought it: who writes one tries things out.
    """
    number = int(getattr(sys.modules.get(function.__module__), "VERSION", 1))
    return f"{number}+{_source_hash(function.__module__)}" if package_of(function) else number


@cache
def _source_hash(module: str) -> str:
    """Of the file that was imported, as hex of four bytes; of nothing where there is no file."""
    file = getattr(sys.modules.get(module), "__file__", None)
    return hashlib.blake2b(Path(file).read_bytes() if file else b"", digest_size=4).hexdigest()


def settings(function: Callable) -> dict[str, object]:
    """Keyword-only parameters with their defaults: what a recipe or `--set` may change.

    Raises `UserError` for one without a default.
    """
    found = {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind == parameter.KEYWORD_ONLY
    }
    if bare := [name for name, default in found.items() if default is inspect.Parameter.empty]:
        raise faulty(f"{function.__name__!r}", function, f"has a setting without a default, {bare[0]!r}")
    return found
