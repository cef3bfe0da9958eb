"""`python -m tests.benchmarks [NAME…]`: run the named benchmarks, or all that need no GPU, one after the other.

`python -m tests.benchmarks NAME --help` says what one of them can be asked.
"""

import importlib
import inspect
import itertools
import pkgutil
import sys

from tests import benchmarks

HELPERS = {"__main__", "record", "label_sets", "review_command", "gpu"}
"""Modules that are no benchmark of this command: what they share, and what needs a GPU (`make bench-gpu`)."""


def main() -> None:
    """Each benchmark is a module with a function `run()`, which writes its own JSON; one alone takes arguments."""
    there_are = [module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name not in HELPERS]
    names = list(itertools.takewhile(there_are.__contains__, sys.argv[1:]))
    arguments = sys.argv[1 + len(names) :]
    if arguments and len(names) != 1:
        sys.exit(f"no benchmark is called {arguments[0]!r}; there are: {', '.join(there_are)}")
    for name in names or there_are:
        run = importlib.import_module(f"tests.benchmarks.{name}").run
        if arguments and not inspect.signature(run).parameters:
            sys.exit(f"{name} takes no arguments, such as {arguments[0]!r}")
        print(f"== {name}", flush=True)
        run(*[arguments] if arguments else [])


main()
