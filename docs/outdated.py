"""Which figures are of code that finds otherwise today: the versions of signals in a JSON, beside those of now."""

from collections.abc import Iterator, Mapping
from typing import Any

from curate import registry, signals


def outdated(result: Mapping[str, Any]) -> str:
    """With which signals of an earlier version the figures in a JSON of `docs/benchmarks` were measured, in words; ""
    where those that it names have the versions of now, or it names none."""
    now = {name: registry.version(function) for name, function in registry.functions(signals).items()}
    old = {name for kept in _kept(result) for name, version in kept.items() if now.get(name) != version}
    return f"measured with an earlier version of {', '.join(f'`{name}`' for name in sorted(old))}" if old else ""


def _kept(content: Mapping[str, Any]) -> Iterator[Mapping[str, int | str]]:
    """The versions under "signals", see `tests.benchmarks.record.circumstances`: of the file, and of parts of it."""
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from [value] if name == "signals" else _kept(value)
