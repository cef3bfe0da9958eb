"""`python -m tests.benchmarks [NAME…]`: run the named benchmarks, or all that need no GPU, one after the other."""

import importlib
import pkgutil
import sys

from tests import benchmarks

HELPERS = {"__main__", "record", "label_sets", "review_command", "gpu"}
"""Modules that are no benchmark of this command: what they share, and what needs a GPU (`make bench-gpu`)."""


def main() -> None:
    """Each benchmark is a module with a function `run()`, which writes its own JSON."""
    there_are = [module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name not in HELPERS]
    for name in sys.argv[1:] or there_are:
        if name not in there_are:
            sys.exit(f"no benchmark is called {name!r}; there are: {', '.join(there_are)}")
        print(f"== {name}", flush=True)
        importlib.import_module(f"tests.benchmarks.{name}").run()


main()
