"""Pages mark figures that were measured with other signals than those of today."""

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest

from curate import evidence, finders, registry, signals
from curate.signals import duplicate_pairs
from tests.benchmarks import record, scan_speed

NOW = duplicate_pairs.VERSION
MARK = "measured with an earlier version of `duplicate_pairs`"


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`docs/benchmark_tables.py` as a module."""
    monkeypatch.syspath_prepend(str(record.ROOT / "docs"))
    return importlib.import_module("benchmark_tables")


@pytest.mark.parametrize(
    ("content", "mark"),
    [
        ({}, ""),
        ({"signals": {"duplicate_pairs": NOW}}, ""),
        ({"signals": {"duplicate_pairs": NOW - 1}}, MARK),
        ({"signals": {"duplicate_pairs": NOW, "gone": 1}}, MARK.replace("duplicate_pairs", "gone")),
        ({"signals": {"gone": 1, "duplicate_pairs": 1}}, f"{MARK}, `gone`"),
        (
            {"signals": {"duplicate_pairs": NOW}, "figures": {"a": {"measured": {"signals": {"duplicate_pairs": 1}}}}},
            MARK,
        ),
    ],
)
def test_what_is_outdated(content: Mapping[str, object], mark: str, tables: ModuleType) -> None:
    assert tables.outdated({"figures": {}, **content}) == mark


def test_figures_are_marked_once_a_signal_finds_otherwise(
    tables: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    figures = {"9": {"add_seconds": 60, "scan_seconds": 60, "again_seconds": 1, "add_near_seconds": 1, "planted": 1}}
    figures["9"] |= {"found": 1, "add_gb": 1, "scan_gb": 1, "add_near_gb": 1}
    record.write("million", "images", "a command", figures, signals=record.signals_of("near_duplicate"))
    results = {"million": json.loads((tmp_path / "million.json").read_text())}
    assert {"duplicate_pairs", "thumbnail"} <= set(results["million"]["signals"])
    assert "earlier version" not in tables.tables(results) + tables.headlines(results)
    monkeypatch.setattr(duplicate_pairs, "VERSION", NOW + 1)
    assert f"**To be renewed: {MARK}.**" in tables.tables(results)
    assert f"2 min; {MARK} |" in tables.headlines(results)


def test_signals_of_a_scan_without_predictions() -> None:
    needs = {name: evidence.wanted([finder]) for name, finder in registry.functions(finders).items()}
    ours = set[str]().union(*(needed for needed in needs.values() if not needed & {*evidence.PREDICTED}))
    assert set(scan_speed.SIGNALS) == ours & set(registry.functions(signals))


def test_table_of_pseudo_labels(tables: ModuleType) -> None:
    row = {"labels": 1442, "sure": 0.95, "pool": 355, "labelled": 344, "right": 0.994, "expected": 0.997}
    result = {
        "what": "digits",
        "command": "a command",
        **record.circumstances(["label_doubt"]),
        "figures": {"digits-0.1-class": {"rows": [row | {"sure": 0.9}, row]}},
    }
    text = tables.study_tables.pseudo_labels(result, tables.table)
    lines = text.splitlines()
    assert lines[2] == "| digits, 10 % planted (class) | 1,442 labels | 344 of 355 | 99.7 % | 99.4 % |"
    assert len([line for line in lines if "|" in line]) == 3
    assert "`a command`" in lines[-1]
