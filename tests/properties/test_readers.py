"""Whatever a reader is given, it gives a result or an error of one line: the targets of `make fuzz`, a few inputs."""

import importlib
import pkgutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import UserError
from tests.fuzz import targets
from tests.fuzz.targets import specs
from tests.properties.drawn import damaged, edited

TARGETS = [module.name for module in pkgutil.iter_modules(targets.__path__)]
ABORTS = "parquet_tables"
"""Arrow ends the process for some damaged files, and the tests with it; `make fuzz` runs it in a process of its own."""


@pytest.mark.parametrize("name", [name for name in TARGETS if name != ABORTS])
@given(data=st.data())
def test_a_reader_answers_whatever_it_reads(name: str, data: st.DataObject) -> None:
    target = importlib.import_module(f"tests.fuzz.targets.{name}")
    target.one(data.draw(damaged(data.draw(st.sampled_from(target.seeds())))))


@pytest.mark.parametrize("at", list(range(len(specs.PARSERS))))
@given(data=st.data())
def test_a_parser_answers_whatever_it_is_given(at: int, data: st.DataObject) -> None:
    _, examples = specs.PARSERS[at]
    text = data.draw(st.text(max_size=9) | st.sampled_from(examples).flatmap(edited))
    specs.one(bytes([at]) + text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("name", TARGETS)
def test_what_a_search_begins_with_is_read(name: str) -> None:
    target = importlib.import_module(f"tests.fuzz.targets.{name}")
    for seed in target.seeds():
        target.one(seed)
    target.one(b"")


def test_a_broken_word_is_seen() -> None:
    """That the targets can fail: an error of two lines, one without words, and another kind of error."""
    from tests.fuzz.contract import answered

    for error in (UserError("a\nb"), UserError(" "), KeyError("x")):
        with pytest.raises((AssertionError, KeyError)), answered():
            raise error
